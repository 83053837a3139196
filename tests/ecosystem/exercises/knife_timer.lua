local timer = require "knife.timer"
local got = 0
timer.after(1, function() got = got + 1 end)
timer.every(0.5, function() got = got + 10 end):limit(2)
for _ = 1, 4 do
  timer.update(0.5)
end
assert(got == 21)
