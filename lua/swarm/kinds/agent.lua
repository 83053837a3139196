-- Kind `agent`: a command-line agent, a process whose stream a mapper reads. An attempt is one turn
-- of it, and further ones in the same session where its answer does not fit the schema.
local agents = require "swarm.outside.agent.definition"
local arguments = require "swarm.ground.arguments"
local asked = require "swarm.outside.agent.asked"
local attempt = require "swarm.outside.process.attempt"
local errors = require "swarm.ground.errors"
local log = require "swarm.events.log"
local prices = require "swarm.outside.agent.prices"
local plans = require "swarm.outside.process.plan"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local schema = require "swarm.outside.schema"
local shown = require "swarm.ground.shown"
local stream = require "swarm.outside.process.stream"
local template = require "swarm.outside.process.template"
local turns = require "swarm.outside.agent.turn"
local concat, find, format, sort = table.concat, string.find, string.format, table.sort
local error, pairs, pcall, type = error, pairs, pcall, type

local LINGER = 10 -- seconds; some never exit after their answer
local LINE = 16777216 -- bytes of an item: one may hold a whole file
local REPAIRS = 2
local MISSING = "there is no program" -- what the port says of it
local MOST_TURNS = 1000000

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
  prices = true,
}

local ENVIRONMENT = ": an agent inherits the variables of its login. With inherit_env = false it "
  .. "does not, and finds its login in its files alone"
local NO_COST = "agent %s tells tokens and no cost. Bound tokens instead, or give "
  .. "prices = { input = ..., output = ... }, in USD for a million tokens"

local MODES = { read = true, edit = true, all = true, ask = true }

-- Compiling ---------------------------------------------------------------------------------------

local function check_permissions(fail, value)
  if type(value) == "function" then
    return fail("permissions", "permissions by a function needs ACP, which is not built yet")
  elseif not MODES[value] then
    local modes = '"read", "edit", "all" or "ask"'
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
  local of_process = { command = { "agent" }, output = { format = "ndjson" }, linger = LINGER }
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
  local plan = plans.compile(who, of_process, def.where)
  plan.line_limit = plan.line_limit or LINE
  return plan
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

local function compile(def, fields, generation)
  local who = format("worker %q", def.name)
  local where -- nil: the definition is where the script is
  local function fail(field, message)
    return errors.throw("load_error", who .. ": " .. message, { field = field, where = where })
  end
  local plan = {
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
    misfit = nil, -- value → error, or nil where it fits
  }
  check_permissions(fail, plan.permissions)
  whole(fail, "repairs", plan.repairs, 0, 100)
  whole(fail, "max_turns", fields.max_turns or 1, 1, MOST_TURNS)
  local args = fields.args or {}
  if type(args) ~= "table" then
    return fail("args", 'args must be a list such as { "--verbose" }, and is ' .. shown.value(args))
  end
  for i = 1, #args do
    plan.args[i] = pieces_of(fail, format("args[%d]", i), args[i])
  end
  plan.schema, plan.misfit = schema.of_output(def)
  local function with(agent)
    check_options(fail, fields, agent)
    plan.agent = agent
    plan.prices = prices.check(fail, fields.prices, agent)
    if agent.cost == false and not plan.prices then
      def.tells = { cost = false, why = format(NO_COST, agent.name) }
    end
    plan.process = process_plan(who, def, fields, agent)
    if plan.process.forms.prompt_file then
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
  return plan
end

-- Running -----------------------------------------------------------------------------------------

local function filled(plan, pieces, field, ctx, input, prompt)
  return concat(template.fill(pieces, ctx, input, plan.who .. ": " .. field, prompt))
end

---The arguments of a turn, as an order has them, and what its file holds, if it has one.
local function command_of(plan, turn, args)
  local agent = plan.agent
  local list = agent.command
  if type(list) == "function" then
    list = list(turn)
  end
  local ordered, file, placed = {}, nil, false
  local function add_args()
    placed = true
    for i = 1, #args do
      ordered[#ordered + 1] = { args[i] }
    end
  end
  for i = 1, type(list) == "table" and #list or 0 do
    local item = list[i]
    if type(item) ~= "string" then
      local message = "%s: item %d of the command of agent %s must be a text, and is %s"
      local text = format(message, plan.who, i, agent.name, shown.value(item))
      return errors.throw("invalid_value", text, { path = "command[" .. i .. "]" })
    elseif item == "{args}" then
      add_args()
    elseif item == "{schema_file}" then
      ordered[#ordered + 1], file = { "", "" }, turn.schema
    else
      ordered[#ordered + 1] = { item }
    end
  end
  if not ordered[1] then
    local text = format("%s: the command of agent %s must be a list", plan.who, agent.name)
    return errors.throw("invalid_value", text .. " of the program and its arguments, and is "
      .. shown.value(list), { path = "command" })
  elseif not placed then
    add_args()
  end
  return ordered, file
end

---Tells once what a turn skipped: with a new release of an agent new types come.
local function tell_skipped(plan, turn)
  local list = turn:skips()
  if list then
    turn:progress("skipped", list)
    local told, new = plan.agent.told, {}
    for name in pairs(turn.skipped) do
      if not told[name] then
        told[name] = true
        new[#new + 1] = name
      end
    end
    if new[1] then
      sort(new)
      local text = "agent %s wrote items that are not known here, and were skipped: %s"
      log.entry("info", format(text, plan.agent.name, concat(new, ", ")))
    end
  end
end

---What was raised while a turn ran, with what is known of it.
local function with_advice(plan, turn, err)
  if type(err) == "table" and errors.is(err) then
    local install = plan.agent.install
    if install and err.code == "process_failed" and find(err.message, MISSING, 1, true) then
      err.message = err.message .. ": to install it, " .. install
    elseif err.code == "role_violation" and err.verb == "read_env" then
      err.message = err.message .. ENVIRONMENT
    elseif err.code == "idle_timeout" then
      err.session, err.last = turn.session, turn.last
    end
  end
  return error(err, 0)
end

---One turn: its program with one prompt, to its end.
---@return any answer, table turn, table? err
local function take_turn(plan, ctx, input, prompt, given)
  local task = S.current.task
  local extra = record.extra(task)
  local turn = turns.new {
    agent = plan.agent,
    who = plan.who,
    ctx = ctx,
    model = given.model,
    permissions = plan.permissions,
    max_turns = plan.max_turns,
    schema = plan.schema,
    budget = ctx.budget,
    prices = plan.prices,
    session = given.session,
    on_session = function(id)
      extra.session = id
    end,
    on_denied = function(name)
      if not plan.told_denied then
        plan.told_denied = true
        local text = '%s: agent %s was denied "%s", as nobody can be asked: see permissions'
        log.entry("warn", format(text, plan.who, plan.agent.name, name))
      end
    end,
    is_cancelled = function()
      local me = S.current
      return me.scope.cancel ~= nil
    end,
  }
  turn.stream = stream.new(plan.process, ctx, false, turn)
  local order = attempt.order(plan.process, ctx, input, prompt)
  order.arguments, order.prompt = command_of(plan, turn, given.args)
  order.input = { given.text }
  local ok, ended, _, stderr = pcall(attempt.run, order, plan.process, ctx, turn.stream)
  turn:flush_usage()
  tell_skipped(plan, turn)
  if not ok then
    return with_advice(plan, turn, ended)
  end
  local answer, err = turn:outcome(ended, stderr)
  return answer, turn, err
end

---What a prompt says where nothing told a session before, and where an attempt was broken off.
local function first_text(plan, text, goes_on)
  if plan.schema and not plan.agent.options.schema then
    text = asked.with_schema(text, plan.schema)
  end
  return goes_on and asked.again(text) or text
end

---The first turn of an attempt: what it is given.
local function first_turn(plan, ctx, input, prompt)
  local extra = record.extra(S.current.task)
  local text = prompt()
  if text == nil then
    local message = plan.who .. ": an agent needs a prompt: an input, or the field prompt"
    return errors.throw("invalid_value", message, { path = "input" })
  end
  if plan.is_new then
    extra.session = nil
  end
  local goes_on = extra.session ~= nil
  if not goes_on and plan.session then
    extra.session = filled(plan, plan.session, "session", ctx, input, prompt)
  end
  local args = {}
  for i = 1, #plan.args do
    args[i] = filled(plan, plan.args[i], format("args[%d]", i), ctx, input, prompt)
  end
  return {
    goes_on = goes_on,
    text = first_text(plan, text, goes_on),
    session = extra.session,
    model = plan.model and filled(plan, plan.model, "model", ctx, input, prompt),
    args = args,
  }
end

local function run(plan, ctx, input)
  local prompt = attempt.prompter(plan.process, ctx, input)
  local given = first_turn(plan, ctx, input, prompt)
  for number = 0, plan.repairs do
    local answer, turn, failure = take_turn(plan, ctx, input, prompt, given)
    if failure and given.goes_on and asked.is_lost(failure.reason) then
      record.extra(S.current.task).session = nil
      given = first_turn(plan, ctx, input, prompt)
      answer, turn, failure = take_turn(plan, ctx, input, prompt, given)
    end
    if failure then
      return error(failure, 0)
    end
    if not plan.schema or turn.refusal then
      return answer, turn.refusal
    end
    local value, err = asked.fitting(answer, plan.misfit)
    if not err then
      return value
    elseif number == plan.repairs or not turn.session then
      err.session, err.last = turn.session, turn.last
      return error(err, 0)
    end
    turn:progress("repair", err.message)
    given.text, given.session = asked.repair(err.message, plan.schema), turn.session
  end
end

local known = {}
for _, fields in pairs { OF_PROCESS, OWN } do
  for field in pairs(fields) do
    known[field] = true
  end
end

return {
  fields = known,

  ---Checks a swarm.agent where it stands.
  check_agent = function(name, fields)
    if agents.built_in(name) then
      local text = "agent %q comes with the host: make one under a name of your own"
      return errors.throw("load_error", format(text, name))
    end
    return agents.check(format("agent %q", name), name, fields, true)
  end,

  ---@param def table the checked definition
  ---@param fields table what the author wrote
  ---@param generation table
  ---@return function run called as run(ctx, input)
  start = function(def, fields, generation)
    def.held_open = "an agent cannot be held open yet: spawn it with session = its h.session"
    local plan = compile(def, fields, generation)
    return function(ctx, input)
      return run(plan, ctx, input)
    end
  end,
}
