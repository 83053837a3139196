-- What a child reads while it runs: pieces of a file or of another worker's tail, each once the one
-- before it has been written, so that a child that reads slowly holds its source back. The worker's
-- coroutine waits for its child meanwhile: nothing here may wait.
local attempts = require "swarm.worker.attempts"
local bridge = require "swarm.outside.bridge"
local deadlock = require "swarm.worker.deadlock"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local joining = require "swarm.worker.join"
local json = require "swarm.values.json"
local pace = require "swarm.worker.output.pace"
local reading = require "swarm.worker.output.read"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local tails = require "swarm.worker.output.tail"
local values = require "swarm.values.values"
local concat, pcall, type = table.concat, pcall, type

local PIECE = 262144 -- bytes of a file that are read at once

local feed = {}

-- A file -----------------------------------------------------------------------------------------

local function next_of_file(source, request)
  local asked = source.asked
  if not asked then
    asked = bridge.open(source.me, "files", {
      op = "read",
      path = source.path,
      offset = source.offset,
      size = PIECE,
      bounds = source.bounds,
    })
    asked.within = request
    source.asked = asked
    return nil
  elseif not asked.done then
    return nil
  end
  source.asked = nil
  local ok, answer, bytes = pcall(bridge.answer, source.me, asked, "read_files")
  if not ok then
    source.err, bytes = answer, nil
  elseif bytes == "" then
    source.over, bytes = true, nil
  else
    source.offset = source.offset + #bytes
  end
  return bytes
end

---@param file any a swarm.file
---@return table source
function feed.of_file(file)
  local me = S.current
  return {
    me = me,
    path = (values.file_parts(file)),
    bounds = gate.bounds(me, "read_files"),
    offset = 0,
    asked = nil, -- the request for the next piece
    read = next_of_file,
  }
end

-- A tail -----------------------------------------------------------------------------------------

local next_of_tail

---What a partial is for who reads it on its standard input: a line.
local function line_of(value, place)
  if type(value) == "string" then
    return value .. "\n"
  elseif values.is_file(value) then
    return (values.file_parts(value)) .. "\n"
  end
  return (json.encode(value, place)) .. "\n"
end

---The result of a worker that said nothing while it ran.
local function whole_of(source, value, request)
  if values.is_file(value) then
    source.following = feed.of_file(value)
    return source.following:read(request)
  end
  source.over = true
  if value == nil then
    return nil
  end
  return type(value) == "string" and value or (json.encode(value, source.place))
end

---The attempt that was read has ended, and the task gets another: what was read of the one before
---would stand in front of all that this one says again.
local function next_attempt(source, attempt)
  if source.said then
    local err = attempt and attempt.extra.err
    source.err = errors.new(
      err and err.code or "failed",
      source.place
        .. ": worker "
        .. record.named(source.task)
        .. " failed and is tried again, after a part of what it says had been read; join it before "
        .. "it is read, or have this worker tried again too (retries)",
      { cause = err }
    )
    return
  end
  pace.leave(source.reader)
  source.attempt = attempts.number(source.task)
  feed.begin(source)
end

local function last_of_tail(source, request)
  local ok, result = pcall(joining.result, source.handle)
  if not ok then
    source.err = result
    return nil
  elseif not source.said then
    return whole_of(source, result, request)
  end
  source.over = true
  return nil
end

function next_of_tail(source, request)
  local following = source.following
  if following then
    local bytes = following:read(request)
    source.over, source.err = following.over, following.err
    return bytes
  end
  local attempt = attempts.of(source.task, source.attempt)
  local lines, list = {}, attempt and tails.snapshot(attempt, source.reader.seq) or {}
  for i = 1, #list do
    local event = list[i]
    if event.dropped then
      source.err = errors.new(
        "budget_exceeded",
        source.place .. ": the worker's tail dropped events before they were read",
        { what = "output" }
      )
      return nil
    elseif event.type == "partial" then
      lines[#lines + 1] = line_of(tails.value_of(event.chunk), source.place)
    end
  end
  pace.advanced(source.reader)
  if lines[1] then
    source.said = true
    return concat(lines)
  elseif source.attempt ~= attempts.number(source.task) then
    next_attempt(source, attempt)
    return not source.err and next_of_tail(source, request) or nil
  elseif record.final[source.task.status] then
    return last_of_tail(source, request)
  end
  request.list = tails.of(attempt).followers
  return nil
end

---A worker's tail, as it grows; where it says nothing until it ends, its result.
---@param handle table
---@param place string for messages
---@return table source
function feed.of_tail(handle, place)
  local task = handles.task(handle, place)
  reading.check(task)
  if task == S.current.task then
    return errors.throw("deadlock", place .. " is this worker itself, which would wait for its end")
  elseif task.worker then
    deadlock.check_join(S.current, task.worker)
  end
  local attempt = attempts.number(task)
  return {
    handle = handle,
    task = task,
    attempt = attempt,
    place = place,
    said = false, -- whether it wrote a partial
    following = nil, -- the file that is its result
    reader = nil, -- what the tail waits for, once the child has begun to read (feed.begin)
    read = next_of_tail,
  }
end

-- Both -------------------------------------------------------------------------------------------

---The child is about to begin: from here on its source waits for it, until feed.close.
---@param source table
function feed.begin(source)
  if source.task then
    source.reader = pace.enter(tails.of(attempts.of(source.task, source.attempt)))
  end
end

---Sends what there is of a source, where the child has taken what was sent before. To be called
---whenever something may have changed.
---@param source table
---@param request table
function feed.go_on(source, request)
  request.list = nil
  if source.closed or source.sent then
    return
  end
  local bytes
  if not source.over then
    local ok, read = pcall(source.read, source, request)
    if ok then
      bytes = read
    else
      source.err = read -- what it says cannot leave the script
    end
  end
  if source.err then
    source.closed = true
    return bridge.fail(request, source.err)
  elseif bytes then
    source.sent = true
    return bridge.tell(request, { input = true }, bytes)
  elseif source.over then
    source.closed = true
    return bridge.tell(request, { close = true })
  end
end

---The child has taken what was sent, or reads no more.
function feed.took(source)
  source.sent = false
end

---The child has ended.
function feed.close(source)
  source.closed = true
  local asked = (source.following or source).asked
  if asked and not asked.done then
    bridge.cancel(asked)
  end
  if source.reader then
    pace.leave(source.reader)
  end
end

return feed
