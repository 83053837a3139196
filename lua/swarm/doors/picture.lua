-- The picture of a run for who watches it: so many rows of its tree as there is room for. Whoever
-- runs comes first, then what failed, then some who are pending; all others are counts. However
-- many workers there are, a picture looks at a bounded number of them.
local attempts = require "swarm.worker.attempts"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local deadlocks = require "swarm.worker.deadlock"
local record = require "swarm.scheduler.record"
local scopes = require "swarm.scope.scope"
local tally = require "swarm.events.tally"
local text_of = require("swarm.values.json").text_of
local values = require "swarm.values.values"
local max, floor = math.max, math.floor
local sort, sub = table.sort, string.sub
local CHILDREN, root = scopes.CHILDREN, scopes.root

local picture = {}

local MOST_LOOKED_AT = 4000 -- live workers
local FAILED_SHARE = 4 -- of the rows one in so many is for what failed
local PENDING_ROWS = 5 -- of one worker's children
local MOST_MARKS = 3 -- rows that tell how many others a worker has
local MARKED_FROM = 4 -- where there is room for so many rows beside each
local MOST_TEXT = 400 -- bytes of what somebody has said: a row has one line

local now, rows_left, marks_left, looked -- while a picture is made
local nodes_of -- task → node
local shown = {} -- workers that had a row in the last picture; some are others by now

-- Finding -----------------------------------------------------------------------------------------

---@param task table? nil: the run itself
local function new_node(task)
  local node = {
    task = task,
    first = task and task.worker or root,
    live = { running = {}, pending = {} }, -- children, of whom there may be rows
    running = 0, -- how many children run,
    pending = 0, -- and how many are pending
    is_cut = false, -- there are more, who were not looked at
    rows = {}, -- nodes below it, and entries of the tally for those that failed
  }
  if task then
    nodes_of[task] = node
  end
  return node
end

---Looks at the children in a scope, newest first, and keeps the oldest of each kind.
local function look_at(scope, node, most)
  local running, pending, child = {}, {}, scope.first_child
  while child do
    if looked == MOST_LOOKED_AT then
      node.is_cut = true
      break
    end
    looked = looked + 1
    local task = child.task
    if not task.def.apart then -- a script that loads is no work of the run
      local list = child.co and running or pending
      list[#list + 1] = task
    end
    child = child.sib_next
  end
  node.running, node.pending = node.running + #running, node.pending + #pending
  local live = node.live
  for i = #running, max(1, #running - most + 1), -1 do
    live.running[#live.running + 1] = running[i]
  end
  for i = #pending, max(1, #pending - PENDING_ROWS + 1), -1 do
    live.pending[#live.pending + 1] = pending[i]
  end
end

local function look_below(node, most)
  local scope = node.task and node.task.worker and node.task.worker.scope or node.first
  while scope do
    look_at(scope, node, most)
    scope = scope.outer
  end
end

---Who runs among so many that not all were looked at: those that began last, and those that had a
---row before.
local function look_further(top, most)
  local seen = {} -- tasks that are known to run
  local function note(node)
    local running = node.live.running
    for i = 1, #running do
      seen[running[i]] = true
    end
  end
  note(top)
  for _, node in pairs(nodes_of) do
    note(node)
  end
  local function add(w)
    local task = w.task
    if not (task and w.co) or nodes_of[task] or seen[task] or task.def.apart then
      return
    end
    local node = w.owner == root and top or nodes_of[task.parent]
    if node and node.is_cut and #node.live.running < 2 * most then
      seen[task] = true
      node.live.running[#node.live.running + 1] = task
      node.running = node.running + 1
    end
  end
  for i = 1, #shown do
    add(shown[i])
  end
  local begun = tally.begun()
  for i = 1, #begun do
    add(begun[i])
  end
end

-- Rows --------------------------------------------------------------------------------------------

local function by_age(a, b)
  return a.id < b.id
end

---Gives each node of a level a row for one more of its children in turn, while there are rows.
---@param kind string running or pending
---@param most integer for each node
---@return table nodes that got one
local function give(level, kind, most)
  local given, again = {}, true
  for i = 1, #level do
    sort(level[i].live[kind], by_age)
  end
  local round = 0
  while again and round < most do
    again, round = false, round + 1
    for i = 1, #level do
      local node = level[i]
      local task = node.live[kind][round]
      if task and rows_left > 0 then
        rows_left = rows_left - 1
        local child = new_node(task)
        node.rows[#node.rows + 1], given[#given + 1], again = child, child, true
      end
    end
  end
  return given
end

---What failed and has somebody above it who lives: the last of those.
local function failed_below_living(most)
  local list, kept = tally.failed_below_living(), {}
  for i = max(1, #list - most + 1), #list do
    kept[#kept + 1] = list[i]
  end
  return kept
end

---Finds what has a row.
---@return table node of the run
local function tree(rows)
  rows_left, looked, nodes_of = rows, 0, {}
  local failed = failed_below_living(floor(rows / FAILED_SHARE))
  rows_left = rows - #failed
  local top = new_node(nil)
  look_below(top, rows)
  if top.is_cut then
    look_further(top, rows)
  end
  local level, all = { top }, {}
  while #level > 0 do
    local given = give(level, "running", rows)
    for i = 1, #given do
      look_below(given[i], rows_left)
      all[#all + 1] = given[i]
    end
    if looked == MOST_LOOKED_AT then
      look_further(top, rows)
    end
    level = given
  end
  for i = 1, #failed do
    local above = nodes_of[failed[i].above]
    if above then
      above.rows[#above.rows + 1] = { failed = failed[i].entry }
    else
      rows_left = rows_left + 1
    end
  end
  all[#all + 1] = top
  give(all, "pending", PENDING_ROWS)
  return top
end

-- Text --------------------------------------------------------------------------------------------

local function named(task)
  return "worker " .. record.named(task) .. " (T-" .. task.id .. ")"
end

---What is left of a text that may be of any length.
local function short(text)
  return text and sub(text, 1, MOST_TEXT)
end

local function live_row(node, depth)
  local task = node.task
  local w, extra = task.worker, task.extra
  local tail = extra and extra.tail
  local said, waiting = tail and tail.progress, w.waiting
  local row = {
    depth = depth,
    name = record.called(task),
    label = record.label(task),
    task_id = "T-" .. task.id,
    status = w.co and "running" or "pending",
    seconds = task.since and max(0, now - task.since),
    attempt = attempts.number(task),
    cancelled = cancelling.is_cancelled(w) or nil,
    why = extra and extra.retries and short(extra.retries.why), -- it is tried again
    stage = said and short(said.stage),
    note = said and short(said.note),
    running = node.running,
    pending = node.pending,
    is_cut = node.is_cut or nil,
    ends = extra and extra.ends,
    used = extra and extra.used,
  }
  if waiting and waiting.port then
    row.request = waiting.id
  end
  if waiting and waiting ~= CHILDREN and node.running + node.pending == 0 and not node.is_cut then
    row.waits_for = short(deadlocks.what_it_waits_for(w, named))
  end
  return row
end

local function failed_row(one, depth)
  return {
    depth = depth,
    name = one.name,
    label = one.label,
    task_id = one.task_id,
    status = one.status,
    attempt = one.attempts,
    reason = short(one.reason),
  }
end

local function write(node, depth, rows)
  local live = 0
  for i = 1, #node.rows do
    local below = node.rows[i]
    if below.failed then
      rows[#rows + 1] = failed_row(below.failed, depth)
    else
      live = live + 1
      rows[#rows + 1] = live_row(below, depth)
      shown[#shown + 1] = below.task.worker
      write(below, depth + 1, rows)
    end
  end
  local left_out = node.running + node.pending - live
  if left_out > 0 and marks_left > 0 then
    marks_left = marks_left - 1
    rows[#rows + 1] = { depth = depth, left_out = left_out, is_cut = node.is_cut or nil }
  end
end

---The picture: a list of rows, those above before those below them.
---@param most integer rows that there is room for
---@return table list
function picture.rows(most)
  marks_left = most > MOST_MARKS * MARKED_FROM and MOST_MARKS or 0
  local top, rows = tree(max(1, most - marks_left)), {}
  shown, now = {}, clock.monotonic()
  write(top, 0, rows)
  nodes_of = nil
  return values.array(rows)
end

---The same as JSON.
---@return string
function picture.take(most)
  return text_of(picture.rows(most))
end

return picture
