-- What the journal has of questions: how they were answered, and, in a run that is resumed, those
-- that nobody had answered and that are not asked again yet. They can be answered meanwhile.
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local shown = require "swarm.ground.shown"
local concat, format, match, tonumber = table.concat, string.format, string.match, tonumber
local sort, type = table.sort, type

local kept = {}

local early = {} -- key → what was asked, { key, question, to, choices, … }
local given = {} -- key → the answer that came meanwhile

---Takes up the questions that nobody had answered when the run broke off.
---@param asked table[] of each key, task_id, since and what was asked
function kept.begin(asked)
  for i = 1, #asked do
    early[asked[i].key] = asked[i]
  end
end

---What the journal is to have of an answer, before whoever gave it is told that it is there. One
---that holds a secret is not kept: the question is asked again.
---@param task table with its id at least
---@param n string
---@param answer table
function kept.keep(task, n, answer)
  if records.on and not (task.def and not records.is_kept(task.def)) then
    local _, same = records.text(answer)
    if not same then
      answer = { masked = true, by = answer.by, via = answer.via }
    end
    records.kept(task, "answer", 0, n, answer)
    records.urgent = true
  end
end

-- Before they are asked again ---------------------------------------------------------------------

---What sees that an answer is one of the choices.
---@param choices string[]
---@return function
function kept.one_of(choices)
  return function(value)
    for i = 1, #choices do
      if choices[i] == value then
        return value
      end
    end
    local message = "the answer is one of %s, and not %s"
    message = format(message, concat(choices, ", "), shown.value(value))
    return errors.throw("invalid_argument", message)
  end
end

---What sees that an answer is a text.
function kept.a_text(value)
  if type(value) ~= "string" then
    local message = "the answer is a text, and not " .. shown.value(value)
    return errors.throw("invalid_argument", message)
  end
  return value
end

---Answers a question that is not asked again yet.
---@param by table as questions.answer has it
---@return boolean known there is such a question
---@return table? before who has answered it already
---@return boolean? own who answers is who asks
function kept.answer(key, value, by)
  local about = early[key]
  if not about then
    return false
  elseif given[key] then
    return true, given[key]
  end
  local id, n = match(key, "^T%-(%d+)%.(%w+)$")
  local asks = { id = tonumber(id) } -- its task may not be there yet
  if record.is_below_id(by.task, asks.id) then
    return true, nil, true
  end
  local check = about.choices and kept.one_of(about.choices)
    or about.kind == "question" and not about.schema and kept.a_text
  if check then
    value = check(value)
  end
  given[key] = { value = value, by = by.by, via = by.via, reason = by.reason, at = clock.wall() }
  kept.keep(asks, n, given[key])
  return true
end

---The question is asked again: the answer that has come meanwhile, if one has.
---@return table? answer
function kept.take(key)
  local answer = given[key]
  early[key], given[key] = nil, nil
  return answer
end

---Those that nobody has answered meanwhile, the oldest first.
---@return table[]
function kept.rows()
  local rows = {}
  for key, about in pairs(early) do
    if not given[key] then
      about.nth = 0
      rows[#rows + 1] = about
    end
  end
  sort(rows, function(a, b)
    return a.since < b.since or (a.since == b.since and a.key < b.key)
  end)
  return rows
end

return kept
