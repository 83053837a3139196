-- The gate: role × verb. Every call that acts on a worker or on the outside asks whether the rights
-- of who is running have its verb. Rights are made once for each role (roles.lua), and once for
-- each pair of a role and the rights that cut it down: a look-up at the call.
local shown = require "swarm.ground.shown"
local VERBS = require "swarm.rights.verbs"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local glob = require "swarm.ground.glob"
local format, pairs = string.format, pairs
local concat, min = table.concat, math.min

local gate = {}

local WEAK_KEYS = { __mode = "k" } -- as roles.lua has it: what nobody has any more goes

local function contains(list, item)
  for i = 1, #list do
    if list[i] == item then
      return true
    end
  end
  return false
end

---Whether a verb is among a role's rights and, where it is bounded, admits `what`.
local function admits(right, what)
  if right == true then
    return true
  elseif not right then
    return false
  end
  for i = 1, #right do
    if what == nil or not glob.any(right[i], what) then
      return false
    end
  end
  return true
end

local MOST_SHOWN = 12 -- patterns of a bound

---What a bounded right admits, for a message.
---@param right table|true list of lists of patterns, each of which must admit what is asked for
local function bounds_of(right)
  local lists = {}
  for i = 1, right ~= true and #right or 0 do
    local more = #right[i] - MOST_SHOWN
    lists[i] = concat(right[i], ", ", 1, min(#right[i], MOST_SHOWN))
      .. (more > 0 and " and " .. more .. " more" or "")
    lists[i] = lists[i] == "" and "nothing" or lists[i]
  end
  return #lists > 0 and ": it allows " .. concat(lists, ", and of these ") or ""
end

---Refuses: role_violation before anything happens.
---@param me table the running worker
---@param verb string
---@param what string? what the bound did not admit
function gate.refuse(me, verb, what)
  local role = me.rights.role
  if events.on then
    events.publish("refused", me.task, { verb = verb, role = role, what = what })
  end
  local message = format("role %q does not allow %s", role, verb)
  if me.rights.full and me.rights.full[verb] and not me.rights[verb] then
    message = format("role %q allows %s, but the worker that spawned this one may not", role, verb)
  elseif what and me.rights[verb] then
    message = format("role %q bounds %s, and %s is out of bounds", role, verb, what)
      .. bounds_of(me.rights[verb])
  end
  return errors.throw("role_violation", message, { role = role, verb = verb })
end

---Raises unless the running worker may do this.
function gate.check(me, verb, what)
  local right = me.rights[verb]
  if right ~= true and not admits(right, what) then
    return gate.refuse(me, verb, what and (what == "" and "a function" or shown.value(what)))
  end
end

---Raises unless the running worker has the verb; the bounds that the host has to check, if any.
---@return table? bounds list of lists of patterns
function gate.bounds(me, verb)
  local right = me.rights[verb]
  if not right then
    return gate.refuse(me, verb)
  end
  return right ~= true and right or nil
end

---Whether two sets of rights allow the same.
local function equal(x, y)
  for verb in pairs(VERBS) do
    local a, b = x[verb], y[verb]
    if type(a) == "table" and type(b) == "table" and #a == #b then
      for i = 1, #a do
        if not contains(b, a[i]) then
          return false
        end
      end
    elseif a ~= b then
      return false
    end
  end
  return true
end

---What two rights to one verb leave together: each list of patterns must admit what is asked for.
---@param a table|true|nil
---@param b table|true|nil
---@return table|true|nil
function gate.both(a, b)
  if not a or not b then
    return nil
  elseif a == true or b == true then
    return a == true and b or a
  end
  local lists = { unpack(a) }
  for i = 1, #b do
    if not contains(lists, b[i]) then
      lists[#lists + 1] = b[i]
    end
  end
  return lists
end

---The rights of a worker: its role's, cut down by its spawner's. However deep roles take turns,
---there are no more sets of rights than ways to cut a role down.
function gate.cut(own, by)
  if own == by then
    return own
  end
  local rights = own.cuts[by]
  if not rights then
    rights = { role = own.role, full = own, cuts = setmetatable({}, WEAK_KEYS) }
    for verb in pairs(VERBS) do
      rights[verb] = gate.both(own[verb], by[verb])
    end
    local known = own.known
    for one in pairs(known) do
      if equal(one, rights) then
        rights = one
        break
      end
    end
    known[rights] = true
    own.cuts[by] = rights
  end
  return rights
end

return gate
