-- Clocks that stand still: the time limits of a worker that waits for a person, and of the workers
-- above it, which wait for that one. What a block or the run has is not theirs, and goes on.
local clock = require "swarm.ground.clock"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"

local standing = {}

---A worker, and those above it that wait for its end.
local function above(w)
  local owner = w.owner
  return owner and (owner.task and owner or owner.worker) or nil
end

---The timer of a worker's own time limit; that of main is the run's.
local function deadline_of(task)
  return task.def ~= task.def.generation.main and task.extra.deadline or nil
end

---From here to `go_on` no time limit of the worker's, or of those above it, comes nearer.
---@param w table
function standing.begin(w)
  while w do
    local extra = record.extra(w.task)
    local still = (extra.still or 0) + 1
    extra.still = still
    local node = still == 1 and deadline_of(w.task)
    if node then
      S.drop_timer(node)
      node.left = node.at - clock.monotonic()
    end
    w = above(w)
  end
end

---They go on, where nobody below waits any more.
---@param w table
function standing.finish(w)
  while w do
    local extra = w.task.extra
    extra.still = extra.still - 1
    local node = extra.still == 0 and deadline_of(w.task)
    if node and node.left then
      node.at, node.left = clock.monotonic() + node.left, nil
      S.set_timer(node, node.at)
    end
    w = above(w)
  end
end

return standing
