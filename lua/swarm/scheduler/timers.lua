-- Timers: a binary heap in three arrays, so that a million sleepers are a million entries and no
-- more. It knows what is due; what comes of it is the scheduler's.
local timers = {}

local at, order, nodes = {}, {}, {} -- when, ties in the order of setting, and what
local size, sequence = 0, 0

local function less(i, j)
  local a, b = at[i], at[j]
  return a < b or (a == b and order[i] < order[j])
end

local function swap(i, j)
  at[i], at[j] = at[j], at[i]
  order[i], order[j] = order[j], order[i]
  local a, b = nodes[j], nodes[i]
  nodes[i], nodes[j] = a, b
  a.pos, b.pos = i, j
end

local function sift_up(i)
  while i > 1 do
    local parent = (i - i % 2) / 2
    if not less(i, parent) then
      break
    end
    swap(i, parent)
    i = parent
  end
end

local function sift_down(i)
  while true do
    local child = i * 2
    if child > size then
      break
    end
    if child < size and less(child + 1, child) then
      child = child + 1
    end
    if not less(child, i) then
      break
    end
    swap(i, child)
    i = child
  end
end

---Sets a timer. When it is due, `node.expire(node)` is called; without one, `node.worker` is woken.
---@param node table
---@param when number on the monotonic clock
local function set(node, when)
  size = size + 1
  sequence = sequence + 1
  at[size], order[size], nodes[size] = when, sequence, node
  node.pos = size
  sift_up(size)
end
timers.set = set

---Takes a timer out, if it is set.
local function drop(node)
  local i = node.pos
  if not i then
    return
  end
  if i ~= size then
    swap(i, size)
  end
  at[size], order[size], nodes[size] = nil, nil, nil
  size = size - 1
  node.pos = nil
  if i <= size then
    sift_up(i)
    sift_down(i)
  end
end
timers.drop = drop

---Takes the next timer out of the heap, for exploration, which fires timers one by one.
---@return table? node, number? when
function timers.take()
  local node, when = nodes[1], at[1]
  if node then
    drop(node)
  end
  return node, when
end

---The timer at a place of the heap, for the checks of exploration.
function timers.at(i)
  return nodes[i], at[i]
end

---Takes out the next timer that is due, or nothing.
---@param now number on the monotonic clock
---@return table? node
function timers.take_due(now)
  if size > 0 and at[1] <= now then
    local node = nodes[1]
    drop(node)
    return node
  end
  return nil
end

---Wakes a parked worker at a time, unless the timer is dropped before.
---@return table timer its `pos` is nil once it has rung
function timers.alarm(w, when)
  local node = { worker = w, expire = nil, pos = nil }
  set(node, when)
  return node
end

---When the next timer is due, or nil.
function timers.next_deadline()
  return at[1]
end

---Whether a timer is set that may wake somebody. One with `serves` says whether anybody waits for
---what it does; the next one to ring is looked at first, and is mostly enough.
---@param ignored table? the run's own deadline
function timers.any(ignored)
  for i = 1, size do
    local node = nodes[i]
    if node ~= ignored and not (node.serves and not node.serves(node.worker)) then
      return true
    end
  end
  return false
end

return timers
