local Timer = require "hump.timer"
local timer, seen = Timer.new(), {}
timer:after(1, function() seen[#seen + 1] = "after" end)
timer:script(function(wait)
  wait(0.5)
  seen[#seen + 1] = "script"
end)
local moved = { x = 0 }
timer:tween(1, moved, { x = 10 }, "linear")
for _ = 1, 12 do
  timer:update(0.1)
end
assert(seen[1] == "script" and seen[2] == "after" and moved.x > 9.9)
