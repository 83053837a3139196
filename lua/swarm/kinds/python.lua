-- Kind `python`: a function of Python's, run by the host in a thread, or in its loop where it is
-- async. It is found as the script loads, so that a module or a function that is not there is a
-- mistake of the definition; what a worker runs stays the function of its generation.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local exact = require "swarm.values.exact"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local labels = require "swarm.scheduler.label"
local log = require "swarm.events.log"
local noting = require "swarm.journal.noting"
local pace = require "swarm.worker.output.pace"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local say = require "swarm.worker.output.say"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local sources = require "swarm.outside.sources"
local tails = require "swarm.worker.output.tail"
local tokens = require "swarm.outside.tokens"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local error, pcall, type = error, pcall, type
local find, format, gmatch, match = string.find, string.format, string.gmatch, string.match

-- Loading -----------------------------------------------------------------------------------------

local function wrong(def, message)
  local text = format("worker %q: python: %s", def.name, message)
  return errors.throw("load_error", text, { field = "python", where = def.where })
end

---What of the spelling of a function cannot be one.
local function check_name(def, text)
  local path = match(text, "^([%w_./-]+)%.py$") or match(text, "^([%w_./-]+)%.py:")
  if path then
    local message = "a module is named without .py, as in %q"
    return wrong(def, format(message, path:gsub("/", ".") .. ":function"))
  elseif text == "" or find(text, "[%z\r\n]") then
    return wrong(def, 'write "module:function", and not ' .. shown.value(text))
  elseif find(text, ":", 1, true) and not find(text, "^[%a_][%w_.]*:[%a_][%w_.]*$") then
    return wrong(def, 'write "module:function", with dots in a module\'s name, and not ' .. text)
  end
  local ok, err = pcall(json.encode, text, "python")
  if not ok then
    return wrong(def, err.message)
  end
end

---Has the host load the function of a definition.
---@return integer function its number
local function load(def, text, generation)
  local answer = bridge.request("python", {
    op = "load",
    name = text,
    of = generation.python,
    folder = generation.script_dir,
  })
  if not generation.python then
    local of = answer.of
    generation.python = of
    generation.freeing[#generation.freeing + 1] = function()
      return bridge.send("python", { op = "forget", of = of })
    end
  end
  for i = 1, #answer.files do
    sources.note(generation, "files", answer.files[i])
  end
  for i = 1, #answer.missing do
    sources.note(generation, "missing", answer.missing[i])
  end
  if answer.problem then
    return wrong(def, answer.problem)
  end
  def.code = answer.code
  return answer["function"]
end

-- Running -----------------------------------------------------------------------------------------

---An input as the host reads it: JSON, or what says more than that.
---@return string? nil: there is none
local function text_of(input)
  if input == nil then
    return nil
  end
  return exact.encode(input) or json.encode(input, "input") -- which raises, and says where
end

local function plain(value)
  if value == values.null then
    return nil
  end
  return value
end

---What the function says: lines, each an event and, after a tab, its content.
local function listener(ctx, me)
  return function(_, lines)
    for line in gmatch(lines, "[^\n]+") do
      local head, content = match(line, "^([^\t]+)\t(.*)$")
      local event = exact.decode(head or line)
      if event.type == "partial" then
        event.chunk = tails.content_of(plain(exact.decode(content)))
      elseif event.type == "artifact" then
        event.content = tails.content_of(plain(exact.decode(content)))
      elseif event.type == "progress" then
        event.note = plain(event.note)
      end
      pace.item(me)
      say.relay(ctx, event)
      pace.wait(me)
    end
  end
end

---A function did not end after its cancel: its thread is left behind, its coroutine closed.
local function abandon(me, where)
  local task = me.task
  local at = where ~= "" and ", at " .. where or ""
  local message = "worker "
    .. record.title(task)
    .. " is abandoned: its Python function did not end after its cancel"
  log.entry("error", message .. at, nil, task)
  if events.on then
    events.publish("abandoned", task, { where = where ~= "" and where or nil })
  end
  record.extra(task).abandoned = true
end

---The input is not what the function takes.
local function refuse(def, me, misfit)
  local path = values.path("input", misfit.path)
  local message = format("worker %q refused %s: %s", def.name, path, misfit.message)
  local err = errors.new("invalid_value", message, { path = path })
  err.refused = true -- like every refusal, never tried again
  err.where = site.place(me.task.site) -- who spawned it is wrong, not who was spawned
  return error(err, 0)
end

local function run(def, plan, ctx, input)
  local me = S.current
  cancelling.may_request(me)
  gate.check(me, "call_python", plan.text)
  local task = me.task
  local payload = {
    op = "call",
    ["function"] = plan.number,
    name = def.name,
    task_id = ctx.task_id,
    attempt = ctx.attempt,
    label = labels.own(task), -- of an input in short nobody may have asked
    worktree = def.worktree and ctx.worktree or nil,
    token = plan.token and tokens.of_child(task) or nil,
    grace = cancelling.grace,
  }
  if noting.on then
    noting.asks(task, "python", payload)
  end
  local request = bridge.open(me, "python", payload, text_of(input), listener(ctx, me))
  if not bridge.wait(me, request) then
    return waiting.barred "a call that waits for the host"
  end
  if request.cancelled and request.ok and request.answer then
    local left = json.decode(request.answer).abandoned
    if left then
      abandon(me, left)
    end
  end
  cancelling.may_request(me)
  local answer, text = bridge.answer(me, request, "call_python")
  local value = text
  if answer then
    if answer.misfit then
      return refuse(def, me, answer.misfit)
    end
    for i = 1, answer.files and #answer.files or 0 do -- it imported some as it ran
      sources.note(def.generation, "files", answer.files[i])
    end
  end
  if text and not (answer and answer.raw) then
    value = exact.decode(text)
  end
  return value, answer and answer.blocked
end

return {
  fields = { python = "string", token = "flag" },

  ---@param def table the checked definition
  ---@param fields table what the author wrote
  ---@param generation table
  ---@return function run called as run(ctx, input)
  start = function(def, fields, generation)
    local text = fields.python
    def.held_open = "it cannot be held open: its function keeps nothing between invocations"
    if type(text) ~= "string" then
      return nil -- it is told of with its fields
    end
    check_name(def, text)
    local plan = { text = text, token = fields.token, number = nil }
    if find(text, ":", 1, true) then
      plan.number = load(def, text, generation)
    else
      -- Order is free: what registers it may be loaded further down.
      generation.closing[#generation.closing + 1] = function()
        plan.number = load(def, text, generation)
      end
    end
    return function(ctx, input)
      return run(def, plan, ctx, input)
    end
  end,
}
