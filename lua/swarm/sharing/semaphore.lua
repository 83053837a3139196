-- Semaphores: at most n workers at once. A permit that is released while somebody waits changes
-- hands at once, so that nobody who comes later can take it in between.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local made = require "swarm.sharing.made"
local opaque = require "swarm.ground.opaque"
local site = require "swarm.ground.site"
local waiting = require "swarm.scope.waiting"
local with = require "swarm.sharing.with"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local record_of = opaque.record

local MOST = 1000000000 -- permits

local Semaphore = opaque.kind("semaphore", {
  lock = "acquire",
  wait = "acquire",
  take = "acquire",
  enter = "acquire",
  down = "acquire",
  unlock = "release",
  signal = "release",
  post = "release",
  give = "release",
  leave = "release",
  up = "release",
  run = "with",
  use = "with",
  using = "with",
  hold = "with",
})
local methods = Semaphore.methods

local function acquire(semaphore, call)
  local me = cancelling.enter()
  local free = semaphore.free
  if free > 0 then
    semaphore.free = free - 1
    return
  end
  local what = opaque.wanted(semaphore, "a permit of")
  waiting.for_handover(me, semaphore.waiters, { what = what, done = false }, call)
end

local function release(semaphore)
  local waiter = semaphore.waiters.head
  if waiter then
    waiting.hand(waiter)
    return true
  end
  local free = semaphore.free
  if free < semaphore.permits then
    semaphore.free = free + 1
    return true
  end
  return false
end

local function throw_not_acquired(semaphore)
  return errors.throw(
    "invalid_argument",
    "the "
      .. opaque.describe(semaphore)
      .. " is released more often than it was acquired: call release once for each acquire, or use"
      .. " semaphore:with(fn), which does both"
  )
end

---semaphore:acquire(): waits until a permit is free
function methods.acquire(object)
  acquire(record_of(Semaphore, object, "semaphore:acquire()"), "semaphore:acquire")
end

---semaphore:release(): to who waits longest, or back
function methods.release(object)
  local semaphore = record_of(Semaphore, object, "semaphore:release()")
  if not release(semaphore) then
    return throw_not_acquired(semaphore)
  end
end

---An error of the function's own says more than that it also released too often.
local function release_after(semaphore, ok)
  if not release(semaphore) and ok then
    return throw_not_acquired(semaphore)
  end
end

---semaphore:with(fn) → what fn returned; a permit is held meanwhile
function methods.with(object, fn)
  local semaphore = record_of(Semaphore, object, "semaphore:with(fn)")
  with.check(fn, "semaphore:with")
  acquire(semaphore, "semaphore:with")
  return with.run(semaphore, release_after, fn)
end

---What is held of a semaphore that a reload leaves behind; its waiters are told anyway.
function Semaphore.in_use(semaphore)
  local held = semaphore.permits - semaphore.free
  local verb = held == 1 and "is" or "are"
  return held > 0 and ("%d of its %d permits %s held"):format(held, semaphore.permits, verb) or nil
end

---swarm.semaphore(n) → a semaphore with n permits
local function new(permits)
  arguments.whole(permits, "swarm.semaphore", 1, MOST)
  return made.seal(Semaphore, {
    permits = permits,
    free = permits,
    waiters = { head = nil, tail = nil },
  }, take_site(FORMAT, LEVELS))
end

return { new = new }
