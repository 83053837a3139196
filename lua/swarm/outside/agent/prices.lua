-- What tokens cost, for an agent that tells none of it: `prices` of a worker, in USD for a
-- million of them.
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local format, pairs, type = string.format, pairs, type

local prices = {}

local FIELDS = { input = true, cached = true, output = true }
local MILLION = 1e6

---Checks the field.
---@param fail function(field, message)
---@param given any what the author gave, or nil
---@param agent table
---@return table? prices
function prices.check(fail, given, agent)
  if given == nil then
    return nil
  elseif type(given) ~= "table" then
    local example = "{ input = 1.25, output = 10 }"
    local message = "prices must be USD for a million tokens, such as %s, and is %s"
    return fail("prices", format(message, example, shown.value(given)))
  end
  for name, price in pairs(given) do
    if not FIELDS[name] then
      local hint = spelling.hint(name, FIELDS, "")
      hint = hint == "" and "; it has cached, input and output" or hint
      return fail("prices", "prices has no " .. shown.value(name) .. hint)
    elseif type(price) ~= "number" or not (price >= 0 and price < 1 / 0) then
      local message = "prices.%s must be a number, zero or more, and is %s"
      return fail("prices", format(message, name, shown.value(price)))
    end
  end
  for _, name in pairs { "input", "output" } do
    if not given[name] then
      return fail("prices", "prices needs " .. name .. ": what a million of these tokens cost")
    end
  end
  if agent.cost ~= false then
    local advice = agent.is_own and "; where it does not, write cost = false in the agent" or ""
    return fail("prices", format("agent %s tells its cost itself%s", agent.name, advice))
  end
  return { input = given.input, output = given.output, cached = given.cached or given.input }
end

---Puts a price to what was used, where it has none.
---@param of table? prices
---@param event table of usage
function prices.put(of, event)
  if of and event.cost == nil then
    local cached = event.cached or 0
    local cost = ((event.input or 0) - cached) * of.input
      + cached * of.cached
      + (event.output or 0) * of.output
    event.cost = cost / MILLION
  end
end

return prices
