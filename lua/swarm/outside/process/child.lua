-- One child process, asked of port `process`. Texts of the author's may be any bytes, so they go
-- beside the payload, one after the other, and the payload says how long each is.
local bridge = require "swarm.outside.bridge"
local errors = require "swarm.ground.errors"
local feed = require "swarm.outside.process.feed"
local gate = require "swarm.rights.gate"
local holds = require "swarm.scope.holds"
local S = require "swarm.scheduler.scheduler"
local secret = require "swarm.outside.secret"
local tokens = require "swarm.outside.tokens"
local values = require "swarm.values.values"
local worktree = require "swarm.outside.worktree"
local concat, sort = table.concat, table.sort
local byte, find, gmatch, match = string.byte, string.find, string.gmatch, string.match
local error, next, pairs, pcall, type = error, next, pairs, pcall, type

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

---Whether a child reads what another worker says, which waits for it meanwhile.
local function is_reader(order)
  return order.source ~= nil and order.source.task ~= nil
end

---The payload of a request for a child, and the texts that go beside it. Where descriptors are few
---children wait for each other, but none for which others may wait: one that another feeds, one
---that is held open, one that is asked for in the middle of an event of another.
---@param order table see child.run
---@return table payload, string texts
function child.payload(order)
  local texts, sizes = {}, {}
  local function put(text)
    texts[#texts + 1] = text
    sizes[#sizes + 1] = #text
  end
  for i = 1, #order.arguments do
    put(joined(order.arguments[i], order.who .. ": argument " .. i - 1))
  end
  if tokens.socket and (order.bears or order.env.SWARM_TOKEN) then
    order.env.SWARM_SOCKET = order.env.SWARM_SOCKET or { tokens.socket }
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
  local folder = worktree.folder(S.current.task, order.folder)
  if folder then
    put(joined(folder, order.who .. ": cwd"))
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
  return {
    who = order.who,
    sizes = values.array(sizes),
    arguments = #order.arguments,
    env = values.array(env),
    secrets = secrets,
    hides = tokens.kept(S.current.task),
    folder = folder ~= nil,
    input = #input,
    prompt_file = order.prompt ~= nil,
    inherits = order.inherit ~= false,
    inherit = values.array(order.inherit or {}),
    line = order.line or child.LINE,
    output = order.output or child.OUTPUT,
    kill_after = order.kill_after or child.KILL_AFTER,
    timeout = order.timeout,
    idle = order.idle,
    linger = order.linger,
    limits = order.limits and values.object(order.limits),
    terminal = order.terminal,
    plain = order.plain or nil,
    to_file = order.to_file or false,
    chomp = order.chomp or nil,
    stream = order.stream,
    tells = order.on_err ~= nil,
    feeds = order.feeds or order.source ~= nil or nil,
    listens = order.feeds or order.source ~= nil or order.linger ~= nil or nil,
    acp = order.acp, -- a conversation is held with it (outside/agent/acp.lua)
    at_once = order.feeds or is_reader(order) or holds.any(S.current.task) or nil,
  },
    concat(texts)
end

---The lines of what the host hands on, each without its end; a mock may leave out the last one.
---@param lines string
---@return function iterator
function child.lines(lines)
  return gmatch(byte(lines, -1) == 10 and lines or lines .. "\n", "([^\n]*)\n")
end

---What a child's events come to. Those without a name are lines of its standard error.
---@param order table
---@return function? on_event
local function listener(order)
  local on_out, on_err, source = order.on_out, order.on_err, order.source
  if not (on_out or on_err or source) then
    return nil
  end
  return function(event, bytes)
    if event.took then
      return source and feed.took(source)
    elseif event.out then
      on_out(bytes)
    elseif on_err then
      on_err(bytes)
    end
  end
end

---Runs a child to its end.
---@param order table { who, arguments, env, bears, folder, input, source, prompt, inherit, line,
---output, limits, terminal, plain, kill_after, timeout, idle, linger, to_file, chomp, stream,
---on_out, on_err, told }: `arguments` and `env` hold lists of texts around the path of the prompt's
---file, `env` secrets too; `bears`: it gets a token; `input` is such a list, or nil; `source` is
---what it is fed from (feed.lua); `chomp`: stdout comes without its last newline; `on_out` takes
---whole items where its output is a stream, `on_err` lines of its standard error; `told` is called
---with the request between two of them, and may tell it something
---@return table ended { exit_code, signal, lingered, path, size }, string stdout, string stderr
function child.run(order)
  local payload, texts = child.payload(order)
  local source = order.source
  local options = { verb = "run_process", on_event = listener(order) }
  if source or order.told then
    options.between = function(request)
      if order.told then
        order.told(request)
      end
      if source then
        return feed.go_on(source, request)
      end
    end
  end
  if not source then
    return bridge.request("process", payload, texts, options)
  end
  local task = S.current.task
  feed.begin(source)
  holds.add(task, source, feed.close)
  local ok, ended, stdout, stderr = pcall(bridge.request, "process", payload, texts, options)
  holds.drop(task)
  feed.close(source)
  if not ok then
    return error(ended, 0)
  end
  return ended, stdout, stderr
end

---Begins a child that is held open.
---@param order table as child.run has it
---@return table request
function child.open(order)
  local payload, texts = child.payload(order)
  payload.bounds = gate.bounds(S.current, "run_process")
  return bridge.open(S.current, "process", payload, texts, listener(order))
end

return child
