-- audit: the attempts of a worker, in a file whose lines are a chain of hashes: who it was, and how
-- it ended. A run that has an audit of its own (--audit) has all of that in there; then the layer
-- only marks there which attempts were meant.
local acting = require "swarm.rights.acting"
local attempts = require "swarm.worker.attempts"
local audit = require "swarm.events.audit"
local labels = require "swarm.scheduler.label"
local options = require "swarm.layers.options"
local debug_getmetatable, find, type = debug.getmetatable, string.find, type

return {
  options = options.of {
    file = function(file)
      if type(file) ~= "string" or file == "" or find(file, "%z") then
        return options.must("file", "the path of a file", file)
      end
      return file
    end,
  },

  before = function(ctx, _, given)
    local task = debug_getmetatable(ctx)
    local row = { task_id = "T-" .. task.id, attempt = attempts.number(task) }
    if audit.on then
      return audit.row("audited", row)
    end
    row.name, row.label, row.role = task.def.name, labels.own(task), acting.role_of(task)
    row.parent = task.parent and "T-" .. task.parent.id
    return audit.row_of_layer(given.file, "attempt_began", row)
  end,

  settled = function(ctx, outcome, given)
    if audit.on then
      return
    end
    local task = debug_getmetatable(ctx)
    return audit.row_of_layer(given.file, "attempt_ended", {
      task_id = "T-" .. task.id,
      attempt = attempts.number(task),
      status = outcome.status,
      code = outcome.err and outcome.err.code,
    })
  end,
}
