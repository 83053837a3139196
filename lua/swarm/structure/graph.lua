-- swarm.graph(nodes, opts?): workers that need what others make. It is read whole before anything
-- starts; then each node is spawned as the last of its needs passes. One that was not to be had
-- skips what needs it, and all that needs that.
local arguments = require "swarm.ground.arguments"
local blocks = require "swarm.structure.blocks"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local groups = require "swarm.structure.group"
local handles = require "swarm.worker.handle"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spawning = require "swarm.worker.spawn"
local spelling = require "swarm.ground.spelling"
local values = require "swarm.values.values"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local concat, format, sort = table.concat, string.format, table.sort
local next, pairs, type = next, pairs, type

local CALL = "swarm.graph"
local NODE_FIELDS = { [1] = true, [2] = true, input = true, needs = true }

local graph = { getters = {} }

-- Reading -----------------------------------------------------------------------------------------

local function wrong(...)
  return errors.throw("invalid_argument", CALL .. ": " .. format(...))
end

local function read_needs(name, given, nodes)
  if given == nil then
    return {}
  end
  local n = type(given) == "table" and arguments.length(given)
  if not n then
    return wrong("node %q: needs takes a list of nodes, and is %s", name, shown.value(given))
  end
  local needs, seen = {}, {}
  for i = 1, n do
    local need = given[i]
    if type(need) ~= "string" or nodes[need] == nil then
      local hint = type(need) == "string" and spelling.hint(need, nodes, "") or ""
      return wrong("node %q needs %s, which is no node%s", name, shown.value(need), hint)
    elseif not seen[need] then
      needs[#needs + 1], seen[need] = need, true
    end
  end
  return needs
end

local function read_node(name, given, nodes, generation)
  if type(name) ~= "string" then
    local what = 'it takes nodes by name, as { lib = { "build" } }, and got %s'
    return wrong(what, shown.value(name))
  elseif type(given) ~= "table" or handles.is(given) then
    return wrong("node %q must be { worker, … }, and is %s", name, shown.value(given))
  end
  for key in pairs(given) do
    if not NODE_FIELDS[key] then
      return wrong("node %q has no field %s; it has input and needs", name, shown.value(key))
    end
  end
  local worker = given[1]
  if type(worker) == "string" then
    spawning.resolve(worker, generation)
  elseif type(worker) ~= "function" then
    local what = "node %q needs a worker's name or a function first, and has %s"
    return wrong(what, name, shown.value(worker))
  end
  local input = given.input
  if input == nil then
    input = given[2]
  end
  local needs = read_needs(name, given.needs, nodes)
  return { name = name, worker = worker, input = input, needs = needs, left = #needs, users = {} }
end

---Refuses a ring: follows needs that are never met until one comes again.
local function refuse_ring(node, plan)
  local path, at = {}, {}
  while not at[node] do
    path[#path + 1], at[node] = node.name, #path + 1
    for i = 1, #node.needs do
      local need = plan[node.needs[i]]
      if need.waits > 0 then
        node = need
        break
      end
    end
  end
  path[#path + 1] = node.name
  return wrong("its needs close a cycle: %s", concat(path, " needs ", at[node]))
end

---Whoever can start first, then who needs only these, and so on: nobody may be left.
local function check_rings(plan, names)
  local met = {}
  for i = 1, #names do
    local node = plan[names[i]]
    node.waits = node.left
    if node.waits == 0 then
      met[#met + 1] = node
    end
  end
  local i = 1
  while met[i] do
    for j = 1, #met[i].users do
      local user = met[i].users[j]
      user.waits = user.waits - 1
      if user.waits == 0 then
        met[#met + 1] = user
      end
    end
    i = i + 1
  end
  for k = 1, #names do
    if plan[names[k]].waits > 0 then
      return refuse_ring(plan[names[k]], plan)
    end
  end
end

---@return table plan name → node
---@return table ready nodes that need nothing, in the order of their names
local function read(nodes, generation)
  if type(nodes) ~= "table" or handles.is(nodes) then
    return wrong("it takes a table of nodes, and got %s", shown.value(nodes))
  end
  local plan, names, ready = {}, {}, {}
  for name, given in next, nodes do
    plan[name] = read_node(name, given, nodes, generation)
    names[#names + 1] = name
  end
  sort(names)
  for i = 1, #names do
    local node = plan[names[i]]
    for j = 1, #node.needs do
      local users = plan[node.needs[j]].users
      users[#users + 1] = node
    end
    if node.left == 0 then
      ready[#ready + 1] = node
    end
  end
  check_rings(plan, names)
  return plan, ready
end

-- Running -----------------------------------------------------------------------------------------

---Whether an input is an object, to which what was needed can be added.
local function is_object(input)
  return type(input) == "table"
    and not values.is_array(input)
    and not values.is_file(input)
    and not handles.is(input)
    and input[1] == nil
end

---The input of a node: what it needs is a part of it, where it is an object or nothing is given.
local function input_of(node, needs)
  local input = node.input
  if type(input) == "function" then
    return input(values.copy(needs, "needs"))
  elseif needs and input == nil then
    return { needs = needs }
  elseif needs and is_object(input) and input.needs == nil then
    input = values.copy(input, "input")
    input.needs = needs
  end
  return input
end

local function start(group, node)
  local needs
  if node.needs[1] then
    needs = {}
    for i = 1, #node.needs do
      needs[node.needs[i]] = group.values[node.needs[i]]
    end
    needs = values.copy(needs, "needs")
  end
  local input = input_of(node, needs)
  if group.over then
    return -- somebody failed while its input was made
  end
  local extra = { key = node.name, by_input = true, needs = needs, watchers = nil }
  return groups.spawn(group, node.name, node.worker, input, extra)
end

local function keep_error(group, name, err)
  group.errors = group.errors or {}
  group.errors[name] = err
end

---Skips all that needs a node which was not to be had.
local function skip(group, node, err)
  for i = 1, #node.users do
    local user = node.users[i]
    if not user.skipped then
      user.skipped = true
      local message = format("node %q was skipped: it needs %q", user.name, node.name)
      keep_error(
        group,
        user.name,
        errors.new("skipped", message, { cause = err, need = node.name, traceback = "" })
      )
      skip(group, user, group.errors[user.name])
    end
  end
end

local function ended(group, name, task)
  local node, status = group.plan[name], task.status
  if status == "pass" then
    group.values[name] = task.value
    for i = 1, #node.users do
      local user = node.users[i]
      user.left = user.left - 1
      if user.left == 0 and not user.skipped then
        group.ready[#group.ready + 1] = user
      end
    end
  elseif status == "blocked" or group.keep_going then
    group.values[name] = task.value
    keep_error(group, name, scopes.error_for(task, group.me.rights))
    groups.keep_failed(group, task)
    skip(group, node, group.errors[name])
  else
    groups.fail(group, task)
  end
end

local function run(group)
  group.scope, group.eager = group.me.scope, true
  repeat
    local from, begun = 1, {}
    while group.ready[from] and not group.over do
      -- An input may be a function that waits, and more get ready.
      begun[#begun + 1] = start(group, group.ready[from])
      from = from + 1
    end
    group.ready = {}
    for i = #begun, 1, -1 do
      groups.hasten(begun[i]) -- the first comes to the front last
    end
    groups.wait(group)
  until group.over or (group.live == 0 and not group.ready[1])
  if group.first then
    return groups.raise_first(group)
  end
  groups.own(group)
  return values.copy(group.values, "result"), group.errors
end

local OPTIONS = { keep_going = true }

---swarm.graph(nodes, opts?) → values by name, errors by name or nil; raises the first failure
function graph.graph(nodes, opts)
  local taken = take_site(FORMAT, LEVELS)
  local me = cancelling.enter()
  for verb in pairs { poll_task = true, cancel_task = true } do
    if me.rights[verb] ~= true then
      gate.check(me, verb)
    end
  end
  local keep_going
  if opts ~= nil then
    arguments.options(opts, OPTIONS, "graph")
    keep_going = arguments.boolean(opts.keep_going, "graph's option keep_going")
  end
  local plan, ready = read(nodes, me.task.def.generation)
  local group = groups.new(CALL, me, taken, ended, true)
  group.plan, group.ready, group.values, group.errors = plan, ready, {}, nil
  group.keep_going = keep_going
  return blocks.apart(CALL, run, group)
end

---What a node needed: values by the names of those that made them.
function graph.getters.needs(task)
  local extra = task.extra
  return extra and extra.needs and values.copy(extra.needs, "needs")
end

return graph
