-- The public object of a worker: its handle and its ctx are the same one, apart from the record.
-- The object is an empty table whose protected metatable is the record itself: no field of the
-- record can be read, written or listed through it, the host finds the record in one step
-- (debug.getmetatable, which scripts do not have), and both die together.
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local debug_getmetatable = debug.getmetatable
local type, tostring = type, tostring
local format, match, sub = string.format, string.match, string.sub

local H = {
  final = { pass = true, blocked = true, failed = true, cancelled = true, timeout = true },
  methods = {}, -- name → function(handle, ...): what one calls with a colon
  getters = {}, -- name → function(record): what one reads
  wrapped = setmetatable({}, { __mode = "k" }), -- what runs → the run that hooks are around
}
local methods, getters = H.methods, H.getters
local all_names

local function list_names()
  all_names = {}
  for name in pairs(methods) do
    all_names[name] = true
  end
  for name in pairs(getters) do
    all_names[name] = true
  end
  return all_names
end

-- What people try first on a handle or a ctx, by other libraries' words.
local first_guesses = {
  wait = "join",
  await = "join",
  value = "result",
  kill = "cancel",
  abort = "cancel",
  tail = "output_tail",
  emit = "partial",
  name = "agent",
  token = "cancel_token",
}

function H.index(handle, key)
  local method = methods[key]
  if method then
    return method
  end
  local getter = getters[key]
  if getter then
    return getter(debug_getmetatable(handle))
  end
  local guess = first_guesses[key]
  local hint = guess and (methods[guess] or getters[guess]) and "; did you mean " .. guess .. "?"
    or spelling.hint(key, all_names or list_names(), "")
  return errors.throw(
    "unknown_name",
    "a worker's handle (and ctx) has no " .. shown.value(key) .. hint,
    { name = tostring(key) }
  )
end

function H.newindex(_, key)
  return errors.throw(
    "unknown_name",
    "a worker's handle (and ctx) cannot be written to ("
      .. shown.value(key)
      .. "): pass values as input, "
      .. "or keep them in a table of your own"
  )
end

function H.tostring(handle)
  local w = debug_getmetatable(handle)
  return format("worker %s (%s, %s)", H.label(w), H.task_id(w), w.status)
end

---The name of a worker as messages show it.
function H.label(w)
  local name = w.def.name
  return name and '"' .. name .. '"' or "function at " .. (H.home(w) or "swarm itself")
end

---Where a function was defined, as file:line.
function H.place_of(fn)
  local info = debug.getinfo(fn, "S")
  return frames.source_of(info) .. ":" .. info.linedefined
end

---Where the author's function that a worker runs was defined, or the worker where it runs none.
---@return string?
function H.home(w)
  if not w.run then
    return w.extra.home -- retired
  end
  local place = H.place_of(w.def.fn or H.wrapped[w.run] or w.run)
  return sub(place, 1, 6) ~= "swarm/" and place or w.def.where
end

-- Tasks by id. A task is listed once somebody has read its id: nobody else can know it. Live ones
-- stay listed; of the settled ones the last RETAINED.
local RETAINED = 10000
local by_id = {}
local settled_ids, settled_next = {}, 1

---The task's id; from now on the calls that take a handle take it too.
function H.task_id(w)
  local id = w.id
  if not by_id[id] then
    by_id[id] = w
    local extra = w.extra or {}
    w.extra = extra
    extra.listed = true
    if H.final[w.status] then
      H.retire(w)
    end
  end
  return "T-" .. id
end

---A listed task has settled: it stays findable until RETAINED others have settled after it. Its
---function, and with it a whole generation, does not stay.
function H.retire(w)
  local id = w.id
  if by_id[id] then
    w.extra.home = H.home(w)
    w.run = nil
    local old = settled_ids[settled_next]
    if old then
      by_id[old] = nil
    end
    settled_ids[settled_next] = id
    settled_next = settled_next % RETAINED + 1
  end
end

---Whether a value is a worker's handle.
function H.is(value)
  if type(value) ~= "table" then
    return false
  end
  local mt = debug_getmetatable(value)
  return mt ~= nil and rawget(mt, "__tostring") == H.tostring -- raw: mt may be the author's
end

---With a bare task_id a worker reaches itself and its descendants; an operator reaches all.
function H.check_ownership(w, id)
  local me = S.current
  if me.rights.reaches_all then
    return
  end
  if H.is_below(w, me) then
    return
  end
  return errors.throw(
    "token_task_mismatch",
    id .. " is not a task of this worker or below it: use the handle that its spawner has",
    { bound = "T-" .. me.id, arg = id }
  )
end

---The record behind a handle or a task_id; raises for anything else.
---@param value any
---@param call string the call's name, for the message
---@return table
function H.record(value, call)
  local mt = debug_getmetatable(value)
  if mt and rawget(mt, "__tostring") == H.tostring and type(value) == "table" then
    return mt
  end
  if type(value) == "string" then
    local id = match(value, "^T%-(%d+)$")
    local w = id and by_id[tonumber(id)]
    if w then
      H.check_ownership(w, value)
      return w
    elseif id then
      return errors.throw(
        "task_not_found",
        call .. ": there is no task " .. value,
        { task_id = value }
      )
    end
  end
  return errors.throw(
    "invalid_argument",
    call
      .. " takes a worker's handle (what swarm.spawn returned) or a task_id, and got "
      .. shown.value(value)
  )
end

---Whether a worker is another one, or below it.
function H.is_below(w, above)
  while w do
    if w == above then
      return true
    end
    w = H.parent(w)
  end
  return false
end

---The worker above: the one whose scope a record belongs to; nil at the top.
function H.parent(w)
  local owner = w.owner
  return owner.id and owner or owner.worker
end

return H
