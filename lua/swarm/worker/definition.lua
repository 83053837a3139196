-- What a worker is made from: its definition. Made here and nowhere else, with every field that it
-- will ever have. Who writes a field once it is made stands beside it.

local definition = {}

local WEAK = { __mode = "k" }

---A definition.
---@param generation table which it belongs to
---@param of table what is known of it from the start; `kind` is "lua" where nothing is said
---@return table
function definition.new(generation, of)
  return {
    name = of.name, -- nil: it was made from a function
    kind = of.kind or "lua", -- the name of its kind
    held_open = of.held_open or false, -- whether swarm.open may hold it open, or why not; kind
    description = of.description,
    label = of.label, -- pieces of a template; false: none, and its input is not shown (label.lua)
    where = of.where, -- file:line of the author's that it comes from; of the host's own: its maker
    generation = generation,
    names = generation.line.names, -- name → definition, of the newest generation of its script

    -- What runs.
    fn = of.fn, -- the author's own function, where there is one: for its place
    run = of.run, -- run(ctx, input): registry (mocks, schemas around it), then pipeline
    wrap = nil, -- pipeline, where there is no run yet: run → run with the hooks around it
    wrapped = false, -- pipeline: the result that comes out of `run` is checked and copied already
    settled = nil, -- pipeline: the settled hooks
    events = nil, -- pipeline: the event hooks
    layers = of.layers, -- its own: list of { name, options, where }
    worktree = of.worktree, -- outside/worktree: a plan; nil: none
    input_schema = of.input_schema, -- JSON Schemas, as tables
    output_schema = of.output_schema,
    loading = of.loading, -- the generation that its worker loads; line: nil once it is not the last
    apart = of.apart or of.loading ~= nil, -- no work of the run: it is in no count, nobody waits
    begins = false, -- of the host's own, its maker: runs even if cancelled before it could begin

    -- What it may.
    role = of.role,
    rights = nil, -- registry, as loading ends: what its role allows; nil: its spawner's
    operator_kind = of.operator_kind, -- its own; layers/spawn_hooks: or its script's; nil: automate
    authority = of.authority, -- "own": its spawner's rights do not bound it

    -- How long, how often, how many.
    timeout = of.timeout, -- seconds
    on_resume = of.on_resume, -- "again", "ask", "fail": where it was in flight; nil: again
    cache = of.cache, -- layers/reuse: true: results are used again, whatever it ran; false: never
    digest = nil, -- layers/reuse: of all that it consists of; false: it cannot be compared
    is_blind = false, -- fingerprint, as loading ends: something in it cannot be compared
    uses_state = false, -- fingerprint, as loading ends: something of swarm.state is in it
    retries = of.retries, -- a policy of attempts.lua
    ready = of.ready, -- what its supervisor waits for (script/ready.lua); nil: it is ready at once
    start_timeout = of.start_timeout, -- seconds until it is ready
    budget = of.budget, -- limits/budget: amounts by their names
    code = nil, -- its kind: what it runs that stands elsewhere, as text; counts in its fingerprint
    tells = nil, -- its kind: false: no usage; { cost = false, why }: not that; nil: it may
    slots = of.slots, -- limits/slots; line: one set for all generations of a name
    parks = false, -- line: a pool of its parks, and its task begins again after that

    habits = of.run and setmetatable({}, WEAK), -- spawn: a spawner's definition → from where
    home = nil, -- record: where its function was defined
    row = nil, -- turn: its name's number, for who looks at the VM from beside it
  }
end

---A definition that no script wrote down: one of the host's own.
---@param generation table
---@param name string? the worker's name, as messages show it; nil: workers made from functions
function definition.internal(generation, name)
  return definition.new(generation, { name = name })
end

-- What is asked of a worker that has settled, and so stays when its generation is done with.
local KEPT = {
  name = true,
  kind = true,
  held_open = true,
  description = true,
  label = true,
  where = true,
  generation = true,
  names = true,
  wrapped = true,
  apart = true,
  begins = true,
  role = true,
  rights = true,
  authority = true,
  operator_kind = true,
  timeout = true,
  slots = true,
  parks = true,
  home = true,
  row = true,
}

---Lets go of all that only running workers need: a settled one that somebody still holds costs no
---more than itself.
function definition.strip(def)
  for field in pairs(def) do
    if not KEPT[field] then
      def[field] = nil
    end
  end
end

return definition
