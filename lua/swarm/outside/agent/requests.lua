-- What an agent asks of its worker over ACP: permissions, files, terminals. Each passes the gate
-- with the rights of the worker, whatever was offered; a refusal goes to the agent, and is told.
local bridge = require "swarm.outside.bridge"
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local fs = require "swarm.outside.fs"
local gate = require "swarm.rights.gate"
local log = require "swarm.events.log"
local permissions = require "swarm.outside.agent.permissions"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local error, find, format, pcall, sub = error, string.find, string.format, pcall, string.sub

local requests = {}

local FORBIDDEN, NO_PARAMS, INTERNAL = -32001, -32602, -32603
local CODES =
  { role_violation = FORBIDDEN, invalid_value = NO_PARAMS, invalid_argument = NO_PARAMS }

local function wrong(message)
  return errors.throw("invalid_argument", message)
end

local function absolute(path)
  return sub(path, 1, 1) == "/" and path or wrong("the path must be absolute, and is " .. path)
end

---Lines of a text.
---@param first integer? the first of them, from 1
---@param count integer? how many
local function lines_of(text, first, count)
  local from = 1
  for _ = 2, first or 1 do
    local at = find(text, "\n", from, true)
    if not at then
      return ""
    end
    from = at + 1
  end
  local to = count and from - 1 or #text
  for _ = 1, count or 0 do
    local at = find(text, "\n", to + 1, true)
    to = at or #text
    if not at then
      break
    end
  end
  return sub(text, from, to)
end

local serve = {}

serve["fs/read_text_file"] = function(_, params)
  local text = fs.read(absolute(params.path))
  return { content = lines_of(text, params.line, params.limit) }
end

serve["fs/write_text_file"] = function(_, params)
  fs.write(absolute(params.path), params.content)
  return values.object {}
end

---A terminal is a child that the host runs beside the agent; it says by itself when that has begun.
serve["terminal/create"] = function(talk, params, id)
  local process, args, env = talk.plan.process, params.args or {}, params.env or {}
  local order = {
    who = talk.plan.who .. ": terminal",
    arguments = { { params.command } },
    env = child.identity(talk.turn.ctx),
    folder = { params.cwd or talk.cwd },
    kill_after = process.kill_after,
    limits = process.limits,
    linger = 0, -- where it is killed
    stream = "lines", -- nothing of its output is kept but by the host
  }
  for i = 1, #args do
    order.arguments[i + 1] = { args[i] }
  end
  for i = 1, #env do
    child.check_name(env[i].name, wrong)
    order.env[env[i].name] = { env[i].value }
  end
  local bounds = gate.bounds(S.current, "run_process")
  local payload, texts = child.payload(order)
  payload.bounds, payload.tells_start = bounds, true
  local message = { command = id, order = payload, kept = params.outputByteLimit }
  bridge.tell(talk.request, message, texts)
end

---Tells of what the role does not allow, once a definition in the log.
local function tell_refusal(talk, err)
  talk.turn:progress("refused", err.message)
  if not talk.plan.told_refused then
    talk.plan.told_refused = true
    local text = "%s: agent %s was refused: %s"
    log.entry("warn", format(text, talk.plan.who, talk.plan.agent.name, err.message))
  end
end

---Answers a request that went wrong.
local function refuse(talk, id, err)
  if not errors.is(err) or err.code == "cancelled" or talk.turn.is_cancelled() then
    return error(err, 0)
  elseif err.code == "role_violation" then
    tell_refusal(talk, err)
  end
  local code = CODES[err.code] or INTERNAL
  return talk:send { id = id, error = { code = code, message = err.message } }
end

local function answer(talk, message)
  local result = serve[message.method](talk, message.params, message.id)
  return result and talk:send { id = message.id, result = result }
end

---Takes a request; or how the start of a terminal failed.
function requests.take(talk, message)
  local id, params = message.id, message.params
  local ok, err
  if message.failed then
    ok, err = pcall(bridge.raise, S.current, message.failed, "run_process")
  elseif params.sessionId ~= talk.session then
    ok, err = pcall(wrong, "there is no such session: " .. params.sessionId)
  elseif message.method == "session/request_permission" then
    local outcome = permissions.choose(talk, params)
    return outcome and talk:send { id = id, result = { outcome = outcome } }
  else
    ok, err = pcall(answer, talk, message)
  end
  return not ok and refuse(talk, id, err)
end

return requests
