-- Events: something that is so or not, and workers that wait until it is. Who waits when it is set
-- goes on, even where it is cleared before their turn comes.
local cancelling = require "swarm.scope.cancel"
local made = require "swarm.sharing.made"
local opaque = require "swarm.ground.opaque"
local site = require "swarm.ground.site"
local waiting = require "swarm.scope.waiting"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS

local Event = opaque.kind("event", {
  notify = "set",
  notify_all = "set",
  fire = "set",
  emit = "set",
  signal = "set",
  broadcast = "set",
  trigger = "set",
  reset = "clear",
  unset = "clear",
  await = "wait",
  join = "wait",
})
local methods = Event.methods

---event:set(): wakes all who wait
function methods.set(object)
  local event = made.used(Event, object, "event:set()")
  event.is_set = true
  local waiters = event.waiters
  while waiters.head do
    waiting.hand(waiters.head)
  end
end

---event:clear(): from now on who waits has to wait
function methods.clear(object)
  made.used(Event, object, "event:clear()").is_set = false
end

---event:wait(): until it is set
function methods.wait(object)
  local event = made.used(Event, object, "event:wait()")
  local me = cancelling.enter()
  if event.is_set then
    return
  end
  local what = "the " .. opaque.describe(event)
  waiting.for_handover(me, event.waiters, { what = what, done = false }, "event:wait")
end

---swarm.event() → an event that is not set
local function new()
  return made.seal(
    Event,
    { is_set = false, waiters = { head = nil, tail = nil } },
    take_site(FORMAT, LEVELS)
  )
end

return { new = new }
