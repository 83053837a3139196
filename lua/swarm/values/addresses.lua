-- Texts of objects without their addresses: where something lies in memory is no script's business,
-- and differs from run to run. An object that is shown has a number instead, from then on.
local debug_getmetatable = debug.getmetatable
local find, gsub, match, real_format = string.find, string.gsub, string.match, string.format
local pairs, rawget, real_tostring, select, type = pairs, rawget, tostring, select, type
local unpack = unpack

local addresses = {}

local SHOWN = { table = true, ["function"] = true, thread = true, userdata = true }

local hidden = false
local numbers = setmetatable({}, { __mode = "k" })
local last = 0

---Whether Lua would show where a value lies.
local function has_address(value)
  if not SHOWN[type(value)] then
    return false
  end
  local mt = debug_getmetatable(value)
  return not (mt and rawget(mt, "__tostring"))
end

local function numbered(value)
  local text = type(value) == "function" and real_tostring(value) or ""
  if find(text, "builtin", 1, true) then
    return text -- LuaJIT's number of it, which libraries look at to know LuaJIT
  end
  local number = numbers[value]
  if not number then
    last = last + 1
    number = last
    numbers[value] = number
  end
  return real_format("%s: 0x%08x", type(value), number)
end

---As Lua's tostring; an object without a __tostring has a number.
function addresses.tostring(...)
  local value = ...
  if hidden and has_address(value) then
    return numbered(value)
  end
  return real_tostring(...)
end

---Arguments of string.format with texts in place of objects, for a format without %p.
local function shown(fmt, n, ...)
  local arguments = { ... }
  for i = 1, n do
    if has_address(arguments[i]) then
      arguments[i] = numbered(arguments[i])
    end
  end
  return real_format(fmt, unpack(arguments, 1, n))
end

---%p shows the number of an object, and nothing of anything else.
local function with_pointers(fmt, n, ...)
  local arguments, at = { ... }, 0
  fmt = gsub(fmt, "%%([%-+ #0]*%d*%.?%d*)(.)", function(flags, conversion)
    if conversion == "%" then
      return nil
    end
    at = at + 1
    if conversion ~= "p" or at > n then
      return nil
    end
    local value = arguments[at]
    arguments[at] = SHOWN[type(value)] and match(numbered(value), "0x%x+") or "NULL"
    return "%" .. flags .. "s"
  end)
  return shown(fmt, n, unpack(arguments, 1, n))
end

---As Lua's string.format, with numbers in place of addresses.
function addresses.format(fmt, ...)
  local n = select("#", ...)
  if type(fmt) == "string" and find(fmt, "%%[%-+ #0]*%d*%.?%d*p") then
    return with_pointers(fmt, n, ...)
  elseif n == 1 then
    local a = ...
    if SHOWN[type(a)] then
      return shown(fmt, n, ...)
    end
  elseif n == 2 then
    local a, b = ...
    if SHOWN[type(a)] or SHOWN[type(b)] then
      return shown(fmt, n, ...)
    end
  elseif n == 3 then
    local a, b, c = ...
    if SHOWN[type(a)] or SHOWN[type(b)] or SHOWN[type(c)] then
      return shown(fmt, n, ...)
    end
  elseif n > 3 then
    local arguments = { ... }
    for _, value in pairs(arguments) do
      if SHOWN[type(value)] then
        return shown(fmt, n, ...)
      end
    end
  end
  return real_format(fmt, ...)
end

---From now on: for a run whose scripts are guarded.
function addresses.hide()
  hidden = true
end

return addresses
