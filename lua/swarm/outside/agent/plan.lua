-- What a worker of kind `agent` says, checked once into a plan.
local agents = require "swarm.outside.agent.definition"
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local plans = require "swarm.outside.process.plan"
local prices = require "swarm.outside.agent.prices"
local schema = require "swarm.outside.schema"
local shown = require "swarm.ground.shown"
local format, pairs, pcall, type = string.format, pairs, pcall, type

local LINGER = 10 -- seconds; some never exit after their answer
local LINGER_ACP = 2 -- the answer is whole, and its input is at an end
local LINE = 16777216 -- bytes of an item: one may hold a whole file
local REPAIRS = 2
local MOST_TURNS = 1000000
local MOST_IN_OPTION = 100000 -- bytes of a schema: no argument may have 128 KiB

local plan = {}

-- The fields of a process worker that it has besides.
local OF_PROCESS = {
  env = true,
  inherit_env = true,
  cwd = true,
  kill_after = true,
  idle = true,
  linger = true,
  limits = true,
  prompt = true,
}

-- Its own, which are checked here.
local OWN = {
  agent = true,
  model = true,
  permissions = true,
  session = true,
  max_turns = true,
  args = true,
  repairs = true,
  protocol = true,
  prices = true,
}

local NO_COST = "agent %s tells tokens and no cost. Bound tokens instead, or give "
  .. "prices = { input = ..., output = ... }, in USD for a million tokens"

local MODES = { read = true, edit = true, all = true, ask = true }

plan.FIELDS = {}
for _, fields in pairs { OF_PROCESS, OWN } do
  for field in pairs(fields) do
    plan.FIELDS[field] = true
  end
end

local function check_permissions(fail, value, agent)
  if type(value) == "function" then
    if agent.protocol ~= "acp" then
      local text = "permissions by a function needs an agent over ACP, and %s writes a stream"
      return fail("permissions", format(text, agent.name))
    end
  elseif not MODES[value] then
    local modes = '"read", "edit", "all", "ask" or a function(ctx, request)'
    return fail("permissions", "permissions must be " .. modes .. ", and is " .. shown.value(value))
  end
end

local function whole(fail, field, value, least, most)
  local ok, err = pcall(arguments.whole, value, field, least, most)
  if not ok then
    return fail(field, err.message)
  end
end

---What a worker asks of an agent must be something that it has.
local function check_options(fail, fields, agent)
  for _, option in pairs { "model", "permissions", "session", "max_turns" } do
    if fields[option] ~= nil and not agent.options[option] then
      local advice = agent.is_own and ": list it in its options, and have its command use it"
        or ": leave it out"
      return fail(option, format("agent %s has no %s%s", agent.name, option, advice))
    end
  end
end

---The fields that say how its program runs, as a plan of a process worker.
local function process_plan(who, def, fields, agent)
  local of_process = {
    command = { "agent" },
    output = { format = "ndjson" },
    linger = agent.protocol == "acp" and LINGER_ACP or LINGER,
  }
  for field in pairs(OF_PROCESS) do
    if fields[field] ~= nil then
      of_process[field] = fields[field]
    end
  end
  if fields.inherit_env ~= false then
    local globs = {}
    for _, list in pairs { agent.inherit_env, fields.inherit_env or {} } do
      for i = 1, #list do
        globs[#globs + 1] = list[i]
      end
    end
    of_process.inherit_env = globs
  end
  local process = plans.compile(who, of_process, def.where)
  process.line_limit = process.line_limit or LINE
  return process
end

---A field with placeholders, as pieces.
local function pieces_of(fail, field, text)
  local forms = {}
  local pieces = text ~= nil and plans.parse_text(fail, field, text, forms) or nil
  if forms.prompt_file then
    return fail(field, field .. ": an agent reads its prompt, there is no {prompt_file}")
  end
  return pieces
end

---@param def table the definition
---@param fields table what the author wrote
---@param generation table
---@return table
function plan.compile(def, fields, generation)
  local who = format("worker %q", def.name)
  local where -- nil: the definition is where the script is
  local function fail(field, message)
    return errors.throw("load_error", who .. ": " .. message, { field = field, where = where })
  end
  local made = {
    who = who,
    agent = nil,
    process = nil,
    prices = nil,
    model = pieces_of(fail, "model", fields.model),
    permissions = fields.permissions or "ask",
    max_turns = fields.max_turns,
    is_new = fields.session == "new", -- no attempt goes on where the last one was
    session = fields.session ~= "new" and pieces_of(fail, "session", fields.session) or nil,
    args = {},
    repairs = fields.repairs or REPAIRS,
    schema = nil, -- JSON text
    schema_option = nil, -- the same, where it is not too long for an option of the agent's
    misfit = nil, -- value → error, or nil where it fits
  }
  whole(fail, "repairs", made.repairs, 0, 100)
  whole(fail, "max_turns", fields.max_turns or 1, 1, MOST_TURNS)
  local args = fields.args or {}
  if type(args) ~= "table" then
    return fail("args", 'args must be a list such as { "--verbose" }, and is ' .. shown.value(args))
  end
  for i = 1, #args do
    made.args[i] = pieces_of(fail, format("args[%d]", i), args[i])
  end
  made.schema, made.misfit = schema.of_output(def)
  made.schema_option = made.schema and #made.schema <= MOST_IN_OPTION and made.schema or nil
  local function with(agent)
    agent = agents.over(agent, fields.protocol, fail)
    check_options(fail, fields, agent)
    check_permissions(fail, made.permissions, agent)
    made.agent = agent
    def.held_open = agent.protocol == "acp"
      or "an agent's stream cannot be held open: take protocol acp, or session = its h.session"
    made.prices = prices.check(fail, fields.prices, agent)
    if agent.cost == false and not made.prices then
      def.tells = { cost = false, why = format(NO_COST, agent.name) }
    end
    made.process = process_plan(who, def, fields, agent)
    if made.process.forms.prompt_file then
      return fail("env", "env: an agent reads its prompt, there is no {prompt_file}")
    end
  end
  if type(fields.agent) == "string" then
    -- Order is free: the agent may be defined further down.
    generation.closing[#generation.closing + 1] = function()
      where = def.where
      with(agents.named(generation, fields.agent, function(message)
        local err = { field = "agent", where = def.where }
        return errors.throw("load_error", who .. ": " .. message, err)
      end))
    end
  else
    with(agents.check(who .. ": agent", def.name, fields.agent, true))
  end
  return made
end

return plan
