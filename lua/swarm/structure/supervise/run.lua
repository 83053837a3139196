-- What a supervisor does: it starts children (starting.lua), starts them again when they end, and
-- stops them in reverse order, each with its own time for clean-up.
--
-- Its coroutine does one thing after another: it stops, or handles an end, or waits. Nobody else
-- changes what it knows while it is busy. Its children live in a block of its own that hides its
-- cancel from them: the supervisor sees it and stops them in their order.
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local intensity = require "swarm.structure.supervise.intensity"
local log = require "swarm.events.log"
local list = require "swarm.ground.list"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local starting = require "swarm.structure.supervise.starting"
local waiting = require "swarm.scope.waiting"

local error, xpcall = error, xpcall
local format = string.format

local supervision = {}

local IDLE = { what = "a child to start" }
local DELAY = { what = "the delay before a restart" }

-- Words -------------------------------------------------------------------------------------------

---The supervisor as messages name it.
local function title(sup)
  return sup.name and format("supervisor %q", sup.name) or "supervisor"
end
supervision.title = title

---How a child ended, for messages.
local function ending(child)
  if child.start_error then
    return "did not start: " .. errors.headline(child.start_error)
  end
  local status, err = child.task.status, ends.err(child.task)
  local when = child.early and " before it was ready" or ""
  if status == "failed" then
    return "failed" .. when .. ": " .. errors.headline(err)
  elseif status == "blocked" then
    local text = errors.headline(err) -- "blocked: ..."
    return child.early and "ended" .. when .. ": " .. text or text
  elseif status == "cancelled" then
    return "was cancelled" .. when .. ": " .. err.reason
  elseif status == "timeout" then
    return "timed out" .. when .. ": " .. errors.headline(err)
  end
  return "ended (pass)" .. when
end

local function tell(sup, task, child, ended, what)
  local text = format("%s: child %q %s; %s", title(sup), child.id, ended, what)
  log.entry("warn", text, nil, task)
end

local function has_failed(child)
  if child.start_error or child.early then
    return true
  end
  local status = child.task.status
  return status == "failed" or status == "timeout"
end

---Whether an error came of it: its own, or that of somebody below it while it was stopped.
local function broke(child)
  return has_failed(child) or ends.others(child.task) ~= nil
end

-- Stopping ----------------------------------------------------------------------------------------

local function remove(sup, child)
  list.remove(child)
  sup.by_id[child.id] = nil
end

---What the supervisor itself is cancelled for, or nil.
local function cancelled(sup)
  return sup.worker.cancel or sup.block.cancel
end
supervision.cancelled = cancelled

---Waits until a child has settled, at most `seconds`.
local function wait_end(sup, child, seconds)
  local me, task = sup.worker, child.task
  local timer = seconds and S.alarm(me, clock.monotonic() + seconds)
  local what = { what = format("the end of child %q", child.id) }
  while task.worker and not (seconds and (sup.block.cancel or not timer.pos)) do
    S.park(me, what)
    if me.queue then
      list.remove(me)
    end
  end
  if timer then
    S.drop_timer(timer)
  end
end

---Brings a child to its end by the ladder: cancel, time for its clean-up, and then through its
---shields.
---@return boolean live whether it had not ended before
local function bring_down(sup, child, reason)
  local task = child.task
  local w = task and task.worker
  if not w then
    return false
  end
  local cause = { kind = "supervisor", reason = reason, scope = w }
  sup.stopping = task
  cancelling.cancel(w, cause)
  if child.shutdown ~= 0 then
    wait_end(sup, child, child.shutdown)
  end
  if task.worker then
    cancelling.pierce(task.worker, cause)
    wait_end(sup, child, nil)
  end
  sup.stopping = nil
  return true
end

---Stops a child.
---@return table? err where it broke because of that
local function stop(sup, child, reason)
  local task = child.task
  starting.leave(sup, child)
  local live = bring_down(sup, child, reason)
  if child.node.queue then -- it ended, and nobody has looked at that yet
    list.remove(child.node)
    if broke(child) then
      tell(sup, task, child, ending(child), (live and "stopped: " or "not restarted: ") .. reason)
      return live and ends.err(task) or nil
    end
  end
end

---Stops the children from the last to `first`, save for `ended`; each temporary one for good.
---@return boolean done false: the supervisor itself was cancelled meanwhile
local function stop_down_to(sup, first, ended, reason)
  local child = sup.children.tail
  while child do
    local before = child.queue_prev
    if child ~= ended and child.phase ~= "due" then
      stop(sup, child, reason)
      if cancelled(sup) then
        return false
      elseif child.restart == "temporary" then
        remove(sup, child)
      end
    end
    if child == first then
      break
    end
    child = before
  end
  return true
end

-- A child that ended ------------------------------------------------------------------------------

---The first of the children that a strategy starts again with `child`, which ended.
local FIRST = {
  one_for_all = function(sup)
    return sup.children.head
  end,
  rest_for_one = function(_, child)
    return child
  end,
}

local WITH = { one_for_all = " with all others", rest_for_one = " with those after it" }

local function too_many(sup, child, count)
  local limit = sup.limit
  return errors.new(
    "restart_limit_exceeded",
    format(
      "%s gives up: child %q needs restart %d within %g s, and its intensity is %d; it %s",
      title(sup),
      child.id,
      count,
      limit.period,
      limit.most,
      ending(child)
    ),
    {
      id = child.id,
      restarts = count,
      period = limit.period,
      cause = child.start_error or ends.err(child.task),
      where = sup.worker.task.def.where,
      traceback = "",
    }
  )
end

local function restart(sup, child)
  local limit = sup.limit
  local count = intensity.count(limit, clock.monotonic())
  if count > limit.most then
    sup.failure = too_many(sup, child, count)
    return
  end
  local ended, task = ending(child), child.task
  local first = FIRST[sup.strategy] and FIRST[sup.strategy](sup, child)
  if first and not stop_down_to(sup, first, child, format("child %q %s", child.id, ended)) then
    tell(sup, task, child, ended, "not restarted: " .. cancelled(sup).reason)
    return
  end
  local delay = starting.delay(sup, child)
  local following = sup.strategy == "one_for_all" and sup.children.head or child
  while following do
    starting.due(sup, following, clock.monotonic() + delay)
    following = first and following.queue_next
  end
  starting.begin(sup)
  local with = WITH[sup.strategy] or ""
  local how = delay > 0 and format("to be restarted%s after %g s", with, delay)
    or "restarted" .. with
  how = how .. format(" (%d of %d in %g s)", count, limit.most, limit.period)
  tell(sup, task, child, ended, how)
end

local function after_end(sup, child)
  child.early = starting.leave(sup, child) and not child.start_error
  local kind, failed = child.restart, has_failed(child)
  if kind == "permanent" or (kind == "transient" and failed) then
    return restart(sup, child)
  end
  if failed or broke(child) then
    tell(sup, child.task, child, ending(child), "not restarted: it is " .. kind)
  end
  if kind == "temporary" then
    remove(sup, child)
  end
end

-- The supervisor's own run ------------------------------------------------------------------------

local function wait(sup)
  local me, at = sup.worker, starting.next_time(sup)
  local what = sup.block.first_child and scopes.CHILDREN or sup.unready > 0 and DELAY or IDLE
  local timer = at and S.alarm(me, at)
  waiting.park_in(me, me.task.extra.cancel_waiters, what)
  if timer then
    S.drop_timer(timer)
  end
end

local function answer(sup, request)
  list.remove(request)
  local child = request.child
  if sup.by_id[child.id] == child then
    stop(sup, child, "its supervisor was asked to stop it")
    if cancelled(sup) then
      list.push_back(sup.requests, request)
      return
    end
    remove(sup, child)
  end
  child.stop_request, request.done = nil, true
  S.ready_all(request.waiters)
end

---Whether somebody waits for the supervisor's own end.
local function is_awaited(sup)
  return sup.owner_ends or settling.is_awaited(sup.worker.task)
end

---Does the next thing that there is to do.
---@return boolean over
local function step(sup)
  local request, ended = sup.requests.head, sup.ended.head
  if cancelled(sup) or sup.failure then
    return true
  elseif request then
    answer(sup, request)
    return false
  elseif ended then
    list.remove(ended)
    after_end(sup, ended.child)
    return false
  elseif starting.begin(sup) then
    return false
  end
  local late = starting.late(sup)
  if late then
    bring_down(sup, late, "it was not ready") -- its end comes next
    return false
  elseif not sup.block.first_child and sup.unready == 0 and is_awaited(sup) then
    return true
  end
  sup.busy = false
  S.ready_all(sup.starters)
  wait(sup)
  sup.busy = true
  return false
end

---Stops all, and leaves the block that the children lived in.
local function close(sup)
  local cause, child = cancelled(sup), sup.children.tail
  local reason = cause and cause.reason or "its supervisor gave up"
  while child do
    sup.late[#sup.late + 1] = stop(sup, child, reason)
    child.run, child.input, child.by = nil, nil, nil -- it may be asked about for long
    child = child.queue_prev
  end
  sup.over, sup.cause = true, cause
  S.ready_all(sup.starters)
  while sup.requests.head do
    local request = sup.requests.head
    list.remove(request)
    request.done = true
    S.ready_all(request.waiters)
  end
  if sup.at_end.queue then
    list.remove(sup.at_end)
  end
  sup.block.closed = true
  sup.worker.scope = sup.block.outer
end

---What a supervisor's worker runs.
function supervision.run(sup)
  sup.busy = true
  local ok, err = xpcall(function()
    repeat
      local over = step(sup)
    until over
  end, frames.passing)
  sup.failure = sup.failure or (not ok and err) or nil
  close(sup)
  if sup.failure then
    return error(scopes.with_others(sup.failure, sup.late), 0)
  elseif sup.late[1] then
    return error(scopes.with_others(cancelling.error_of(sup.worker), sup.late), 0)
  end
end

return supervision
