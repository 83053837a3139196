-- The questions of a run: one queue for all of them, whoever asks and whoever answers. A question
-- is known by its task and by which of the task's it is, so a run that is resumed asks it again
-- under the same key.
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local kept = require "swarm.people.kept"
local labels = require "swarm.scheduler.label"
local list = require "swarm.ground.list"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local tasks = require "swarm.scope.tasks"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local format, type = string.format, type

local questions = {
  count = 0, -- that nobody has answered, but for those of operators' functions: no journal has them
  changed = false, -- one was opened or closed since the host has looked
}

local MOST_PAST = 10000 -- answered questions whose answers are remembered, for who comes late

local open = {} -- key → question
local queue = { head = nil, tail = nil } -- the same, in the order of asking
local past, past_keys, past_n = {}, {}, 0 -- key → who has answered
local asked_n = 0 -- how many there were
local askers = { head = nil, tail = nil } -- who waits for a further question
function questions.remember(key, answer)
  past_n = past_n % MOST_PAST + 1
  local oldest = past_keys[past_n]
  if oldest then
    past[oldest] = nil
  end
  past[key], past_keys[past_n] = answer, key
end

---An event of a question.
local function publish(kind, question, fields)
  fields.key, fields.to = question.key, question.about.to
  events.publish(kind, question.task, fields)
end

-- Opening -----------------------------------------------------------------------------------------

---What everybody may see of a question.
function questions.told(about)
  return {
    question = about.question,
    to = about.to,
    kind = about.kind,
    choices = about.choices,
    schema = about.schema,
    default = about.default,
    show = about.show,
    details = about.details,
  }
end

local function describe(question)
  return format("an answer to %s", question.key)
end

---Counts a question, or does so no longer.
local function count(question, by)
  questions.changed = true
  if not question.task.def.apart then
    questions.count = questions.count + by
  end
end

---Opens a question of a worker's.
---@param n string which of its task's it is
---@param about table as asking.ask has it
---@return table question
function questions.open(me, task, n, key, about)
  asked_n = asked_n + 1
  local question = {
    key = key,
    nth = asked_n, -- of all
    n = n,
    task = task,
    about = about,
    since = clock.wall(),
    worker = me,
    helper = nil, -- the task of an operator's function that looks at it
    done = false,
    answer = nil,
    err = nil,
    describe = describe,
    queue = false,
    queue_prev = nil,
    queue_next = nil,
  }
  open[key] = question
  list.push_back(queue, question)
  count(question, 1)
  S.ready_all(askers)
  local seen = questions.told(about)
  if records.on and records.is_kept(task.def) then
    records.kept(task, "question", 0, n, { about = seen, since = question.since })
    records.urgent = true -- whoever sees it may answer it in the journal
  end
  if events.on then
    publish("question_asked", question, values.copy(seen, "question"))
    if about.to == "senior" then
      publish("senior_queried", question, values.copy(seen, "question"))
    end
  end
  return question
end

-- Closing -----------------------------------------------------------------------------------------

---Has who asked look at it, unless that is who settles it.
local function wake(question)
  if question.worker ~= S.current then
    S.wake(question.worker)
  end
end

---Takes a question out of the queue.
function questions.close(question)
  open[question.key] = nil
  list.remove(question)
  count(question, -1)
  question.done = true
  local helper = question.helper
  if helper and helper.worker and helper.worker ~= S.current then
    local cause = { kind = "cancel", reason = "the question is settled", scope = helper.worker }
    cancelling.cancel(helper.worker, cause)
  end
end

---Tells who listens that a question was answered.
---@param about table what was asked
function questions.tell_answer(task, key, about, answer)
  if not events.on then
    return
  end
  local function fields()
    return {
      key = key,
      to = about.to,
      value = values.copy(answer.value, "value"),
      by = answer.by,
      via = answer.via,
      reason = answer.reason,
      blocked = answer.blocked,
    }
  end
  events.publish("question_answered", task, fields())
  if about.to == "senior" then
    events.publish("senior_answered", task, fields())
  end
end

---@param answer table { value, by, via, reason }
function questions.settle(question, answer)
  local task = question.task
  local order = records.order + 1
  records.order = order
  answer.at, answer.order = clock.wall(), order
  question.answer = answer
  questions.close(question)
  questions.remember(question.key, answer)
  kept.keep(task, question.n, answer)
  questions.tell_answer(task, question.key, question.about, answer)
  wake(question)
end

---Nobody needs an answer any more.
function questions.withdraw(question, reason)
  questions.close(question)
  kept.keep(question.task, question.n, { withdrawn = reason })
  if events.on then
    publish("question_withdrawn", question, { reason = reason })
  end
end

---Who asks is given an error in place of an answer.
---@param question table
---@param err table
function questions.fail(question, err)
  if open[question.key] == question then
    question.err = err
    questions.withdraw(question, err.message)
    wake(question)
  end
end

-- Answering ---------------------------------------------------------------------------------------

local function refuse_own(key, by)
  local message = "worker %s cannot answer %s: nobody answers a question of its own"
  return errors.throw("role_violation", format(message, record.named(by.task), key), {
    verb = "answer_query",
  })
end

---@param before table? who has answered it
local function unknown(key, before)
  before = before or past[key]
  if before then
    local who = before.by and format(" by %s", before.by) or ""
    local message = "question %s was answered already%s (%s): that answer counts"
    local text = format(message, key, who, before.via)
    return errors.throw("already_answered", text, { key = key, by = before.by, via = before.via })
  end
  local hint = spelling.hint(key, open, "")
  if hint == "" and questions.count > 0 then
    hint = "; open are " .. spelling.list(open)
  end
  local message = "there is no question " .. shown.value(key) .. hint
  return errors.throw("question_not_found", message, { key = key })
end

---Answers a question of before, which is not asked again yet.
local function answer_early(key, value, by)
  local known, before, own = kept.answer(key, value, by)
  if own then
    return refuse_own(key, by)
  elseif before or not known then
    return unknown(key, before)
  end
  questions.changed = true
end

---Answers a question. May wait, where a schema is to be looked at.
---@param key string
---@param value any a copy of its own
---@param by table { by: who, via: from where, reason?, task?: of a worker that answers,
---blocked?: the attempt that was asked for cannot go on }
function questions.answer(key, value, by)
  local question = open[key]
  if question and by.task and record.is_below(by.task, question.task) then
    return refuse_own(key, by)
  elseif not question then
    return answer_early(key, value, by)
  end
  local check = question.about.check
  if check and not by.blocked then
    value = check(value)
  end
  if open[key] ~= question then
    return unknown(key) -- somebody else was faster
  end
  return questions.settle(question, {
    value = value,
    by = by.by,
    via = by.via,
    reason = by.reason,
    blocked = by.blocked,
  })
end

---Whoever was asked first has left a question to others.
---@param question table
function questions.leave(question)
  question.helper, questions.changed = nil, true
end

---How a question was answered: { value, by, via, reason, at }; nil: nobody has, or long since.
---@param key string
---@return table?
function questions.answer_of(key)
  return past[key]
end

---Takes up an answer that was given before its question was asked again.
---@param about table what was asked
---@return table answer
function questions.take_up(task, n, key, about, answer)
  questions.remember(key, answer)
  if not answer.order then
    records.order = records.order + 1
    answer.order = records.order
    kept.keep(task, n, answer)
    questions.tell_answer(task, key, about, answer) -- it came while no run was there to tell
  end
  return answer
end

-- Looking -----------------------------------------------------------------------------------------

---What there is to know of an open question.
---@return table
local function row(question)
  local task, about = question.task, values.copy(questions.told(question.about), "question")
  about.key, about.since, about.nth = question.key, question.since, question.nth
  about.task_id, about.name = tasks.task_id(task), record.called(task)
  about.label, about.input = record.label(task), labels.input_of(task)
  about.at_operator = question.helper ~= nil or nil
  return about
end
questions.row = row

---The open questions, the oldest first.
---@param beyond number? those alone whose `nth` is greater
---@param most number? how many at most
---@param only_kept boolean? none of operators' functions, which no journal has
---@return table[]
function questions.list(beyond, most, only_kept)
  local rows, question = {}, queue.tail
  while question and beyond and question.nth > beyond and question.queue_prev do
    question = question.queue_prev
  end
  question = beyond and question or queue.head
  while question and #rows < (most or 1 / 0) do
    if question.nth > (beyond or 0) and not (only_kept and question.task.def.apart) then
      rows[#rows + 1] = row(question)
    end
    question = question.queue_next
  end
  return rows
end

local FURTHER = { what = "a question" }

---Waits until there is a question beyond those that the running worker knows.
function questions.wait(beyond)
  while asked_n <= beyond or not (queue.tail and queue.tail.nth > beyond) do
    waiting.in_list(S.current, askers, FURTHER, "answer_query")
  end
end

---The open question of a task, if it waits for one.
---@return table? question
function questions.of(task)
  local w = task.worker
  local question = w and w.waiting
  return type(question) == "table" and question.key and open[question.key] == question and question
    or nil
end

---@param key string
---@return table? question
function questions.get(key)
  return open[key]
end

return questions
