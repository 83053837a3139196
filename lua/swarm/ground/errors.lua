-- Errors are tables: `code`, `message`, `where` (file:line in the author's code), `traceback`
-- and what belongs to the code. tostring(err) is one readable paragraph. Tracebacks show the
-- author's frames only: host chunks are loaded as "=swarm/...", which is how they are told apart.
local getinfo, debug_getmetatable = debug.getinfo, debug.getmetatable
local type, tostring, setmetatable, rawget, rawset = type, tostring, setmetatable, rawget, rawset
local error, next, pcall, concat = error, next, pcall, table.concat
local rawequal, sub, match, find = rawequal, string.sub, string.match, string.find

local errors = {
  all_frames = false, -- --debug: tracebacks show the host's frames too
}

local MAX_FRAMES = 30 -- shown of a traceback
local MAX_LEVELS = 200 -- looked at: each costs as much as it is deep, and a full stack is deep

local Error = {}
Error.__metatable = "swarm.error"
errors.metatable = Error

local function is_host(info)
  return sub(info.source, 1, 7) == "=swarm/" or info.what == "C"
end
errors.is_host_frame = is_host

---The file that a function is from, whole: short_src cuts long paths.
---@param info table what getinfo "S" says
local function source_of(info)
  local source = info.source
  return sub(source, 1, 1) == "@" and sub(source, 2) or info.short_src
end
errors.source_of = source_of

local function describe_frame(info)
  local place = source_of(info) .. ":" .. info.currentline
  if info.what == "main" then
    return place .. ": in main chunk"
  elseif info.name then
    return place .. ": in function '" .. info.name .. "'"
  end
  return place .. ": in function <line " .. info.linedefined .. ">"
end

---The author's frames of a coroutine's stack, innermost first, one a line.
---@param co thread? the running one by default
---@param level integer? where to start
---@return string
function errors.traceback(co, level)
  level = level or 1
  local lines, last = {}, level + MAX_LEVELS
  while true do
    local info
    if co then
      info = getinfo(co, level - 1, "Snl")
    else
      info = getinfo(level + 1, "Snl")
    end
    if not info then
      break
    elseif #lines == MAX_FRAMES or level == last then
      lines[#lines + 1] = "  ..."
      break
    end
    if (errors.all_frames and info.what ~= "C") or not is_host(info) then
      lines[#lines + 1] = "  " .. describe_frame(info)
    end
    level = level + 1
  end
  return concat(lines, "\n")
end

---`file:line` of the innermost frame that is the author's, or nil.
---@param co thread? the running one by default
---@return string?
function errors.where(co)
  local level = co and 0 or 2
  while true do
    local info
    if co then
      info = getinfo(co, level, "Sl")
    else
      info = getinfo(level, "Sl")
    end
    if not info then
      return nil
    end
    if not is_host(info) then
      return source_of(info) .. ":" .. info.currentline
    end
    level = level + 1
  end
end

---A new error object. `fields` are what belongs to the code.
---@param code string
---@param message string
---@param fields table?
---@return table
function errors.new(code, message, fields)
  local err = fields or {}
  err.code = code
  err.message = message
  return setmetatable(err, Error)
end

---Raises an error that names the place in the author's code that called us.
---@param code string
---@param message string
---@param fields table?
function errors.throw(code, message, fields)
  local err = errors.new(code, message, fields)
  if not err.where then
    err.where = errors.where()
  end
  return error(err, 0)
end

---Whether a value is an error object of ours.
---@return boolean
function errors.is(value)
  return type(value) == "table" and debug_getmetatable(value) == Error
end

---Any value as text. What a script raised may hold anything, and its __tostring may do anything.
local function text_of(value)
  if type(value) == "string" then
    return value
  end
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or "a " .. type(value)
end
errors.text_of = text_of

---The same for a field of an error, without a call: while a worker settles no code of the author's
---may run, and a script may put anything into an error at any time.
local function shown(value)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" or kind == "boolean" or kind == "nil" then
    return tostring(value)
  end
  return "a " .. kind
end

---`message` after the place it speaks of.
local function headline(err)
  local message, where = shown(err.message), err.where
  if type(where) == "string" and sub(message, 1, #where) ~= where then
    return where .. ": " .. message
  end
  return message
end
errors.headline = headline

function Error.__tostring(err)
  local text = headline(err)
  local code = shown(err.code)
  if code ~= "failed" and not find(text, code, 1, true) then
    text = text .. " (" .. code .. ")"
  end
  return text
end

-- A coroutine.wrap passes an error on from a stack that is gone by the time the worker's handler
-- sees it; what it saw is kept here until then.
local inner_error, inner_traceback, inner_is_whole
local inner_outside -- the frames around the coroutine that it left

---Remembers the traceback of an error that is about to leave a coroutine of the author's.
function errors.leaving(co, err)
  local inside = errors.traceback(co)
  local below = rawequal(inner_error, err)
    and (type(err) == "table" or inner_outside == inside)
    and inner_traceback
  inner_error = err
  inner_traceback = (below and below .. "\n" or "") .. inside
  inner_outside = errors.traceback()
  inner_is_whole = false
end

---What is remembered of an error on its way up to `here`, or nil. Equal strings need not be the
---same error: one that was caught and forgotten came by another way.
local function remembered(err, here)
  if not inner_traceback or not rawequal(inner_error, err) then
    return nil
  elseif not inner_is_whole then
    return (type(err) == "table" or inner_outside == here) and inner_traceback .. "\n" .. here
      or nil
  elseif type(err) == "table" or here == "" or sub(inner_traceback, -#here) == here then
    return inner_traceback
  end
end

---The handler of a block's xpcall: passes the value on as it is, and remembers where it came from.
function errors.passing(err)
  local here = errors.traceback()
  inner_traceback = remembered(err, here) or here
  inner_error = err
  inner_is_whole = true
  return err
end

local function take_traceback(err)
  local here = errors.traceback()
  local traceback = remembered(err, here) or here
  inner_error, inner_traceback = nil, nil
  return traceback
end

---Whether the fields of a table can be read and written without running the author's code.
local function is_passive(mt)
  if mt == nil then
    return true
  elseif rawget(mt, "__newindex") ~= nil then
    return false
  end
  local above = rawget(mt, "__index")
  for _ = 1, 8 do
    if above == nil then
      return true
    elseif type(above) ~= "table" then
      return false
    end
    mt = debug_getmetatable(above)
    above = mt and rawget(mt, "__index")
  end
  return false
end

---The place that a traceback begins with, or where we are.
local function innermost(traceback)
  return type(traceback) == "string" and match(traceback, "^%s*([^\n]-:%d+): in ") or errors.where()
end

-- Errors made from tables of scripts: whoever raises one has it from another worker.
local arrived = setmetatable({}, { __mode = "k" })

---What stands for a raised table: a script may raise one and the same from many workers.
local function copy_of(value, mt)
  local fields = {}
  for key, item in next, value do
    fields[key] = item
  end
  arrived[fields] = true
  return mt and setmetatable(fields, mt) or fields
end

---What stands for a raised table that host code cannot touch: its fields, and itself as `raised`.
local function stand_in(value)
  local fields = { raised = value }
  for key, item in next, value do
    if type(key) == "string" then
      fields[key] = item
    end
  end
  return fields
end

---Whether the innermost function that is not C is the host's.
local function raised_by_host()
  local level = 3
  local info = getinfo(level, "S")
  while info and info.what == "C" do
    level = level + 1
    info = getinfo(level, "S")
  end
  return info == nil or is_host(info)
end

---Makes what a script raised into an error object; the handler of every worker's xpcall.
---A table that a script raised arrives whole: a copy with `code`, `message`, `traceback` added.
function errors.from_raised(value)
  if type(value) == "table" then
    local mt = debug_getmetatable(value)
    if mt == Error or arrived[value] then
      if value.task_id and value.agent then
        -- Another worker's error raised again: this worker failed because of it.
        return errors.new("failed", value.message, {
          cause = value,
          where = value.where,
          traceback = take_traceback(value),
        })
      elseif value.code ~= "cancelled" and not value.traceback then
        value.traceback = take_traceback(value)
      end
      return value
    end
    local err = is_passive(mt) and copy_of(value, mt) or stand_in(value)
    -- Raw, so that what its class gives it is still there where only the fields cross.
    local own = mt and rawget(mt, "__tostring") and text_of(value)
    rawset(err, "code", err.code == nil and "failed" or err.code)
    local message = err.message or own or "an error object with code " .. shown(err.code)
    rawset(err, "message", text_of(message))
    rawset(err, "traceback", err.traceback or take_traceback(value))
    rawset(err, "where", err.where or innermost(err.traceback))
    return debug_getmetatable(err) and err or setmetatable(err, Error)
  end
  local text = value
  if type(value) ~= "string" then
    local what = value == nil and "nil" or "a " .. type(value) .. ": " .. text_of(value)
    text = "an error that is " .. what
  end
  local where = match(text, "^([^\n]-:%d+): ")
  local code = "failed"
  if where and match(where, "^swarm/[%w_/]+%.lua:%d+$") and raised_by_host() then
    code = "internal" -- a fault of ours: say so instead of blaming the script
  end
  local traceback = take_traceback(value)
  return errors.new(code, text, { where = where or innermost(traceback), traceback = traceback })
end

---What was raised, as a table to add fields to. One that a worker has brought is copied: others
---read it too.
---@return table
function errors.writable(value)
  if type(value) ~= "table" then
    return errors.from_raised(value)
  end
  local mt = debug_getmetatable(value)
  if not is_passive(mt) then
    return errors.from_raised(value)
  elseif rawget(value, "task_id") and rawget(value, "agent") then
    local own = copy_of(value, mt)
    local others = rawget(value, "others")
    if type(others) == "table" then
      local list = {}
      for i = 1, #others do
        list[i] = others[i]
      end
      rawset(own, "others", list)
    end
    return own
  end
  return value
end

-- Fields that readers take as text, and as lists of errors, whatever a script put there.
local TEXTS = {
  code = true,
  message = true,
  where = true,
  traceback = true,
  spawned_at = true,
  spawned_by = true,
  cancel_reason = true,
  agent = true,
  task_id = true,
}
local LISTS = { errors = true, others = true, waiting = true }
local MAX_DEPTH = 40 -- errors within errors; in JSON each is two levels
local MAX_NESTED = 1000 -- all of them together: a script's may contain themselves

local plain

---@param walk table { depth, nested }
local function plain_nested(value, walk)
  if type(value) ~= "table" then
    return { code = "failed", message = shown(value) }
  end
  walk.nested = walk.nested + 1
  if walk.depth >= MAX_DEPTH or walk.nested > MAX_NESTED then
    return { code = shown(rawget(value, "code")), message = shown(rawget(value, "message")) }
  end
  return plain(value, walk)
end

local function plain_list(list, walk)
  local copy = {}
  for i = 1, math.min(#list, MAX_NESTED) do
    copy[i] = plain_nested(rawget(list, i), walk)
  end
  return copy
end

function plain(err, walk)
  walk.depth = walk.depth + 1
  local copy = {}
  for key, value in next, err do
    local kind = type(value)
    if TEXTS[key] then
      copy[key] = shown(value)
    elseif LISTS[key] then
      copy[key] = kind == "table" and plain_list(value, walk) or nil
    elseif key == "cause" then
      copy[key] = plain_nested(value, walk)
    elseif type(key) == "string" then
      if kind == "string" or kind == "boolean" or (kind == "number" and value - value == 0) then
        copy[key] = value
      elseif errors.is(value) then
        copy[key] = plain_nested(value, walk)
      end
    end
  end
  walk.depth = walk.depth - 1
  return copy
end

---A plain copy of an error for crossing into JSON: strings, numbers and nested errors only.
---@return table
function errors.plain(err)
  return plain(err, { depth = 0, nested = 0 })
end

return errors
