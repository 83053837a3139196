-- Waiting in a list until somebody does something about it. A cancel takes a waiter out of its
-- list, so nothing is ever handed to one that is gone.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local list = require "swarm.ground.list"
local replay = require "swarm.journal.replay"
local S = require "swarm.scheduler.scheduler"

local waiting = {}

---A call that must wait has a C function of Lua's between itself and its worker.
function waiting.barred(call)
  return errors.throw(
    "invalid_argument",
    call
      .. " cannot wait inside a function that string.gsub or table.sort calls: collect first, then "
      .. call
      .. " in a loop of its own"
  )
end

---Parks at the end of a list until somebody wakes the worker, for whatever reason. Afterwards it
---stands in no list.
---@param me table the running worker
---@param waiters table
---@param what table what it waits for, for the reports of deadlocks
---@return boolean parked false: a C function is in the way
function waiting.park_in(me, waiters, what)
  if not S.can_park() then
    return false
  end
  list.push_back(waiters, me)
  local parked = S.park_now(me, what)
  if me.queue then
    list.remove(me)
  end
  return parked
end

---The same, and raises where the worker was cancelled or cannot wait here.
---@param call string the call's name, for the message
function waiting.in_list(me, waiters, what, call)
  local parked = waiting.park_in(me, waiters, what)
  if me.scope.cancel then
    cancelling.raise(me)
  elseif not parked then
    waiting.barred(call)
  end
end

-- In the order of the journal ---------------------------------------------------------------------

---Waits until what is recorded to have woken the worker is due: others were told things before it.
---@param order number of the journal's
---@param what string what it waits for, for the reports of deadlocks
---@return boolean parked false: a C function is in the way
function waiting.in_order(me, order, what)
  local task, waits_for = me.task, { what = what, done = false }
  replay.later(order, task, function()
    waits_for.done = true
    if task.worker == me and me.waiting == waits_for then
      S.ready(me)
    end
  end)
  local parked
  repeat
    parked = S.park(me, waits_for)
  until waits_for.done or me.scope.cancel or not parked
  return parked
end

-- Handing over ------------------------------------------------------------------------------------
-- A value, a permit, a lock, news: who waits stands in the list with a ticket; who hands over takes
-- the first, marks its ticket and makes it ready. What was handed over before a cancel came is the
-- waiter's, and its call returns with it.

---Waits until somebody hands over. Raises where the worker is cancelled first, or cannot wait here.
---@param me table the running worker
---@param waiters table
---@param ticket table { what, done = false }, and room for what is handed over
---@param call string the call's name, for the message
---@return table ticket
function waiting.for_handover(me, waiters, ticket, call)
  while true do
    local parked = waiting.park_in(me, waiters, ticket)
    if ticket.done then
      return ticket
    elseif me.scope.cancel then
      cancelling.raise(me)
    elseif not parked then
      waiting.barred(call)
    end
  end
end

---Hands over to a waiter, which runs next, after those that others were handed before it.
---@param w table the first of a list of waiters
---@return table ticket
function waiting.hand(w)
  local ticket = w.waiting
  S.hand(w)
  ticket.done = true
  return ticket
end

return waiting
