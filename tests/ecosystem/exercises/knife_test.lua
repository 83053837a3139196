local T = require "knife.test"
local ran
T("given", function(t)
  ran = true
  t:assert(true, "then it holds")
end)
assert(ran)
