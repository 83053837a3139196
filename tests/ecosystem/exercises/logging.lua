local logging = require "logging"
local said
local log = logging.new(function(_, level, message)
  said = level .. message
  return true
end)
log:warn "x"
assert(said == "WARNx")
