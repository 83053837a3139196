-- The fields `ready` and `start_timeout` of a worker's definition: what its supervisor waits for
-- before the next child starts, and how long.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local format, find, sub = string.format, string.find, string.sub
local max, next, tostring, type = math.max, next, tostring, type

local ready = {}

local START_SECONDS = 30
local HOST = "127.0.0.1"
local FIELDS = { output = true, port = true, host = true }
local FORMS = 'true, { output = "listening on" } or { port = 8080 }'

-- What people try first.
local FIRST_GUESSES = {
  pattern = "output",
  match = "output",
  line = "output",
  log = "output",
  stdout = "output",
  stderr = "output",
  tcp = "port",
  http = "port",
  url = "port",
  address = "host",
}
local ELSEWHERE = { timeout = "start_timeout", start_timeout = "start_timeout" }

-- What a pattern may cost. One that has to try takes time with a power of the line's length, and
-- nothing can stop it: of a line as much is looked at as takes a tenth of a second at the worst.
local LOOKED_AT = { [0] = 65536, 2048, 256 } -- bytes, by the repeats in the pattern
local MOST_REPEATS, MOST_OPTIONAL = 2, 2
local MOST_CAPTURES = 32 -- that Lua takes

local function wrong(name, says, field)
  return errors.throw("load_error", format("worker %q: %s", name, says), { field = field })
end

-- Patterns ----------------------------------------------------------------------------------------

---Where the set that begins at `i` ends, or nil.
local function after_set(pattern, i)
  i = i + (sub(pattern, i + 1, i + 1) == "^" and 2 or 1)
  repeat
    if i > #pattern then
      return nil
    end
    i = i + (sub(pattern, i, i) == "%" and 2 or 1)
  until sub(pattern, i, i) == "]"
  return i + 1
end

---One item of a pattern, without what repeats it.
---@return integer? after the place behind it, or nil and what is wrong
---@return string|boolean kind "once": nothing can repeat it; "all": it takes as much as it can
local function item(pattern, i)
  local c, d = sub(pattern, i, i), sub(pattern, i + 1, i + 1)
  if c == "[" then
    local after = after_set(pattern, i)
    return after, not after and "a [ without its ]"
  elseif c ~= "%" then
    return i + 1, (c == "(" or c == ")") and "once"
  elseif d == "" then
    return nil, "a % at its end (%% stands for one)"
  elseif d == "b" then
    return #pattern >= i + 3 and i + 4 or nil, #pattern >= i + 3 and "all" or "a %b without its two"
  elseif d == "f" then
    local after = sub(pattern, i + 2, i + 2) == "[" and after_set(pattern, i + 2)
    return after or nil, after and "once" or "a %f without its [set]"
  elseif find(d, "%d") then
    return nil, "a %" .. d .. ", which cannot be used here"
  end
  return i + 2, false
end

---How much of a line can be looked at with a pattern.
---@return integer? bytes nil, and what is wrong with the pattern
---@return string? why
local function bytes_for(pattern)
  local anchored = sub(pattern, 1, 1) == "^"
  local i, repeats, optional, open, captures = anchored and 2 or 1, 0, 0, 0, 0
  while i <= #pattern do
    local after, kind = item(pattern, i)
    if not after then
      return nil, "has " .. kind
    end
    local c, mark = sub(pattern, i, i), not kind and sub(pattern, after, after) or ""
    open = open + (kind ~= "once" and 0 or c == "(" and 1 or c == ")" and -1 or 0)
    captures = captures + (kind == "once" and c == "(" and 1 or 0)
    if open < 0 then
      return nil, "has a ) without its ("
    elseif captures > MOST_CAPTURES then
      return nil, "has more than " .. MOST_CAPTURES .. " captures, and needs none"
    elseif mark == "?" then
      optional, after = optional + 1, after + 1
    elseif kind == "all" or (mark ~= "" and find("*+-", mark, 1, true)) then
      repeats, after = repeats + 1, after + #mark
    end
    i = after
  end
  if open > 0 then
    return nil, "has a ( without its )"
  end
  repeats = max(repeats - (anchored and 1 or 0), 0)
  if repeats > MOST_REPEATS or optional > MOST_OPTIONAL then
    return nil,
      "can take very long on a line: two of * + - (and of ?) are the most, and one more of * + - "
        .. "after a ^. Look for less of the line"
  end
  return LOOKED_AT[repeats]
end

-- The fields --------------------------------------------------------------------------------------

local function output_of(name, pattern, kind_name)
  if type(pattern) ~= "string" or pattern == "" then
    local expected = format("worker %q: ready.output is a Lua pattern", name)
    return arguments.wrong(expected, pattern, "load_error")
  elseif kind_name ~= "process" then
    local says = "ready.output looks at what a process says, and this worker is of kind %s: "
      .. "write ready = true, and call ctx:ready()"
    return wrong(name, format(says, kind_name), "ready")
  end
  local bytes, why = bytes_for(pattern)
  if not bytes then
    return wrong(name, format("ready.output, the pattern %q, %s", pattern, why), "ready")
  end
  local missing = format("no line of its output matched %q", pattern)
  return { output = pattern, bytes = bytes, missing = missing }
end

local function port_of(name, port, host)
  if type(port) ~= "number" or port % 1 ~= 0 or port < 1 or port > 65535 then
    local expected = format("worker %q: ready.port is a whole number from 1 to 65535", name)
    return arguments.wrong(expected, port, "load_error")
  elseif host == nil then
    host = HOST
  elseif type(host) ~= "string" or not find(host, "^[%w.:_-]+$") then
    local expected = format("worker %q: ready.host is a name or an address", name)
    return arguments.wrong(expected .. " such as " .. HOST, host, "load_error")
  end
  local place = (find(host, ":", 1, true) and "[" .. host .. "]" or host) .. ":" .. port
  local missing = "nothing accepted a connection to " .. place
  return { port = port, host = host, place = place, missing = missing }
end

---Refuses what `ready` has and does not know.
local function check_keys(name, given)
  for key in next, given do
    if not FIELDS[key] then
      local guess = type(key) == "string" and FIRST_GUESSES[key]
      local hint = ELSEWHERE[key] and "; the time is the worker's field " .. ELSEWHERE[key]
        or guess and "; did you mean " .. guess .. "?"
        or spelling.hint(tostring(key), FIELDS, "")
      hint = hint ~= "" and hint or "; it has " .. spelling.list(FIELDS)
      return wrong(name, "ready has no field " .. shown.value(key) .. hint, "ready")
    end
  end
end

---What a worker's field `ready` says, checked.
---@param name string the worker's
---@param given any
---@param kind_name string
---@return table plan { missing } with { output, bytes } or { port, host, place }, or neither
function ready.of(name, given, kind_name)
  if given == true then
    return { missing = "it did not call ctx:ready()" }
  elseif type(given) ~= "table" then
    local meant = type(given) == "number" and "{ port = " .. given .. " }"
      or type(given) == "string" and "{ output = " .. shown.value(given) .. " }"
    local hint = meant and "; did you mean " .. meant .. "?" or ""
    return wrong(name, "ready is " .. FORMS .. ", and got " .. shown.value(given) .. hint, "ready")
  end
  check_keys(name, given)
  if given.output ~= nil and given.port ~= nil then
    return wrong(name, "ready has both output and port: it is one of them", "ready")
  elseif given.output ~= nil and given.host == nil then
    return output_of(name, given.output, kind_name)
  elseif given.port ~= nil then
    return port_of(name, given.port, given.host)
  end
  local lacks = given.host ~= nil and "ready.host goes with ready.port" or "ready is " .. FORMS
  return wrong(name, lacks .. ", and has no port", "ready")
end

---How long a worker's start may take.
---@param name string the worker's
---@param given any its field `ready`
---@param seconds number? its field `start_timeout`
---@return number? seconds nil: it is ready at once
function ready.start_timeout(name, given, seconds)
  if given == nil and seconds ~= nil then
    local says = "start_timeout bounds the time until it is ready, and goes with ready, which is "
    return wrong(name, says .. FORMS, "start_timeout")
  end
  return given ~= nil and (seconds or START_SECONDS) or nil
end

return ready
