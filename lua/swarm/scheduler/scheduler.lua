-- The scheduler: three run lists and the resuming of coroutines. It knows no kinds of worker and no
-- host. The lists run through the records themselves (queue, queue_prev, queue_next),
-- so that every move is O(1) and allocates nothing.
--
--   woken  timers, completions, cancels: served first in each tick, first in first out
--   front  joined children and the parents they wake: last in first out, so that work goes
--          depth-first, few workers are alive at once and their records die young
--   back   everything else: first in first out
--
-- Depth-first alone starves, so every tick also runs the oldest of `front` and the first of `back`.
local clock = require "swarm.ground.clock"
local holder = require "swarm.scheduler.turn"
local timers = require "swarm.scheduler.timers"
local co_resume, co_yield, co_create = coroutine.resume, coroutine.yield, coroutine.create
local isyieldable = coroutine.isyieldable
local error, tostring = error, tostring
local real, take_due = clock.real, timers.take_due
local cell, running, ROWS, TURNS = holder.cell, holder.running, holder.ROWS, holder.TURNS

local TICK_RESUMES = 20000 -- resumes in one tick at the most
local CLOCK_EVERY = 64 -- resumes between two looks at the clock
local HANDS = 64 -- hand-overs that go before `back`, until it has its turn
local POOL = 4096 -- idle coroutines kept

-- What a parked coroutine yields, all the way up through the author's own coroutines.
local PARK = {}
-- What a park gets back where a C function below it (string.gsub, table.sort) bars the way up.
local BARRED = {}

local woken = { head = nil, tail = nil, runs = true, name = "woken" }
local front = { head = nil, tail = nil, runs = true, name = "front" }
local back = { head = nil, tail = nil, runs = true, name = "back" }

local S = {
  PARK = PARK,
  BARRED = BARRED,
  current = nil, -- the record of the running worker
  begin = nil, -- worker/spawn.lua: gives a pending record its coroutine, or nil: not yet
  body = nil, -- worker/spawn.lua: what a pooled coroutine runs, record after record
  set_timer = timers.set,
  drop_timer = timers.drop,
  take_timer = timers.take,
  timer_at = timers.at,
  alarm = timers.alarm,
  next_deadline = timers.next_deadline,
  has_timers = timers.any,
}

-- Lists -------------------------------------------------------------------------------------------

---Puts a record at the end of a list (a run list, or the waiters of something).
local function push_back(list, w)
  local tail = list.tail
  w.queue, w.queue_prev, w.queue_next = list, tail, nil
  if tail then
    tail.queue_next = w
  else
    list.head = w
  end
  list.tail = w
end
S.push_back = push_back

local function push_front(list, w)
  local head = list.head
  w.queue, w.queue_prev, w.queue_next = list, nil, head
  if head then
    head.queue_prev = w
  else
    list.tail = w
  end
  list.head = w
end

---Takes a record out of the list that it is in.
local function remove(w)
  local list, before, after = w.queue, w.queue_prev, w.queue_next
  if before then
    before.queue_next = after
  else
    list.head = after
  end
  if after then
    after.queue_prev = before
  else
    list.tail = before
  end
  w.queue, w.queue_prev, w.queue_next = false, nil, nil
end
S.remove = remove

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

local handed, hands = nil, 0 -- the last record that S.hand made ready, and a count of them

local function insert_after(before, w)
  local list, after = before.queue, before.queue_next
  w.queue, w.queue_prev, w.queue_next = list, before, after
  before.queue_next = w
  if after then
    after.queue_prev = w
  else
    list.tail = w
  end
end

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

---Takes its turn behind everybody else.
function S.later(w)
  push_back(back, w)
end

---Wakes all of a list of waiters; the first to wait is the first to run.
function S.ready_all(list)
  local w = list.tail
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
      S.wake(node.worker)
    end
    node = take_due(now)
  end
end

---Timers are fired between resumes; who asks in the middle of one whether time is up calls this.
function S.fire_due_timers()
  fire_timers(clock.monotonic())
end

-- Parking -----------------------------------------------------------------------------------------

---Leaves the running worker's coroutine until somebody puts its record on a run list.
---The caller checks afterwards why it was woken. False: a C function is in the way.
---@param w table the running worker
---@param waiting any what it waits for, for the reports of deadlocks
---@return boolean
function S.park(w, waiting)
  if not isyieldable() then
    return false
  end
  w.waiting = waiting
  local answer = co_yield(PARK)
  w.waiting = nil
  return answer ~= BARRED
end

-- Ticks -------------------------------------------------------------------------------------------

local pool, pooled = {}, 0

---Gives a coroutine back for the next worker, or says that there are enough.
function S.keep(co)
  if pooled < POOL then
    pooled = pooled + 1
    pool[pooled] = co
    return true
  end
  return false
end

function S.take_coroutine()
  if pooled > 0 then
    local co = pool[pooled]
    pool[pooled] = nil
    pooled = pooled - 1
    return co
  end
  return co_create(S.body)
end

local turn = 0 -- counts resumes, up to TURNS

local function serve(w)
  remove(w)
  local co, ok, problem = w.co, true, nil
  S.current = w
  -- For the watchdog: one store, which also tells one turn of a worker from its next.
  turn = turn < TURNS - 1 and turn + 1 or 0
  running[0] = (w.id * ROWS + (w.def.row or holder.row(w))) * TURNS + turn
  if co then
    ok, problem = co_resume(co)
  else
    co = S.begin(w)
    if co then
      ok, problem = co_resume(co, w)
    end
  end
  S.current = nil
  if not ok then
    error("swarm-host: a worker's coroutine broke: " .. tostring(problem), 0)
  end
end

-- Exploration serves one record after another itself, in every order (testing/explore).
S.serve = serve
S.run_lists = { woken, front, back }

---Looks at the clock within a tick.
local function is_over(stop)
  local now = real()
  cell.since = now
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
  cell.since = now -- a virtual time, where it is one, tells the watchdog nothing
  fire_timers(now)
  local budget, look = TICK_RESUMES, CLOCK_EVERY
  local served = 0
  local oldest = front.tail -- left over from earlier ticks

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

  if oldest and oldest.queue == front then
    serve(oldest)
  end
  if back.head then
    serve(back.head)
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
  cell.holder = -1
  return woken.head ~= nil or front.head ~= nil or back.head ~= nil
end

return S
