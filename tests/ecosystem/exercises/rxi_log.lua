local log = require "log"
log.usecolor = false
log.outfile = os.tmpname()
log.info("one", 2)
log.level = "fatal"
log.warn "not said"
local file = io.open(log.outfile)
local said = file:read "*a"
file:close()
os.remove(log.outfile)
assert(said:find "INFO" and said:find "one 2" and not said:find "not said", said)
