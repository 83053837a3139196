-- Pools: limits that several workers share. A pool has slots, held from the beginning of an attempt
-- to its end; rates, which space beginnings; or both. Who cannot begin waits in the list of its
-- definition (slots.lua); whenever something may have changed, the lists are gone through in the
-- order of coming. Who waits for a slot keeps its place in all its pools, so that nobody starves;
-- who waits for its own concurrency, for a rate or for a parked pool holds nobody up.
--
-- A rate is kept as the time at which the next beginning would be due if all came evenly (GCRA);
-- `burst` says how far beginnings may be ahead of that.
local clock = require "swarm.ground.clock"
local events = require "swarm.events.run"
local list = require "swarm.ground.list"
local log = require "swarm.events.log"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local huge, max, min, sort = math.huge, math.max, math.min, table.sort
local format, pairs, type = string.format, pairs, type

local CLOSE = 1e-9 -- seconds: what times differ by through rounding

local pools = {}

---A pool of a run.
function pools.new(name)
  return {
    name = name,
    slots = huge,
    rates = {}, -- list of { interval, ahead, due }: seconds
    park = nil, -- seconds that it may be parked at most; nil: it is never
    active = 0, -- slots that are held
    parked = nil, -- until when, on the monotonic clock; huge: past what `park` allows
    retry_at = nil, -- that, in Unix seconds
    parked_since = nil, -- since when nobody of it has passed
  }
end

---What a definition says of it, which holds from here on.
---@param pool table
---@param fields table checked: { slots?, per_second?, per_minute?, burst?, park? }
function pools.set(pool, fields)
  pool.slots = fields.slots or huge
  local before = pool.rates
  pool.rates = {}
  for seconds, field in pairs { [1] = "per_second", [60] = "per_minute" } do
    local rate = fields[field]
    if rate then
      local interval = seconds / rate
      local was = before[field] -- what was used of it stays used
      pool.rates[field] = {
        interval = interval,
        ahead = interval * ((fields.burst or 1) - 1),
        due = was and min(was.due, clock.monotonic() + was.ahead + interval) or -huge,
      }
    end
  end
  local park = fields.park
  pool.park = park and (type(park) == "table" and park.max or huge) or nil
end

-- Room --------------------------------------------------------------------------------------------

---A pool is parked no longer.
---@param by string? who has ended it, where its time has not come
local function unparked(pool, by)
  pool.parked, pool.retry_at = nil, nil
  if events.on then
    events.publish_run("pool_unparked", { pool = pool.name, by = by })
  end
end

---When the pools' rates and parkings let one begin.
---@return number when on the monotonic clock; -huge: at once
local function due(of, now)
  local when = -huge
  for i = 1, #of do
    local pool = of[i]
    if pool.parked and pool.parked <= now + CLOSE then
      unparked(pool)
    elseif pool.parked then
      when = max(when, pool.parked)
    end
    for _, rate in pairs(pool.rates) do
      when = max(when, rate.due - rate.ahead)
    end
  end
  return when
end

local function has_slots(of, kept)
  for i = 1, #of do
    if of[i].active >= of[i].slots or kept[of[i]] then
      return false
    end
  end
  return true
end

---Takes a slot of each, for a task that begins.
---@param of table list of pools
function pools.take(of, task)
  local now = clock.monotonic()
  for i = 1, #of do
    local pool = of[i]
    pool.active = pool.active + 1
    for _, rate in pairs(pool.rates) do
      rate.due = max(rate.due, now) + rate.interval
    end
  end
  record.extra(task).pools = of
end

---Gives back what a task has taken.
function pools.leave(task)
  local extra = task.extra
  for i = 1, #extra.pools do
    extra.pools[i].active = extra.pools[i].active - 1
  end
  extra.pools = nil
end

-- Who waits ---------------------------------------------------------------------------------------

local NOBODY = {}
local lists, givers = {}, {} -- the slots of definitions for whose pools somebody waits
local tickets = 0

local function is_due(of)
  local now = clock.monotonic()
  return due(of, now) <= now + CLOSE
end

---Takes a slot of each, where nobody waits and all have room.
---@return boolean taken
function pools.take_at_once(of, task)
  if #lists > 0 or not has_slots(of, NOBODY) or not is_due(of) then
    return false
  end
  pools.take(of, task)
  return true
end

---Has the slots of a definition looked at when there is room.
---@param give fun(of: table, w: table)
function pools.enlist(of, give)
  if of.pools and of.waiters.head and not givers[of] then
    lists[#lists + 1], givers[of] = of, give
  end
end

local function came(w)
  return w.task.extra.came
end

---Has a worker wait, in the order of coming: one that a limit has stopped goes before who came
---after it.
function pools.wait(of, w, give)
  local extra = record.extra(w.task)
  if not extra.came then
    tickets = tickets + 1
    extra.came = tickets
  end
  local before = of.waiters.tail
  while before and came(before) > extra.came do
    before = before.queue_prev
  end
  if before then
    list.insert_after(before, w)
  else
    list.push_front(of.waiters, w)
  end
  pools.enlist(of, give)
  return pools.grant()
end

local function in_order(a, b)
  return came(a.waiters.head) < came(b.waiters.head)
end

---Forgets the lists in which nobody waits any more, and puts the others in the order of coming.
local function tidy()
  local n = 0
  for i = 1, #lists do
    local of = lists[i]
    lists[i] = nil
    if of.waiters.head and of.pools then
      n = n + 1
      lists[n] = of
    else
      givers[of] = nil
    end
  end
  if n > 1 then
    sort(lists, in_order)
  end
end

local timer = { pos = nil, expire = nil }

---One round: lets the first begin that can.
---@return boolean more somebody did
---@return number when somebody may next, by a rate or a parking
local function round(now)
  local kept, next_due = {}, huge
  for i = 1, #lists do
    local of = lists[i]
    local when = of.active >= of.max and huge or due(of.pools, now)
    if when > now + CLOSE then
      next_due = min(next_due, when)
    elseif has_slots(of.pools, kept) then
      givers[of](of, of.waiters.head)
      return true, huge
    else
      for j = 1, #of.pools do
        kept[of.pools[j]] = true
      end
    end
  end
  return false, next_due
end

---Lets begin who can: something is free, or the time has come.
function pools.grant()
  if #lists == 0 then
    return
  end
  S.drop_timer(timer)
  local more, when
  repeat
    tidy()
    more, when = round(clock.monotonic())
  until not more
  if when < huge then
    S.set_timer(timer, when)
  end
end
timer.expire = pools.grant

-- Parking -----------------------------------------------------------------------------------------

local LEAST = 1 -- seconds: a limit that is over already is not run into at once again

---Parks a pool, for a task that has run into its limit.
---@param retry_at number Unix seconds
local function park(pool, task, retry_at)
  local now, wall = clock.monotonic(), clock.wall()
  local till = now + max(retry_at - wall, LEAST)
  pool.parked_since = pool.parked_since or now
  if till - pool.parked_since > pool.park then
    till = huge
  end
  if pool.parked and till <= pool.parked then
    return
  end
  pool.parked, pool.retry_at = till, retry_at
  local seconds = format("%.0f s", max(retry_at - wall, LEAST))
  log.entry(
    "warn",
    format("pool %q is at its limit for %s", pool.name, seconds)
      .. (
        till == huge and ", longer than its park allows: nothing of it starts until swarm.unpark"
        or ": nothing of it starts meanwhile"
      ),
    nil,
    task
  )
  if events.on then
    local about = { pool = pool.name, task_id = "T-" .. task.id, retry_at = retry_at }
    events.publish_run("pool_parked", about)
  end
end

---An attempt that has pools has ended: parks those that its limit is one of.
---@param err table? its error
---@return boolean whether it is pending again until they are free
function pools.ended(task, err)
  local of = task.extra.pools
  local retry_at = err and err.code == "limited" and err.retry_at
  local parked = false
  for i = 1, of and #of or 0 do
    if not retry_at then
      of[i].parked_since = nil
    elseif of[i].park and type(retry_at) == "number" and retry_at == retry_at then
      park(of[i], task, retry_at)
      parked = true
    end
  end
  return parked
end

---Ends the parking of a pool.
---@param by string who does
---@return boolean whether it was parked
function pools.unpark(pool, by)
  local was = pool.parked ~= nil
  if was then
    pool.parked_since = nil
    unparked(pool, by)
    pools.grant()
  end
  return was
end

---A pool for which somebody waits, and which is parked past what its definition allows.
---@return table?
function pools.over()
  for i = 1, #lists do
    for j = 1, #lists[i].pools do
      if lists[i].pools[j].parked == huge then
        return lists[i].pools[j]
      end
    end
  end
end

return pools
