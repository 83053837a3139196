-- The fields of a worker's definition: which kind they make it, and what each may be. A mistake
-- names the field, and what was meant by it or what must stand there.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local kinds = require "swarm.kinds.all"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local type, pairs, tostring = type, pairs, tostring
local format, floor, concat = string.format, math.floor, table.concat

-- What people try first, by other hosts' words.
local FIRST_GUESSES = {
  program = "command",
  args = "command",
  cmd = "command",
  stream_mode = "output",
}

-- What every kind of worker may say, and what it must be.
local COMMON = {
  kind = "string",
  description = "string",
  label = "label",
  timeout = "seconds",
  concurrency = "count",
  retries = "retries",
  role = "string",
  authority = "authority",
  layers = "list",
  input_schema = "schema",
  output_schema = "schema",
}

local checks = {
  ["function"] = function(value)
    return type(value) == "function", "a function"
  end,
  string = function(value)
    return type(value) == "string", "a string"
  end,
  seconds = function(value)
    return type(value) == "number" and value > 0 and value < 1 / 0, "a number of seconds above zero"
  end,
  label = function(value)
    return type(value) == "string" or value == false, "a text, or false for none"
  end,
  authority = function(value)
    return value == "own", 'the word "own"'
  end,
  retries = function(value)
    return type(value) == "number" or type(value) == "table",
      "a number of further attempts, or a table such as { max = 3 }"
  end,
  list = function(value)
    return type(value) == "table", "a list"
  end,
  schema = function(value)
    return type(value) == "table", "a JSON Schema as a table"
  end,
  count = function(value)
    return type(value) == "number" and value >= 1 and floor(value) == value,
      "a whole number, one or more"
  end,
}

local function wrong(message, fields)
  return errors.throw("load_error", message, fields)
end

---The kind of a definition: named by `kind`, or by the field that only it has.
---@return table line of the list of kinds
local function kind_of(name, fields)
  local kind = fields.kind
  if kind ~= nil then
    if not kinds.by_name[kind] then
      return wrong(
        format(
          "worker %q: there is no kind %s%s",
          name,
          shown.value(kind),
          spelling.hint(kind, kinds.by_name, "")
        )
          .. "; known kinds: "
          .. spelling.list(kinds.by_name)
      )
    end
    return kinds.by_name[kind]
  end
  local wanted, found = {}, nil
  for i = 1, #kinds.list do
    local candidate = kinds.list[i]
    for j = 1, #candidate.by do
      wanted[candidate.by[j]] = true
      if fields[candidate.by[j]] ~= nil then
        if found and found ~= candidate then
          local both = "worker %q has fields of kind %s and of kind %s; it is of one kind"
          return wrong(format(both, name, found.name, candidate.name))
        end
        found = candidate
      end
    end
  end
  if found then
    return found
  end
  for key in pairs(fields) do
    local near = FIRST_GUESSES[key] or spelling.nearest(tostring(key), wanted)
    if near and not COMMON[key] then
      return wrong(
        format("worker %q has no field %s; did you mean %s?", name, shown.value(key), near),
        { field = key }
      )
    end
  end
  return wrong(
    format("worker %q does not say what it runs: it needs one of %s", name, spelling.list(wanted))
  )
end

local function check_fields(name, fields, line, kind)
  local known = {}
  for key, check in pairs(COMMON) do
    known[key] = check
  end
  for key, check in pairs(kind.fields) do
    known[key] = check
  end
  for key, value in pairs(fields) do
    local check = known[key]
    if not check then
      local guess = FIRST_GUESSES[key]
      local hint = guess and known[guess] and "; did you mean " .. guess .. "?"
        or spelling.hint(key, known, "")
      return wrong(
        format("worker %q has no field %s%s", name, shown.value(key), hint)
          .. (hint == "" and "; its fields are " .. spelling.list(known) or ""),
        { field = tostring(key) }
      )
    end
    local fits, expected = true, nil
    if check ~= true then -- the kind checks it itself
      fits, expected = checks[check](value)
    end
    if not fits then
      return wrong(
        format("worker %q: %s must be %s, and is %s", name, key, expected, shown.value(value)),
        { field = key }
      )
    end
  end
  for i = 1, #line.by do
    if fields[line.by[i]] ~= nil then
      return
    end
  end
  local needed = concat(line.by, " or ")
  return wrong(format("worker %q is of kind %s and needs the field %s", name, line.name, needed))
end

---Checks the table of a worker's definition; raises load_error at what is wrong with it.
---@param name string the worker's
---@param fields any
---@return string kind its name, table kind what its file holds
return function(name, fields)
  if type(fields) ~= "table" then
    return arguments.wrong(format("worker %q takes a table of fields", name), fields, "load_error")
  end
  local line = kind_of(name, fields)
  local kind = kinds.load(line.name)
  check_fields(name, fields, line, kind)
  return line.name, kind
end
