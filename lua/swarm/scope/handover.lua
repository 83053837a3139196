-- Waiting for something that another worker hands over: a value, a permit, a lock, news. Who waits
-- stands in a list with a ticket; who hands over takes the first, marks its ticket and makes it
-- ready. A cancel takes a waiter out of the list, so nothing is ever handed to one that is gone;
-- what was handed over before the cancel came is the waiter's, and its call returns with it.
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local waits = require "swarm.scope.waits"

local handover = {}

---Waits at the end of a list until somebody hands over. Raises where the worker is cancelled first,
---or cannot wait here.
---@param me table the running worker
---@param list table waiters
---@param ticket table { what, done = false }, and room for what is handed over
---@param call string the call's name, for the message
---@return table ticket
function handover.wait(me, list, ticket, call)
  while true do
    S.push_back(list, me)
    local parked = S.park(me, ticket)
    if me.queue then
      S.remove(me)
    end
    if ticket.done then
      return ticket
    elseif me.scope.cancel then
      Scope.raise(me)
    elseif not parked then
      waits.barred(call)
    end
  end
end

---Hands over to a waiter, which runs next, after those that others were handed before it.
---@param w table the first of a list of waiters
---@return table ticket
function handover.give(w)
  local ticket = w.waiting
  ticket.done = true
  S.hand(w)
  return ticket
end

return handover
