-- The workers and words that several specs of this chapter share.
local swarm = require "swarm"

local said = {} ---@type string[] each `it` has a host of its own, and so a list of its own

local function say(...)
  said[#said + 1] = table.concat({ ... }, " ")
end

local function echo(_, input)
  return input
end

---Defines a worker that hands back its input, with the hooks that are given.
---@param name string
---@param hooks? table<string, function>
---@param fields? table
local function worker(name, hooks, fields)
  fields = fields or {}
  fields.run = fields.run or echo
  swarm.worker(name, fields)
  for kind, fn in pairs(hooks or {}) do
    swarm[kind](name, fn)
  end
end

---@param h swarm.Handle
---@return swarm.Event[]
local function finals_of(h)
  local list = {}
  for _, event in ipairs(h:output_tail()) do
    if event.type == "final" then
      list[#list + 1] = event
    end
  end
  return list
end

local function loud(name)
  return {
    before = function()
      say("before", name)
    end,
    after = function()
      say("after", name)
    end,
    around = function(_, next)
      say("into", name)
      local result = next()
      say("out of", name)
      return result
    end,
    settled = function()
      say("settled", name)
    end,
  }
end

swarm.layer "used"(loud "used")
swarm.use("used")

---@param pattern string
---@return string[]
local function only(pattern)
  local list = {}
  for _, line in ipairs(said) do
    if not line:find "used" and line:find(pattern) then
      list[#list + 1] = line
    end
  end
  return list
end

return {
  said = said,
  say = say,
  echo = echo,
  worker = worker,
  finals_of = finals_of,
  loud = loud,
  only = only,
}
