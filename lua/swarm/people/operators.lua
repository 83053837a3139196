-- swarm.operator: a function of the script that answers the questions put to an id. It runs beside
-- the run's workers, with an operator's rights, until it answers or somebody else has.
local arguments = require "swarm.ground.arguments"
local definition = require "swarm.worker.definition"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local questions = require "swarm.people.questions"
local raised = require "swarm.ground.raised"
local result = require "swarm.worker.result"
local shown = require "swarm.ground.shown"
local spawning = require "swarm.worker.spawn"
local values = require "swarm.values.values"
local format, type, xpcall = string.format, type, xpcall

local operators = {}

---Checks and keeps `swarm.operator("id", fn)`.
function operators.define(generation, id, fn)
  if type(id) ~= "string" or id == "" then
    return arguments.wrong("swarm.operator takes an id, such as", id, "load_error")
  elseif type(fn) ~= "function" then
    local message = format("swarm.operator(%q, fn) takes a function second", id)
    return arguments.wrong(message, fn, "load_error")
  end
  local before = generation.operators[id]
  if before then
    local message = "operator %q is there twice; the first is at %s"
    return errors.throw("load_error", format(message, id, before.where))
  end
  generation.operators[id] = { fn = fn, where = frames.where() }
end

---What the function is given.
local function request_of(question)
  local request, task = questions.row(question), question.task
  request.role, request.at_operator = task.def.role, nil
  local details = request.details
  request.input = values.copy(task.input, "input")
  request.prompt = details and details.prompt
  return request
end

local function failed(operator, id, message, why)
  local fields = { where = why and why.where or operator.where }
  fields.traceback = why and why.traceback
  return errors.new("operator_failed", format("operator %q %s", id, message), fields)
end

---An answer of the function, as of anybody who answers.
---@param by table of an attempt that cannot go on: { blocked = true, reason }
local function give(question, operator, id, value, by)
  by.by, by.via = id, "operator"
  local ok, copy = xpcall(values.copy, raised.from_raised, value, "answer")
  local why = copy
  if ok then
    ok, why = xpcall(questions.answer, raised.from_raised, question.key, copy, by)
  end
  if not ok and why.code ~= "already_answered" and why.code ~= "question_not_found" then
    local message = "gave an answer that does not fit: " .. why.message
    return questions.fail(question, failed(operator, id, message))
  end
end

---What the function returned, or raised.
local function take(question, operator, id, ok, value, err)
  if not ok then
    local why = raised.crossing(raised.from_raised(value))
    return questions.fail(question, failed(operator, id, "failed: " .. why.message, why))
  elseif err ~= nil and question.about.kind == "attempt" then
    local reason = result.reason(err).text -- as of what `run` returns
    return give(question, operator, id, value, { blocked = true, reason = reason })
  elseif value == nil and err ~= nil and question.about.kind == "approval" then
    return give(question, operator, id, "deny", { reason = result.reason(err).text })
  elseif value == nil and err ~= nil then
    local text = type(err) == "table" and err.message or err
    return questions.fail(question, failed(operator, id, "refused: " .. shown.text(text)))
  elseif value == nil then
    return questions.leave(question) -- it is for somebody else
  end
  return give(question, operator, id, value, {})
end

---Puts a question to the script's operator of its id, if it has one.
---@param question table
function operators.offer(question)
  local id = question.about.to
  local generation = question.task.def.generation.line.newest
  local operator = generation.operators[id]
  if not operator then
    return
  end
  local def = definition.new(generation, { name = "(operator " .. id .. ")", apart = true })
  question.helper = spawning.root(def, function()
    local request = request_of(question)
    take(question, operator, id, xpcall(operator.fn, raised.from_raised, request))
  end)
end

return operators
