-- What was decided of the tools that agents ask for. An answer holds for its task, tool and
-- arguments, and so it is not asked for again, nor in a run that is resumed; one for always holds
-- for the tool and all tasks of that worker, as long as the run.
local again = require "swarm.journal.again"
local clock = require "swarm.ground.clock"
local gate = require "swarm.rights.gate"
local questions = require "swarm.people.questions"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local tasks = require "swarm.scope.tasks"
local values = require "swarm.values.values"
local sub = string.sub

local approvals = {}

local OF_DIGEST = 10 -- letters of it that stand in the key of its question

local list, always = {}, {} -- what was decided for always; the same by worker and tool

local function name_of(worker, tool)
  return worker .. "\0" .. tool
end

local function add(one)
  local name = name_of(one.worker, one.tool)
  if not always[name] then
    list[#list + 1] = one
    always[name] = one
  end
end

---Takes up what was decided for always before the run broke off.
---@param before table[]
function approvals.begin(before)
  for i = 1, #before do
    add(before[i])
  end
end

---What stands for its number in the key of a question.
---@param digest string of what the tool is called with
---@return string
function approvals.place(digest)
  return sub(digest, 1, OF_DIGEST)
end

---Keeps the answer of a task.
function approvals.keep(task, digest, answer)
  local extra = record.extra(task)
  extra.approvals = extra.approvals or {}
  extra.approvals[digest] = answer
end

---The answer of a task to the same question.
---@param digest string of what the tool is called with
---@param known_as table answers that there are now → not nil
---@return table? answer
function approvals.answer(task, digest, known_as)
  local extra, n = record.extra(task), approvals.place(digest)
  local answer = extra.approvals and extra.approvals[digest]
  if answer then
    return known_as[answer.value] ~= nil and answer or nil
  end
  local asked
  asked, answer = again.asked(task, n)
  local value = answer and answer.value
  local details = asked and asked.about.details
  if value ~= nil and known_as[value] ~= nil and details and details.digest == digest then
    questions.take_up(task, n, tasks.task_id(task) .. "." .. n, asked.about, answer)
    approvals.keep(task, digest, answer)
    return answer
  end
end

---What was decided for always of a tool of a worker's.
---@param worker string
---@param tool string
---@return table? one { worker, tool, allowed, by, since }
function approvals.always(worker, tool)
  return always[name_of(worker, tool)]
end

---Decides for always, where that was not done before.
---@param task table that asked
---@param tool string
---@param allowed boolean
---@param answer table
function approvals.decide(task, tool, allowed, answer)
  local worker = task.def.name
  if always[name_of(worker, tool)] then
    return
  end
  local one = { worker = worker, tool = tool, allowed = allowed, by = answer.by }
  one.via, one.since = answer.via, answer.at or clock.wall()
  add(one)
  if records.on and records.is_kept(task.def) then
    records.kept(task, "always", 0, name_of(worker, tool), one)
    records.urgent = true
  end
end

---Has the question that a task waits for withdrawn: nobody needs an answer any more.
---@param err table raised by who asks
function approvals.forsake(task, err)
  local question = questions.of(task)
  if question then
    questions.fail(question, err)
  end
end

---swarm.approvals() → list of what was decided for always, the oldest first; verb read_task_state
function approvals.face()
  gate.check(S.current, "read_task_state")
  return values.copy(values.array(list), "approvals")
end

return approvals
