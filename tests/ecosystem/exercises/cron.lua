local cron = require "cron"
local fired = 0
local clock = cron.every(2, function() fired = fired + 1 end)
for _ = 1, 5 do
  clock:update(1)
end
assert(fired == 2)
