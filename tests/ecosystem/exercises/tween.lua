local tween = require "tween"
local label = { x = 0, at = { y = 10 } }
local move = tween.new(4, label, { x = 8, at = { y = 0 } }, "inOutQuad")
assert(not move:update(2) and label.x == 4)
assert(move:update(2) and label.at.y == 0)
