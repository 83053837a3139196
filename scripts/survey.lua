-- A workflow, written with the words of flow.lua: an agent looks for the worst fault of each file,
-- and a second one doubts it, as soon as the first has said so.
--
--   swarm-host --budget cost=2 scripts/survey.lua FILE...
local flow = require "flow"

local function object(properties)
  local required = {}
  for name in pairs(properties) do
    required[#required + 1] = name
  end
  table.sort(required)
  local schema = { type = "object", properties = properties, required = required }
  schema.additionalProperties = false
  return schema
end

local find = flow.agent("find", {
  permissions = "read",
  schema = object { fault = { type = "string" }, line = { type = "integer" } },
})
local doubt = flow.agent("doubt", {
  permissions = "read",
  schema = object { is_real = { type = "boolean" } },
})

swarm.main(function(args)
  flow.phase "Survey"
  local found, errors = flow.pipeline(args, function(path)
    return find("Name the worst fault in " .. path .. ".", { label = path })
  end, function(fault, path)
    local verdict = doubt(
      ("Is this a fault, in %s:%d? %s"):format(path, fault.line, fault.fault),
      { label = path, phase = "Doubt" }
    )
    return verdict.is_real and fault or false
  end)
  local lines = {}
  for i, path in ipairs(args) do
    local fault = found[i]
    lines[i] = path
      .. ": "
      .. (
        errors[i] and "not looked at: " .. errors[i].message
        or fault and ("%d: %s"):format(fault.line, fault.fault)
        or "nothing"
      )
  end
  return table.concat(lines, "\n")
end)
