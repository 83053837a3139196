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

-- Each resume inside another takes of the C stack, and LuaJIT does not look how much is left: the
-- process would end without a word. So they are counted, whoever's they are; a yield leaves one.
local MAX_NESTED = 200 -- as in Lua
local nested = 0

local pass_on

local function left(co, ...)
  nested = nested - 1
  return pass_on(co, ...)
end

local function go_on(co, ...)
  nested = nested + 1
  return left(co, co_resume(co, ...))
end

function pass_on(co, ok, first, ...)
  if ok and first == PARK then
    local answer = BARRED
    if isyieldable() then
      parked[co] = true
      answer = co_yield(PARK, (...)) -- until when, where it sleeps
      parked[co] = nil
    end
    return go_on(co, answer)
  end
  return ok, first, ...
end

local function resume(co, ...)
  if parked[co] then
    return false, "cannot resume a coroutine that waits in a swarm call: it goes on by itself"
  elseif nested >= MAX_NESTED then
    return false, "C stack overflow"
  end
  return go_on(co, ...)
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

-- What is open in a coroutine of the author's, and may not be left by a yield: what a `with` block
-- holds would be with nobody, and the rights lent to a hook with somebody else.
local open = setmetatable({}, { __mode = "k" }) -- coroutine → list of words
local OWN = {} -- stands for the worker's own coroutine, which the author cannot leave

---Something opens in the running coroutine.
---@param what string as messages name it
---@return table words what `close` takes
function coroutines.open(what)
  if nested == 0 then
    return OWN -- asked before co_running, which stops the compiler
  end
  local running = co_running()
  if running == S.current.co then
    return OWN
  end
  local words = open[running]
  if not words then
    words = {}
    open[running] = words
  end
  words[#words + 1] = what
  return words
end

---@param words table what `open` returned
function coroutines.close(words)
  words[#words] = nil
end

local function throw_inside(what)
  return errors.throw(
    "invalid_argument",
    "coroutine.yield out of "
      .. what
      .. " that this coroutine opened: leave the block first, or open it around the loop"
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
    return throw_inside("a " .. me.scope.what .. " block")
  end
  local words = open[running]
  if words and words[1] then
    return throw_inside(words[#words])
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
