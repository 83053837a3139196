-- What is wrong with the definitions of a generation. Where a script is loaded to be run the first
-- definition that is wrong ends the loading; for `swarm-host check` all are gathered: what is wrong
-- is kept in `generation.faults`, the definition is left out, and loading goes on.
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local mistakes = require "swarm.script.mistakes"
local getinfo = debug.getinfo
local error, pairs, xpcall = error, pairs, xpcall
local real_pcall, real_xpcall = pcall, xpcall

local faults = {}

local function nothing() end

---Whether the script itself catches what is raised here: then it is the script's, and no fault.
local function is_caught()
  local level = 2
  local info = getinfo(level, "fS")
  while info do
    local outer = getinfo(level + 1, "S")
    if (info.func == real_pcall or info.func == real_xpcall) and outer then
      if not frames.is_host(outer) then
        return true
      end
    end
    level = level + 1
    info = getinfo(level, "fS")
  end
  return false
end

---What a call came to: what it gave, or nothing once its mistakes are told or kept.
local function finish(generation, where, ok, ...)
  if ok then
    return ...
  end
  local err, gathered = (...), generation.faults
  if not gathered or not errors.is(err) or err.code ~= "load_error" or is_caught() then
    return error(mistakes.told(err, where), 0)
  end
  local list, elsewhere = mistakes.located(err, where)
  for i = 1, #list do
    local one = list[i]
    gathered[#gathered + 1] = {
      message = one.message,
      where = one.where,
      column = one.column,
      field = one.field,
      definition = where,
      elsewhere = elsewhere[one] or false,
    }
  end
  return nothing -- stands for the function that takes the table of `swarm.worker "x"`
end

---Calls what may find a definition wrong.
---@param where string? the place of the definition
---@return any ... what it gives
function faults.try(generation, where, fn, ...)
  return finish(generation, where, xpcall(fn, frames.passing, ...))
end

---A function of a generation, for a script to call, that may find wrong what it is given.
---@param fn function(generation, ...)
---@return function
function faults.gathering(fn)
  return function(generation, ...)
    if not generation.faults then
      return fn(generation, ...)
    end
    return finish(generation, nil, xpcall(fn, frames.passing, generation, ...))
  end
end

---Whether every definition of a sort is there: where one was left out, nothing can be said of those
---that name it.
---@param given table what was given, by name
---@param kept table what is there, by name
function faults.are_whole(given, kept)
  for name in pairs(given) do
    if not kept[name] then
      return false
    end
  end
  return true
end

---Ends a loading that has gathered anything: it cannot be run.
function faults.raise(generation)
  local gathered = generation.faults
  if gathered and #gathered > 0 then
    gathered.ended = true
    return errors.throw("load_error", #gathered .. " of what it defines is wrong")
  end
end

return faults
