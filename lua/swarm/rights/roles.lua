-- Roles: their definitions, and the rights that come of them: a table, verb → true or bounds, made
-- once for each role. Bounds are a list of lists of patterns: each list must admit what is asked
-- for.
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local VERBS = require "swarm.rights.verbs"
local errors = require "swarm.ground.errors"
local format, pairs, type = string.format, pairs, type

local roles = {}

-- What tokens leave of rights is made by whoever holds one: it goes when nobody has it any more.
local WEAK_KEYS = { __mode = "k" }
local function weak_keys()
  return setmetatable({}, WEAK_KEYS)
end

---@return table rights verb → true or bounds; and `role`, `cuts` (whose → what it leaves of these),
---`known` (these and what cuts left of them, as keys), in cut ones `full` (the role's own)
function roles.rights_of(role, verbs)
  local rights = { role = role, cuts = weak_keys(), known = weak_keys() }
  rights.known[rights] = true
  for _, verb in pairs(verbs) do
    rights[verb] = true
  end
  return rights
end
local rights_of = roles.rights_of

local function with_groups(wanted, ...)
  local verbs = { ... }
  for verb, about in pairs(VERBS) do
    if wanted[about[1]] then
      verbs[#verbs + 1] = verb
    end
  end
  return verbs
end

---The four roles that every script has.
roles.ROLES = {
  operator = rights_of(
    "operator",
    with_groups(
      { swarm = true, leaf = true, operator = true, token = true, observer = true, host = true },
      "answer_query"
    )
  ),
  worker = rights_of("worker", with_groups { swarm = true, leaf = true, host = true }),
  observer = rights_of("observer", with_groups({ observer = true }, "read_task_state")),
  senior = rights_of("senior", with_groups({ senior = true }, "read_task_state")),
}
roles.ROLES.operator.reaches_all = true -- by task_id; an operator that was cut down does not

-- Definitions -------------------------------------------------------------------------------------

local function wrong(message, where)
  return errors.throw("load_error", message, { where = where })
end

local function check_verb(role, verb, where)
  if type(verb) ~= "string" or not VERBS[verb] then
    local hint = spelling.hint(verb, VERBS, "")
    return wrong(format("role %q: there is no verb %s%s", role, shown.value(verb), hint), where)
  end
end

local function check_bounds(role, verb, bounds, where)
  local about = VERBS[verb].bound
  if not about then
    return wrong(format("role %q: %s takes no bounds; write it as a list item", role, verb), where)
  elseif type(bounds) ~= "table" or #bounds == 0 then
    return wrong(
      format("role %q: %s takes a list of %s, and got %s", role, verb, about, shown.value(bounds)),
      where
    )
  end
  local copied = {}
  for i = 1, #bounds do
    if type(bounds[i]) ~= "string" then
      local got = shown.value(bounds[i])
      return wrong(format("role %q: %s[%d] must be a string, and is %s", role, verb, i, got), where)
    end
    copied[i] = bounds[i]
  end
  return { copied }
end

local FIELDS = { extends = true, allow = true, deny = true }

---Makes the rights of one role, its parent's first.
local function resolve(definitions, resolved, name, chain, asked_by)
  if resolved[name] then
    return resolved[name]
  end
  local definition = definitions[name]
  if not definition then
    local known = {}
    for role in pairs(definitions) do
      known[role] = true
    end
    for role in pairs(resolved) do
      known[role] = true
    end
    local hint = spelling.hint(name, known, "")
    return wrong(
      format("there is no role %s%s", shown.value(name), hint)
        .. (hint == "" and "; roles: " .. spelling.list(known) or ""),
      asked_by
    )
  end
  local fields, where = definition.fields, definition.where
  if chain[name] then
    return wrong(format("role %q extends itself", name), where)
  end
  chain[name] = true
  local rights = rights_of(name, {})
  if fields.extends ~= nil then
    local base = resolve(definitions, resolved, fields.extends, chain, where)
    for verb in pairs(VERBS) do
      rights[verb] = base[verb]
    end
  end
  for key, value in pairs(fields.allow or {}) do
    if type(key) == "number" then
      check_verb(name, value, where)
      rights[value] = true
    else
      check_verb(name, key, where)
      rights[key] = value == true or check_bounds(name, key, value, where)
    end
  end
  for key, verb in pairs(fields.deny or {}) do
    if type(key) ~= "number" then
      return wrong(format("role %q: deny lists verbs, without bounds", name), where)
    end
    check_verb(name, verb, where)
    rights[verb] = nil
  end
  resolved[name] = rights
  return rights
end

---Checks the fields of a `swarm.role`.
function roles.check(name, fields)
  if type(fields) ~= "table" then
    return wrong(format("role %q takes a table, and got %s", name, shown.value(fields)))
  end
  for key, value in pairs(fields) do
    if not FIELDS[key] then
      local hint = spelling.hint(key, FIELDS, "")
      return wrong(format("role %q has no field %s%s", name, shown.value(key), hint))
    elseif key == "extends" and type(value) ~= "string" then
      return wrong(format("role %q: extends must be a role's name", name))
    elseif key ~= "extends" and type(value) ~= "table" then
      local got = shown.value(value)
      return wrong(format("role %q: %s must be a list of verbs, and is %s", name, key, got))
    end
  end
end

---The rights of all roles of a generation by name, the built-in ones among them.
---@param definitions table name → { fields, where }
function roles.all(definitions)
  local resolved = {}
  for name, rights in pairs(roles.ROLES) do
    resolved[name] = rights
  end
  for name in pairs(definitions) do
    resolve(definitions, resolved, name, {}, nil)
  end
  return resolved
end

---The role of a name, for a worker that names it.
function roles.of(definitions, resolved, name, where)
  return resolved[name] or resolve(definitions, resolved, name, {}, where)
end

return roles
