-- swarm.exec{ "git", "status", stdin=, env=, cwd=, timeout= }: a program, from inside a worker. Its
-- exit code is a result, not an error.
local arguments = require "swarm.ground.arguments"
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local input = require "swarm.outside.process.input"
local cancelling = require "swarm.scope.cancel"
local secret = require "swarm.outside.secret"
local shown = require "swarm.ground.shown"
local pairs, type = pairs, type

local ELSEWHERE = {
  shell = 'a shell is a program too: swarm.exec{ "sh", "-c", "..." }',
  command = 'the program and its arguments are the list itself: swarm.exec{ "git", "status" }',
}
ELSEWHERE.args = ELSEWHERE.command

local OPTIONS = { stdin = true, env = true, cwd = true, timeout = true }

local function wrong(message)
  return errors.throw("invalid_argument", "swarm.exec: " .. message)
end

local function read_arguments(command)
  if type(command) ~= "table" then
    return wrong(
      'it takes a program and its arguments, as in swarm.exec{ "git", "status" }, and got '
        .. shown.value(command)
    )
  end
  local list, options = {}, {}
  for key, value in pairs(command) do
    if type(key) == "number" then
      if type(value) ~= "string" or key > #command then
        return wrong("argument " .. key - 1 .. " must be a string, and is " .. shown.value(value))
      end
      list[key] = { value }
    else
      options[key] = value
    end
  end
  arguments.options(options, OPTIONS, "swarm.exec", ELSEWHERE)
  if #list == 0 then
    return wrong 'it names no program: swarm.exec{ "git", "status" }'
  end
  return list, options
end

local function read_env(env, into)
  if env ~= nil and type(env) ~= "table" then
    return wrong("env must be a table of variables, and is " .. shown.value(env))
  end
  for name, value in pairs(env or {}) do
    child.check_name(name, wrong)
    if type(value) ~= "string" and not secret.name(value) then
      return wrong("env." .. name .. " must be a string or a secret, and is " .. shown.value(value))
    end
    into[name] = secret.name(value) and value or { value }
  end
end

---@param command table the program and its arguments, and options
---@return table { exit_code, signal, stdout, stderr }
return function(command)
  local me = cancelling.enter()
  local list, options = read_arguments(command)
  if options.cwd ~= nil and type(options.cwd) ~= "string" then
    return wrong("cwd must be a path, and is " .. shown.value(options.cwd))
  end
  local env = child.identity(me.task.handle)
  read_env(options.env, env)
  local texts, source = input.of(options.stdin, "swarm.exec: stdin")
  local ended, stdout, stderr = child.run {
    who = "swarm.exec",
    arguments = list,
    env = env,
    folder = options.cwd and { options.cwd },
    input = texts,
    source = source,
    timeout = options.timeout and arguments.seconds(options.timeout, "swarm.exec's option timeout"),
  }
  return {
    exit_code = ended.exit_code,
    signal = ended.signal,
    stdout = stdout,
    stderr = stderr,
  }
end
