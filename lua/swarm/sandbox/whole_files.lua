-- io.open for guarded scripts, over swarm.fs: a file is read whole when it is opened, and what is
-- written is in it when `write` returns. Each call asks for the rights of who makes it.
local errors = require "swarm.ground.errors"
local exec = require "swarm.outside.process.exec"
local fs = require "swarm.outside.fs"
local log = require "swarm.events.log"
local shown = require "swarm.ground.shown"
local streams = require "swarm.sandbox.streams"
local type, pcall, error, tonumber, select = type, pcall, error, tonumber, select
local find, match, sub, upper, rep = string.find, string.match, string.sub, string.upper, string.rep
local of = streams.of

local whole_files = {}

local NUMBERS = {
  ["no such file or directory"] = 2,
  ["permission denied"] = 13,
  ["file exists"] = 17,
  ["is a directory"] = 21,
}

---A call of swarm.fs as Lua's own libraries answer: what the system refuses is nil, the reason and
---its number. What the rights refuse is raised.
---@return any value, string? problem, number? number
function whole_files.try(call, path, ...)
  local ok, value = pcall(call, path, ...)
  if ok then
    return value == nil and true or value
  elseif type(value) == "table" and value.code == "io_error" then
    local reason = shown.field(value.reason)
    local text = shown.text(path) .. ": " .. upper(sub(reason, 1, 1)) .. sub(reason, 2)
    return nil, text, NUMBERS[reason] or 5
  end
  return error(value, 0)
end
local try = whole_files.try

-- Reading -----------------------------------------------------------------------------------------

local function read_line(stream, keeps_end)
  local content, at = stream.content, stream.at
  if at > #content then
    return nil
  end
  local stop = find(content, "\n", at, true)
  stream.at = (stop or #content) + 1
  return sub(content, at, stop and not keeps_end and stop - 1 or stop or #content)
end

local function read_number(stream)
  local _, stop = find(stream.content, "^%s*", stream.at)
  local text = match(stream.content, "^[+-]?0[xX]%x+", stop + 1)
    or match(stream.content, "^[+-]?%d*%.?%d*[eE][+-]?%d+", stop + 1)
    or match(stream.content, "^[+-]?%d*%.?%d*", stop + 1)
  stream.at = stop + 1 + #text
  return tonumber(text)
end

local function read_bytes(stream, count)
  local at = stream.at
  if at > #stream.content then
    return nil
  end
  stream.at = math.min(at + count, #stream.content + 1)
  return sub(stream.content, at, stream.at - 1)
end

local function read_one(stream, format)
  if type(format) == "number" then
    return read_bytes(stream, format)
  end
  local letter = type(format) == "string" and match(format, "^%*?([lLna])")
  if letter == "a" then
    return read_bytes(stream, #stream.content) or ""
  elseif letter == "n" then
    return read_number(stream)
  elseif letter then
    return read_line(stream, letter == "L")
  end
  local message = 'read takes "*l", "*L", "*n", "*a" or a number, and got ' .. shown.value(format)
  return errors.throw("invalid_argument", message)
end

local function read(stream, ...)
  if not stream.reads then
    return nil, "Bad file descriptor", 9
  end
  local n = select("#", ...)
  if n == 0 then
    return read_line(stream, false)
  end
  local results = {}
  for i = 1, n do
    results[i] = read_one(stream, (select(i, ...)))
    if results[i] == nil then
      break -- what follows a failure is not read
    end
  end
  return unpack(results, 1, n)
end

-- Writing -----------------------------------------------------------------------------------------

---What a file that is written and read, or written in the middle, becomes.
local function put_whole(stream, text)
  local content, at = stream.content, stream.appends and #stream.content + 1 or stream.at
  content = content .. rep("\0", at - 1 - #content)
  content = sub(content, 1, at - 1) .. text .. sub(content, at + #text)
  local done, problem, number = try(fs.write, stream.name, content)
  if done then
    stream.content, stream.at = content, at + #text
  end
  return done, problem, number
end

local function put(stream, text)
  if text == "" then
    return true
  elseif stream.takes then
    return stream.takes(text)
  elseif stream.reads and not stream.appends then
    return put_whole(stream, text)
  end
  local done, problem, number = try(fs.append, stream.name, text)
  if done then
    stream.content = stream.reads and stream.content .. text or ""
  end
  return done, problem, number
end

---Writes what `setvbuf` had gathered.
local function flush(stream)
  local gathered = stream.gathered
  if not gathered then
    return true
  end
  stream.gathered = stream.gathers and "" or nil
  return put(stream, gathered)
end

local methods = {}

function methods.write(file, ...)
  local stream = of(file, "write")
  if not stream.writes then
    return nil, "Bad file descriptor", 9
  end
  local text = streams.text("file:write", ...)
  if stream.gathered then
    stream.gathered = stream.gathered .. text
    return true
  end
  return put(stream, text)
end

function methods.read(file, ...)
  return read(of(file, "read"), ...)
end

function methods.lines(file, ...)
  local stream, formats, n = of(file, "lines"), { ... }, select("#", ...)
  return function()
    of(file, "lines")
    return read(stream, unpack(formats, 1, n))
  end
end

function methods.flush(file)
  return flush(of(file, "flush"))
end

function methods.setvbuf(file, mode)
  local stream = of(file, "setvbuf")
  stream.gathers = stream.writes and mode == "full"
  if stream.gathers then
    stream.gathered = stream.gathered or ""
    return true
  end
  return flush(stream)
end

function methods.seek(file, whence, offset)
  local stream = of(file, "seek")
  if not stream.reads then
    return nil, "Illegal seek", 29
  end
  local from = ({ set = 0, cur = stream.at - 1, ["end"] = #stream.content })[whence or "cur"]
  if not from or type(offset or 0) ~= "number" then
    return errors.throw("invalid_argument", 'seek takes "set", "cur" or "end", and a number')
  end
  local at = from + (offset or 0)
  if at < 0 then
    return nil, "Invalid argument", 22
  end
  stream.at = at + 1
  return at
end

function methods.close(file)
  local stream = of(file, "close")
  local done, problem, number = flush(stream)
  stream.closed = true
  if done and stream.ended then
    return stream.ended()
  end
  return done, problem, number
end

-- Opening -----------------------------------------------------------------------------------------

---io.open(name, mode).
function whole_files.open(name, mode)
  mode = mode or "r"
  local letter, plus = match(type(mode) == "string" and mode or "", "^([rwa])(%+?)b?%+?$")
  if not letter then
    return errors.throw("invalid_argument", 'io.open takes a mode such as "r" or "a+"')
  end
  local both = plus == "+" or find(mode, "+", 1, true) ~= nil
  local stream = {
    name = name,
    content = "",
    at = 1,
    reads = letter == "r" or both,
    writes = letter ~= "r" or both,
    appends = letter == "a",
  }
  local done, problem, number = true, nil, nil
  if letter == "w" then
    done, problem, number = try(fs.write, name, "")
  elseif letter == "a" then
    done, problem, number = try(fs.append, name, "")
  end
  if done and stream.reads and letter ~= "w" then
    done, problem, number = try(fs.read, name)
    stream.content = done
  end
  if not done then
    return nil, problem, number
  end
  return streams.new(methods, stream)
end

---io.lines(name, …)
function whole_files.lines(name, ...)
  if name == nil then
    streams.no_input():read()
  end
  local file, problem = whole_files.open(name)
  if not file then
    return errors.throw("io_error", problem, { path = name })
  end
  return methods.lines(file, ...)
end

---A command of a shell, as io.popen has it: whole, before its output is read; and where it is
---written to, when it is closed.
local function run(command, stdin)
  local ended = exec { "sh", "-c", command, stdin = stdin }
  if ended.stderr ~= "" then
    log.write_err(nil, ended.stderr)
  end
  return ended
end

local function status_of(ended)
  if ended.exit_code == 0 then
    return true, "exit", 0
  end
  return nil, ended.exit_code and "exit" or "signal", ended.exit_code or ended.signal
end

---io.popen(command, mode)
function whole_files.popen(command, mode)
  if type(command) ~= "string" or (mode ~= nil and mode ~= "r" and mode ~= "w") then
    return errors.throw("invalid_argument", 'io.popen takes a command, and "r" or "w"')
  end
  local stream = { name = command, content = "", at = 1, reads = mode ~= "w", writes = mode == "w" }
  if stream.reads then
    local ended = run(command)
    stream.content = ended.stdout
    stream.ended = function()
      return status_of(ended)
    end
  else
    local input = ""
    stream.takes = function(text)
      input = input .. text
      return true
    end
    stream.ended = function()
      local ended = run(command, input)
      log.write_out(ended.stdout)
      return status_of(ended)
    end
  end
  return streams.new(methods, stream)
end

return whole_files
