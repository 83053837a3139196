-- What is kept of a run, as it happens: rows of text for the host's journal, which writes them down
-- before anything outside is done that follows from them. A row ends with a line feed, and a field
-- with a unit separator; neither stands in a field, for what may hold any byte is JSON. An empty
-- field is absent. host/swarm_host/journal/schema.py has the columns.
local buffer = require "string.buffer"
local clock = require "swarm.ground.clock"
local exact = require "swarm.values.exact"
local json = require "swarm.values.json"
local masked = require "swarm.values.masked"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local find = string.find
local next = next
local wall = clock.wall

local SEP, ROW = "\31", "\n"
local FLUSH_AT = 262144 -- bytes gathered before the host is called within a tick

local records = {
  MOST_KEY = 1000, -- bytes of a key of an author's
  on = false, -- the run has a journal
  flush = nil, -- kernel: hands over what is gathered, now
  urgent = false, -- what is gathered must be on disk before anybody is told of it
  order = 0, -- of what happens to tasks from outside their own code: ends, and wakings
}

local tasks, begins, ends = buffer.new(), buffer.new(), buffer.new()
local lives, attempts = buffer.new(), buffer.new()
local outputs, values = buffer.new(), buffer.new()
local anew = {} -- id → of these, those that swarm.retry has begun anew
local begun = {} -- id → when its attempt began, of those that have not ended and are in no row yet

local function room()
  if #tasks + #ends + #outputs + #values > FLUSH_AT and records.flush then
    records.flush()
  end
end

---A text of the author's as a field: it may hold any byte, and no two have the same field. What
---would end a field, or looks like what follows, stands as `exact` writes it.
local function clean(text)
  if masked.any() then
    text = masked.text(text)
  end
  if find(text, '^[%s"]') or find(text, "[%c\127-\255]") then
    return exact.encode(text)
  end
  return text
end

records.field = clean

local names = {} -- of definitions and places → as a field

local function name_field(name)
  local seen = names[name]
  if not seen then
    seen = clean(name)
    names[name] = seen
  end
  return seen
end

---The journal's text of a value, without secrets.
---@return string text "" for nil
---@return boolean same the very same value can be read from it
function records.text(value)
  if value == nil then
    return "", true
  end
  local text = exact.encode(value)
  local same = text ~= nil
  text = text or json.text_of(value)
  if masked.any() then
    local seen = masked.text(text)
    return seen, same and seen == text
  end
  return text, same
end

---The value of a text that records.text has made, and which is the very same.
function records.value(text)
  if text == "" then
    return nil
  end
  return exact.decode(text)
end

---Whether anything of a task is kept: a script that loads is no task of the run.
---@param def table its definition
local function is_kept(def)
  return not def.apart and def.generation.number > 0
end
records.is_kept = is_kept

---What a task is to be shown by: nothing where its input in short stands for it, and a blank where
---that must not be seen.
local function label_field(task)
  local extra = task.extra
  local own = extra and extra.label
  if own == nil then
    own = task.def.label
  end
  if own == false then
    return " "
  elseif own or (extra and (extra.item or extra.by_input)) then
    return clean(record.label(task) or " ")
  end
  return ""
end

---A task was made.
---@param task table
---@param by table? the task that spawned it
---@param kind string of its definition, or "function"
---@param name string by which it is known again
---@param input string its text
---@param detached boolean nobody waits for it but the run
function records.born(task, by, kind, name, input, detached)
  local extra = task.extra
  tasks:put(task.id, SEP, by and by.id or 0, SEP, kind, SEP, name_field(name), SEP)
  tasks:put(extra and extra.key and not extra.by_input and clean(extra.key) or "", SEP)
  tasks:put(detached and 1 or 0, SEP, input, SEP)
  tasks:put(label_field(task), SEP, wall(), ROW)
  room()
end

---An attempt has begun.
function records.begun(task)
  if is_kept(task.def) then
    begun[task.id] = wall()
    anew[task.id] = task.extra and task.extra.lives
  end
end

local function error_text(err)
  local text = err and json.text_of(raised.plain(err)) or ""
  return masked.any() and masked.text(text) or text
end

---When an attempt began, where no row says so yet.
local function take_begun(id)
  local at = begun[id]
  begun[id], anew[id] = nil, nil
  return at or ""
end

---A task has settled. Each time that it was begun anew by swarm.retry after that is one more life.
function records.settled(task, status, value, err)
  if not is_kept(task.def) then
    return
  end
  local id, extra = task.id, task.extra
  local order = records.order + 1
  records.order = order
  local text, same = records.text(value)
  local shared = extra and extra.shared
  local used = extra and extra.used and json.text_of(extra.used) or ""
  local out, life = ends, extra and extra.lives
  if life then
    out = lives
    out:put(life, SEP)
  end
  out:put(id, SEP, extra and extra.retries and extra.retries.number or 1, SEP, status, SEP)
  out:put(take_begun(id), SEP, wall(), SEP, order, SEP, (same and not shared) and 1 or 0, SEP)
  out:put(text, SEP, err and error_text(err) or "", SEP, used, ROW)
  room()
end

---An attempt has ended, and another follows.
function records.attempted(task, number, status, err)
  if is_kept(task.def) then
    attempts:put(task.id, SEP, number, SEP, status, SEP, take_begun(task.id), SEP, wall(), SEP)
    attempts:put(error_text(err), ROW)
  end
end

---An event stands in a tail.
function records.said(task, event)
  if not is_kept(task.def) then
    return
  end
  local retries = task.extra.retries
  local text = records.text(event)
  outputs:put(task.id, SEP, retries and retries.number or 1, SEP, event.seq, SEP, event.at, SEP)
  outputs:put(event.type, SEP, text, ROW)
  room()
end

---A value that a task is given again where it runs again.
---@param n integer which of that kind, or 0
---@param key string
function records.kept(task, kind, n, key, value)
  values:put(task.id, SEP, kind, SEP, n, SEP, clean(key), SEP, records.text(value), ROW)
  room()
end

---Whether there is something to take.
function records.waits()
  return #tasks > 0
    or #ends > 0
    or #outputs > 0
    or #values > 0
    or #attempts > 0
    or #lives > 0
    or next(begun) ~= nil
end

---What was gathered since the last call: rows of tasks, begins, ends, lives, attempts,
---outputs, values.
---@return string ...
function records.take()
  for id, at in next, begun do
    begins:put(id, SEP, at, SEP, anew[id] and 1 or 0, ROW)
    begun[id], anew[id] = nil, nil
  end
  return tasks:get(),
    begins:get(),
    ends:get(),
    lives:get(),
    attempts:get(),
    outputs:get(),
    values:get()
end

return records
