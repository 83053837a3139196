-- The workers and words that several specs of this chapter share.
local swarm = require "swarm"

swarm.worker "boom" {
  run = function(_, text)
    error(text or "boom")
  end,
}

---@param events swarm.Event[]
---@return string[]
local function types_of(events)
  local list = {}
  for i, event in ipairs(events) do
    list[i] = event.type
  end
  return list
end

return {
  types_of = types_of,
}
