-- Defines the workers that the chapters on structure set against each other: one passes at once,
-- one waits, one fails.
local swarm = require "swarm"

swarm.worker "double" {
  run = function(_, n)
    return n * 2
  end,
}

swarm.worker "sleeper" {
  run = function(_, seconds)
    swarm.sleep(seconds or 100)
    return "slept"
  end,
}

swarm.worker "fail_after" {
  run = function(_, seconds)
    swarm.sleep(seconds)
    error { code = "broke", after = seconds }
  end,
}
