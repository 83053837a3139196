-- What a script says to people: print and io.write (bytes for stdout), io.stderr:write, and log
-- lines. Everything is gathered here and taken by the host once a tick; a flood within one tick is
-- handed over at once by `flush`, so that memory stays bounded.
local addresses = require "swarm.values.addresses"
local buffer = require "string.buffer"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local select, tostring, type = select, addresses.tostring, type
local byte, concat = string.byte, table.concat

local LINE_END = 10
local UNOWNED_MOST = 100 -- unowned failures told one by one

local log = {
  flush = nil, -- kernel: hands over what is gathered, now
  flush_at = 65536, -- bytes gathered before the host is called within a tick; 0 on a terminal
  muted = false, -- exploration: a program that runs ten thousand times says things once
  names_prints = false, -- who prints is told: what workers below main print are entries then;
  copies_prints = false, -- or stays as it is, and is an entry too, for who keeps what each says
}

local out, lines = buffer.new(), buffer.new()

---Adds to an entry whose it is.
function log.about(task, line)
  line.task_id = "T-" .. task.id
  line.name, line.label = task.def.name, record.label(task)
  return line
end

local function gather(into, text)
  if log.muted then
    return
  end
  into:put(text)
  if #into > log.flush_at and log.flush then
    log.flush()
  end
end

local function gather_entry(line)
  gather(lines, (json.encode(line, "fields", true)) .. "\n")
end

---What scripts print: bytes; or an entry where it is told who does, as of whole lines of workers
---other than main; or both, where what each has said is kept.
local function gather_out(text)
  local me = (log.names_prints or log.copies_prints) and S.current
  local task = me and me.task
  local is_main = task and task.def == task.def.generation.main
  local is_named = task and log.names_prints and not is_main and byte(text, -1) == LINE_END
  if log.names_prints and log.flush and #(is_named and out or lines) > 0 then
    log.flush() -- both in their order
  end
  if not is_named then
    gather(out, text)
  end
  if is_named or (task and log.copies_prints) then
    local line = { level = "print", message = text, copied = not is_named, at = clock.wall() }
    gather_entry(log.about(task, line))
  end
end

function log.print(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local text = tostring((select(i, ...)))
    if type(text) ~= "string" then
      return errors.throw("invalid_argument", "print: a __tostring returned a " .. type(text))
    end
    parts[i] = text
  end
  gather_out(concat(parts, "\t") .. "\n")
end

---Strings and numbers as one text, as io.write takes them.
local function joined(call, ...)
  local parts = {}
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if type(part) ~= "string" and type(part) ~= "number" then
      return errors.throw(
        "invalid_argument",
        call .. " takes strings and numbers, and got " .. shown.value(part)
      )
    end
    parts[i] = tostring(part)
  end
  return concat(parts)
end

---io.write: strings and numbers, as they are.
function log.write_out(...)
  gather_out(joined("io.write", ...))
end

---One entry for the host: { level, message, fields?, task_id?, name?, at }.
local function entry(level, message, fields, task)
  local line = { level = level, message = tostring(message), fields = fields, at = clock.wall() }
  gather_entry(task and log.about(task, line) or line)
end
log.entry = entry

---An event of the run as an entry among others, for who shows both in their order.
function log.event(event)
  gather_entry(event)
end

---io.stderr:write: text for stderr without a level.
function log.write_err(_, ...)
  entry("raw", joined("io.stderr:write", ...))
end

---swarm.log.debug/info/warn/error(message, fields?)
log.face = {}
for _, level in ipairs { "debug", "info", "warn", "error" } do
  log.face[level] = function(message, fields)
    if fields ~= nil and type(fields) ~= "table" then
      return errors.throw(
        "invalid_argument",
        "swarm.log." .. level .. " takes a table of fields after the message"
      )
    end
    return entry(level, message, fields, S.current and S.current.task)
  end
end

local unowned = 0

---A worker failed and nobody waits for it: said the moment it happens.
function log.unowned(task, err)
  if log.muted then
    return
  end
  unowned = unowned + 1
  if unowned > UNOWNED_MOST then
    if unowned == UNOWNED_MOST + 1 then
      entry(
        "warn",
        "more workers failed with nobody waiting; from here on they are not told one by one"
      )
    end
    return
  end
  local after = type(err.attempts) == "number" and " after " .. err.attempts .. " attempts" or ""
  local text = task.status == "timeout" and shown.field(err.message) .. after
    or "worker " .. record.title(task) .. " failed" .. after .. ": " .. errors.headline(err)
  entry("warn", text, nil, task)
end

---What was gathered: bytes for stdout, and log entries as JSON lines.
---@return string, string
function log.take()
  return out:get(), lines:get()
end

---Whether there is something to take.
function log.waits()
  return #out > 0 or #lines > 0
end

return log
