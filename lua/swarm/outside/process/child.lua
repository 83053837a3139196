-- One child process, asked of port `process`. Texts of the author's may be any bytes, so they go
-- beside the payload, one after the other, and the payload says how long each is.
local bridge = require "swarm.outside.bridge"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local S = require "swarm.scheduler.scheduler"
local secret = require "swarm.outside.secret"
local values = require "swarm.values.values"
local concat, sort = table.concat, table.sort
local find, match = string.find, string.match
local pairs, type = pairs, type

local child = {
  LINE = 1048576, -- bytes of a line of stderr
  OUTPUT = 67108864, -- bytes of stdout
  KILL_AFTER = 5, -- seconds
}

---Refuses what no variable of an environment can be called.
---@param fail function(message) raises
function child.check_name(name, fail)
  if type(name) ~= "string" or not match(name, "^[^=%z]+$") then
    return fail("env has a key that cannot be a variable's name: write env = { NAME = value }")
  end
end

---What a child may know of its worker.
function child.identity(ctx)
  local name = ctx.name
  return {
    SWARM_TASK_ID = { ctx.task_id },
    SWARM_ATTEMPT = { tostring(ctx.attempt) },
    SWARM_NAME = name and { name },
  }
end

local function check_text(text, place)
  if find(text, "\0", 1, true) then
    return errors.throw(
      "invalid_value",
      place .. " contains a NUL byte, which no argument or variable can hold: use stdin",
      { path = place }
    )
  end
  return text
end

---A text whose pieces stand around the path of the prompt's file; a zero byte stands for that path.
local function joined(texts, place)
  for i = 1, #texts do
    check_text(texts[i], place)
  end
  return concat(texts, "\0")
end

---Runs a child to its end.
---@param order table { who, arguments, env, folder, input, prompt, inherit, line, output,
---kill_after, timeout, to_file, on_lines }: `arguments` and `env` hold lists of texts around the
---path of the prompt's file, `env` secrets too; `input` is such a list, or nil
---@return table ended { exit_code, signal, path, size }, string stdout, string stderr
function child.run(order)
  local texts, sizes = {}, {}
  local function put(text)
    texts[#texts + 1] = text
    sizes[#sizes + 1] = #text
  end
  for i = 1, #order.arguments do
    put(joined(order.arguments[i], order.who .. ": argument " .. i - 1))
  end
  local env, secrets = {}, values.object {}
  for name, value in pairs(order.env) do
    local secret_name = secret.name(value)
    if secret_name then
      secrets[name] = secret_name
    else
      env[#env + 1] = name
    end
  end
  sort(env)
  for i = 1, #env do
    put(joined(order.env[env[i]], order.who .. ": env." .. env[i]))
  end
  if order.folder then
    put(joined(order.folder, order.who .. ": cwd"))
  end
  local input = order.input or {}
  for i = 1, #input do
    put(input[i])
  end
  if order.prompt then
    put(order.prompt)
  end
  if next(secrets) or (order.inherit and order.inherit[1]) then
    gate.check(S.current, "read_env")
  end
  local on_lines = order.on_lines
  local ended, bytes = bridge.request("process", {
    who = order.who,
    sizes = values.array(sizes),
    arguments = #order.arguments,
    env = values.array(env),
    secrets = secrets,
    folder = order.folder ~= nil,
    input = #input,
    prompt_file = order.prompt ~= nil,
    inherits = order.inherit ~= false,
    inherit = values.array(order.inherit or {}),
    line = order.line or child.LINE,
    output = order.output or child.OUTPUT,
    kill_after = order.kill_after or child.KILL_AFTER,
    timeout = order.timeout,
    to_file = order.to_file or false,
    tells = on_lines ~= nil,
  }, concat(texts), { verb = "run_process", on_event = on_lines })
  return ended, bytes:sub(1, ended.stdout), bytes:sub(ended.stdout + 1)
end

return child
