-- What is known of a run that is resumed: which tasks of before are those that are spawned again,
-- and in which order their ends are told. An end that was recorded is told once nobody else has
-- anything to do, the earliest first: so what follows from the order of ends follows again.
local exact = require "swarm.values.exact"
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

---The task of before that is the same as one that is spawned now.
---@param by table? the task that spawns it
---@param name string
---@param key string?
---@param input string its text
---@return table? found { id, status, attempt, order, again: why it runs again, value, outputs, … }
function replay.match(by, name, key, input)
  local text = replay.find(by and by.id or 0, name, key or "", input)
  if text then
    local found = json.decode(text)
    found.reused = type(found.again) ~= "string"
    return found
  end
end

---The recorded value of one that is not run again.
function replay.value(found)
  if found.value == "" then
    return nil
  end
  return exact.decode(found.value)
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
