-- Locks: one worker at a time, by lock:with(fn) alone, so that none can be left locked. The lock
-- passes to who waits longest; its holder cannot take it again.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local made = require "swarm.sharing.made"
local opaque = require "swarm.ground.opaque"
local record = require "swarm.scheduler.record"
local site = require "swarm.ground.site"
local waiting = require "swarm.scope.waiting"
local with = require "swarm.sharing.with"

local setmetatable = setmetatable
local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS

local Lock = opaque.kind("lock", {
  lock = "with",
  acquire = "with",
  enter = "with",
  try = "with",
  run = "with",
  use = "with",
  using = "with",
  hold = "with",
  synchronized = "with",
  unlock = "with",
  release = "with",
})

---What a waiter's ticket says to the report of a deadlock: the lock may change hands meanwhile.
local Ticket = {}
function Ticket.__index(ticket, key)
  if key == "what" then
    local lock = ticket.lock
    local holder = lock.holder
    return "the "
      .. opaque.describe(lock)
      .. ", which worker "
      .. record.named(holder.task)
      .. " (T-"
      .. holder.task.id
      .. ") holds"
  end
end

local function acquire(lock)
  local me = cancelling.enter()
  local holder = lock.holder
  if not holder then
    lock.holder = me
    return
  elseif holder == me then
    return errors.throw(
      "deadlock",
      "worker "
        .. record.named(me.task)
        .. " holds the "
        .. opaque.describe(lock)
        .. " already and would wait for itself: take it once, around all that needs it"
    )
  end
  local ticket = setmetatable({ done = false, lock = lock }, Ticket)
  waiting.for_handover(me, lock.waiters, ticket, "lock:with")
end

local function release(lock)
  local waiter = lock.waiters.head
  lock.holder = waiter
  if waiter then
    waiting.hand(waiter)
  end
end

---lock:with(fn) → what fn returned; the lock is held meanwhile
function Lock.methods.with(object, fn)
  local lock = opaque.record(Lock, object, "lock:with(fn)")
  with.check(fn, "lock:with")
  acquire(lock)
  return with.run(lock, release, fn)
end

---Who holds a lock that a reload leaves behind; its waiters are told anyway.
function Lock.in_use(lock)
  local holder = lock.holder
  if holder then
    return "worker " .. record.title(holder.task) .. " (T-" .. holder.task.id .. ") holds it"
  end
end

---swarm.lock() → a lock
local function new()
  return made.seal(
    Lock,
    { holder = nil, waiters = { head = nil, tail = nil } },
    take_site(FORMAT, LEVELS)
  )
end

return { new = new }
