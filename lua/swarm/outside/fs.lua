-- swarm.fs: files, by way of port `files`. Paths are relative to the working directory. What goes
-- wrong raises io_error{path, reason}; `stat` gives nil for what is not there.
local arguments = require "swarm.ground.arguments"
local bridge = require "swarm.outside.bridge"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local log = require "swarm.events.log"
local S = require "swarm.scheduler.scheduler"
local cancelling = require "swarm.scope.cancel"
local shown = require "swarm.ground.shown"
local sources = require "swarm.outside.sources"
local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub
local type = type

local fs = {}

local function check_path(path, call)
  if type(path) ~= "string" or path == "" then
    return arguments.wrong(call .. " takes a path", path)
  elseif path:find("\0", 1, true) then
    return errors.throw("invalid_argument", call .. ": a path cannot contain a NUL byte")
  end
  json.encode(path, call .. "'s path") -- raises where it is not UTF-8: another file would be meant
  return path
end

-- What a script may do while it loads.
local WHILE_LOADING = { read = true, list = true, glob = true, stat = true }

-- The verb behind each operation; of a copy, behind what it reads.
local READS = { read = true, list = true, glob = true, stat = true, exists = true }

local function request(op, payload, data)
  local me = S.current
  if not WHILE_LOADING[op] then
    cancelling.not_while_loading()
  end
  payload.op = op
  local loading = me.task.def.loading
  if loading then
    sources.note_reading(loading, op, payload.path)
  end
  if op == "copy" then
    payload.from_bounds = gate.bounds(me, "read_files")
  elseif op == "move" then
    payload.from_bounds = gate.bounds(me, "write_files")
    payload.read_bounds = gate.bounds(me, "read_files") -- it may go where it is read
  end
  local verb = READS[op] and "read_files" or "write_files"
  return bridge.request("files", payload, data, { verb = verb })
end

---@param path string
---@return string bytes
function fs.read(path)
  local _, bytes = request("read", { path = check_path(path, "swarm.fs.read") })
  return bytes
end

---The lines of a file, without their line breaks. It is read whole at once, and is at most as large
---as `read` takes it.
---@param path string
---@return fun(): string? next for a `for` loop
function fs.lines(path)
  local _, bytes = request("read", { path = check_path(path, "swarm.fs.lines") })
  local at = 1
  return function()
    if at > #bytes then
      return nil
    end
    local stop = find(bytes, "\n", at, true) or #bytes + 1
    local line = sub(bytes, at, stop - 1)
    at = stop + 1
    return line
  end
end

local function put(op)
  return function(path, text)
    check_path(path, "swarm.fs." .. op)
    if type(text) ~= "string" then
      local got = shown.value(text)
      local message = "swarm.fs." .. op .. " takes a string to write, and got " .. got
      return errors.throw("invalid_argument", message)
    end
    request(op, { path = path }, text)
  end
end
fs.write = put "write"
fs.append = put "append"

local function ask(op)
  return function(path)
    return (request(op, { path = check_path(path, "swarm.fs." .. op) }))
  end
end
fs.exists = ask "exists"

---Names of files. No script could ask for one that is not UTF-8: it is left out, and that is told.
local function names(op, path)
  local call = "swarm.fs." .. op
  local found, others = request(op, { path = check_path(path, call) })
  if others then
    local first, rest = match(others, "^(%Z*)%z?(.*)$")
    local _, more = gsub(rest, "%Z+", "")
    local which = shown.quoted(first) .. (more > 0 and " and " .. more .. " more" or "")
    local what = more > 0 and "names that are" or "a name that is"
    local where = call .. " " .. shown.quoted(path)
    log.face.warn(where .. " leaves out " .. what .. " not UTF-8: " .. which)
  end
  return found
end

function fs.list(path)
  return names("list", path)
end

function fs.glob(pattern)
  local found = names("glob", pattern)
  local loading = S.current.task.def.loading
  if loading then
    sources.note_found(loading, found)
  end
  return found
end

fs.mkdir = ask "mkdir"
fs.remove = ask "remove"

---@return table? { type, size, mtime, mode }, or nil where there is nothing
function fs.stat(path)
  local answer = request("stat", { path = check_path(path, "swarm.fs.stat") })
  return answer.type and answer or nil
end

local function transfer(op)
  return function(from, to)
    check_path(from, "swarm.fs." .. op)
    check_path(to, "swarm.fs." .. op)
    request(op, { path = from, to = to })
  end
end
fs.copy = transfer "copy"
fs.move = transfer "move"

return fs
