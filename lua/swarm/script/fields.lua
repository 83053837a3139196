-- The fields of a worker's definition: which kind they make it, and what each may be. A mistake
-- names the field, and what was meant by it or what must stand there.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local kinds = require "swarm.kinds.all"
local operator_kind = require "swarm.worker.spawning.operator_kind"
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
  schema = "output_schema",
}

-- Kinds that come later, which are fields too, and what does for them.
local LATER_KINDS = {
  llm = "a worker of kind lua may use swarm.http.request",
}

-- Fields that come later, and what does for them.
local LATER = {
  place = "all workers run in this VM",
  memory = "the system's own limits do for it",
  cpu = "the system's own limits do for it",
  instructions = "a timeout does for it where the worker gives way",
  rate_limit = 'a pool has rates: swarm.pool "x" { per_second = 2 }, and pool = "x" in the worker',
  cache = "what swarm.set_data keeps lasts for the run",
  on_resume = "runs are not resumed yet",
  prompt = "the input is the prompt, or its field prompt",
}

-- Kinds by other hosts' words.
local OTHER_KINDS = {
  shell = 'a shell\'s text is of kind process: write shell = "..." and leave kind out',
  exec = "a program is of kind process: write command = { ... } and leave kind out",
  command = "a program is of kind process: write command = { ... } and leave kind out",
  ["function"] = "a function is of kind lua: write run = function and leave kind out",
}

-- The kind of each field that only one has.
local OF_KIND = {}
for i = 1, #kinds.list do
  for j = 1, #kinds.list[i].by do
    OF_KIND[kinds.list[i].by[j]] = kinds.list[i].name
  end
end

-- What every kind of worker may say, and what it must be.
local COMMON = {
  kind = "string",
  description = "string",
  label = "label",
  timeout = "seconds",
  concurrency = "count",
  pool = "names",
  retries = "retries",
  on_resume = "on_resume",
  cache = "flag",
  ready = true, -- script/ready.lua
  start_timeout = "seconds",
  role = "string",
  authority = "authority",
  layers = "list",
  operator_kind = "operator_kind",
  budget = true, -- worker/limits/budget.lua
  worktree = true, -- outside/worktree.lua
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
  operator_kind = function(value)
    return operator_kind.is(value), operator_kind.MUST
  end,
  flag = function(value)
    return type(value) == "boolean", "true or false"
  end,
  on_resume = function(value)
    return value == "again" or value == "ask" or value == "fail", '"again", "ask" or "fail"'
  end,
  retries = function(value)
    return type(value) == "number" or type(value) == "table",
      "a number of further attempts, or a table such as { max = 3 }"
  end,
  list = function(value)
    return type(value) == "table", "a list"
  end,
  names = function(value)
    local fits = type(value) == "string"
    if type(value) == "table" and not fits then
      local n = arguments.length(value)
      fits = n ~= nil and n > 0
      for i = 1, n or 0 do
        fits = fits and type(value[i]) == "string"
      end
    end
    return fits, "a name, or a list of names"
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
local function line_of(name, fields)
  local kind = fields.kind
  if kind ~= nil then
    if not kinds.by_name[kind] then
      local hint = OTHER_KINDS[kind] and "; " .. OTHER_KINDS[kind]
        or LATER_KINDS[kind] and ": it is not built yet; " .. LATER_KINDS[kind]
        or spelling.hint(kind, kinds.by_name, "")
          .. "; known kinds: "
          .. spelling.list(kinds.by_name)
      return wrong(
        format("worker %q: there is no kind %s", name, shown.value(kind)) .. hint,
        { field = "kind" }
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
  for key, instead in pairs(LATER_KINDS) do
    if fields[key] ~= nil then
      return wrong(
        format("worker %q has no field %s: it is not built yet; %s", name, key, instead),
        { field = key }
      )
    end
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

---What is said of a field that a worker of this kind does not have.
local function unknown_field(key, known, kind_name)
  local guess = FIRST_GUESSES[key]
  if guess and known[guess] then
    return "; did you mean " .. guess .. "?"
  elseif OF_KIND[key] and OF_KIND[key] ~= kind_name then
    return format(": it is of kind %s, and this worker is of kind %s", OF_KIND[key], kind_name)
  elseif LATER[key] or LATER_KINDS[key] then
    return ": it is not built yet; " .. (LATER[key] or LATER_KINDS[key])
  end
  local hint = spelling.hint(key, known, "")
  return hint == "" and "; its fields are " .. spelling.list(known) or hint
end

local function check_field(name, key, value, known, kind_name)
  local check = known[key]
  if not check then
    return wrong(
      format("worker %q has no field %s", name, shown.value(key))
        .. unknown_field(key, known, kind_name),
      { field = tostring(key) }
    )
  elseif check == true then -- it is checked where it belongs
    return
  end
  local fits, expected = checks[check](value)
  if not fits then
    return wrong(
      format("worker %q: %s must be %s, and is %s", name, key, expected, shown.value(value)),
      { field = key }
    )
  end
end

local function check_needed(name, fields, line)
  for i = 1, #line.by do
    if fields[line.by[i]] ~= nil then
      return
    end
  end
  local needed = concat(line.by, " or ")
  local message = format("worker %q is of kind %s and needs the field %s", name, line.name, needed)
  return wrong(message, { field = line.by[1] })
end

local check = {}

---The kind of a worker's definition. Raises load_error where it has none.
---@param name string the worker's
---@param fields any
---@return string kind its name
---@return table kind what its file holds
function check.kind(name, fields)
  if type(fields) ~= "table" then
    return arguments.wrong(format("worker %q takes a table of fields", name), fields, "load_error")
  end
  local line = line_of(name, fields)
  return line.name, kinds.load(line.name)
end

---Checks the fields of a worker's definition. Raises load_error, with all that is wrong.
---@param name string the worker's
---@param fields table
---@param kind_name string
---@param kind table
function check.fields(name, fields, kind_name, kind)
  local line = kinds.by_name[kind_name]
  local known = {}
  for key, what in pairs(COMMON) do
    known[key] = what
  end
  for key, what in pairs(kind.fields) do
    known[key] = what
  end
  local try, tell = arguments.together()
  for key, value in pairs(fields) do
    try(check_field, name, key, value, known, line.name)
  end
  try(check_needed, name, fields, line)
  return tell()
end

return check
