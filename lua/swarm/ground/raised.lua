-- What scripts raise, made into errors: of any value, an error object that arrives whole; and plain
-- copies of errors, to cross into JSON.
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local shown = require "swarm.ground.shown"
local getinfo, debug_getmetatable = debug.getinfo, debug.getmetatable
local type, setmetatable, rawget, next = type, setmetatable, rawget, next
local find, format, gmatch, match = string.find, string.format, string.gmatch, string.match
local min, sub = math.min, string.sub
local co_running = coroutine.running
local Error, is_host, show_field = errors.metatable, frames.is_host, shown.field
local known = errors.known
local innermost, take_traceback = frames.innermost, frames.take_traceback

local raised = {}

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

---The fields of a raised table, and what its class gives it as plain values. Its metatable stays
---behind: whoever reads the error runs nothing of the author's.
local function fields_of(value, mt)
  local fields = {}
  for key, item in next, value do
    fields[key] = item
  end
  local above = is_passive(mt) and mt and rawget(mt, "__index")
  for _ = 1, 8 do
    if type(above) ~= "table" then
      break
    end
    for key, item in next, above do
      local kind = type(item)
      local is_plain = kind == "string" or kind == "number" or kind == "boolean"
      if is_plain and fields[key] == nil and type(key) == "string" and sub(key, 1, 2) ~= "__" then
        fields[key] = item
      end
    end
    mt = debug_getmetatable(above)
    above = mt and rawget(mt, "__index")
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

-- What scripts call their message, by other libraries' words.
local WORDS = { "msg", "error", "err", "reason", "description", "text", 1 }

---What stands for the message of a table that has none.
local function described(err)
  local text = "an error object with code " .. show_field(err.code)
  for i = 1, #WORDS do
    local said = rawget(err, WORDS[i])
    if type(said) == "string" then
      return text .. ": " .. said
    end
  end
  return text
end

-- What Lua's own messages mean where they come from another language's habit.
local HINTS = {
  {
    "attempt to call field 'pack' %(a nil value%)",
    'LuaJIT is Lua 5.1: write { n = select("#", ...), ... }',
  },
  { "attempt to call field 'unpack' %(a nil value%)", "LuaJIT is Lua 5.1: write unpack(t)" },
  { "attempt to call a table value", "to go through a list write for i, v in ipairs(list)" },
}

local absent = setmetatable({}, { __mode = "k" }) -- coroutine → what was last noted in it

---Notes that a variable of the environment is not there: it is nil, and Lua's message about that
---Lua cuts a long path short in its messages, to "...scripts/main.lua:3"; frames have it whole.
local function in_full(text, where, traceback)
  local tail = where and match(where, "^%.%.%.(.+)$")
  for place in gmatch(tail and traceback or "", "([^\n ][^\n]-:%d+): in ") do
    if sub(place, -#tail) == tail then
      return place .. sub(text, #where + 1), place
    end
  end
  return text, where
end

---nil does not say where it comes from.
---@param name fun(): string? the variable's name, in the worker that asked for it
function raised.note_absent(name)
  absent[co_running()] = name
end

---A hint for a message of Lua's own, or "".
local function hint_of(text)
  for i = 1, #HINTS do
    if find(text, HINTS[i][1]) then
      return "; " .. HINTS[i][2]
    end
  end
  local noted = find(text, "attempt to concatenate [^\n]*nil value") and absent[co_running()]
  local name = noted and noted()
  return name and format("; swarm.env %q gave nil to this worker", name) or ""
end

---Makes what a script raised into an error object; the handler of every worker's xpcall.
---A table that a script raised arrives whole: a copy with `code`, `message`, `traceback` added. The
---text that its __tostring gives is asked for here, once.
function raised.from_raised(value)
  if type(value) == "table" then
    local mt = debug_getmetatable(value)
    if mt == Error then
      local about = known[value]
      if about and about.task_id then
        -- Another worker's error raised again: this worker failed because of it.
        return errors.new("failed", show_field(value.message), {
          cause = raised.crossing(value),
          where = about.where,
          traceback = take_traceback(value),
        })
      elseif value.code ~= "cancelled" and not value.traceback then
        value.traceback = take_traceback(value)
      end
      return value
    end
    local err = fields_of(value, mt)
    local own = mt and rawget(mt, "__tostring") and shown.text(value)
    err.code = err.code == nil and "failed" or err.code
    err.message = shown.text(err.message or own or described(err))
    err.traceback = err.traceback or take_traceback(value)
    err.where = err.where or innermost(err.traceback)
    known[err] = own and { text = own } or nil
    return setmetatable(err, Error)
  end
  local text = value
  if type(value) ~= "string" then
    local what = value == nil and "nil" or "a " .. type(value) .. ": " .. shown.text(value)
    text = "an error that is " .. what
  end
  local where = match(text, "^([^\n]-:%d+): ")
  local code = "failed"
  local is_ours = where and match(where, "^swarm/[%w_/]+%.lua:%d+$")
  if is_ours and raised_by_host() then
    code = "internal" -- a fault of ours: say so instead of blaming the script
  elseif is_ours then
    text, where = sub(text, #where + 3), nil -- error(text, 2), and level 2 is who called the script
  end
  local traceback = take_traceback(value)
  text, where = in_full(text, where, traceback)
  text = where and text .. hint_of(text) or text
  return errors.new(code, text, { where = where or innermost(traceback), traceback = traceback })
end

---What was raised, as a table to add fields to. One that a worker has brought is copied: others
---read it too.
---@return table
function raised.writable(value)
  if type(value) ~= "table" then
    return raised.from_raised(value)
  end
  if not is_passive(debug_getmetatable(value)) then
    return raised.from_raised(value)
  end
  local about = known[value]
  return about and about.task_id and raised.crossing(value) or value
end

-- Crossing ----------------------------------------------------------------------------------------

local MAX_CROSSING = 100000 -- tables in one error, which may lead to all that a script has
local MAX_NESTING = 180

local marks, stays = {}, nil

---What an error may hold besides plain tables.
---@param kept_marks table metatable → true: copies keep it
---@param is_live fun(value: table): boolean  whether it is never copied
function raised.keep(kept_marks, is_live)
  marks, stays = kept_marks, is_live
end

---@param walk table { count, depth, [table] = its copy }
local function clean(value, walk)
  if type(value) ~= "table" then
    return value
  end
  local mt = debug_getmetatable(value)
  local done = walk[value]
  if done then
    return done
  elseif mt and mt ~= Error and stays(value) then
    return value
  elseif walk.count >= MAX_CROSSING or walk.depth >= MAX_NESTING then
    return "a table"
  end
  local copy = {}
  walk[value] = copy
  walk.count, walk.depth = walk.count + 1, walk.depth + 1
  for key, item in next, value do
    copy[clean(key, walk)] = clean(item, walk)
  end
  walk.depth = walk.depth - 1
  if mt == Error then
    local about = known[value]
    if about and about.task_id then
      copy.task_id, copy.name, copy.where = about.task_id, about.name, about.where
      copy.spawned_at, copy.spawned_by = about.spawned_at, about.spawned_by
    end
    known[copy] = about
  end
  return (mt == Error or marks[mt]) and setmetatable(copy, mt) or copy
end

---A copy of an error for whoever gets it next, down to the last table in it: what was put into the
---metatables of its tables, or is put into them later, runs nothing in other hands. Whose it is the
---host knows better than its fields.
---@param err table
---@return table
function raised.crossing(err)
  return clean(err, { count = 0, depth = 0 })
end

---What was raised, for whoever has other rights than who raised it: a table as a copy, which is the
---same error to the host (errors.same). A class of the author's has its say here, and stays behind.
---The handler of an xpcall where rights change: who raised has its own still.
function raised.handed_on(err)
  err = frames.passing(err)
  if type(err) ~= "table" then
    return err
  end
  local whole = debug_getmetatable(err) == Error and err or raised.from_raised(err)
  return frames.goes_on_as(err, errors.link(whole, raised.crossing(whole)))
end

---Keeps down what a script may not write: whose an error is.
function raised.stamped(err)
  local about = known[err]
  known[err] = {
    task_id = err.task_id,
    name = err.name,
    where = err.where,
    spawned_at = err.spawned_at,
    spawned_by = err.spawned_by,
    text = about and about.text,
  }
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
  name = true,
  label = true,
  task_id = true,
}
local LISTS = { errors = true, others = true, waiting = true }
local MAX_DEPTH = 40 -- errors within errors; in JSON each is two levels
local MAX_NESTED = 1000 -- all of them together: a script's may contain themselves

local plain

---@param walk table { depth, nested }
local function plain_nested(value, walk)
  if type(value) ~= "table" then
    return { code = "failed", message = show_field(value) }
  end
  walk.nested = walk.nested + 1
  if walk.depth >= MAX_DEPTH or walk.nested > MAX_NESTED then
    local code, message = rawget(value, "code"), rawget(value, "message")
    return { code = show_field(code), message = show_field(message) }
  end
  return plain(value, walk)
end

local function plain_list(list, walk)
  local copy = {}
  for i = 1, min(#list, MAX_NESTED) do
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
      copy[key] = show_field(value)
    elseif LISTS[key] then
      copy[key] = kind == "table" and plain_list(value, walk) or nil
      if kind == "table" and #value > MAX_NESTED then
        copy[key .. "_left_out"] = #value - MAX_NESTED
      end
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
function raised.plain(err)
  return plain(err, { depth = 0, nested = 0 })
end

return raised
