-- The definitions of one generation: what `swarm.worker` and `swarm.main` said while the script
-- loaded, checked. Every mistake names the author's line, the field and the nearest known name.
local arguments = require "swarm.ground.arguments"
local attempts = require "swarm.worker.attempts"
local blocks = require "swarm.structure.blocks"
local budgets = require "swarm.worker.limits.budget"
local cancelling = require "swarm.scope.cancel"
local connect = require "swarm.outside.connect"
local check = require "swarm.script.fields"
local definition = require "swarm.worker.definition"
local errors = require "swarm.ground.errors"
local faults = require "swarm.script.faults"
local frames = require "swarm.ground.frames"
local hooks = require "swarm.layers.hooks"
local kinds = require "swarm.kinds.all"
local operators = require "swarm.people.operators"
local pipeline = require "swarm.layers.pipeline"
local pools = require "swarm.script.pools"
local ready = require "swarm.script.ready"
local resuming = require "swarm.people.resuming"
local roles = require "swarm.rights.roles"
local S = require "swarm.scheduler.scheduler"
local reuse = require "swarm.layers.reuse"
local schema = require "swarm.outside.schema"
local shown = require "swarm.ground.shown"
local slots = require "swarm.worker.limits.slots"
local spawn_hooks = require "swarm.layers.spawn_hooks"
local template = require "swarm.outside.process.template"
local values = require "swarm.values.values"
local worktree = require "swarm.outside.worktree"
local type, pairs, tostring = type, pairs, tostring
local format, debug_getmetatable = string.format, debug.getmetatable

local registry = {}

local function wrong(message, fields)
  return errors.throw("load_error", message, fields)
end

---Raises where the loading that a call belongs to has ended.
---@param what string the call
local function still_loading(generation, what)
  if generation.closed or not cancelling.is_loading(S.current) then
    return wrong(what .. " belongs at the top of a script: definitions are made while it loads")
  end
end

registry.still_loading = still_loading

local function retries_of(name, retries)
  local ok, policy = pcall(attempts.policy, retries, format("worker %q: retries", name))
  if not ok then
    return wrong(policy.message, { field = "retries" })
  end
  return policy
end

---A label as pieces; what it names is looked for when somebody reads it (scheduler/label.lua).
local function label_of(name, text)
  local pieces, forms = template.parse(text)
  for form in pairs(forms) do
    if form == "token" or form == "prompt_file" then
      local message = format("worker %q: label cannot have {%s}", name, form)
      return wrong(message .. ": people read it", { field = "label" })
    elseif form == "agent" then
      local message = format("worker %q: label: a worker's name is {name}, not {agent}", name)
      return wrong(message, { field = "label" })
    end
  end
  return pieces
end

local function define_worker(generation, name, fields, where)
  local kind_name, kind = check.kind(name, fields)
  local try, tell = arguments.together()
  try(check.fields, name, fields, kind_name, kind)
  local def = definition.new(generation, {
    name = name,
    kind = kind_name,
    held_open = kind.held_open,
    fn = fields.run,
    run = fields.run,
    description = fields.description,
    label = type(fields.label) == "string" and label_of(name, fields.label) or fields.label,
    timeout = fields.timeout,
    on_resume = fields.on_resume,
    cache = fields.cache,
    retries = fields.retries and try(retries_of, name, fields.retries),
    ready = fields.ready ~= nil and try(ready.of, name, fields.ready, kind_name) or nil,
    start_timeout = try(ready.start_timeout, name, fields.ready, fields.start_timeout),
    slots = slots.new(fields.concurrency, pools.names(fields.pool)),
    role = fields.role or "worker",
    authority = fields.authority,
    operator_kind = fields.operator_kind,
    layers = type(fields.layers) == "table" and try(hooks.layers_of, name, fields.layers, where),
    budget = fields.budget ~= nil and try(budgets.limits, format("worker %q", name), fields.budget)
      or nil,
    worktree = fields.worktree ~= nil and try(worktree.of, name, fields.worktree) or nil,
    input_schema = fields.input_schema,
    output_schema = fields.output_schema,
    where = where,
  })
  local run = try(kind.start, def, fields, generation)
  tell()
  run = worktree.wrap(def, run, blocks.shielded)
  run = reuse.wrap(def, run)
  if def.on_resume == "ask" then
    run = resuming.wrap(run)
  end
  local around_run = generation.line.script.around_run
  if around_run then
    run = around_run(def, run)
  end
  def.run = schema.wrap(def, connect.wrap(def, run))
  generation.workers[name] = def
end

local function define_role(generation, name, fields, where)
  roles.check(name, fields)
  generation.roles[name] = { fields = fields, where = where }
end

local function define_command(generation, name, fields, where)
  if type(fields) ~= "table" then
    return arguments.wrong(format("command %q takes a table of fields", name), fields, "load_error")
  end
  kinds.check_command(name, fields)
  generation.commands[name] = { fields = fields, where = where }
end

local function define_agent(generation, name, fields, where)
  generation.agents[name] = { agent = kinds.check_agent(name, fields), where = where }
end

local function define_pool(generation, name, fields, where)
  pools.check(name, fields)
  generation.pools[name] = { fields = fields, where = where }
end

-- What is defined by a name and a table: where they are kept, what makes one, an example.
local NAMED = {
  worker = { "workers", define_worker, "{ run = function(ctx, input) ... end }" },
  role = { "roles", define_role, '{ extends = "worker", deny = { ... } }' },
  layer = { "layers", hooks.layer, "{ after = function(ctx, result) ... end }" },
  command = { "commands", define_command, '{ command = { "git", "status" } }' },
  agent = { "agents", define_agent, "{ command = function(turn) ... end, on = { ... } }" },
  pool = { "pools", define_pool, "{ slots = 4 }" },
}

---The table of `swarm.worker "x" { ... }` has come.
local fill = faults.gathering(function(generation, what, name, fields, where)
  local call, key = "swarm." .. what, what .. " " .. name
  still_loading(generation, call)
  if not generation.open[key] then
    return wrong(format("%s %q was given its table already", what, name))
  end
  generation.open[key] = nil
  generation.given[what][name] = fields
  return faults.try(generation, where, NAMED[what][2], generation, name, fields, where)
end)

---swarm.worker "name" { ... } and swarm.worker("name", { ... }); so for the others.
---@param what string worker, role, layer, command, agent or pool
local function define(generation, what, name, ...)
  local call = "swarm." .. what
  local kept, make = NAMED[what][1], NAMED[what][2]
  still_loading(generation, call)
  if type(name) ~= "string" or name == "" then
    return arguments.wrong(call .. " takes a name", name, "load_error")
  end
  local key = what .. " " .. name
  local before = generation[kept][name] or generation.open[key]
  if before then
    return wrong(
      format("%s %q is defined twice; the first is at %s", what, name, tostring(before.where))
    )
  elseif what == "role" and roles.ROLES[name] then
    return wrong(format("role %q comes with the host: extend it under a name of your own", name))
  end
  local where = frames.where()
  if select("#", ...) > 0 then
    generation.given[what][name] = (...)
    return faults.try(generation, where, make, generation, name, (...), where)
  end
  generation.open[key] = { what = what, name = name, where = where }
  return function(fields)
    return fill(generation, what, name, fields, where)
  end
end

registry.define = faults.gathering(define)

---swarm.before, after, around, settled
registry.hook = faults.gathering(function(generation, kind, select, fn)
  still_loading(generation, "swarm." .. kind)
  return hooks.add(generation, kind, select, fn)
end)

---swarm.use(name, opts?)
registry.use = faults.gathering(function(generation, name, options)
  still_loading(generation, "swarm.use")
  return hooks.use(generation, name, options)
end)

---swarm.operator(id, fn)
registry.operator = faults.gathering(function(generation, id, fn)
  still_loading(generation, "swarm.operator")
  return operators.define(generation, id, fn)
end)

---swarm.spawn_hook{ before?, after? }
registry.spawn_hook = faults.gathering(function(generation, fields)
  still_loading(generation, "swarm.spawn_hook")
  return spawn_hooks.define(generation, fields)
end)

---swarm.operator_kind = "..."
registry.operator_kind = faults.gathering(function(generation, kind)
  still_loading(generation, "swarm.operator_kind")
  return spawn_hooks.set_kind(generation, kind)
end)

local MAIN_FIELDS = { run = true, budget = true }

---The function of main, and its budget, where a table has them.
local function read_main(given)
  if type(given) ~= "table" then
    return given, nil
  end
  for key in pairs(given) do
    if not MAIN_FIELDS[key] then
      local message = "swarm.main has no field %s; it has run and budget"
      return wrong(format(message, shown.value(key)), { field = tostring(key) })
    end
  end
  return given.run, given.budget
end

---swarm.main(function(args, ctx) ... end), or { run = …, budget = … }
---@param args string[] the run's, of which each main has a copy
local function define_main(generation, given, args)
  still_loading(generation, "swarm.main")
  local fn, budget = read_main(given)
  if type(fn) ~= "function" then
    return arguments.wrong("swarm.main takes a function", fn, "load_error")
  end
  local before = generation.main
  if before then
    return wrong("swarm.main is there twice; the first is at " .. tostring(before.where))
  end
  generation.main = definition.new(generation, {
    name = "main",
    label = false, -- there is one
    held_open = true,
    role = "operator",
    budget = budget ~= nil and budgets.limits("swarm.main", budget) or nil,
    fn = fn,
    run = function(ctx)
      local extra = debug_getmetatable(ctx).extra
      return fn(values.copy(extra and extra.args or args, "args"), ctx)
    end,
    where = frames.where(),
  })
end

registry.main = faults.gathering(define_main)

local function has_no_table(open)
  local what, name = open.what, open.name
  local message = "%s %q has no table: write swarm.%s %q %s"
  return wrong(format(message, what, name, what, name, NAMED[what][3]), { where = open.where })
end

---Definitions whose table never came.
local function check_open(generation)
  local try, tell = arguments.together()
  for _, open in pairs(generation.open) do
    try(has_no_table, open)
  end
  return tell()
end

local function are_whole(generation, what)
  return faults.are_whole(generation.given[what], generation[NAMED[what][1]])
end

---The role of a worker, and what can only be said of it when all is there.
local function complete_worker(generation, def, rights)
  budgets.check(def)
  if def.worktree then
    def.held_open = "its worktree belongs to one task"
  end
  def.rights = roles.of(generation.roles, rights, def.role, def.where)
end

---Ends the loading: what could only be seen when all was there. Roles become rights, and what runs
---for each worker is composed.
---@param generation table
function registry.close(generation)
  faults.try(generation, nil, check_open, generation)
  if are_whole(generation, "command") and are_whole(generation, "agent") then
    for i = 1, #generation.closing do
      faults.try(generation, nil, generation.closing[i])
    end
  end
  if are_whole(generation, "worker") and are_whole(generation, "layer") then
    spawn_hooks.complete(generation)
    faults.try(generation, nil, hooks.check, generation)
  end
  if are_whole(generation, "pool") then
    faults.try(generation, nil, pools.resolve, generation)
  end
  if not are_whole(generation, "role") then
    return faults.raise(generation)
  end
  local rights = faults.try(generation, nil, roles.all, generation.roles)
  if type(rights) ~= "table" then
    return faults.raise(generation)
  end
  for _, layer in pairs(generation.layers) do
    local role = layer.fields.role or "operator"
    local where = layer.where
    layer.rights = faults.try(generation, nil, roles.of, generation.roles, rights, role, where)
  end
  for _, def in pairs(generation.workers) do
    faults.try(generation, nil, complete_worker, generation, def, rights)
  end
  faults.raise(generation)
  for _, def in pairs(generation.workers) do
    pipeline.compose(generation, def)
  end
  pipeline.compose(generation, generation.unnamed)
  if generation.main then
    generation.main.rights = rights.operator
    pipeline.compose(generation, generation.main)
  end
  generation.rights = rights
  generation.closed = true
end

---What `swarm-host check` tells of a generation.
function registry.describe(generation)
  local workers = {}
  for name, def in pairs(generation.workers) do
    workers[name] = {
      kind = def.kind,
      role = def.role,
      where = def.where,
      description = def.description,
    }
  end
  return { workers = workers, main = generation.main and generation.main.where or nil }
end

return registry
