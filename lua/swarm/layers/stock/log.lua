-- log: a line when an attempt begins, and one when it has ended, with its status and its seconds.
local attempts = require "swarm.worker.attempts"
local log = require "swarm.events.log"
local options = require "swarm.layers.options"
local debug_getmetatable, floor, format = debug.getmetatable, math.floor, string.format

local LEVELS = { debug = true, info = true, warn = true, error = true, off = true }

local read = options.of {
  level = function(level)
    if level ~= nil and not LEVELS[level] then
      return options.must("level", '"debug", "info", "warn", "error" or "off"', level)
    end
    return level or "info"
  end,
}

return {
  options = function(given)
    local known = read(given)
    return known.level ~= "off" and known
  end,

  before = function(ctx, _, given)
    local task = debug_getmetatable(ctx)
    return log.entry(given.level, format("attempt %d began", attempts.number(task)), nil, task)
  end,

  settled = function(ctx, outcome, given)
    local task = debug_getmetatable(ctx)
    local text = format("attempt %d ended: %s", attempts.number(task), outcome.status)
    local seconds = outcome.started and outcome.ended - outcome.started
    local after = seconds and format(" after %g s", floor(seconds * 1000 + 0.5) / 1000)
      or " before it began"
    return log.entry(given.level, text .. after, nil, task)
  end,
}
