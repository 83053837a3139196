-- Brings workers to a stage of their lives: begun and waiting, or ended.
local swarm = require "swarm"

local stages = {}

---A worker that has begun and waits.
---@param fn string|swarm.Run
---@param input? any
---@param opts? table of `swarm.spawn`
---@return swarm.Handle
function stages.started(fn, input, opts)
  local h = swarm.spawn(fn, input, opts)
  swarm.yield()
  assert.equal("running", h.status)
  return h
end

---Lets all that are ready come to where they wait.
function stages.all_wait()
  swarm.sleep(0.001)
end

---How a worker ends: its status, its error and its handle.
---@param fn string|swarm.Run
---@param input? any
---@param opts? table of `swarm.spawn`
---@return swarm.Status
---@return swarm.Error? err
---@return swarm.Handle
function stages.end_of(fn, input, opts)
  local h = swarm.spawn(fn, input, opts)
  local _, err = swarm.join(h)
  return h.status, err, h
end

---How a worker ends that is cancelled in its first wait: its status and its error.
---@param fn string|swarm.Run
---@param reason? string
---@return swarm.Status
---@return swarm.Error? err
function stages.cancelled_in_wait(fn, reason)
  local h = swarm.spawn(fn)
  stages.all_wait()
  swarm.cancel(h, reason)
  local _, err = swarm.join(h)
  return h.status, err
end

---Joins a list of workers, all of which must pass.
---@param list swarm.Handle[]
function stages.join_all(list)
  for _, h in ipairs(list) do
    assert(swarm.join(h))
  end
end

return stages
