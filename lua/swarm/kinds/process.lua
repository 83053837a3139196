-- Kind `process`: a child process an attempt. Its definition is a plan made as the script loads; a
-- run fills in the placeholders, has the host run the child, and makes its output a value.
local bridge = require "swarm.outside.bridge"
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local inputs = require "swarm.outside.process.input"
local json = require "swarm.values.json"
local output = require "swarm.outside.process.output"
local pace = require "swarm.worker.output.pace"
local plans = require "swarm.outside.process.plan"
local readiness = require "swarm.worker.readiness"
local S = require "swarm.scheduler.scheduler"
local say = require "swarm.worker.output.say"
local secret = require "swarm.outside.secret"
local session = require "swarm.outside.process.session"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local stream = require "swarm.outside.process.stream"
local template = require "swarm.outside.process.template"
local concat, find, format = table.concat, string.find, string.format
local error, pairs, pcall, type = error, pairs, pcall, type

local TELLS = { ndjson = true, sse = true, frames = true } -- formats whose items may be usage

local MAX_VARIABLE = 131000 -- bytes that one variable can hold, with its name, on Linux

---Sets a variable of a shell where there is a text that can be one, or it must be one.
local function offer(env, name, shell, make, ...)
  local is_named = find(shell, name, 1, true)
  local ok, text = pcall(make, ...)
  if ok and (is_named or #text < MAX_VARIABLE and not find(text, "\0", 1, true)) then
    env[name] = { text }
  elseif not ok and is_named then
    return error(text, 0)
  end
end

local function environment(plan, ctx, input, prompt)
  local env = child.identity(ctx)
  if plan.shell and input ~= nil then
    offer(env, "SWARM_PROMPT", plan.shell, prompt)
    offer(env, "SWARM_INPUT", plan.shell, json.encode, input, "input")
  end
  for name, value in pairs(plan.env) do
    env[name] = not secret.name(value)
        and template.fill(value, ctx, input, plan.who .. ": env." .. name, prompt)
      or value
  end
  return env
end

---What gives the prompt of an input: the definition's own, else the input's.
local function prompter(plan, ctx, input)
  local prompt
  return function()
    if prompt == nil and plan.prompt then
      prompt = concat(template.fill(plan.prompt, ctx, input, plan.who .. ": prompt"))
    elseif prompt == nil then
      prompt = template.prompt(input)
    end
    return prompt
  end
end

---What the child gets as input: what the definition says, else the prompt where nothing names it.
---@return table? texts, table? source
local function standard_input(plan, ctx, input, prompt)
  local given = plan.given
  if plan.input then
    return template.fill(plan.input, ctx, input, plan.who .. ": stdin", prompt)
  elseif given == nil then
    return not plan.names_input and (input ~= nil or plan.prompt) and { prompt() } or nil
  elseif type(given) == "function" then
    given = given(ctx, input)
  end
  return inputs.of(given, plan.who .. ": stdin")
end

---Lines of stderr, as they come. A worker that may not emit runs without.
local function tell_err(ctx, lines)
  local me = S.current
  if me.rights.emit_output then
    for line in child.lines(lines) do
      pace.item(me)
      say.relay(ctx, { type = "progress", stage = "stderr", note = line, seq = nil, at = nil })
      pace.wait(me) -- many of them would push out what a reader has not read yet
    end
  end
end

---The order for a child, but for what it gets as input and who listens.
local function order_of(plan, ctx, input, prompt)
  local arguments = {}
  for i = 1, #plan.arguments do
    local place = format("%s: command[%d]", plan.who, i)
    arguments[i] = template.fill(plan.arguments[i], ctx, input, place, prompt)
  end
  return {
    who = plan.who,
    arguments = arguments,
    env = environment(plan, ctx, input, prompt),
    inherit = plan.inherit,
    folder = plan.folder and template.fill(plan.folder, ctx, input, plan.who .. ": cwd", prompt),
    prompt = plan.prompt_file and prompt() or nil,
    line = plan.line_limit,
    output = plan.output_limit,
    limits = plan.limits,
    terminal = plan.terminal,
    plain = plan.plain,
    kill_after = plan.kill_after,
    linger = plan.linger,
    stream = plan.stream,
    to_file = plan.format == "file",
    chomp = plan.format == "text", -- by the host: a copy of all that it wrote is dear
  }
end

local function run(plan, ctx, input)
  local prompt = prompter(plan, ctx, input)
  local order = order_of(plan, ctx, input, prompt)
  order.input, order.source = standard_input(plan, ctx, input, prompt)
  order.idle = plan.idle
  local task = S.current.task
  local function look_at(lines) -- it may say that it is ready
    if readiness.wants_lines(task) then
      for line in child.lines(lines) do
        readiness.line(task, line)
      end
    end
  end
  order.on_err = function(lines)
    look_at(lines)
    return tell_err(ctx, lines)
  end
  local items = plan.stream and stream.new(plan, ctx)
  if items then
    order.on_out = function(blob)
      look_at(blob)
      items:take(blob)
    end
  elseif readiness.wants_lines(task) then
    order.stream, order.on_out = "watched", look_at
  end
  if plan.linger then
    order.told = function(request)
      if items.final and not order.final_told then
        order.final_told = true
        bridge.tell(request, { final = true })
      end
    end
  end
  local ended, stdout, stderr = child.run(order)
  return output.result(plan, ended, stdout, stderr, items)
end

local function invoke(held, plan, ctx, input)
  plan = session.plan_of(held, plan)
  local prompt = prompter(plan, ctx, input)
  local texts, source
  if plan.format == "lines" or plan.input or plan.given then
    texts, source = standard_input(plan, ctx, input, prompt)
    if source or (plan.format == "lines" and not texts) then
      local what = source and "stdin of a worker that is held open must be a string"
        or "an invocation of it needs an input"
      return errors.throw("invalid_argument", plan.who .. ": " .. what)
    end
  end
  return session.invoke(held, plan, ctx, input, texts, function()
    local order = order_of(plan, ctx, input, prompt)
    order.linger = plan.linger or plan.kill_after or child.KILL_AFTER
    order.on_err = tell_err
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
