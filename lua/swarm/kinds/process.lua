-- Kind `process`: a child process an attempt. Its definition is a plan made as the script loads; a
-- run fills in the placeholders, has the host run the child, and makes its output a value.
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local inputs = require "swarm.outside.process.input"
local json = require "swarm.values.json"
local output = require "swarm.outside.process.output"
local plans = require "swarm.outside.process.plan"
local S = require "swarm.scheduler.scheduler"
local secret = require "swarm.outside.secret"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local template = require "swarm.outside.process.template"
local find, format, gmatch = string.find, string.format, string.gmatch
local pairs, type = pairs, type

local MAX_VARIABLE = 131000 -- bytes that one variable can hold, with its name, on Linux

---Sets a variable of a shell where the text can be one, or must be one.
local function offer(env, name, text, shell)
  local fits = #text < MAX_VARIABLE and not find(text, "\0", 1, true)
  if fits or find(shell, name, 1, true) then
    env[name] = { text }
  end
end

local function environment(plan, ctx, input)
  local env = child.identity(ctx)
  if plan.shell and input ~= nil then
    offer(env, "SWARM_PROMPT", template.prompt(input), plan.shell)
    offer(env, "SWARM_INPUT", (json.encode(input, "input")), plan.shell)
  end
  for name, value in pairs(plan.env) do
    env[name] = not secret.name(value)
        and template.fill(value, ctx, input, plan.who .. ": env." .. name)
      or value
  end
  return env
end

---What the child gets as input: what the definition says, else the prompt where nothing names it.
local function standard_input(plan, ctx, input)
  local given = plan.given
  if plan.input then
    return template.fill(plan.input, ctx, input, plan.who .. ": stdin")
  elseif given == nil then
    return not plan.names_input and input ~= nil and { template.prompt(input) } or nil
  elseif type(given) == "function" then
    given = given(ctx, input)
  end
  return inputs.texts(given, plan.who .. ": stdin")
end

---Lines of stderr, as they come. A worker that may not emit runs without.
local function teller(ctx)
  return S.current.rights.emit_output
    and function(_, lines)
      for line in gmatch(lines .. "\n", "([^\n]*)\n") do
        ctx:progress("stderr", line)
      end
    end
end

local function run(plan, ctx, input)
  local arguments = {}
  for i = 1, #plan.arguments do
    local place = format("%s: command[%d]", plan.who, i)
    arguments[i] = template.fill(plan.arguments[i], ctx, input, place)
  end
  local ended, stdout, stderr = child.run {
    who = plan.who,
    arguments = arguments,
    env = environment(plan, ctx, input),
    inherit = plan.inherit,
    folder = plan.folder and template.fill(plan.folder, ctx, input, plan.who .. ": cwd"),
    input = standard_input(plan, ctx, input),
    prompt = plan.prompt_file and template.prompt(input) or nil,
    line = plan.line_limit,
    output = plan.output_limit,
    kill_after = plan.kill_after,
    to_file = plan.format == "file",
    on_lines = teller(ctx) or nil,
  }
  return output.result(plan, ended, stdout, stderr)
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
        .. (
          hint == "" and plans.as_list(fields.command) or ""
        ),
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
    if type(fields.command) == "string" then
      -- Order is free: the command may be defined further down.
      generation.closing[#generation.closing + 1] = function()
        plan = plans.compile(who, named(generation, def, fields), def.where)
      end
    else
      plan = plans.compile(who, fields)
    end
    return function(ctx, input)
      return run(plan, ctx, input)
    end
  end,
}
