-- Errors are tables: `code`, `message`, `where` (file:line in the author's code), `traceback`
-- and what belongs to the code. tostring(err) is one readable paragraph. Tracebacks show the
-- author's frames only: host chunks are loaded as "=swarm/...", which is how they are told apart.
local getinfo, debug_getmetatable = debug.getinfo, debug.getmetatable
local type, tostring, setmetatable, rawget, rawset = type, tostring, setmetatable, rawget, rawset
local error, pairs, concat = error, pairs, table.concat
local rawequal, sub, match, find = rawequal, string.sub, string.match, string.find

local errors = {
  all_frames = false, -- --debug: tracebacks show the host's frames too
}

local MAX_FRAMES = 30

local Error = {}
Error.__index = Error
Error.__metatable = "swarm.error"

local function is_host(info)
  return sub(info.source, 1, 7) == "=swarm/" or info.what == "C"
end
errors.is_host_frame = is_host

local function describe_frame(info)
  local place = info.short_src .. ":" .. info.currentline
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
  local lines, left_out = {}, 0
  while true do
    local info
    if co then
      info = getinfo(co, level - 1, "Snl")
    else
      info = getinfo(level + 1, "Snl")
    end
    if not info then
      break
    end
    if (errors.all_frames and info.what ~= "C") or not is_host(info) then
      if #lines < MAX_FRAMES then
        lines[#lines + 1] = "  " .. describe_frame(info)
      else
        left_out = left_out + 1
      end
    end
    level = level + 1
  end
  if left_out > 0 then
    lines[#lines + 1] = "  ... " .. left_out .. " more"
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
      return info.short_src .. ":" .. info.currentline
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

---`message` after the place it speaks of.
local function headline(err)
  local message = tostring(err.message)
  if err.where and sub(message, 1, #err.where) ~= err.where then
    return err.where .. ": " .. message
  end
  return message
end
errors.headline = headline

function Error.__tostring(err)
  local text = headline(err)
  local code = err.code
  if code ~= "failed" and not find(text, code, 1, true) then
    text = text .. " (" .. tostring(code) .. ")"
  end
  return text
end

-- A coroutine.wrap passes an error on from a stack that is gone by the time the worker's handler
-- sees it; what it saw is kept here until then.
local inner_error, inner_traceback, inner_is_whole

---Remembers the traceback of an error that is about to leave a coroutine of the author's.
function errors.leaving(co, err)
  local below = rawequal(inner_error, err) and inner_traceback
  inner_error = err
  inner_traceback = (below and below .. "\n" or "") .. errors.traceback(co)
  inner_is_whole = false
end

---The handler of a block's xpcall: passes the value on as it is, and remembers where it came from.
function errors.passing(err)
  local below = rawequal(inner_error, err) and inner_traceback
  if not (below and inner_is_whole) then
    inner_traceback = (below and below .. "\n" or "") .. errors.traceback()
  end
  inner_error = err
  inner_is_whole = true
  return err
end

local function take_traceback(err)
  local traceback
  if inner_traceback and rawequal(inner_error, err) then
    traceback = inner_is_whole and inner_traceback or inner_traceback .. "\n" .. errors.traceback()
  else
    traceback = errors.traceback()
  end
  inner_error, inner_traceback = nil, nil
  return traceback
end

---Makes what a script raised into an error object; the handler of every worker's xpcall.
---A table that a script raised stays the same table, with `code`, `message` and `traceback` added.
function errors.from_raised(value)
  if type(value) == "table" then
    local mt = debug_getmetatable(value)
    if mt == Error then
      if value.task_id then
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
    elseif not mt or not mt.__newindex then
      if rawget(value, "code") == nil then
        rawset(value, "code", "failed")
      end
      if rawget(value, "message") == nil then
        local text = mt and mt.__tostring and tostring(value)
        rawset(value, "message", text or "an error object with code " .. tostring(value.code))
      end
      if rawget(value, "where") == nil then
        rawset(value, "where", errors.where())
      end
      if rawget(value, "traceback") == nil then
        rawset(value, "traceback", take_traceback(value))
      end
      return mt and value or setmetatable(value, Error)
    end
  end
  local text = type(value) == "string" and value
    or "an error that is " .. (value == nil and "nil" or "a " .. type(value) .. ": " .. tostring(value))
  local where = match(text, "^([^\n]-:%d+): ")
  local code = "failed"
  if where and match(where, "^swarm/[%w_/]+%.lua:%d+$") then
    code = "internal" -- a fault of ours: say so instead of blaming the script
  elseif not where then
    where = errors.where()
  end
  return errors.new(code, text, { where = where, traceback = take_traceback(value) })
end

---A plain copy of an error for crossing into JSON: strings, numbers and nested errors only.
---@return table
function errors.plain(err, depth)
  depth = depth or 0
  local copy = {}
  for key, value in pairs(err) do
    local kind = type(value)
    if type(key) == "string" then
      if kind == "string" or kind == "boolean" then
        copy[key] = value
      elseif kind == "number" and value == value and value ~= 1 / 0 and value ~= -1 / 0 then
        copy[key] = value
      elseif kind == "table" and depth < 64 then
        if errors.is(value) then
          copy[key] = errors.plain(value, depth + 1)
        elseif key == "errors" or key == "others" or key == "waiting" then
          local list = {}
          for i = 1, #value do
            local item = value[i]
            list[i] = type(item) == "table" and errors.plain(item, depth + 1) or tostring(item)
          end
          copy[key] = list
        end
      end
    end
  end
  return copy
end

return errors
