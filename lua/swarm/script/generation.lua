-- A generation: one loading of a script, and all that it defines. Made and freed here, with every
-- field that it will ever have; who writes one later stands beside it.
local definition = require "swarm.worker.definition"
local roles = require "swarm.rights.roles"
local pairs = pairs

local generation = {}

---A new generation, in which nothing is defined yet.
---@param number integer
---@param line table the script's (line.lua)
function generation.new(number, line)
  local new = {
    number = number,
    line = line,

    -- What the script said: registry and hooks, while it loads.
    workers = {}, -- name → definition
    main = nil, -- the definition of main
    roles = {}, -- name → { fields, where }
    layers = {}, -- name → { name, fields, where, rights }
    commands = {}, -- name → { fields, where }
    agents = {}, -- name → { agent, where }
    pools = {}, -- name → { fields, where }
    operators = {}, -- id → { fn, where }
    hooks = {}, -- in the order of registration
    uses = {}, -- the layers that are on every worker
    spawn_hook = nil, -- { before, after, where }
    operator_kind = nil, -- what it says of all its workers
    on_reload = {}, -- functions
    on_dispose = {}, -- functions
    open = {}, -- of `swarm.worker "x"` whose table has not come yet: { what, name, where }
    -- What → name → the author's table.
    given = { worker = {}, role = {}, layer = {}, command = {}, agent = {}, pool = {} },
    closing = {}, -- functions to call when all is there
    freeing = {}, -- kinds: functions to call when nobody needs it any more
    python = nil, -- kinds/python: the package that its modules in Python are
    faults = nil, -- what is wrong with definitions, where `swarm-host check` gathers it

    -- What came of it, as loading ends.
    unnamed = nil, -- the definition of workers made from functions: they have no name
    rights = roles.ROLES, -- name of a role → rights
    closed = false, -- loading has ended
    prints = {}, -- loading: what is named → its fingerprint
    around = {}, -- loading: the same of modules, on_reload and on_dispose
    blind = false, -- loading: something in it could not be compared
    modules = {}, -- environment: name → what `require` gave
    late = {}, -- modules: path → the code of a module that was first required after loading
    made = {}, -- sharing/made: records of the channels and the like that it made while it loaded

    -- Where it was loaded from.
    script_dir = nil, -- loading: the script's folder with its slash, or ""
    env = nil, -- environment: its globals
    offered = nil, -- environment: what scripts find that is no field of them
    face = nil, -- the public face: the members of its `swarm`
    files = {}, -- sources: paths that were read while loading
    folders = {}, -- that were listed
    missing = {}, -- that were looked for and are not there
    noted = {}, -- kind of path → path → true

    -- Its end: draining.
    retired = false, -- another one has taken over
    live = 0, -- of a retired one: workers that have not settled
    on_drained = nil, -- called with it when none is left
  }
  new.unnamed = definition.internal(new, nil)
  return new
end

-- What is asked of a generation that is done with: by workers that have settled in it.
local KEPT = {
  number = true,
  line = true,
  unnamed = true,
  rights = true,
  closed = true,
  script_dir = true,
  retired = true,
  live = true,
  on_drained = true,
}

---Has what it holds elsewhere let go of, once nobody needs it any more.
function generation.let_go(old)
  local list = old.freeing
  old.freeing = {}
  for i = 1, #list do
    list[i]()
  end
end

---Lets go of all that only running workers need.
function generation.free(old)
  generation.let_go(old)
  old.line.alive[old.number] = nil
  for _, def in pairs(old.workers) do
    definition.strip(def)
  end
  if old.main then
    definition.strip(old.main)
  end
  definition.strip(old.unnamed)
  local empty = generation.new(old.number, old.line)
  for field in pairs(old) do
    if not KEPT[field] then
      old[field] = empty[field]
    end
  end
end

return generation
