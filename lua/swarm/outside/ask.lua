-- swarm.ask, answer and pending: what scripts have of the questions of a run.
local arguments = require "swarm.ground.arguments"
local asking = require "swarm.people.asking"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local kept = require "swarm.people.kept"
local noting = require "swarm.journal.noting"
local operators = require "swarm.people.operators"
local questions = require "swarm.people.questions"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local schema = require "swarm.outside.schema"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local format, pairs, type = string.format, pairs, type

local ask = {
  MOST_TEXT = 65536, -- bytes of a question
}

local FIELDS =
  { to = true, choices = true, schema = true, default = true, timeout = true, show = true }

local function wrong(message, ...)
  return errors.throw("invalid_argument", format(message, ...))
end

-- What answers may be -----------------------------------------------------------------------------

---Choices as texts, checked.
---@param whose string as messages name them
---@param fail function(message) raises
function ask.choices(given, whose, fail)
  local n = type(given) == "table" and arguments.length(given)
  if not n or n == 0 then
    return fail(whose .. ' are a list of texts, such as { "yes", "no" }')
  end
  local seen = {}
  for i = 1, n do
    local choice = given[i]
    if type(choice) ~= "string" or choice == "" or not json.is_text(choice) then
      return fail(format("%s[%d] is a text, and not %s", whose, i, shown.value(choice)))
    elseif seen[choice] then
      return fail(format("%s have %s twice", whose, shown.value(choice)))
    end
    seen[choice] = true
  end
  return values.copy(given, "choices")
end

---What sees that an answer fits a schema.
local function fits(written)
  local text, problem = schema.compile(written, "schema")
  if problem then
    return wrong("swarm.ask's %s: %s", values.path("schema", problem.path), problem.message)
  end
  return function(value)
    local path, message = schema.offence(text, value, "answer")
    if path then
      local said = path .. " does not fit: " .. message
      return errors.throw("invalid_value", said, { path = path })
    end
    return value
  end
end

---A text for people to read: bytes that are not UTF-8 are replaced.
local function readable(text)
  return json.is_text(text) and text or json.decode(json.text_of(text))
end

---What is put beside a question.
local function to_show(show)
  if type(show) == "string" then
    return readable(show)
  elseif show == nil or values.is_file(show) then
    return show
  end
  return wrong("swarm.ask's show is a text or swarm.file, and not %s", shown.value(show))
end

-- The calls ---------------------------------------------------------------------------------------

---Whether the running worker may ask there.
local function check_verb(me, to)
  return gate.check(me, to == "senior" and "query_senior" or "ask_operator")
end

---Puts a question, for the running worker.
---@param about table as questions.ask has it
---@param seconds number?
---@return table answer
function ask.put(about, seconds)
  local me = cancelling.enter()
  cancelling.not_while_loading()
  check_verb(me, about.to)
  if noting.on then
    noting.asks(me.task, "ask", {})
  end
  about.offer = operators.offer
  return asking.ask(me, about, seconds)
end

---swarm.ask(question, opts?) → answer
---@param question string
---@param opts table?
---@return any answer
function ask.ask(question, opts)
  if type(question) ~= "string" or question == "" then
    return arguments.wrong('swarm.ask takes a question, such as "Go on?"', question)
  elseif #question > ask.MOST_TEXT then
    local message = "swarm.ask: a question has at most %d bytes, and this one %d: show takes more"
    return wrong(message, ask.MOST_TEXT, #question)
  end
  opts = opts or {}
  arguments.options(opts, FIELDS, "swarm.ask")
  local to = opts.to == nil and "main" or opts.to
  if type(to) ~= "string" or to == "" then
    return wrong("swarm.ask's option to is who is asked, a text, and not %s", shown.value(to))
  elseif opts.choices ~= nil and opts.schema ~= nil then
    return wrong("swarm.ask takes choices or a schema, and not both")
  end
  local me = cancelling.enter()
  cancelling.not_while_loading()
  check_verb(me, to)
  local choices = opts.choices
  if choices ~= nil then
    choices = ask.choices(choices, "swarm.ask's choices", wrong)
  end
  local check
  if opts.schema ~= nil then
    check = fits(opts.schema)
  else
    check = choices and kept.one_of(choices) or kept.a_text
  end
  local default = values.copy(opts.default, "default")
  if default ~= nil then
    check(default)
  end
  local seconds = opts.timeout and arguments.seconds(opts.timeout, "swarm.ask's option timeout")
  local about = {
    question = readable(question),
    to = readable(to),
    kind = "question",
    choices = choices,
    schema = values.copy(opts.schema, "schema"),
    default = default,
    show = to_show(opts.show),
    check = check,
  }
  return values.copy(ask.put(about, seconds).value, "answer")
end

local BY = { by = true, reason = true }

---swarm.answer(key, value, opts?), verb answer_query
function ask.answer(key, value, opts)
  local me = cancelling.enter()
  cancelling.not_while_loading()
  gate.check(me, "answer_query")
  opts = opts or {}
  arguments.options(opts, BY, "swarm.answer")
  for name in pairs(BY) do
    if opts[name] ~= nil and type(opts[name]) ~= "string" then
      return wrong("swarm.answer's option %s is a text, and not %s", name, shown.value(opts[name]))
    end
  end
  local by = opts.by or record.called(me.task)
  value = values.copy(value, "answer")
  return questions.answer(key, value, {
    by = by,
    via = "lua",
    reason = opts.reason,
    task = me.task,
  })
end

---swarm.pending() → list of the open questions, the oldest first; verb read_task_state
function ask.pending()
  cancelling.not_while_loading()
  gate.check(S.current, "read_task_state")
  return questions.list()
end

return ask
