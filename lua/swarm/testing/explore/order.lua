-- One order of an explored program: from its first step to its last, each a choice among those who
-- could go on. The explorer is a worker that serves the workers of its program itself, within its
-- own turn: everybody else stands still meanwhile, their timers too, and each order begins at the
-- same time and with the same random numbers.
local audit = require "swarm.events.audit"
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local failures = require "swarm.events.failures"
local frames = require "swarm.ground.frames"
local invariants = require "swarm.testing.explore.invariants"
local log = require "swarm.events.log"
local raised = require "swarm.ground.raised"
local random = require "swarm.ground.random"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local spawning = require "swarm.worker.spawn"
local trace = require "swarm.testing.explore.trace"
local concat, format = table.concat, string.format
local error, ipairs, pcall = error, ipairs, pcall
local root, counts = scopes.root, settling.counts

local MOST_STEPS = 10000 -- in one order: more is a program that does not end

local CLOCK = {} -- a candidate: the next timer that is due

local order = {
  playing = false, -- an order runs: everybody outside its program stands still
}

-- What can go on ----------------------------------------------------------------------------------

local function fire(node)
  if node.expire then
    return node.expire(node)
  end
  S.wake(node.worker or node)
end

---Who could go on now, in the order in which the scheduler would take them. Where nobody is ready
---the virtual clock jumps to the next timer.
---@return integer n
local function find_candidates(watch, list)
  local n, due = 0, S.next_deadline()
  if due and due <= clock.virtual then
    n = 1
    list[1] = CLOCK
  end
  for i = 1, #S.run_lists do
    local w = S.run_lists[i].head
    while w do
      if w.task.id >= watch.first then
        n = n + 1
        list[n] = w
      end
      w = w.queue_next
    end
  end
  if n == 0 and due then
    clock.virtual = due
    list[1] = CLOCK
    return 1
  end
  return n
end

-- Failures ----------------------------------------------------------------------------------------

local function silence(watch, asked)
  local waiting, lines = {}, {}
  for i = 1, watch.live_n do
    local w = watch.live[i]
    local where = w.co and frames.where(w.co) or record.home(w.task)
    waiting[i] =
      { name = trace.full_name(watch, w.task), waits_for = trace.what_it_waits_for(watch, w) }
    waiting[i].where = where
    lines[i] = format(
      "  %s at %s waits for %s",
      waiting[i].name,
      where or "(not begun)",
      waiting[i].waits_for
    )
  end
  if bridge.outstanding > asked then
    return errors.new(
      "invalid_argument",
      "a program under explore cannot wait for the world outside: give it mock.port\n"
        .. concat(lines, "\n")
    )
  end
  return errors.new(
    "deadlock",
    "deadlock: every worker waits, and nothing can wake one\n" .. concat(lines, "\n"),
    { waiting = waiting }
  )
end

---What the program's end is a failure for: its own, a detached worker's, a settled hook's.
local function failure_of(watch, hook_errors)
  local main = watch.main
  if main.status ~= "pass" and main.status ~= "blocked" then
    return ends.err(main)
  end
  local node = root.failed and root.failed.head
  while node do
    if node.task.id >= watch.first then
      return node.task.extra.err
    end
    node = node.queue_next
  end
  return failures.list[hook_errors + 1]
end

---Nothing of an order stays behind as a failure of the run.
local function forget(watch, hook_errors)
  local node = root.failed and root.failed.head
  while node do
    local following = node.queue_next
    if node.task.id >= watch.first then
      scopes.own(node.task)
    end
    node = following
  end
  for i = #failures.list, hook_errors + 1, -1 do
    failures.list[i] = nil
  end
end

-- One order ---------------------------------------------------------------------------------------

local function checked(job)
  -- Whoever looks on must not wait: that would let everybody else go on.
  local me = S.current
  local scope = me.scope
  scope.cancel = {
    kind = "explore",
    reason = "explore's check only looks: it can neither wait nor spawn",
    scope = { worker = me },
  }
  local ok, err = pcall(job.check)
  scope.cancel = nil
  return not ok and raised.from_raised(err) or nil
end

---@return table? failure
local function look(job, watch, at_end)
  local broken = (at_end and invariants.check_end or invariants.check)(watch)
  if broken then
    return errors.new("internal", "an invariant of the host is broken: " .. broken)
  end
  return job.check and checked(job)
end

local function choose(path, n)
  local depth = path.depth + 1
  path.depth = depth
  if not path.chosen[depth] then
    path.chosen[depth] = path.draw and path.draw(n) or 1
    path.count[depth] = n
    return path.chosen[depth]
  end
  if path.count[depth] and path.count[depth] ~= n then
    path.strayed = format(
      "the program is not the same each time: choice %d had %d ways and has %d now; keep all its "
        .. "state inside the function that explore runs",
      depth,
      path.count[depth],
      n
    )
    return nil
  elseif path.chosen[depth] > n then
    path.strayed = format(
      "the schedule does not fit the program: choice %d has %d ways, not %d",
      depth,
      n,
      path.chosen[depth]
    )
    return nil
  end
  path.count[depth] = n
  return path.chosen[depth]
end

local function step(job, watch, path, list, n)
  local choice = 1
  if n > 1 then
    choice = choose(path, n)
    if not choice then
      return errors.new("invalid_argument", path.strayed)
    end
  end
  local candidate = list[choice]
  local told = path.trace
  if told then
    told[#told + 1] = format("  %-5s", n > 1 and choice .. "/" .. n or "")
      .. trace.step(watch, candidate ~= CLOCK and candidate or nil)
  end
  job.steps = job.steps + 1
  if candidate == CLOCK then
    fire((S.take_timer()))
  else
    S.serve_within(candidate)
  end
end

---Runs what is left of the program to its end, in the scheduler's own order.
local function sweep(watch)
  local list = {}
  for round = 1, 2 do
    local cause = { kind = "cancel", reason = "explore is done with this order", scope = root }
    for _, owner in ipairs { watch.owner, root } do
      local w = owner.first_child
      while w do
        local following = w.sib_next
        if w.task.id >= watch.first then
          (round == 1 and cancelling.cancel or cancelling.pierce)(w, cause)
        end
        w = following
      end
    end
    for _ = 1, MOST_STEPS do
      local n = counts.live > watch.live_before and find_candidates(watch, list) or 0
      if n == 0 then
        break
      elseif list[1] == CLOCK then
        fire((S.take_timer()))
      else
        S.serve_within(list[1])
      end
    end
  end
end

---@return table? failure
local function run_steps(job, watch, path, asked)
  local list, steps = path.list, 0
  local failure
  repeat
    local n = find_candidates(watch, list)
    if n == 0 then
      return silence(watch, asked)
    end
    steps = steps + 1
    if steps > MOST_STEPS then
      return errors.new("failed", "this order does not end: " .. MOST_STEPS .. " steps were taken")
    end
    failure = step(job, watch, path, list, n) or look(job, watch)
  until failure or counts.live == watch.live_before
  return failure or look(job, watch, true)
end

---Timers of who stands still meanwhile.
local function set_timers_aside()
  local aside, n = {}, 0
  local node, when = S.take_timer()
  while node do
    aside[n + 1], aside[n + 2], n = node, when, n + 2
    node, when = S.take_timer()
  end
  return aside
end

local function put_timers_back(aside)
  for i = 1, #aside, 2 do
    S.set_timer(aside[i], aside[i + 1])
  end
end

---Runs a job's program once. `path` says what to choose, and says afterwards what was chosen.
---@return table? failure
function order.play(job, path)
  local me, time, on, told = job.me, clock.virtual, events.on, events.told
  local asked, hook_errors = bridge.outstanding, #failures.list
  events.on, events.told, audit.muted = false, false, true
  local spawned, err, main = pcall(spawning.named, me.scope, me, job.fn, nil, nil, nil)
  if not spawned then
    events.on, events.told, audit.muted = on, told, false
    return error(err, 0)
  end
  order.playing = true
  local aside = set_timers_aside()
  clock.virtual = time or clock.real()
  log.muted = path.trace == nil
  local source = random.take_from()
  random.seed(0)
  S.forget_hands()
  path.depth = 0
  record.extra(main).owned = true
  local watch = invariants.watch(main)
  local ok, failure = pcall(run_steps, job, watch, path, asked)
  if ok and not failure then
    failure = failure_of(watch, hook_errors)
  end
  log.muted = true
  if counts.live > watch.live_before then
    pcall(sweep, watch)
  end
  set_timers_aside() -- what a broken order leaves
  order.playing = false
  forget(watch, hook_errors)
  put_timers_back(aside)
  random.take_from(source)
  log.muted, events.on, events.told, audit.muted, clock.virtual = false, on, told, false, time
  return failure
end

return order
