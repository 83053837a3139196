-- Timers: a binary heap in three arrays, so that a million sleepers are a million entries and no
-- more. It knows what is due; what comes of it is the scheduler's.
--
-- What is set is a node, which keeps its place in the heap as `pos`, or a worker itself that
-- sleeps: that stands in no list then, and keeps its place as `queue_prev`.
local timers = {}

local at, order, nodes = {}, {}, {} -- when, ties in the order of setting, and what
local size, sequence = 0, 0

---Puts an entry to a place, and tells what is set where it is.
local function put(i, when, nth, node)
  at[i], order[i], nodes[i] = when, nth, node
  if node.task then
    node.queue_prev = i
  else
    node.pos = i
  end
end

---Moves an entry up from the place i, which is free, to where it belongs.
local function sift_up(i, when, nth, node)
  while i > 1 do
    local parent = (i - i % 2) / 2
    local above = at[parent]
    if above < when or (above == when and order[parent] < nth) then
      break
    end
    put(i, above, order[parent], nodes[parent])
    i = parent
  end
  put(i, when, nth, node)
end

---Moves an entry down from the place i, which is free, to where it belongs.
local function sift_down(i, when, nth, node)
  while true do
    local child = i * 2
    if child > size then
      break
    end
    local below = at[child]
    if child < size then
      local other = at[child + 1]
      if other < below or (other == below and order[child + 1] < order[child]) then
        child, below = child + 1, other
      end
    end
    if when < below or (when == below and nth < order[child]) then
      break
    end
    put(i, below, order[child], nodes[child])
    i = child
  end
  put(i, when, nth, node)
end

---Sets a timer. When it is due, `node.expire(node)` is called; without one, `node.worker` is woken,
---or the node itself, which is a worker that sleeps. It calls nothing: a full stack cannot end it
---half way.
---@param node table
---@param when number on the monotonic clock
local function set(node, when)
  local i, nth = size + 1, sequence + 1
  size, sequence = i, nth
  while i > 1 do
    local parent = (i - i % 2) / 2
    local above = at[parent]
    if above < when or (above == when and order[parent] < nth) then
      break
    end
    local other = nodes[parent]
    at[i], order[i], nodes[i] = above, order[parent], other
    if other.task then
      other.queue_prev = i
    else
      other.pos = i
    end
    i = parent
  end
  at[i], order[i], nodes[i] = when, nth, node
  if node.task then
    node.queue_prev = i
  else
    node.pos = i
  end
end
timers.set = set

---Takes out what is at a place.
local function take_out(i)
  local node, last = nodes[i], size
  local when, nth, moved = at[last], order[last], nodes[last]
  at[last], order[last], nodes[last] = nil, nil, nil
  size = last - 1
  if node.task then
    node.queue_prev = nil
  else
    node.pos = nil
  end
  if i == last then
    return
  end
  local parent = (i - i % 2) / 2
  if i > 1 and (when < at[parent] or (when == at[parent] and nth < order[parent])) then
    return sift_up(i, when, nth, moved)
  end
  return sift_down(i, when, nth, moved)
end

---Takes a timer out, if it is set.
local function drop(node)
  local i = node.pos
  if i then
    return take_out(i)
  end
end
timers.drop = drop

---A worker that sleeps is woken for something else.
---@param w table one that the heap has
function timers.wake_up(w)
  return take_out(w.queue_prev)
end

---Takes the next timer out of the heap, for exploration, which fires timers one by one.
---@return table? node, number? when
function timers.take()
  local node, when = nodes[1], at[1]
  if node then
    take_out(1)
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
    take_out(1)
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
