-- What is known of a run that is resumed: which tasks of before are those that are spawned again,
-- and in which order their ends are told. An end that was recorded is told once nobody else has
-- anything to do, the earliest first: so what follows from the order of ends follows again.
local json = require "swarm.values.json"
local records = require "swarm.journal.records"

local type = type

local replay = {
  find = nil, -- asks the journal: find(parent, name, key, input) → JSON, or nothing
  fresh = 0, -- ids up to here belong to tasks of before
}

---Begins to resume.
---@param find function
---@param state table { last: the highest id, order: of the last thing that happened }
function replay.begin(find, state)
  replay.find, replay.fresh, records.order = find, state.last, state.order
end

---The nearest task above that is known by a name or a key: whose children are looked for in vain
---below a function may be known below it.
local function scope_of(task)
  while task and not task.def.run and not (task.extra and task.extra.key) do
    task = task.parent
  end
  return task and task.id or 0
end

local function read(text)
  local found = text and json.decode(text)
  if found then
    found.reused = type(found.again) ~= "string"
  end
  return found
end

---The task of before that is the same as one that is spawned now.
---@param by table? the task that spawns it
---@param name string "" of a function
---@param key string?
---@param input string its text
---@return table? found { id, attempt, order, again: why it runs again, leads, value, outputs, … }
function replay.match(by, name, key, input)
  name, key = name ~= "" and records.field(name) or "", key and records.field(key) or ""
  return read(replay.find(by and by.id or 0, scope_of(by), name, key, input))
end

---How a task ended that swarm.retry begins once more, in that life of it.
---@param life integer from 1
---@return table? found
function replay.life(task, life)
  return read(replay.find(task.id, -life, "", "", ""))
end

---The recorded value of one that is not run again.
function replay.value(found)
  return records.value(found.value)
end

-- Ends in their order -----------------------------------------------------------------------------

local heap, size = {}, 0 -- of { order, task, tell }

local function sift_down(node)
  local i = 1
  while true do
    local child = i * 2
    if child > size then
      break
    elseif child < size and heap[child + 1].order < heap[child].order then
      child = child + 1
    end
    if node.order <= heap[child].order then
      break
    end
    heap[i] = heap[child]
    i = child
  end
  heap[i] = node
end

local LAST = 2 ^ 50 -- behind every recorded end

---Has `tell(task)` called when no recorded end waits any more.
function replay.last(task, tell)
  return replay.later(LAST + task.id, task, tell)
end

---Has `tell(task)` called in its order.
function replay.later(order, task, tell)
  local i = size + 1
  size = i
  while i > 1 do
    local parent = (i - i % 2) / 2
    if heap[parent].order <= order then
      break
    end
    heap[i] = heap[parent]
    i = parent
  end
  heap[i] = { order = order, task = task, tell = tell }
end

---Whether a recorded end waits to be told.
---@return boolean
function replay.waits()
  return size > 0 and heap[1].order < LAST
end

---Tells the earliest of what waits.
---@return boolean told nothing waits where not
function replay.next()
  if size == 0 then
    return false
  end
  local first, last = heap[1], heap[size]
  heap[size] = nil
  size = size - 1
  if size > 0 then
    sift_down(last)
  end
  first.tell(first.task)
  return true
end

return replay
