-- Kind `process`: a child process an attempt. Its definition is a plan made as the script loads; a
-- run fills in the placeholders, has the host run the child, and makes its output a value.
local attempt = require "swarm.outside.process.attempt"
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local output = require "swarm.outside.process.output"
local plans = require "swarm.outside.process.plan"
local posting = require "swarm.worker.posting"
local S = require "swarm.scheduler.scheduler"
local session = require "swarm.outside.process.session"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local stream = require "swarm.outside.process.stream"
local format, pairs, type = string.format, pairs, type

local TELLS = { ndjson = true, sse = true, frames = true } -- formats whose items may be usage

local function run(plan, ctx, input)
  local prompt = attempt.prompter(plan, ctx, input)
  local order = attempt.order(plan, ctx, input, prompt)
  order.input, order.source = attempt.standard_input(plan, ctx, input, prompt)
  local items = plan.stream and stream.new(plan, ctx)
  local ended, stdout, stderr = attempt.run(order, plan, ctx, items)
  return output.result(plan, ended, stdout, stderr, items, posting.of(S.current.task))
end

local function invoke(held, plan, ctx, input)
  plan = session.plan_of(held, plan)
  local prompt = attempt.prompter(plan, ctx, input)
  local texts, source
  if plan.format == "lines" or plan.input or plan.given then
    texts, source = attempt.standard_input(plan, ctx, input, prompt)
    if source or (plan.format == "lines" and not texts) then
      local what = source and "stdin of a worker that is held open must be a string"
        or "an invocation of it needs an input"
      return errors.throw("invalid_argument", plan.who .. ": " .. what)
    end
  end
  return session.invoke(held, plan, ctx, input, texts, function()
    local order = attempt.order(plan, ctx, input, prompt)
    order.linger = plan.linger or plan.kill_after or child.KILL_AFTER
    order.on_err = attempt.tell_err
    return order
  end)
end

---The swarm.command that a worker names.
local function named(generation, def, fields)
  local base = generation.commands[fields.command]
  if not base then
    local known = generation.commands
    local hint = spelling.hint(fields.command, known, "")
    return errors.throw(
      "load_error",
      format("worker %q: there is no swarm.command %q%s", def.name, fields.command, hint)
        .. (hint == "" and plans.as_list(fields.command) or ""),
      { field = "command", where = def.where }
    )
  end
  return plans.over(fields, base.fields)
end

return {
  fields = plans.FIELDS,

  ---Checks a swarm.command where it stands.
  check_command = function(name, fields)
    local who = format("command %q", name)
    for key in pairs(fields) do
      if not plans.FIELDS[key] then
        local hint = spelling.hint(key, plans.FIELDS, "")
        local message = format("%s has no field %s%s", who, shown.value(key), hint)
        return errors.throw("load_error", message, { field = tostring(key) })
      end
    end
    plans.compile(who, fields)
  end,

  ---@param def table the checked definition
  ---@param fields table what the author wrote
  ---@param generation table
  ---@return function run called as run(ctx, input)
  start = function(def, fields, generation)
    local who = format("worker %q", def.name)
    local plan
    local function compile(of)
      plan = plans.compile(who, of, def.where)
      def.tells = TELLS[plan.format] or false
      def.held_open = session.FORMATS[plan.format] ~= nil
        or "held open it needs output.format lines, ndjson or frames, and has " .. plan.format
    end
    if type(fields.command) == "string" then
      -- Order is free: the command may be defined further down.
      generation.closing[#generation.closing + 1] = function()
        compile(named(generation, def, fields))
      end
    else
      compile(fields)
    end
    return function(ctx, input)
      local extra = S.current.task.extra
      local held = extra and extra.invoked_by
      if held then
        return invoke(held, plan, ctx, input)
      end
      return run(plan, ctx, input)
    end
  end,
}
