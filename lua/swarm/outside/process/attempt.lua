-- One run of a child for an attempt: placeholders filled in, what it reads, who listens to it. The
-- plan of a definition is made as the script loads; this is what a run makes of it.
local bridge = require "swarm.outside.bridge"
local child = require "swarm.outside.process.child"
local inputs = require "swarm.outside.process.input"
local json = require "swarm.values.json"
local pace = require "swarm.worker.output.pace"
local readiness = require "swarm.worker.readiness"
local S = require "swarm.scheduler.scheduler"
local say = require "swarm.worker.output.say"
local secret = require "swarm.outside.secret"
local template = require "swarm.outside.process.template"
local concat, find, format = table.concat, string.find, string.format
local error, pairs, pcall, type = error, pairs, pcall, type

local attempt = {}

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
function attempt.prompter(plan, ctx, input)
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
function attempt.standard_input(plan, ctx, input, prompt)
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
function attempt.tell_err(ctx, lines)
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
function attempt.order(plan, ctx, input, prompt)
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
    bears = plan.token or plan.forms.token,
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

---Runs a child to its end, and hands what it says to who takes it.
---@param order table what attempt.order made, with what the child gets as input
---@param plan table
---@param ctx table
---@param items table? the stream that its output is (stream.lua)
---@return table ended, string stdout, string stderr
function attempt.run(order, plan, ctx, items)
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
    return attempt.tell_err(ctx, lines)
  end
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
  return child.run(order)
end

return attempt
