-- swarm.attach: a session, for somebody outside who acts in a role of the script's. It is a worker
-- that does nothing but be there: what is started in the session is below it, and its token speaks
-- for it. Where no heartbeat has come for its `ttl` nobody is attached, until the next one comes:
-- what was started goes on. It ends with detach, or with its owner.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local definition = require "swarm.worker.definition"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local roles = require "swarm.rights.roles"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local spawning = require "swarm.worker.spawn"
local tasks = require "swarm.scope.tasks"
local tokens = require "swarm.outside.tokens"
local VERBS = require "swarm.rights.verbs"
local format, pairs, pcall, setmetatable = string.format, pairs, pcall, setmetatable
local error, tostring, type = error, tostring, type

local sessions = {}

local FIELDS = { role = true, ttl = true, name = true, caveats = true }
local TTL = 3600 -- seconds

local WAITS = { what = "a heartbeat of its session" }

---The session that a task is; raises where it is none, or over.
local function of(task)
  local session = task and task.worker and task.extra and task.extra.session_of
  return session
    or errors.throw("session_not_found", "there is no such session: it has ended, or was detached")
end

---Somebody holds the session, or nobody does any more.
local function tell(session, task, is_attached, reason)
  if session.attached ~= is_attached then
    session.attached = is_attached
    if events.on and is_attached then
      events.publish("session_attached", task, { role = session.role })
    elseif events.on then
      events.publish("session_detached", task, { reason = reason })
    end
  end
end

---Waits until it is over. Who was not heard for too long is detached, until the next heartbeat.
local function serve(session)
  local me = S.current
  while not session.over do
    local left = session.until_at - clock.monotonic()
    if left <= 0 then
      tell(session, me.task, false, format("no heartbeat came for %g s", session.ttl))
    end
    local timer = left > 0 and S.alarm(me, clock.monotonic() + left)
    S.park_now(me, WAITS)
    if timer then
      S.drop_timer(timer)
    end
    if me.scope.cancel then
      cancelling.raise(me)
    end
  end
end

---A sign of life of whoever holds the session.
---@param task table the session's
function sessions.heartbeat(task)
  local session = of(task)
  session.until_at = clock.monotonic() + session.ttl
  tell(session, task, true)
  S.wake(task.worker)
end

---Ends a session: what was started in it is waited for.
---@param task table
function sessions.detach(task)
  of(task).over = true
  S.wake(task.worker)
end

local with_own = setmetatable({}, { __mode = "k" }) -- rights → those of a session in that role

---The rights of a role, and what is a session's own: to show signs of life, and to end.
local function of_session(own)
  local rights = with_own[own]
  if not rights then
    rights = roles.rights_of(own.role, { "heartbeat", "detach_session" })
    for verb in pairs(VERBS) do
      rights[verb] = rights[verb] or own[verb]
    end
    with_own[own] = rights
  end
  return rights
end

-- What scripts have of one. -----------------------------------------------------------------------

local Session = { __metatable = "swarm.session" }
local task_of = setmetatable({}, { __mode = "k" })
local methods = {}

function methods.heartbeat(session)
  gate.check(S.current, "heartbeat")
  return sessions.heartbeat(task_of[session])
end

function methods.detach(session)
  gate.check(S.current, "detach_session")
  return sessions.detach(task_of[session])
end

function Session.__index(session, key)
  local task = task_of[session]
  if methods[key] then
    return methods[key]
  elseif key == "token" then
    return of(task).token
  elseif key == "attached" then
    local is_live = task.worker ~= nil
    return is_live and task.extra.session_of.attached
  elseif key == "task_id" then
    return tasks.task_id(task)
  elseif key == "handle" then
    return task.handle
  end
  local message = "a session has no " .. shown.value(key) .. "; it has heartbeat, detach, token, "
  return errors.throw(
    "unknown_name",
    message .. "attached, task_id and handle",
    { unknown = tostring(key) }
  )
end

function Session.__newindex()
  return errors.throw("invalid_argument", "a session cannot be written to")
end

---swarm.attach{ role, ttl?, name?, caveats? }, verb attach_session → session. Its role is one of
---the script's, or a built-in one, and allows at most what its maker may.
function sessions.attach(given)
  local me = cancelling.enter()
  cancelling.not_while_loading()
  gate.check(me, "attach_session")
  arguments.options(given, FIELDS, "swarm.attach")
  local generation = me.task.def.generation
  local role = given.role
  if type(role) ~= "string" then
    local got = shown.value(role)
    return errors.throw("invalid_argument", "swarm.attach needs a role, and got " .. got)
  end
  local own = generation.rights[role]
  if not own then
    local hint = spelling.hint(role, generation.rights, "")
    hint = hint == "" and "; there are " .. spelling.list(generation.rights) or hint
    local message = "swarm.attach: there is no role " .. shown.value(role) .. hint
    return errors.throw("invalid_argument", message)
  end
  own = of_session(own)
  local ttl = given.ttl and arguments.seconds(given.ttl, "swarm.attach's ttl") or TTL
  local name = given.name == nil and role or given.name
  if type(name) ~= "string" then
    local got = shown.value(name)
    return errors.throw("invalid_argument", "swarm.attach's name is a text, and not " .. got)
  end
  local def = definition.internal(generation, "(session)")
  def.role, def.rights = role, own
  local session = {
    name = name,
    ttl = ttl,
    until_at = clock.monotonic() + ttl,
    role = role,
    attached = false, -- somebody holds it
    over = false,
    token = nil,
  }
  local _, task = spawning.helper(me, def, function()
    local ok, err = pcall(serve, session)
    tell(session, S.current.task, false, not ok and err.message or nil)
    if not ok then
      return error(err, 0)
    end
  end, { session_of = session, label = name })
  scopes.own(task)
  scopes.at_end(me.scope, {
    close = function()
      session.over = true
      if task.worker then
        S.wake(task.worker)
      end
    end,
    queue = false,
    queue_prev = nil,
    queue_next = nil,
  })
  session.token = tokens.mint(task, tokens.checked(given.caveats, "swarm.attach"))
  tell(session, task, true)
  local object = setmetatable({}, Session)
  task_of[object] = task
  return object
end

return sessions
