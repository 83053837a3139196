-- What an agent is answered that asks for a permission over ACP: the worker's `permissions` say it,
-- or a person. Its options are of four kinds; what is allowed for once is allowed for once, where
-- there is that.
local approvals = require "swarm.outside.agent.approvals"
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local options = require "swarm.outside.agent.options"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local concat, format, pcall, type = table.concat, string.format, pcall, type

local permissions = {}

-- Mode → the kinds of tools that it allows.
local KINDS = {
  ask = {},
  read = { read = true, search = true, think = true },
  edit = { read = true, search = true, think = true, edit = true, delete = true, move = true },
}

---What the author is shown of a request.
local function request_of(params)
  local call, list = params.toolCall, {}
  for i = 1, #params.options do
    local option = params.options[i]
    list[i] = { id = option.optionId, kind = option.kind, name = option.name }
  end
  local ok, arguments = pcall(json.decode, call.rawInput or "null")
  if not ok then
    arguments = call.rawInput
  end
  return {
    id = call.toolCallId,
    tool = call.title,
    kind = call.kind,
    arguments = call.rawInput and arguments,
    options = list,
  }
end

---The option that an author's function names: its id, its kind, or "allow" or "deny".
local function named(talk, list, name)
  if name == "allow" then
    return options.of_kinds(list, options.ALLOWS)
  elseif name == "deny" or name == nil then
    return options.of_kinds(list, options.DENIES)
  end
  local option = options.named(list, name)
  if option then
    return option
  end
  local known = { '"allow"', '"deny"' }
  for i = 1, #list do
    known[i + 2] = shown.value(list[i].optionId)
  end
  local text = "%s: permissions returned %s, which is no option: there are %s"
  local message = format(text, talk.plan.who, shown.value(name), concat(known, ", "))
  return errors.throw("invalid_value", message, { path = "permissions" })
end

---What the worker's mode says.
---@return table? option
local function by_mode(mode, kind, list)
  if mode == "all" then
    return options.of_kinds(list, options.ALLOWS)
  end
  -- What is allowed for always might be more than this mode has.
  return KINDS[mode][kind] and options.of_kinds(list, { "allow_once" })
end

---Tells, once a definition in the log, of what nobody was asked for.
local function tell_denial(talk, title, id)
  local role = S.current.rights.role
  local why = talk.plan.permissions == "ask" and format("role %q does not allow ask_operator", role)
    or format("permissions = %q do not allow it", talk.plan.permissions)
  return talk.turn:denied(title, id, why)
end

---@param talk table
---@param params table of the request
---@return table? outcome nil: it is not there any more
function permissions.choose(talk, params)
  local turn, call, mode = talk.turn, params.toolCall, talk.plan.permissions
  local title = call.title or turn.tools[call.toolCallId] or call.kind
  local option
  if mode == "ask" and S.current.rights.ask_operator then
    option = approvals.of_people(talk, params, title or "a tool")
    if option == nil then
      return nil
    end
  elseif type(mode) == "function" then
    option = named(talk, params.options, mode(turn.ctx, request_of(params)))
    if options.denies(option) then
      turn:progress("denied", title)
    end
  else
    option = by_mode(mode, call.kind, params.options)
    if options.denies(option) then
      tell_denial(talk, title, call.toolCallId)
    end
  end
  option = option or options.of_kinds(params.options, options.DENIES)
  return option and { outcome = "selected", optionId = option.optionId }
    or { outcome = "cancelled" } -- there is no other way to allow nothing
end

return permissions
