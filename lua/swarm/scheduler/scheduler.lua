-- The scheduler: three run lists and the resuming of coroutines. It knows no kinds of worker and no
-- host. The lists run through the workers themselves (ground/list.lua), so that every move is O(1)
-- and allocates nothing.
--
--   woken  timers, completions, cancels: served first in each tick, first in first out
--   front  joined children and the parents they wake: last in first out, so that work goes
--          depth-first, and few workers are alive at once
--   back   everything else: first in first out
--
-- Depth-first alone starves. So the first of `back` and the oldest of `front` have a turn in every
-- tick where that only goes on with something (of `back` up to FAIR_TURNS), and every FAIR_SECONDS
-- where it begins something, one of each: a branch of a tree that begins each tick would keep
-- thousands alive at once, out of the cache. The longest that the first of `back` waits is
-- FAIR_SECONDS and a tick.
local clock = require "swarm.ground.clock"
local list = require "swarm.ground.list"
local need_memory = require("swarm.scheduler.heap").need
local need_room = require "swarm.ground.room"
local timers = require "swarm.scheduler.timers"
local turn = require "swarm.scheduler.turn"
local co_resume, co_yield = coroutine.resume, coroutine.yield
local isyieldable = coroutine.isyieldable
local error, pcall, tostring = error, pcall, tostring
local find, real, set_timer, take_due = string.find, clock.real, timers.set, timers.take_due
local push_back, push_front = list.push_back, list.push_front
local insert_after, remove = list.insert_after, list.remove
local cell, running, ROWS, TURNS = turn.cell, turn.running, turn.ROWS, turn.TURNS

local TICK_RESUMES = 20000 -- resumes in one tick at the most
local CLOCK_EVERY = 64 -- resumes between two looks at the clock
local HANDS = 64 -- hand-overs that go before `back`, until it has its turn
local FAIR_SECONDS = 0.1 -- between two turns of `back` that begin something
local FAIR_TURNS = 8 -- of `back` in a tick, whatever else is ready

-- What a parked coroutine yields, all the way up through the author's own coroutines.
local PARK = {}
-- What a coroutine yields that has brought a worker to its end, and waits for the next.
local DONE = {}
-- What a park gets back where a C function below it (string.gsub, table.sort) bars the way up.
local BARRED = {}

local woken = { head = nil, tail = nil, runs = true, name = "woken" }
local front = { head = nil, tail = nil, runs = true, name = "front" }
local back = { head = nil, tail = nil, runs = true, name = "back" }

local S = {
  PARK = PARK,
  DONE = DONE,
  BARRED = BARRED,
  current = nil, -- the running worker
  now = 0, -- the monotonic clock, as it was looked at last
  begin = nil, -- worker/life.lua: gives a pending worker its coroutine, or nil: not yet
  set_timer = timers.set,
  drop_timer = timers.drop,
  take_timer = timers.take,
  timer_at = timers.at,
  alarm = timers.alarm,
  wake_up = timers.wake_up,
  next_deadline = timers.next_deadline,
  has_timers = timers.any,
}

-- Run lists ---------------------------------------------------------------------------------------

---A timer, a completion or a cancel: runs at the start of the next tick.
function S.wake(w)
  if w.queue then
    if w.queue == woken then
      return
    end
    remove(w)
  end
  push_back(woken, w)
end

---What somebody waits for, or has waited for: runs next.
function S.ready(w)
  local queue = w.queue
  if queue then
    if queue == woken or queue == front then
      return
    end
    remove(w)
  end
  push_front(front, w)
end

local handed, hands = nil, 0 -- the last worker that S.hand made ready, and a count of them

---Who was handed what it waits for runs next, but after those that were handed theirs before it:
---they go on in the order of the handing. Now and then all others get a turn first, or two that
---hand things to and fro would run alone.
function S.hand(w)
  remove(w)
  hands = hands + 1
  local before = handed
  local waiting = before and before.waiting
  local queue = waiting and waiting.done and before.queue -- nil or false: it went on already
  if queue == front or queue == back then
    insert_after(before, w)
  elseif hands >= HANDS then
    hands = 0
    push_back(back, w)
  else
    push_front(front, w)
  end
  handed = w
end

---Forgets what was handed before: each order of exploration starts alike.
function S.forget_hands()
  handed, hands = nil, 0
end

---A worker has ended, and is another one soon.
function S.forget(w)
  if handed == w then
    handed = nil
  end
end

---Takes its turn behind everybody else.
function S.later(w)
  push_back(back, w)
end

---Wakes all of a list of waiters; the first to wait is the first to run.
function S.ready_all(waiters)
  local w = waiters.tail
  while w do
    local before = w.queue_prev
    S.ready(w)
    w = before
  end
end

-- Timers ------------------------------------------------------------------------------------------

local function fire_timers(now)
  local node = take_due(now)
  while node do
    local expire = node.expire
    if expire then
      expire(node)
    else
      S.wake(node.worker or node)
    end
    node = take_due(now)
  end
end

---Timers are fired between resumes; who asks in the middle of one whether time is up calls this.
function S.fire_due_timers()
  local now, due = clock.monotonic(), timers.next_deadline()
  if due and due <= now then
    need_room()
    fire_timers(now)
  end
end

-- Parking -----------------------------------------------------------------------------------------

---Whether the running coroutine can be left: no C function is in the way. Who asks has room on the
---stack for a few calls more, as a call of C needs it, before it enters itself anywhere and parks.
---@return boolean
S.can_park = isyieldable

---Leaves the running worker's coroutine until somebody puts it on a run list.
---The caller checks afterwards why it was woken. False: a C function is in the way.
---@param w table the running worker
---@param waiting any what it waits for, for the reports of deadlocks (scheduler/record.lua)
---@return boolean
function S.park(w, waiting)
  return isyieldable() and S.park_now(w, waiting)
end

---The same, for who has asked S.can_park.
function S.park_now(w, waiting)
  w.waiting = waiting
  local answer = co_yield(PARK)
  w.waiting = nil
  return answer ~= BARRED
end

---Sleeps until a time, or says that a C function is in the way, without asking before: a call of C
---takes twenty slots of a stack, and where many workers sleep their stacks are most of what they
---cost. The timer is set by who serves the worker, once it has left: a stack that is too full to
---leave leaves no timer behind.
---@param when number on the monotonic clock
---@return boolean
function S.sleep(w, waiting, when)
  w.waiting = waiting
  local ok, answer = pcall(co_yield, PARK, when)
  w.waiting = nil
  if not ok and find(answer, "stack overflow", 1, true) then
    return error(answer, 0)
  end
  return ok and answer ~= BARRED
end

-- Ticks -------------------------------------------------------------------------------------------

local POOL = 4096 -- coroutines kept
local pool, pooled = {}, 0

---A coroutine that is done with another worker, or nil.
function S.take_coroutine()
  if pooled > 0 then
    local co = pool[pooled]
    pool[pooled] = nil
    pooled = pooled - 1
    return co
  end
end

local turns = 0 -- counts resumes, up to TURNS

local function serve(w)
  remove(w)
  local co, ok, problem, when = w.co, true, nil, nil
  S.current = w
  -- For the watchdog: one store, which also tells one turn of a worker from its next.
  turns = turns < TURNS - 1 and turns + 1 or 0
  local task = w.task
  running[0] = (task.id * ROWS + (task.def.row or turn.row(task))) * TURNS + turns
  if co then
    ok, problem, when = co_resume(co)
  else
    co = S.begin(w)
    if co then
      ok, problem, when = co_resume(co, w)
    end
  end
  S.current = nil
  if when then
    return set_timer(w, when) -- it sleeps
  end
  if problem == DONE and pooled < POOL then
    pooled = pooled + 1
    pool[pooled] = co
  elseif not ok then
    error("swarm-host: a worker's coroutine broke: " .. tostring(problem), 0)
  end
end

---Exploration serves one worker after another itself, in every order, within its own turn.
function S.serve_within(w)
  local me = S.current
  local ok, problem = pcall(serve, w)
  S.current = me
  if not ok then
    error(problem, 0)
  end
end

S.run_lists = { woken, front, back }

local fair_at = 0 -- when `back` and the oldest of `front` are next due a turn that may begin

---Looks at the clock within a tick.
local function is_over(stop)
  local now = real()
  cell.since, S.now = now, now
  return now >= stop
end

---One tick: due timers, then the lists, for `slice` seconds or TICK_RESUMES resumes.
---Under a virtual clock only resumes count, so that a run is the same every time.
---@param slice number seconds
---@return boolean more whether somebody is ready to run
function S.step(slice)
  local virtual = clock.virtual
  local now = virtual or real()
  local stop = now + slice
  cell.since, S.now = now, now -- a virtual time, where it is one, tells the watchdog nothing
  fire_timers(now)
  local budget, look = TICK_RESUMES, CLOCK_EVERY
  local served = 0
  local had = front.tail ~= nil -- left over from earlier ticks

  while woken.head and served < budget do
    serve(woken.head)
    served = served + 1
    look = look - 1
    if look == 0 then
      look = CLOCK_EVERY
      if not virtual and is_over(stop) then
        break
      end
    end
  end

  local fair = virtual or now >= fair_at
  if fair then
    fair_at = now + FAIR_SECONDS
  end
  local oldest = had and front.tail
  if oldest and (fair or oldest.co) then
    serve(oldest)
  end
  local left = virtual and 1 or FAIR_TURNS
  while left > 0 and back.head and (fair or back.head.co) do
    fair = fair and back.head.co ~= nil
    serve(back.head)
    left = left - 1
  end

  while served < budget do
    local w = front.head or back.head
    if not w then
      break
    end
    serve(w)
    served = served + 1
    look = look - 1
    if look == 0 then
      look = CLOCK_EVERY
      if not virtual and is_over(stop) then
        break
      end
    end
  end
  need_memory(0) -- while it is known who had the last turn
  cell.holder = -1
  return woken.head ~= nil or front.head ~= nil or back.head ~= nil
end

return S
