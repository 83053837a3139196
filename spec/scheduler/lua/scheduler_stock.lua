-- The workers and words that several specs of this chapter share.
local swarm = require "swarm"

swarm.worker "nothing" { run = function() end }

---A list that workers write what they did into, and a worker's function that writes once.
---@return any[] order
---@return fun(what: any): function
local function recorder()
  local order = {}
  return order, function(what)
    return function()
      order[#order + 1] = what
    end
  end
end

---Numbers that look random and are the same every time.
---@param seed integer
---@return fun(most: integer): integer
local function sequence(seed)
  return function(most)
    seed = (seed * 16807) % 2147483647
    return seed % most + 1
  end
end

return {
  recorder = recorder,
  sequence = sequence,
}
