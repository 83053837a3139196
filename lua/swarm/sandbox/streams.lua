-- What `io` has for scripts: standard output and error, which are the host's to write, and files as
-- `open` gives them. A file is a userdata, so that `type` and `io.type` say what libraries expect.
local errors = require "swarm.ground.errors"
local log = require "swarm.events.log"
local shown = require "swarm.ground.shown"
local newproxy, getmetatable, setmetatable = newproxy, debug.getmetatable, setmetatable
local type, tostring, select = type, tostring, select

local streams = {}

local kept = setmetatable({}, { __mode = "k" }) -- userdata → { methods, name, closed }

---A file whose methods are these.
---@param methods table
---@param stream table { name } and whatever the methods keep
---@return userdata
function streams.new(methods, stream)
  local file = newproxy(true)
  local mt = getmetatable(file)
  mt.__metatable = "swarm.file_handle"
  mt.__index = methods
  mt.__tostring = function()
    return stream.closed and "file (closed)" or "file (" .. stream.name .. ")"
  end
  kept[file] = stream
  return file
end

---What a method works on.
---@param file any
---@param call string such as "write"
function streams.of(file, call)
  local stream = kept[file]
  if not stream then
    local got = "write file:" .. call .. "(...), with a colon, and got " .. shown.value(file)
    return errors.throw("invalid_argument", got)
  elseif stream.closed then
    return errors.throw("invalid_argument", "attempt to use a closed file: " .. stream.name)
  end
  return stream
end

---Strings and numbers as one text.
function streams.text(call, ...)
  local parts = {}
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if type(part) ~= "string" and type(part) ~= "number" then
      local message = call .. " takes strings and numbers, and got " .. shown.value(part)
      return errors.throw("invalid_argument", message)
    end
    parts[i] = tostring(part)
  end
  return table.concat(parts)
end

-- Standard output and error -----------------------------------------------------------------------

local standard = {}

function standard.write(file, ...)
  local stream = streams.of(file, "write")
  stream.put(...)
  return true
end

local function nothing_to_do(name)
  return function(file)
    streams.of(file, name)
    return true
  end
end
standard.flush = nothing_to_do "flush"
standard.setvbuf = nothing_to_do "setvbuf"

local function refused(name, why, number)
  return function(file)
    streams.of(file, name)
    return nil, why, number
  end
end
standard.close = refused("close", "cannot close a standard file", 9)
standard.seek = refused("seek", "Illegal seek", 29)
standard.read = refused("read", "Bad file descriptor", 9)
standard.lines = refused("lines", "Bad file descriptor", 9)

local function write_err(...)
  return log.write_err(nil, ...)
end

local INPUT = "a script has no standard input of its own: use swarm.input or swarm.args"

local function no_input()
  return errors.throw("unknown_name", INPUT .. ", or run with --trust", { unknown = "io.stdin" })
end
local input = { close = standard.close, setvbuf = standard.setvbuf, seek = standard.seek }
input.read, input.lines, input.write = no_input, no_input, no_input
input.flush = nothing_to_do "flush"

---A standard input that says what to use instead, once it is read.
function streams.no_input()
  return streams.new(input, { name = "stdin" })
end

-- The library -------------------------------------------------------------------------------------

---The functions of `io` that know what it writes to.
---@param open fun(name: string, mode: string): any, string? opens a file
---@return table
function streams.library(open)
  local out = streams.new(standard, { name = "stdout", put = log.write_out })
  local err = streams.new(standard, { name = "stderr", put = write_err })
  local current = out
  local library = { stdout = out, stderr = err, open = open }

  function library.write(...)
    if current == out then
      log.write_out(...)
      return true
    end
    return current:write(...)
  end

  function library.output(file)
    if type(file) == "string" then
      local opened, problem = open(file, "w")
      if not opened then
        return errors.throw("io_error", problem, { path = file })
      end
      current = opened
    elseif file ~= nil then
      if library.type(file) ~= "file" then
        local message = "io.output takes a name or an open file, and got " .. shown.value(file)
        return errors.throw("invalid_argument", message)
      end
      current = file
    end
    return current
  end

  function library.close(file)
    return (file or current):close()
  end

  function library.type(value)
    local stream = kept[value]
    return stream and (stream.closed and "closed file" or "file") or nil
  end
  return library
end

return streams
