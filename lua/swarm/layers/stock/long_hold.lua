-- long_hold: tells of an attempt that runs longer than it should, once, while it runs. Each attempt
-- has a timer, which ends with it and wakes nobody.
local attempts = require "swarm.worker.attempts"
local clock = require "swarm.ground.clock"
local events = require "swarm.events.run"
local log = require "swarm.events.log"
local options = require "swarm.layers.options"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local debug_getmetatable, format = debug.getmetatable, string.format

local DEFAULT = 60 -- seconds

local function tell(node)
  local task, after = node.of, node.given.after
  local elapsed = clock.monotonic() - task.since
  local message = "attempt %d has run for %.3g s and goes on: long_hold has after = %g"
  log.entry("warn", format(message, attempts.number(task), elapsed, after), nil, task)
  if events.on then
    events.publish("long_hold", task, { elapsed = elapsed, after = after })
  end
end

local function wakes_nobody()
  return false
end

return {
  options = options.of { after = options.seconds("after", DEFAULT) },

  before = function(ctx, _, given)
    local task = debug_getmetatable(ctx)
    local extra = record.extra(task)
    local first = extra.alarms
    local set = first
    while set do
      if set.given == given then
        return -- a hook around this one runs it again, in the same attempt
      end
      set = set.following
    end
    local node = {
      expire = tell,
      serves = wakes_nobody,
      of = task,
      given = given,
      following = first,
      pos = nil,
    }
    extra.alarms = node
    S.set_timer(node, task.since + given.after)
  end,
}
