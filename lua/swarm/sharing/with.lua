-- object:with(fn): runs a function while something is held, and gives it back however the function
-- ends. No cancel scope: the children that the function spawns are its worker's.
local coroutines = require "swarm.scheduler.coroutines"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local holding = require "swarm.scope.holds"
local need_room = require "swarm.ground.room"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local error, type, xpcall = error, type, xpcall

local with = {}

---What has to hold before anything is acquired.
---@param fn any
---@param call string the call's name, for the message
function with.check(fn, call)
  if type(fn) ~= "function" then
    local got = shown.value(fn)
    return errors.throw("invalid_argument", call .. " takes a function, and got " .. got)
  end
  need_room()
end

local function finish(task, record, release, block, ok, ...)
  coroutines.close(block)
  holding.drop(task)
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
  local task = S.current.task
  holding.add(task, record, release)
  return finish(task, record, release, coroutines.open("a with block"), xpcall(fn, frames.passing))
end

return with
