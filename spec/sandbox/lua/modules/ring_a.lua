require("swarm").sleep(1)
return require "modules.ring_b"
