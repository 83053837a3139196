local convoke = require "knife.convoke"
local later, got
convoke(function(continue, wait)
  later = continue()
  got = wait()
end)()
later "x"
assert(got == "x")
