-- swarm.fs.temp_dir(fn): a folder of its own for a function and all that it spawns. It is a block,
-- as swarm.scope is: its workers have settled before the folder goes, and it goes however they end.
-- The host removes what a worker that was abandoned, or a run that was cut short, has left.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local arguments = require "swarm.ground.arguments"
local frames = require "swarm.ground.frames"
local need_room = require "swarm.ground.room"
local error, pcall, type, xpcall = error, pcall, type, xpcall

local CALL = "swarm.fs.temp_dir"
local SECONDS = 30 -- for making it, and for removing it

local temporary = {}

local function request(op, path)
  return (bridge.request("files", { op = op, path = path }, nil, { verb = "write_files" }))
end

---The call, made with what opens blocks: they stand on the same storey as this.
---@param scope fun(fn: function): ... swarm.scope
---@param shielded fun(what: string, seconds: number, fn: function): ...
function temporary.in_blocks(scope, shielded)
  local function remove(path)
    return shielded(CALL, SECONDS, function()
      return request("remove_temporary", path)
    end)
  end

  local function finish(path, ok, ...)
    if not ok then
      pcall(remove, path) -- what the function raised is what is told
      return error((...), 0)
    end
    remove(path)
    return ...
  end

  return function(fn)
    if type(fn) ~= "function" then
      return arguments.wrong(CALL .. " takes a function", fn)
    end
    cancelling.enter()
    need_room()
    -- In a shield: a cancel that comes meanwhile would leave a folder that nobody knows.
    local path = shielded(CALL, SECONDS, function()
      return request("make_temporary")
    end)
    return finish(
      path,
      xpcall(scope, frames.passing, function()
        return fn(path)
      end)
    )
  end
end

return temporary
