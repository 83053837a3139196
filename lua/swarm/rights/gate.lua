-- The gate: role × verb. Every call that acts on a worker or on the outside asks whether the rights
-- of who is running have its verb. Rights are a table, verb → true or bounds, made once for each
-- role and once for each pair of a role and the rights that cut it down: a look-up at the call.
-- Bounds are a list of lists of patterns: each list must admit what is asked for.
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local glob = require "swarm.ground.glob"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local format, pairs, type = string.format, pairs, type

local gate = {}

---verb → { group, calls, bound?, later? }: `bound` names what a bound of it lists, `later` marks
---the verbs whose calls a later version brings. spec/roles.md is made from this table.
gate.VERBS = {
  start_task = {
    "swarm",
    "spawn, call, open, supervise, sup:start, all, map, any, race, settle, each",
    bound = "worker names",
  },
  dispatch_attempt = { "swarm", "swarm.retry", later = true },
  mint_worker_token = { "token", "ctx:token", later = true },
  verify_token = { "leaf", "swarm.token.verify", later = true },
  read_task_state = {
    "swarm",
    "output_tail, follow, h.status and h:artifact of others, sup:children",
  },
  poll_task = { "swarm", "join, result, session:invoke, all, map, any, race, settle, each" },
  cancel_task = {
    "swarm",
    "cancel, cancel_token:cancel, sup:stop, session:close of others, all, map, any, race",
  },
  emit_output = { "leaf", "ctx:progress, ctx:partial, ctx:artifact, ctx:usage" },
  post_result = { "leaf", "what run returns" },
  fetch_prompt = { "leaf", "ctx.prompt" },
  fetch_data = { "leaf", "swarm.data" },
  mark_pass = { "operator", "swarm.mark" },
  mark_blocked = { "operator", "swarm.mark" },
  attach_session = { "operator", "swarm.attach", later = true },
  detach_session = { "operator", "s:detach", later = true },
  heartbeat = { "operator", "s:heartbeat", later = true },
  subscribe_events = { "observer", "swarm.subscribe", later = true },
  read_trace = { "observer", "swarm.trace", later = true },
  query_senior = { "swarm", 'swarm.ask{ to = "senior" }', later = true },
  answer_query = { "senior", "swarm.answer", later = true },
  override_verdict = { "senior", "swarm.override", later = true },
  pause_loop = { "senior", "swarm.pause", later = true },
  resume_loop = { "senior", "swarm.unpause", later = true },
  inject_directive = { "senior", "swarm.direct", later = true },
  run_process = { "host", "process workers, swarm.exec", bound = "programs" },
  read_files = { "host", "swarm.fs.read, list, glob, stat, exists", bound = "paths" },
  write_files = { "host", "swarm.fs.write, append, mkdir, remove, copy, move", bound = "paths" },
  use_network = { "host", "swarm.http", bound = "hosts" },
  read_env = { "host", "swarm.env, swarm.secret" },
  call_python = { "host", "python workers", later = true },
  ask_operator = { "host", "swarm.ask", later = true },
  use_model = { "host", "agents, swarm.model", later = true },
}
local VERBS = gate.VERBS

---@return table rights verb → true or bounds; and `role`, `cuts` (whose → what it leaves of these),
---`known` (these and what cuts left of them), in cut ones `full` (the role's own)
local function rights_of(role, verbs)
  local rights = { role = role, cuts = {}, known = {} }
  rights.known[1] = rights
  for _, verb in pairs(verbs) do
    rights[verb] = true
  end
  return rights
end

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
gate.ROLES = {
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
gate.ROLES.operator.reaches_all = true -- by task_id; an operator that was cut down does not

local function contains(list, item)
  for i = 1, #list do
    if list[i] == item then
      return true
    end
  end
  return false
end

---Whether a verb is among a role's rights and, where it is bounded, admits `what`.
local function admits(right, what)
  if right == true then
    return true
  elseif not right then
    return false
  end
  for i = 1, #right do
    local admitted = false
    for j = 1, #right[i] do
      admitted = admitted or (what ~= nil and glob.matches(right[i][j], what))
    end
    if not admitted then
      return false
    end
  end
  return true
end

---Refuses: role_violation before anything happens.
---@param me table the running worker
---@param verb string
---@param what string? what the bound did not admit
function gate.refuse(me, verb, what)
  local role = me.rights.role
  if events.on then
    events.publish("refused", me, { verb = verb, role = role })
  end
  local message = format("role %q does not allow %s", role, verb)
  if me.rights.full and me.rights.full[verb] and not me.rights[verb] then
    message = format("role %q allows %s, but the worker that spawned this one may not", role, verb)
  elseif what and me.rights[verb] then
    message = format("role %q bounds %s, and %s is out of bounds", role, verb, what)
  end
  return errors.throw("role_violation", message, { role = role, verb = verb })
end

---Raises unless the running worker may do this.
function gate.check(me, verb, what)
  local right = me.rights[verb]
  if right ~= true and not admits(right, what) then
    return gate.refuse(me, verb, what and (what == "" and "a function" or shown.value(what)))
  end
end

---Raises unless the running worker has the verb; the bounds that the host has to check, if any.
---@return table? bounds list of lists of patterns
function gate.bounds(me, verb)
  local right = me.rights[verb]
  if not right then
    return gate.refuse(me, verb)
  end
  return right ~= true and right or nil
end

---Whether two sets of rights allow the same.
local function equal(x, y)
  for verb in pairs(VERBS) do
    local a, b = x[verb], y[verb]
    if type(a) == "table" and type(b) == "table" and #a == #b then
      for i = 1, #a do
        if not contains(b, a[i]) then
          return false
        end
      end
    elseif a ~= b then
      return false
    end
  end
  return true
end

---What two rights to one verb leave together: each list of patterns must admit what is asked for.
local function both(a, b)
  if not a or not b then
    return nil
  elseif a == true or b == true then
    return a == true and b or a
  end
  local lists = { unpack(a) }
  for i = 1, #b do
    if not contains(lists, b[i]) then
      lists[#lists + 1] = b[i]
    end
  end
  return lists
end

---The rights of a worker: its role's, cut down by its spawner's. However deep roles take turns,
---there are no more sets of rights than ways to cut a role down.
function gate.cut(own, by)
  if own == by then
    return own
  end
  local rights = own.cuts[by]
  if not rights then
    rights = { role = own.role, full = own, cuts = {} }
    for verb in pairs(VERBS) do
      rights[verb] = both(own[verb], by[verb])
    end
    local known = own.known
    for i = 1, #known do
      if equal(known[i], rights) then
        rights = known[i]
      end
    end
    if not contains(known, rights) then
      known[#known + 1] = rights
    end
    own.cuts[by] = rights
  end
  return rights
end

-- Definitions of roles ----------------------------------------------------------------------------

local function wrong(message, where)
  return errors.throw("load_error", message, { where = where })
end

local function check_verb(role, verb, where)
  if type(verb) ~= "string" or not VERBS[verb] then
    local hint = spelling.hint(verb, VERBS, "")
    return wrong(
      format("role %q: there is no verb %s%s", role, shown.value(verb), hint),
      where
    )
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
local function resolve(definitions, roles, name, chain, asked_by)
  if roles[name] then
    return roles[name]
  end
  local definition = definitions[name]
  if not definition then
    local known = {}
    for role in pairs(definitions) do
      known[role] = true
    end
    for role in pairs(roles) do
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
    local base = resolve(definitions, roles, fields.extends, chain, where)
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
  roles[name] = rights
  return rights
end

---Checks the fields of a `swarm.role`.
function gate.check_role(name, fields)
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
function gate.roles(definitions)
  local roles = {}
  for name, rights in pairs(gate.ROLES) do
    roles[name] = rights
  end
  for name in pairs(definitions) do
    resolve(definitions, roles, name, {}, nil)
  end
  return roles
end

---The role of a name, for a worker that names it.
function gate.role(definitions, roles, name, where)
  return roles[name] or resolve(definitions, roles, name, {}, where)
end

return gate
