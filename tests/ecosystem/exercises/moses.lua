local M = require "moses"
local doubled = M.map({ 1, 2 }, function(v) return v * 2 end)
assert(doubled[2] == 4)
