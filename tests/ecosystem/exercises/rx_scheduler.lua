local Rx = require "rx"
local scheduler = Rx.CooperativeScheduler.create()
local got = {}
scheduler:schedule(function()
  for i = 1, 3 do
    got[#got + 1] = i
    coroutine.yield(1)
  end
end)
for _ = 1, 5 do
  scheduler:update(1)
end
assert(#got == 3 and scheduler:isEmpty())
