-- What `swarm-host check` asks of Lua: what the script that was loaded has to do with, and what
-- only LuaJIT and the host's own words can say of a text.
local chunks = require "swarm.sandbox.chunks"
local closed = require "swarm.ground.closed"
local globals = require "swarm.sandbox.globals"
local hooks = require "swarm.layers.hooks"
local json = require "swarm.values.json"
local roles = require "swarm.rights.roles"
local spelling = require "swarm.ground.spelling"
local values = require "swarm.values.values"
local text_of = json.text_of
local ipairs, pairs, select, type, sort = ipairs, pairs, select, type, table.sort

local checking = {}

local function names_of(...)
  local seen, list = {}, {}
  for i = 1, select("#", ...) do
    for name in pairs((select(i, ...)) or {}) do
      if type(name) == "string" and not seen[name] then
        seen[name] = true
        list[#list + 1] = name
      end
    end
  end
  sort(list)
  return values.array(list)
end

---@param generation table the one that was loaded last, whatever became of it
---@return string JSON: `globals` that may be read, `faces` (what is written before a name, such as
---"swarm.fs." → the names), `faults`, whether they are what ended the loading (`gathered`), and the
---places of hooks that match nothing, `idle`; the names of the `roles` and `pools` that it defines,
---and what every script has, `built_in`
function checking.facts(generation)
  local face = generation.face or {}
  local faces = { ["swarm."] = names_of(face, { input = true, operator_kind = true }) }
  for name, value in pairs(face) do
    local members = closed.members(value)
    if members then
      faces["swarm." .. name .. "."] = names_of(members)
    end
  end
  local faults = {}
  for i, fault in ipairs(generation.faults or {}) do
    faults[i] = fault
  end
  return text_of {
    globals = names_of(generation.env, generation.offered, globals.PROBED),
    faces = faces,
    roles = names_of(generation.roles),
    pools = names_of(generation.pools),
    built_in = { role = names_of(roles.ROLES) },
    faults = values.array(faults),
    gathered = generation.faults ~= nil and generation.faults.ended == true,
    idle = values.array(generation.closed and hooks.idle(generation) or {}),
  }
end

---What LuaJIT has against a text: it is compiled and not run.
---@param path string how the author calls it
---@return string? message
function checking.syntax_error(text, path)
  local _, problem = chunks.compile(text, "@" .. path, {})
  return problem
end

---What helps where a name does not exist, or "".
---@param known string JSON: the names that there are
---@param prefix string how the author writes them, such as "swarm."
---@return string
function checking.hint(name, known, prefix)
  local candidates = {}
  for _, candidate in ipairs(json.decode(known)) do
    candidates[candidate] = true
  end
  return spelling.hint(name, candidates, prefix)
end

return checking
