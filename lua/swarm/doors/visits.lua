-- Visits: what comes in from the run's socket. Each request is one worker at the top of the run, so
-- it waits, is cancelled and is seen as any other. Whoever comes with a token has what the token
-- leaves of the rights of the worker that it speaks for; a person has an operator's.
local acting = require "swarm.rights.acting"
local audit = require "swarm.events.audit"
local attempts = require "swarm.worker.attempts"
local blocks = require "swarm.structure.blocks"
local errors = require "swarm.ground.errors"
local ends = require "swarm.scope.ends"
local held = require "swarm.doors.held"
local join = require "swarm.worker.join"
local json = require "swarm.values.json"
local output = require "swarm.worker.output.say"
local picture = require "swarm.doors.picture"
local posting = require "swarm.worker.posting"
local data = require "swarm.sharing.data"
local raised = require "swarm.ground.raised"
local read = require "swarm.worker.output.read"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local script = require "swarm.doors.run"
local settling = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local spawning = require "swarm.worker.spawn"
local spelling = require "swarm.ground.spelling"
local steered = require "swarm.doors.steered"
local tasks = require "swarm.scope.tasks"
local tails = require "swarm.worker.output.tail"
local tokens = require "swarm.outside.tokens"
local values = require "swarm.values.values"
local error, format, match = error, string.format, string.match
local pairs, pcall, type = pairs, pcall, type

local visits = {}

local MOST_PAGE = 1024 * 1024 -- bytes of events in an answer, beside one that is longer

-- Parameters --------------------------------------------------------------------------------------

local function wrong(message, ...)
  return errors.throw("invalid_argument", format(message, ...))
end

---A parameter of any type; nil where JSON says null.
local function any(params, name)
  local value = params[name]
  if value ~= values.null then
    return value
  end
end

---A parameter that must be of some type, if it is there.
local function param(params, name, kind, needed)
  local value = any(params, name)
  if value == nil and needed then
    return wrong("it needs %s", name)
  elseif value ~= nil and type(value) ~= kind then
    return wrong("%s must be a %s, and is %s", name, kind, shown.value(value))
  end
  return value
end

---The task of an id. From outside one can know that of any live one; it is listed from now on.
local function find(id)
  local task = tasks.by_id(id)
  if not task then
    scopes.each_live(scopes.root, function(w)
      if "T-" .. w.task.id == id and not w.task.def.apart then
        task = w.task
        tasks.task_id(task)
      end
    end)
  end
  return task
end

---A sentence that helps where no task has an id: it is the number of one, or what one is called.
local function hint_at(id)
  local number = match(id, "^[Tt]?%-?(%d+)$")
  local task = number and find("T-" .. number)
  if not task then
    task = tasks.called(id)
    scopes.each_live(scopes.root, function(w)
      task = task or not w.task.def.apart and tasks.is_called(w.task, id) and w.task
    end)
  end
  return task and format("; did you mean T-%d, worker %s?", task.id, record.named(task)) or ""
end

---The task that is asked about: the bearer's own where none is named.
local function target(who, params)
  local id = param(params, "task_id", "string", not who.task)
  local task = id and find(id) or not id and who.task
  if not task then
    local message = format("there is no task %s, or it has ended long since", shown.value(id))
    return errors.throw("task_not_found", message .. hint_at(id), { task_id = id })
  end
  return task
end

-- What can be asked for: verb → function(who, params) → value -------------------------------------

local methods = {}

function methods.fetch_prompt(who)
  local task = who.task
  return {
    prompt = task.handle.prompt,
    input = values.copy(task.input, "input"),
    task_id = tasks.task_id(task),
    attempt = attempts.number(task),
    name = task.def.name,
    label = record.label(task),
    role = acting.role_of(task),
  }
end

function methods.fetch_data(_, params)
  return data.get(param(params, "name", "string", true))
end

local EVENTS = {}

function EVENTS.progress(event)
  return {
    type = "progress",
    stage = param(event, "stage", "string", true),
    note = param(event, "note", "string"),
  }
end

function EVENTS.partial(event)
  return { type = "partial", chunk = tails.content_of(event.value) }
end

function EVENTS.artifact(event)
  local content = tails.content_of(event.value)
  return { type = "artifact", name = param(event, "name", "string", true), content = content }
end

function EVENTS.usage(event)
  event.dropped, event.seq, event.at = nil, nil, nil
  return event
end

function methods.emit_output(who, params)
  local event = param(params, "event", "table", true)
  local make = EVENTS[event.type]
  if not make then
    local hint = spelling.hint(event.type, EVENTS, "")
    return wrong("there is no event %s%s", shown.value(event.type), hint)
  end
  record.extra(S.current.task).bears = who.task
  output.relay(who.task.handle, make(event))
end

function methods.post_result(who, params)
  posting.post(who.task, any(params, "value"), param(params, "blocked", "string"))
end

function methods.verify_token(who)
  local claims = who.claims
  return { task_id = claims.task_id, role = claims.role, agent = claims.agent }
end

---A task that a person has started has ended.
local function tell(_, task)
  held.tell_unasked(task)
end

function methods.start_task(who, params)
  local name, opts = param(params, "name", "string", true), {}
  opts.label = param(params, "label", "string")
  opts.timeout = param(params, "timeout", "number")
  local input = any(params, "input")
  local me = S.current
  local by, owner = me, scopes.root
  if who.task then
    owner = who.task.worker
    if owner.cancel then
      local message = "worker %s is being cancelled (%s): nothing is started below it"
      message = format(message, record.named(who.task), shown.value(owner.cancel.reason))
      return errors.throw("cancelled", message, { reason = owner.cancel.reason })
    end
    local own = record.extra(who.task)
    local extra = { meta = own.meta, own_rights = own.own_rights, budget = tokens.budget(who) }
    by = { rights = me.rights, task = { def = who.task.def, extra = extra } }
  else
    record.extra(me.task).budget = script.budget()
  end
  local _, task = spawning.named(owner, by, name, input, opts, nil, script.names())
  if not who.task then
    record.extra(task).owned = true -- it fails nobody's run, and is told
    settling.watch(task, { settled = tell, queue = false, queue_prev = nil, queue_next = nil })
  end
  return { task_id = tasks.task_id(task) }
end

---How a task is, and with what it has ended.
local function state_of(task)
  local status, err = task.status, ends.err(task)
  local value
  if record.final[status] then
    value = task.value
  end
  return {
    task_id = tasks.task_id(task),
    name = task.def.name,
    label = record.label(task),
    status = status,
    attempt = attempts.number(task),
    value = value,
    error = err and raised.plain(err) or nil,
  }
end

function methods.poll_task(who, params)
  local task = target(who, params)
  local seconds = param(params, "wait", "number")
  local opts = seconds and { timeout = seconds } or nil
  if who.task and who.task ~= task then
    join.join(task.handle, opts) -- it is the bearer's, and a failure with it
  else
    join.await(task.handle, opts)
  end
  return state_of(task)
end

function methods.read_task_state(who, params)
  local task = target(who, params)
  local since, seconds = param(params, "since", "number") or 0, param(params, "wait", "number")
  local attempt = param(params, "attempt", "number") or attempts.number(task)
  local opts = { since = since, attempt = attempt }
  local events, more = read.page(task.handle, opts, MOST_PAGE)
  if #events == 0 and seconds and not record.final[task.status] then
    blocks.within(seconds, read.follow(task.handle, opts))
    events, more = read.page(task.handle, opts, MOST_PAGE)
  end
  local state = state_of(task)
  state.events, state.more = values.array(events), more
  return state
end

function methods.cancel_task(who, params)
  local task = target(who, params)
  local was_live = task.worker ~= nil
  join.cancel(task.handle, param(params, "reason", "string") or "cancelled from outside")
  return { was_live = was_live }
end

local OF = { any = any, param = param, target = target }
for verb, method in pairs(steered) do
  methods[verb] = function(who, params)
    return method(who, params, OF)
  end
end

-- Verbs that are of a worker, and make no sense without one.
local OF_A_WORKER = {
  fetch_prompt = true,
  emit_output = true,
  post_result = true,
  verify_token = true,
}

-- Verbs that start nothing, end nothing and change no verdict: the audit does not tell of them.
local UNAUDITED = {
  emit_output = true,
  fetch_data = true,
  fetch_prompt = true,
  heartbeat = true,
  poll_task = true,
  post_result = true,
  read_task_state = true,
  read_trace = true,
  subscribe_events = true,
  verify_token = true,
}

---Tells the audit that somebody outside asks for something.
---@param visitor table { by } or { token }
local function note_visit(verb, params, visitor)
  record.extra(S.current.task).visitor = visitor
  local lists = verb == "answer_query" and params.key == nil -- which questions there are
  if not UNAUDITED[verb] and not lists then
    audit.row("asked", {
      verb = verb,
      name = params.name,
      task_id = params.task_id,
      key = params.key, -- of a question
      reason = params.reason,
    })
  end
end

---Tells the audit that somebody outside is refused before it is known whom it speaks for.
local function note_refusal(verb, err)
  if audit.on and err.code ~= "role_violation" then -- the gate has told of that
    audit.row("refused", { verb = verb, code = err.code, by = "socket" })
  end
  return error(err, 0)
end

-- What tells of output, where text that is not UTF-8 is no reason to tell nothing.
local LOSSY =
  { read_task_state = true, read_trace = true, subscribe_events = true, answer_query = true }

---What the method of a verb answers, for whoever asks.
local function serve(request)
  local verb, params = request.method, request.params
  local method = methods[verb]
  if not method then
    return wrong("there is no method %s%s", shown.value(verb), spelling.hint(verb, methods, ""))
  elseif params ~= nil and type(params) ~= "table" then
    return wrong("params must be an object, and are %s", shown.value(params))
  end
  params = params or {}
  record.extra(S.current.task).lossy = LOSSY[verb]
  local me, text = S.current, param(params, "token", "string")
  if not text then
    if not request.person then
      if audit.on then
        audit.row("refused", { verb = verb, code = "role_violation", by = "socket" })
      end
      return errors.throw(
        "role_violation",
        "it needs a token: whatever comes of the run is no person (env = { SWARM_TOKEN = "
          .. '"{token}" } gives a worker\'s program one)',
        { verb = verb }
      )
    elseif OF_A_WORKER[verb] then
      return wrong("%s needs a token: it is for the program of a worker", verb)
    end
    if audit.on then
      note_visit(verb, params, { by = "person" })
    end
    return method({}, params)
  end
  local admitted, who = pcall(tokens.admit, text, verb, param(params, "task_id", "string"))
  if not admitted then
    return note_refusal(verb, who)
  elseif audit.on then
    note_visit(verb, params, { token = who.claims.fingerprint })
  end
  local ok, value = acting.as(me, who.rights, method, who, params)
  if not ok then
    return error(value, 0)
  end
  return value
end

---So many rows of the run's tree (picture.lua), as JSON. Whoever sees them may ask for their tasks
---later, when they have ended.
function visits.overview(most)
  local rows, seen = picture.rows(most), {}
  for i = 1, #rows do
    seen[rows[i].task_id or false] = true
  end
  scopes.each_live(scopes.root, function(w)
    if seen["T-" .. w.task.id] then
      tasks.task_id(w.task)
    end
  end)
  return json.text_of(rows)
end

---Begins to serve a request.
---@param text string JSON: method, params, and person: nobody of the run, and of the same user
---@return number id of its worker, whose result is the answer
function visits.begin(text)
  local task = spawning.root(script.apart "(socket)", function()
    return serve(json.decode(text))
  end)
  return held.hold(task)
end

return visits
