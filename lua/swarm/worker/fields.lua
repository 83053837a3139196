-- What every handle and ctx has: the calls that take a handle as methods, and what can be read of a
-- worker. What belongs to one feature stands with it (say.lua, supervise/calls.lua, …); the names
-- of all files come together in doors/wiring.lua.
local attempts = require "swarm.worker.attempts"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local join = require "swarm.worker.join"
local json = require "swarm.values.json"
local read = require "swarm.worker.output.read"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local type = type

local getters = {}

function getters.id(w)
  return "W-" .. (w.extra and w.extra.worker_id or w.id)
end
getters.worker_id = getters.id

getters.task_id = handles.task_id
getters.attempt = attempts.number

function getters.agent(w)
  return w.def.name
end

function getters.status(w)
  read.check(w)
  return w.status
end

function getters.generation(w)
  return w.def.generation.number
end

---The worker's own input; others get a copy, for it is nobody else's to change.
function getters.input(w)
  return w == S.current and w.input or values.copy(w.input, "input")
end

function getters.depth(w)
  return w.depth
end

function getters.role(w)
  return w.def.role or w.rights.role -- while a hook runs the rights are the hook's
end

function getters.prompt(w)
  gate.check(S.current, "fetch_prompt")
  local input = w.input
  if type(input) == "string" then
    return input
  elseif type(input) == "table" and type(input.prompt) == "string" then
    return input.prompt
  end
  return json.encode(input, "input")
end

function getters.meta(w)
  local extra = w.extra or {}
  w.extra = extra
  extra.meta = extra.meta or {}
  return extra.meta
end

return {
  methods = {
    join = join.join,
    result = join.result,
    cancel = join.cancel,
    output_tail = read.output_tail,
    follow = read.follow,
  },
  getters = getters, -- name → function(record)
}
