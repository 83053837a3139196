-- What the caveats of a token leave of somebody's rights. Whoever comes with a token has the rights
-- of the worker that it speaks for, and of these what every caveat admits.
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local roles = require "swarm.rights.roles"
local VERBS = require "swarm.rights.verbs"
local pairs = pairs

local caveats = {}

-- Lists of patterns, and the verbs whose bounds they are.
local BOUNDS = {
  paths = { "read_files", "write_files" },
  programs = { "run_process" },
  hosts = { "use_network" },
}

local narrowed = setmetatable({}, { __mode = "k" }) -- rights → limits as text → what is left

local function cut(rights, limits)
  local left = roles.rights_of(rights.role, {})
  left.full = rights.full or rights
  for verb in pairs(VERBS) do
    left[verb] = rights[verb]
  end
  for _, verbs in pairs(limits.verbs or {}) do
    local named = {}
    for i = 1, #verbs do
      named[verbs[i]] = true
    end
    for verb in pairs(VERBS) do
      left[verb] = named[verb] and left[verb]
    end
  end
  for name, verbs in pairs(BOUNDS) do
    for _, list in pairs(limits[name] or {}) do
      for i = 1, #verbs do
        left[verbs[i]] = gate.both(left[verbs[i]], { list })
      end
    end
  end
  return left
end

---What caveats leave of rights. However often it is asked, there is one set for each of both.
---@param rights table
---@param limits table verbs, paths, programs, hosts: lists of lists that must all admit what is
---asked for; unknown: a caveat that this version does not know, so all is refused
---@return table rights
function caveats.cut(rights, limits)
  if limits.unknown then
    return errors.throw(
      "role_violation",
      "the token has a caveat that this version does not know (kind "
        .. limits.unknown
        .. "): whatever it is asked for is refused",
      { role = rights.role }
    )
  end
  local of = narrowed[rights]
  if not of then
    of = setmetatable({}, { __mode = "v" }) -- whoever has a token can make any number of others
    narrowed[rights] = of
  end
  local text = json.encode {
    verbs = limits.verbs,
    paths = limits.paths,
    programs = limits.programs,
    hosts = limits.hosts,
  }
  local left = of[text]
  if not left then
    left = cut(rights, limits)
    of[text] = left
  end
  return left
end

return caveats
