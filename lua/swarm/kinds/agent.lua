-- Kind `agent`: a command-line agent, a process whose stream a mapper reads, or with which a
-- conversation is held. An attempt is one turn of it, and further ones in the same session where
-- its answer does not fit the schema.
local acp = require "swarm.outside.agent.acp"
local again = require "swarm.journal.again"
local agents = require "swarm.outside.agent.definition"
local asked = require "swarm.outside.agent.asked"
local attempt = require "swarm.outside.process.attempt"
local errors = require "swarm.ground.errors"
local log = require "swarm.events.log"
local plans = require "swarm.outside.agent.plan"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local stream = require "swarm.outside.process.stream"
local template = require "swarm.outside.process.template"
local turns = require "swarm.outside.agent.turn"
local concat, find, format, sort = table.concat, string.find, string.format, table.sort
local error, pairs, pcall, type = error, pairs, pcall, type

local MISSING = "there is no program" -- what the port says of it
local ENVIRONMENT = ": an agent inherits the variables of its login. With inherit_env = false it "
  .. "does not, and finds its login in its files alone"

local OVER_A_STREAM = "over a stream nobody can be asked. Give it permissions that allow that, or "
  .. "take protocol acp, where people are"

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
    return errors.throw(
      "invalid_value",
      text .. " of the program and its arguments, and is " .. shown.value(list),
      { path = "command" }
    )
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
    elseif err.code == "idle_timeout" or err.code == "agent_failed" then
      err.session, err.last = turn.session, turn:last_words()
    end
  end
  return error(err, 0)
end

---A turn that is about to be taken.
local function new_turn(plan, ctx, given)
  local task = S.current.task
  local extra = record.extra(task)
  return turns.new {
    agent = plan.agent,
    who = plan.who,
    ctx = ctx,
    model = given.model,
    permissions = plan.permissions,
    max_turns = plan.max_turns,
    schema = plan.schema_option,
    budget = ctx.budget,
    prices = plan.prices,
    session = given.session,
    on_session = function(id)
      extra.session = id
      again.give(task, "session", id)
    end,
    on_denied = function(name, why)
      if not plan.told_denied then
        plan.told_denied = true
        local text = '%s: agent %s was denied "%s": %s'
        log.entry("warn", format(text, plan.who, plan.agent.name, name, why or OVER_A_STREAM))
      end
    end,
    is_cancelled = function()
      local me = S.current
      return me.scope.cancel ~= nil
    end,
  }
end

---One turn: its program with one prompt, to its end; or one prompt of a conversation.
---@return any answer, table turn, table? err
local function take_turn(plan, ctx, input, prompt, given)
  local turn, talk = new_turn(plan, ctx, given), given.talk
  turn.stream = stream.new(plan.process, ctx, false, talk or turn)
  local function order()
    local made = attempt.order(plan.process, ctx, input, prompt)
    made.arguments, made.prompt = command_of(plan, turn, given.args)
    return made
  end
  local ok, ended, _, stderr
  if talk then
    ok, ended, _, stderr = pcall(talk.prompt, talk, turn, given.text, order)
  else
    local made = order()
    made.input = { given.text }
    ok, ended, _, stderr = pcall(attempt.run, made, plan.process, ctx, turn.stream)
  end
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
  if plan.schema and not (plan.agent.options.schema and plan.schema_option) then
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

---@param talk table? the conversation, over ACP
local function take_turns(plan, ctx, input, talk)
  local prompt = attempt.prompter(plan.process, ctx, input)
  local given = first_turn(plan, ctx, input, prompt)
  given.talk = talk
  for number = 0, plan.repairs do
    local answer, turn, failure = take_turn(plan, ctx, input, prompt, given)
    if failure and given.goes_on and asked.is_lost(failure.reason) then
      record.extra(S.current.task).session = nil
      given = first_turn(plan, ctx, input, prompt)
      given.talk = talk
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
      err.session, err.last = turn.session, turn:last_words()
      return error(err, 0)
    end
    turn:progress("repair", err.message)
    given.text, given.session = asked.repair(err.message, plan.schema), turn.session
  end
end

local function run(plan, ctx, input)
  if plan.agent.protocol ~= "acp" then
    return take_turns(plan, ctx, input)
  end
  local held = record.extra(S.current.task).invoked_by
  if held then
    held.kept = held.kept or acp.new(plan) -- its worker closes it
    return take_turns(plan, ctx, input, held.kept)
  end
  local talk = acp.new(plan)
  local ok, value, reason = pcall(take_turns, plan, ctx, input, talk)
  talk:close()
  if not ok then
    return error(value, 0)
  end
  return value, reason
end

return {
  fields = plans.FIELDS,

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
    local plan = plans.compile(def, fields, generation)
    return function(ctx, input)
      return run(plan, ctx, input)
    end
  end,
}
