-- What an agent is answered that asks for a permission over ACP: the worker's `permissions` say it.
-- Its options are of four kinds; what is allowed for once is allowed for once, where there is that.
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local shown = require "swarm.ground.shown"
local concat, format, pcall, type = table.concat, string.format, pcall, type

local permissions = {}

-- Mode → the kinds of tools that it allows.
local KINDS = {
  ask = {},
  read = { read = true, search = true, think = true },
  edit = { read = true, search = true, think = true, edit = true, delete = true, move = true },
}

local ALLOWS = { "allow_once", "allow_always" }
local DENIES = { "reject_once", "reject_always" }

---The first option of these kinds.
local function of_kinds(options, kinds)
  for i = 1, #kinds do
    for j = 1, #options do
      if options[j].kind == kinds[i] then
        return options[j]
      end
    end
  end
end

---What the author is shown of a request.
local function request_of(params)
  local call, options = params.toolCall, {}
  for i = 1, #params.options do
    local option = params.options[i]
    options[i] = { id = option.optionId, kind = option.kind, name = option.name }
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
    options = options,
  }
end

---The option that an author's function names: its id, its kind, or "allow" or "deny".
local function named(talk, options, name)
  if name == "allow" then
    return of_kinds(options, ALLOWS)
  elseif name == "deny" or name == nil then
    return of_kinds(options, DENIES)
  end
  local known = { '"allow"', '"deny"' }
  for i = 1, #options do
    if options[i].optionId == name then
      return options[i]
    end
  end
  for i = 1, #options do
    if options[i].kind == name then
      return options[i]
    end
    known[#known + 1] = shown.value(options[i].optionId)
  end
  local text = "%s: permissions returned %s, which is no option: there are %s"
  local message = format(text, talk.plan.who, shown.value(name), concat(known, ", "))
  return errors.throw("invalid_value", message, { path = "permissions" })
end

---@param talk table
---@param params table of the request
---@return table outcome
function permissions.choose(talk, params)
  local turn, call, mode = talk.turn, params.toolCall, talk.plan.permissions
  local title = call.title or turn.tools[call.toolCallId] or call.kind
  local option
  if type(mode) == "function" then
    option = named(talk, params.options, mode(turn.ctx, request_of(params)))
  elseif mode == "all" then
    option = of_kinds(params.options, ALLOWS)
  else
    -- What is allowed for always might be more than this mode has.
    option = KINDS[mode][call.kind] and of_kinds(params.options, { "allow_once" })
  end
  if not option or option.kind == DENIES[1] or option.kind == DENIES[2] then
    option = option or of_kinds(params.options, DENIES)
    if type(mode) == "function" then
      turn:progress("denied", title)
    else
      turn:denied(title, call.toolCallId)
    end
  end
  return option and { outcome = "selected", optionId = option.optionId }
    or { outcome = "cancelled" } -- there is no other way to allow nothing
end

return permissions
