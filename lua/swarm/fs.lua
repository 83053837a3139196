-- swarm.fs: files, by way of port `files`. Paths are relative to the working directory. What goes
-- wrong raises io_error{path, reason}; `stat` gives nil for what is not there.
local bridge = require "swarm.bridge"
local errors = require "swarm.errors"
local names = require "swarm.names"
local type = type

local fs = {}

local function check_path(path, call)
  if type(path) ~= "string" or path == "" then
    return errors.throw("invalid_argument", call .. " takes a path, and got " .. names.show(path))
  elseif path:find("\0", 1, true) then
    return errors.throw("invalid_argument", call .. ": a path cannot contain a NUL byte")
  end
  return path
end

---@param path string
---@return string bytes
function fs.read(path)
  local _, bytes = bridge.request("files", { op = "read", path = check_path(path, "swarm.fs.read") })
  return bytes
end

local function put(op)
  return function(path, text)
    check_path(path, "swarm.fs." .. op)
    if type(text) ~= "string" then
      return errors.throw("invalid_argument", "swarm.fs." .. op .. " takes a string to write, and got " .. names.show(text))
    end
    bridge.request("files", { op = op, path = path }, text)
  end
end
fs.write = put "write"
fs.append = put "append"

local function ask(op)
  return function(path)
    return (bridge.request("files", { op = op, path = check_path(path, "swarm.fs." .. op) }))
  end
end
fs.exists = ask "exists"
fs.list = ask "list"
fs.glob = ask "glob"
fs.mkdir = ask "mkdir"
fs.remove = ask "remove"

---@return table? { type, size, mtime, mode }, or nil where there is nothing
function fs.stat(path)
  local answer = bridge.request("files", { op = "stat", path = check_path(path, "swarm.fs.stat") })
  return answer.type and answer or nil
end

local function transfer(op)
  return function(from, to)
    check_path(from, "swarm.fs." .. op)
    check_path(to, "swarm.fs." .. op)
    bridge.request("files", { op = op, path = from, to = to })
  end
end
fs.copy = transfer "copy"
fs.move = transfer "move"

return fs
