-- What a mocked port of the host's has to answer, so that whoever asks finds what it reads: what
-- authors may leave out is filled in, and what is missing or wrong is told at the mock's own line.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local gsub, sub = string.gsub, string.sub
local pairs, tostring, type = pairs, tostring, type

local mocked = {}

---@param mock table { port, where: the place of mock.port }
---@param must string such as "must return a table first"
---@param got string what there is instead
local function wrong(mock, must, got)
  local text = "the mock of port " .. mock.port .. " " .. must .. ", and gave " .. got
  return errors.throw("invalid_value", text, { where = mock.where })
end

local function check_table(mock, value, example)
  if type(value) ~= "table" then
    return wrong(mock, "must return a table first, such as " .. example, shown.value(value))
  end
end

local function is_count(value)
  return type(value) == "number" and value >= 0 and value % 1 == 0
end

local function check_names(mock, value, must)
  if type(value) ~= "table" then
    return wrong(mock, must, shown.value(value))
  end
  for place, name in pairs(value) do
    if type(place) ~= "number" or type(name) ~= "string" then
      return wrong(mock, must, shown.value(name) .. " in it")
    end
  end
end

-- By port: function(mock, payload, value, data) returns value, data -------------------------------

local answers = {}

local HTTP = '{ status = 200, headers = { ["content-type"] = "text/plain" } }'

local function check_header(mock, header)
  local name = type(header) == "table" and header[1]
  if type(name) ~= "string" or type(header[2]) ~= "string" then
    local must = "must return its headers as a table by names, or a list of { name, text }"
    return wrong(mock, must, shown.value(header))
  end
  return header
end

---Headers may be a table by names; status, url and body may be absent.
function answers.http(mock, payload, answer, data)
  check_table(mock, answer, HTTP)
  local headers, list = answer.headers or {}, {}
  if type(headers) ~= "table" then
    return wrong(mock, "must return its headers as a table", shown.value(headers))
  end
  for name, value in pairs(headers) do
    local header = type(name) == "string" and { name:lower(), tostring(value) } or value
    list[#list + 1] = check_header(mock, header)
  end
  answer.headers = list
  answer.status = answer.status or 200
  if not is_count(answer.status) then
    return wrong(mock, "must return its status as a number", shown.value(answer.status))
  end
  answer.url = answer.url or payload.url
  return answer, data or ""
end

---All bytes are standard output where it does not say how many of them are.
function answers.process(mock, payload, ended, data)
  data = data or ""
  check_table(mock, ended, "{ exit_code = 0 }")
  local code, signal = ended.exit_code, ended.signal
  if not is_count(code) and (code ~= nil or type(signal) ~= "string") then
    local must = "must return exit_code (a number) or signal (such as SIGTERM)"
    return wrong(mock, must, code == nil and "neither" or shown.value(code))
  end
  ended.stdout = ended.stdout or #data
  if not is_count(ended.stdout) or ended.stdout > #data then
    local must = "must return as stdout how many of its bytes are standard output"
    return wrong(mock, must .. " (the others are standard error)", shown.value(ended.stdout))
  elseif payload.to_file and type(ended.path) ~= "string" then
    local must = 'must return path, the file with the output, for output = { format = "file" }'
    return wrong(mock, must, shown.value(ended.path))
  end
  ended.size = ended.size or ended.stdout
  local stdout = sub(data, 1, ended.stdout)
  if payload.chomp then
    stdout = gsub(stdout, "\n$", "")
  end
  return ended, stdout, sub(data, ended.stdout + 1)
end

function answers.env(mock, _, value, data)
  if value ~= nil then
    local must = 'must return the variable as its second value, as in return nil, "text"'
    return wrong(mock, must, shown.value(value) .. " first")
  end
  return nil, data
end

function answers.schema(mock, _, problem, data)
  if problem ~= nil then
    check_table(mock, problem, '{ path = { "name" }, message = "it is required" } or nil')
    if type(problem.message) ~= "string" or type(problem.path) ~= "table" then
      return wrong(mock, "must return path (a list) and message, or nil", "less")
    end
  end
  return problem, data
end

-- Files, by operation.
local files = {}

function files.read(mock, value, data)
  if data == nil then
    return wrong(mock, 'must answer "read" with bytes as its second value', "none")
  end
  return value, data
end

function files.exists(mock, value)
  if type(value or false) ~= "boolean" then
    return wrong(mock, 'must answer "exists" with a boolean', shown.value(value))
  end
  return value or false
end

function files.stat(mock, value)
  if value ~= nil then
    check_table(mock, value, '{ type = "file", size = 1, mtime = 0, mode = 420 }, or nil')
  end
  return value or {}
end

local function names(op)
  return function(mock, value)
    check_names(mock, value, 'must answer "' .. op .. '" with a list of names')
    return value
  end
end
files.list = names "list"
files.glob = names "glob"

function files.make_temporary(mock, value)
  if type(value) ~= "string" then
    return wrong(mock, 'must answer "make_temporary" with a path', shown.value(value))
  end
  return value
end

function answers.files(mock, payload, value, data)
  local answer = files[payload.op]
  if answer then
    return answer(mock, value, data)
  end
  return value, data
end

-- What it says before -----------------------------------------------------------------------------

---Looks at what a mock emits, before whoever asked does.
function mocked.check_event(mock, data)
  if data ~= nil and type(data) ~= "string" then
    return wrong(mock, "must emit its data as a string", shown.value(data))
  elseif data == nil and mock.port == "process" then
    local must = 'must emit lines of standard error, as in emit({ lines = 2 }, "one\\ntwo")'
    return wrong(mock, must, "no bytes")
  end
end

---What a mock answered, whole.
---@param mock table { port, where }
---@param payload table what it was asked
---@param value any JSON-like
---@param data string?
---@return any value, string? data
function mocked.answer(mock, payload, value, data)
  if data ~= nil and type(data) ~= "string" then
    return wrong(mock, "must return its data as a string", shown.value(data))
  end
  local answer = answers[mock.port]
  if answer then
    return answer(mock, payload, value, data)
  end
  return value, data
end

return mocked
