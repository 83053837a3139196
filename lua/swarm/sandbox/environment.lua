-- The environment of a generation, of the guarded tier or the trusted one. Both get coroutines that
-- pass our yields through, and a `require` that is ours.
local again = require "swarm.journal.again"
local coroutines = require "swarm.scheduler.coroutines"
local guarded = require "swarm.sandbox.guarded"
local libraries = require "swarm.sandbox.libraries"
local modules = require "swarm.sandbox.modules"
local proof = require "swarm.sandbox.proof"
local records = require "swarm.journal.records"
local trusted = require "swarm.sandbox.trusted"
require "swarm.sandbox.strings"

local environment = {}

---The globals of a generation.
---@param generation table
---@param swarm table the public face
---@param args string[] of the run
---@return table env, table offered what scripts find that is no field of it
function environment.make(generation, swarm, args)
  local env, offered = {}, {}
  generation.env, generation.offered = env, offered
  local loaded = { swarm = swarm }
  generation.modules = loaded
  if modules.trust then
    trusted(env, loaded)
  else
    guarded(env, offered)
    proof.check(env)
  end
  if records.on then -- what is random is the same where a task runs again
    env.math.random, env.math.randomseed = again.random, again.randomseed
  end
  local arg = { [0] = generation.line.script.path }
  for i = 1, #args do
    arg[i] = args[i]
  end
  env._G, env.swarm, env.coroutine = env, swarm, libraries.copy_of(coroutines)
  modules.offer(generation, env, loaded)
  for _, name in ipairs { "string", "table", "math", "bit", "coroutine", "os", "io", "debug" } do
    loaded[name] = env[name]
  end
  loaded._G = env
  if modules.trust then
    env.arg = arg
  else
    offered.arg = arg
  end
  return env, offered
end

return environment
