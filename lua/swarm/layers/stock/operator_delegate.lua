-- operator_delegate: nothing of the worker runs; an operator is given the whole attempt, and what
-- is answered is its result.
local ask = require "swarm.outside.ask"
local options = require "swarm.layers.options"
local record = require "swarm.scheduler.record"
local debug_getmetatable, format = debug.getmetatable, string.format

return {
  options = options.of { to = options.text("to", "the id of an operator, a text", "main") },

  around = function(ctx, _, given)
    local prompt = ctx.prompt
    local answer = ask.put {
      question = format("What is the result of worker %s?", record.named(debug_getmetatable(ctx))),
      to = given.to,
      kind = "attempt",
      show = prompt,
      details = { role = ctx.role, input = ctx.input, prompt = prompt },
    }
    return { value = answer.value, ok = not answer.blocked, reason = answer.reason }
  end,
}
