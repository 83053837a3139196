-- Whether a worker's port is open yet: `ready = { port = 8080 }`. Port `connect` tries until a
-- connection is accepted; a worker of the host's own, below the one that is asked about, waits for
-- that, and ends with it.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local definition = require "swarm.worker.definition"
local gate = require "swarm.rights.gate"
local list = require "swarm.ground.list"
local readiness = require "swarm.worker.readiness"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local spawning = require "swarm.worker.spawn"
local error, pcall = error, pcall

local connect = {}

---Waits until the port is open, and says so.
---@param task table the worker's
---@param node table what has this ended with the worker
local function look(task, node)
  local def = task.def
  local ok, answer = pcall(bridge.request, "connect", {
    host = def.ready.host,
    port = def.ready.port,
    timeout = def.start_timeout,
  }, nil, { verb = "use_network" })
  if node.queue then
    list.remove(node)
  end
  if S.current.scope.cancel then
    return error(answer, 0)
  end
  return readiness.tell(task, not ok and answer or answer ~= true and readiness.late(def) or nil)
end

---Begins to look; at the end of the worker it is over.
local function begin(me)
  gate.bounds(me, "use_network") -- the worker's own failure, not that of who looks
  local task, node = me.task, {}
  local def = definition.internal(task.def.generation, "port " .. task.def.ready.place)
  local _, looking = spawning.helper(me, def, function()
    return look(task, node)
  end)
  function node.close()
    if looking.worker then
      cancelling.cancel(looking.worker, { kind = "parent", reason = "the worker has ended" })
    end
  end
  return scopes.at_end(me, node)
end

---A worker's `run`, with its port looked at while it runs: `run` itself where there is none.
---@param def table the definition
---@param run function called as run(ctx, input)
---@return function
function connect.wrap(def, run)
  if not (def.ready and def.ready.port) then
    return run
  end
  return function(ctx, input)
    local me = S.current
    if readiness.is_awaited(me.task) then
      begin(me)
    end
    return run(ctx, input)
  end
end

return connect
