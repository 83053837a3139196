-- The author's own coroutines. A call that waits inside one must reach the scheduler: it yields
-- PARK, which our resume passes upwards and the author's code never sees. Everything else is as
-- Lua has it.
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"

local co_create, co_resume, co_yield = coroutine.create, coroutine.resume, coroutine.yield
local co_running, co_status, isyieldable =
  coroutine.running, coroutine.status, coroutine.isyieldable
local type, error, setmetatable = type, error, setmetatable
local PARK, BARRED = S.PARK, S.BARRED

local coroutines = {}

-- Coroutines that are parked in a call of ours: only the scheduler may go on with them.
local parked = setmetatable({}, { __mode = "k" })

local function check_thread(co, call)
  if type(co) ~= "thread" then
    return errors.throw(
      "invalid_argument",
      call .. " takes a coroutine, and got " .. shown.value(co)
    )
  end
end

local function pass_on(co, ok, first, ...)
  if ok and first == PARK then
    local answer = BARRED
    if isyieldable() then
      parked[co] = true
      answer = co_yield(PARK)
      parked[co] = nil
    end
    return pass_on(co, co_resume(co, answer))
  end
  return ok, first, ...
end

local function resume(co, ...)
  if parked[co] then
    return false, "cannot resume a coroutine that waits in a swarm call: it goes on by itself"
  end
  return pass_on(co, co_resume(co, ...))
end

function coroutines.resume(co, ...)
  check_thread(co, "coroutine.resume")
  return resume(co, ...)
end

function coroutines.create(fn)
  if type(fn) ~= "function" then
    return errors.throw(
      "invalid_argument",
      "coroutine.create takes a function, and got " .. shown.value(fn)
    )
  end
  return co_create(fn)
end

local function unwrap(co, ok, ...)
  if ok then
    return ...
  end
  frames.leaving(co, (...))
  return error((...), 0)
end

function coroutines.wrap(fn)
  if type(fn) ~= "function" then
    return errors.throw(
      "invalid_argument",
      "coroutine.wrap takes a function, and got " .. shown.value(fn)
    )
  end
  local co = co_create(fn)
  return function(...)
    return unwrap(co, resume(co, ...))
  end
end

-- How many `with` blocks are open in a coroutine of the author's: a yield out of one would
-- leave what it holds with nobody.
local open_withs = setmetatable({}, { __mode = "k" })

---A `with` block opens in the running coroutine.
---@return thread? block what close_with takes
function coroutines.open_with()
  local running = co_running()
  if running == S.current.co then
    return nil
  end
  open_withs[running] = (open_withs[running] or 0) + 1
  return running
end

---@param block thread? what open_with returned
function coroutines.close_with(block)
  if block then
    local left = open_withs[block] - 1
    open_withs[block] = left > 0 and left or nil
  end
end

local function throw_inside(what)
  return errors.throw(
    "invalid_argument",
    "coroutine.yield out of a "
      .. what
      .. " block that this coroutine opened: leave the block first, or open it around the loop"
      .. " that resumes"
  )
end

function coroutines.yield(...)
  local me = S.current
  local running = co_running()
  if running == me.co then
    return errors.throw(
      "invalid_argument",
      "coroutine.yield outside a coroutine of your own: to let other workers run, use swarm.yield()"
    )
  elseif me.scope.co == running and me.scope.what then
    return throw_inside(me.scope.what)
  elseif open_withs[running] then
    return throw_inside("with")
  end
  return co_yield(...)
end

---nil at a worker's top level, as in the main program of plain Lua.
function coroutines.running()
  local running, own = co_running(), S.current.co
  if own and running ~= own then
    return running
  end
end

---A coroutine that waits in a call of ours is "normal": active, and nobody may resume it.
function coroutines.status(co)
  check_thread(co, "coroutine.status")
  return parked[co] and "normal" or co_status(co)
end

function coroutines.isyieldable()
  return co_running() ~= S.current.co and isyieldable()
end

return coroutines
