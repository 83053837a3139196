-- The workers and words that several specs of this chapter share.
local swarm = require "swarm"

swarm.worker "brief" {
  timeout = 2,
  run = function()
    swarm.sleep(50)
  end,
}

swarm.worker "single" {
  concurrency = 1,
  run = function(_, how)
    if how == "leaf" then
      return "leaf"
    elseif how == "map" then
      return swarm.map("single", { "leaf", "leaf" })
    end
    local inner = swarm.spawn("single", "leaf")
    local gather = swarm[how] ---@type fun(list: any[]): any...
    local ok, err = pcall(gather, { inner })
    swarm.cancel(inner)
    return not ok and err.code
  end,
}

local CALLS = { "all", "any", "race", "settle", "each" }

---A function that returns `value` after a while.
---@param value any
---@param seconds? number
---@return function
local function gives(value, seconds)
  return function()
    if seconds then
      swarm.sleep(seconds)
    end
    return value
  end
end

---A function that fails after a while.
---@param code string
---@param seconds? number
---@return function
local function breaks(code, seconds)
  return function()
    if seconds then
      swarm.sleep(seconds)
    end
    error { code = code }
  end
end

---@param value any
---@param reason any
---@return function
local function blocks(value, reason)
  return function()
    return value, reason
  end
end

---A function that takes `seconds` of clean-up when it is cancelled, and then fails, if so wanted.
---@param log number[]
---@param seconds number
---@param code? string
---@return function
local function cleans(log, seconds, code)
  return function()
    local ok, err = pcall(swarm.sleep, 100)
    if not ok then
      swarm.shield(function()
        swarm.sleep(seconds)
      end)
      log[#log + 1] = swarm.monotonic()
      if code then
        error { code = code }
      end
      error(err)
    end
  end
end

---Every call that takes a list, as a function that waits for all that it gives.
---@param call string
---@return fun(list: any[]): any...
local function drained(call)
  if call ~= "each" then
    return swarm[call]
  end
  return function(list)
    for _ in swarm.each(list) do
    end
  end
end

return {
  CALLS = CALLS,
  gives = gives,
  breaks = breaks,
  blocks = blocks,
  cleans = cleans,
  drained = drained,
}
