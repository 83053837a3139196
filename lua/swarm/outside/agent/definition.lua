-- What swarm.agent says, or a worker's own `agent = { … }`, checked; and the agents that come with
-- the host, which are the same tables in files of their own.
local arguments = require "swarm.ground.arguments"
local built_in = require "swarm.agents.all"
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local format, pairs, require, type = string.format, pairs, require, type

local definition = {}

local FIELDS = {
  command = true,
  on = true,
  type = true,
  ended = true,
  install = true,
  login = true,
  inherit_env = true,
  options = true,
  cost = true,
  session_key = true,
  protocol = true,
  start_timeout = true,
  acp = true,
}

local PROTOCOLS = { stream = true, acp = true }
local START_TIMEOUT = 60 -- seconds; some fetch what they need first
local MOST = 1e6

-- What is said of an agent's stream, and so not of one over ACP.
local OF_STREAM = { "on", "type", "ended", "session_key" }

-- What a worker may ask of an agent, where the agent's `options` list it; `schema` says that it has
-- an option of its own for that.
local OPTIONS =
  { model = true, permissions = true, session = true, max_turns = true, schema = true }

local function check_list(fail, field, list, known)
  if type(list) ~= "table" then
    return fail(field, field .. " must be a list, and is " .. shown.value(list))
  end
  for key, item in pairs(list) do
    if type(key) ~= "number" or type(item) ~= "string" then
      return fail(field, field .. " must be a list of texts, and has " .. shown.value(item))
    elseif known and not known[item] then
      local hint = spelling.hint(item, known, "")
      return fail(field, format("%s cannot have %s%s", field, shown.value(item), hint))
    end
  end
end

local function check_on(fail, on)
  if type(on) ~= "table" then
    return fail(
      "on",
      "on must be a table from the type of an item to a function(turn, item), or to false for one "
        .. "that says nothing, and is "
        .. shown.value(on)
    )
  end
  for name, handle in pairs(on) do
    if type(handle) ~= "function" and handle ~= false then
      local text = format("on[%s] must be a function(turn, item) or false", shown.value(name))
      return fail("on", text .. ", and is " .. shown.value(handle))
    end
  end
end

---The same agent over ACP: it has its own command and options, and how one gets it is the same.
local function over_acp(who, name, fields, is_own)
  if type(fields.acp) ~= "table" then
    local text = who .. ": acp takes a table with its command"
    return arguments.wrong(text, fields.acp, "load_error")
  end
  local own = {}
  for _, field in pairs { "install", "login", "inherit_env", "cost" } do
    own[field] = fields[field]
  end
  for field, value in pairs(fields.acp) do
    own[field] = value
  end
  own.protocol = "acp"
  return definition.check(who .. ": acp", name, own, is_own)
end

---Checks what an agent is made of.
---@param who string such as `agent "x"`
---@param name string
---@param fields table
---@param is_own boolean it is the script's
---@return table agent
function definition.check(who, name, fields, is_own)
  local function fail(field, message)
    return errors.throw("load_error", who .. ": " .. message, { field = field })
  end
  if type(fields) ~= "table" then
    return arguments.wrong(who .. " takes a table of fields", fields, "load_error")
  end
  for key in pairs(fields) do
    if not FIELDS[key] then
      local hint = spelling.hint(key, FIELDS, "")
      return fail(shown.text(key), "it has no field " .. shown.value(key) .. hint)
    end
  end
  local protocol = fields.protocol or "stream"
  local is_acp = protocol == "acp"
  if not PROTOCOLS[protocol] then
    local got = shown.value(protocol)
    return fail("protocol", 'protocol must be "stream" or "acp", and is ' .. got)
  elseif type(fields.command) ~= "function" then
    check_list(fail, "command", fields.command)
    if #fields.command == 0 then
      return fail("command", "command must be a list or a function(turn) that returns one")
    end
  end
  if not is_acp then
    check_on(fail, fields.on)
  end
  for i = 1, is_acp and #OF_STREAM or 0 do
    if fields[OF_STREAM[i]] ~= nil then
      return fail(OF_STREAM[i], OF_STREAM[i] .. " is for streams: over ACP the protocol says it")
    end
  end
  local seconds = fields.start_timeout
  if seconds ~= nil and not is_acp then
    return fail("start_timeout", 'start_timeout is for agents with protocol = "acp"')
  elseif seconds ~= nil and not (type(seconds) == "number" and seconds > 0 and seconds < MOST) then
    local got = shown.value(seconds)
    return fail("start_timeout", "start_timeout must be a number of seconds, and is " .. got)
  end
  for _, field in pairs { "install", "login", "session_key", "type" } do
    if fields[field] ~= nil and type(fields[field]) ~= "string" then
      return fail(field, field .. " must be a text, and is " .. shown.value(fields[field]))
    end
  end
  if fields.ended ~= nil and type(fields.ended) ~= "function" then
    local got = shown.value(fields.ended)
    return fail("ended", "ended must be a function(turn, exit), and is " .. got)
  end
  if fields.cost ~= nil and type(fields.cost) ~= "boolean" then
    return fail("cost", "cost must be true or false, and is " .. shown.value(fields.cost))
  end
  check_list(fail, "inherit_env", fields.inherit_env or {})
  check_list(fail, "options", fields.options or {}, OPTIONS)
  -- The protocol has these, whatever the command uses.
  local options = is_acp and { permissions = true, session = true } or {}
  for i = 1, #(fields.options or {}) do
    options[fields.options[i]] = true
  end
  return {
    name = name,
    is_own = is_own,
    command = fields.command,
    on = fields.on,
    type = fields.type or "type", -- the key that names an item's type
    ended = fields.ended,
    install = fields.install,
    login = fields.login,
    inherit_env = fields.inherit_env or {},
    options = options,
    cost = fields.cost, -- false: it never tells any
    session_key = fields.session_key,
    protocol = protocol,
    start_timeout = fields.start_timeout or START_TIMEOUT,
    acp = fields.acp ~= nil and over_acp(who, name, fields, is_own) or nil, -- the same over ACP
    told = {}, -- what was told once
  }
end

local made = {} -- name → agent, of those that come with the host

---An agent that comes with the host, or nil.
---@param name string
---@return table?
function definition.built_in(name)
  if built_in[name] and not made[name] then
    local fields = require("swarm.agents." .. name)
    made[name] = definition.check("agent " .. shown.value(name), name, fields, false)
  end
  return made[name]
end

---The agent of a name, of the script's or of the host's.
---@param generation table
---@param name string
---@param fail function(message)
---@return table agent
function definition.named(generation, name, fail)
  local own = generation.agents[name]
  local agent = own and own.agent or definition.built_in(name)
  if not agent then
    local known = {}
    for candidate in pairs(built_in) do
      known[candidate] = true
    end
    for candidate in pairs(generation.agents) do
      known[candidate] = true
    end
    local hint = spelling.hint(name, known, "")
    return fail(
      format("there is no agent %s", shown.value(name))
        .. (hint ~= "" and hint or "; there are " .. spelling.list(known))
    )
  end
  return agent
end

---An agent, over the protocol that a worker asks for.
---@param agent table
---@param protocol any
---@param fail function(field, message)
---@return table agent
function definition.over(agent, protocol, fail)
  if protocol == nil or protocol == agent.protocol then
    return agent
  elseif protocol == "acp" and agent.acp then
    return agent.acp
  elseif not PROTOCOLS[protocol] then
    local got = shown.value(protocol)
    return fail("protocol", 'protocol must be "stream" or "acp", and is ' .. got)
  end
  local text = "agent %s is not run with protocol %s"
  return fail("protocol", format(text, agent.name, shown.value(protocol)))
end

return definition
