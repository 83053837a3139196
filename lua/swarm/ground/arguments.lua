-- Checks of what authors give to the calls: a mistake is named where it was made.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local error, next, pairs, pcall, rawget, sort = error, next, pairs, pcall, rawget, table.sort
local format, tostring, type = string.format, tostring, type

local arguments = {}

---Raises: something else was expected.
---@param expected string such as "swarm.fs.read takes a path"
---@param got any what the author gave
---@param code string? of the error, invalid_argument by default
function arguments.wrong(expected, got, code)
  return errors.throw(code or "invalid_argument", expected .. ", and got " .. shown.value(got))
end
local wrong = arguments.wrong

---How many items a list has.
---@param list table
---@return integer? n nil: it is none
---@return any at then what keeps it from being one: the least place where nothing is, or a key
---@return boolean? has_hole it is such a place
function arguments.length(list)
  local n = 0
  for _ in next, list do
    n = n + 1
  end
  for i = 1, n do
    if rawget(list, i) == nil then
      for key in next, list do
        if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
          return nil, key, false
        end
      end
      return nil, i, true
    end
  end
  return n
end

---Checks a number of seconds that an author gave.
function arguments.seconds(value, what)
  if type(value) ~= "number" or value ~= value or value < 0 or value == 1 / 0 then
    return wrong(what .. " takes a number of seconds, zero or more", value)
  end
  return value
end

---Checks what an author gave as true or false, or not at all.
function arguments.boolean(value, what)
  if value ~= nil and type(value) ~= "boolean" then
    return wrong(what .. " is true or false", value)
  end
  return value
end

---Checks a whole number that an author gave.
function arguments.whole(value, what, least, most)
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
    return wrong(format("%s takes a whole number from %d to %d", what, least, most), value)
  end
  return value
end

---Mistakes that are told together. `try(fn, ...)` calls a check: what it raises as a load error is
---kept, and the next check is made as well. `tell()` raises what was kept: the first, with all of
---them as `mistakes`.
---@return fun(fn: function, ...: any): any try gives what the check returned, or nil
---@return fun() tell
function arguments.together()
  local found, seen = {}, {}
  local function try(fn, ...)
    local ok, value = pcall(fn, ...)
    if ok then
      return value
    elseif not errors.is(value) or value.code ~= "load_error" then
      return error(value, 0)
    end
    local several = value.mistakes or { value }
    for i = 1, #several do
      local field = several[i].field
      if not field or not seen[field] then -- one is said of a field, the first
        seen[field or several[i]] = true
        found[#found + 1] = several[i]
      end
    end
  end
  local function tell()
    if #found > 0 then
      sort(found, function(a, b)
        return tostring(a.field) < tostring(b.field)
      end)
      local first = found[1]
      first.mistakes = found
      return error(first, 0)
    end
  end
  return try, tell
end

---Checks that an author gave a table of options, and none that does not exist.
---@param elsewhere table? option → where it belongs instead
function arguments.options(opts, known, call, elsewhere)
  if type(opts) ~= "table" then
    return wrong(call .. " takes a table of options", opts)
  end
  for key in pairs(opts) do
    if not known[key] then
      local near = spelling.nearest(tostring(key), known)
      return errors.throw(
        "invalid_argument",
        call
          .. " has no option "
          .. shown.value(key)
          .. (
            elsewhere and elsewhere[key] and "; " .. elsewhere[key]
            or near and "; did you mean " .. near .. "?"
            or "; it has " .. spelling.list(known)
          ),
        { unknown = tostring(key) }
      )
    end
  end
end

return arguments
