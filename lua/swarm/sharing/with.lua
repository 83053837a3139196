-- object:with(fn): runs a function while something is held, and gives it back however the function
-- ends. No cancel scope: the children that the function spawns are its worker's.
local coroutines = require "swarm.scheduler.coroutines"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local S = require "swarm.scheduler.scheduler"
local task_records = require "swarm.scheduler.record"
local shown = require "swarm.ground.shown"
local error, type, unpack, xpcall = error, type, unpack, xpcall

local with = {}

-- If the stack overflowed between the acquire and the release, what is held would be lost. This
-- call needs more of it than those two, and raises where it is not there; what a Lua function needs
-- compiled code would not look for.
local ROOM = {}
local SLOTS = 100

---What has to hold before anything is acquired.
---@param fn any
---@param call string the call's name, for the message
function with.check(fn, call)
  if type(fn) ~= "function" then
    local got = shown.value(fn)
    return errors.throw("invalid_argument", call .. " takes a function, and got " .. got)
  end
  unpack(ROOM, 1, SLOTS)
end

local function finish(record, release, block, holds, ok, ...)
  coroutines.close_with(block)
  holds[#holds], holds[#holds - 1] = nil, nil
  release(record, ok)
  if not ok then
    return error((...), 0)
  end
  return ...
end

---Runs a function with what its caller has acquired.
---@param record table
---@param release fun(record: table, ok: boolean)
---@param fn function
function with.run(record, release, fn)
  local extra = task_records.extra(S.current.task)
  local holds = extra.holds
  if not holds then
    holds = {}
    extra.holds = holds
  end
  local n = #holds
  holds[n + 1], holds[n + 2] = record, release -- for an abandoned worker (worker/life.lua)
  return finish(record, release, coroutines.open_with(), holds, xpcall(fn, frames.passing))
end

return with
