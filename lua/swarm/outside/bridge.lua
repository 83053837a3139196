-- Requests to the host. A worker that needs the outside parks on a request; the pump takes all
-- requests of a tick at once, starts the ports, and delivers their answers in a later tick.
-- A cancelled worker whose request is under way stays parked until the port has cleaned up.
-- While it is under way both sides can talk: what the port emits waits until the worker takes it,
-- and the port waits with it; what the worker tells goes with the next batch.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local ffi = require "ffi"
local gate = require "swarm.rights.gate"
local holds = require "swarm.scope.holds"
local json = require "swarm.values.json"
local list = require "swarm.ground.list"
local noting = require "swarm.journal.noting"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local error, pcall = error, pcall
local format, gsub = string.format, string.gsub

-- What the requests of some ports wait for, as messages say it.
local AWAITED = {
  process = "its program",
  python = "its Python function",
  worktree = "its worktree",
}

local bridge = {
  outstanding = 0, -- workers that wait for a port: only these can the outside wake
  mocks = {}, -- port → what answers in its place, in specs (swarm/testing/mock.lua)
}

-- Queues: items[first..last].

local function new_queue()
  return { first = 1, last = 0 }
end

local function is_empty(queue)
  return queue.first > queue.last
end

local function put(queue, item)
  queue.last = queue.last + 1
  queue[queue.last] = item
end

---Takes the first item, or nil where there is none.
local function take(queue)
  local item = queue[queue.first]
  if item == nil then
    queue.first, queue.last = 1, 0
    return nil
  end
  queue[queue.first] = nil
  queue.first = queue.first + 1
  return item
end

local ids = 0
local under_way = {} -- id → request
local requests, tells = new_queue(), new_queue()
local cancels, read = {}, {} -- ids

local function on_cancel(request)
  if not request.cancelled then
    request.cancelled = true
    cancels[#cancels + 1] = request.id
  end
end

local function new_request(me, port, payload, data, on_event)
  ids = ids + 1
  local request = {
    id = ids,
    worker = me, -- nil: it could not wait
    port = port,
    payload = json.encode(payload, "payload", true),
    data = data,
    on_event = on_event,
    events = on_event and new_queue(), -- that came and were not taken: JSON and bytes
    event_error = nil, -- what on_event raised
    what = AWAITED[port] or "an answer from port " .. port,
    on_cancel = on_cancel,
    parked = false, -- its worker waits for it
    on_done = nil, -- called once it has answered, where its worker waits for something else
    list = nil, -- who else may wake its worker: a list of waiters
    noted = nil, -- its payload, where a digest of its answer is wanted
    within = nil, -- the request that its worker waits for meanwhile
    cancelled = false,
    done = false,
  }
  under_way[ids] = request
  put(requests, request)
  return request
end

local function has_events(request)
  return request.events and not is_empty(request.events)
end

---Waits until there is an event, an answer, or somebody wakes the worker.
---@return boolean parked false: a C function is in the way
local function park(me, request)
  request.parked = true
  bridge.outstanding = bridge.outstanding + 1
  if request.list then
    list.push_back(request.list, me)
  end
  local parked = S.park(me, request)
  if me.queue then
    list.remove(me)
  end
  if request.parked then
    request.parked = false
    bridge.outstanding = bridge.outstanding - 1
  end
  return parked
end

---Has the caller of a request look at it, unless it is in the middle of an event.
local function wake(request)
  request = request.within or request
  if request.parked then
    request.parked = false
    bridge.outstanding = bridge.outstanding - 1
    S.wake(request.worker)
  end
end

---Takes the next event of a request, if there is one: in the worker's own coroutine, so that what
---it calls may wait. Where that raises, the port is cancelled.
---@return boolean taken
local function take_event(request)
  if not has_events(request) then
    return false
  end
  local one = take(request.events)
  if not has_events(request) then
    read[#read + 1] = request.id
  end
  if not request.event_error then
    local ok, err = pcall(request.on_event, json.decode(one.event), one.data)
    if not ok then
      request.event_error = err
      on_cancel(request)
    end
  end
  return true
end

---Raises what a port has said that went wrong.
---@param problem table { code, message, ... }
---@param verb string? which its caller needed
function bridge.raise(me, problem, verb)
  local code, message = problem.code, problem.message
  problem.code, problem.message = nil, nil
  if code == "role_violation" and verb then
    if problem.what then
      return gate.refuse(me, verb, problem.what)
    end
    local role = me.rights.role
    problem.role, problem.verb = role, verb
    message = gsub(message, "the role allows", function()
      return format("role %q allows", role)
    end, 1)
  end
  return errors.throw(code, message, problem)
end

---What the port answered: its value, or its error raised.
local function answer_of(request, me, verb)
  local answer
  if request.answer then
    answer = json.decode(request.answer)
  end
  if request.noted and answer and answer.digest then
    noting.has_read(me.task, request.port, request.noted, answer.digest)
    if request.ok then
      answer = answer.value
      if answer == values.null then
        answer = nil
      end
    else
      answer.digest = nil
    end
  end
  if request.ok then
    return answer, request.answer_data, request.more_data
  end
  return bridge.raise(me, answer, verb)
end

---Begins a request that others than bridge.request wait for: what comes of it comes piece by piece,
---and no mock has pieces.
---@param me table the running worker
---@param port string
---@param payload table JSON-like
---@param data string? bytes that go beside the payload as they are
---@param on_event? function as bridge.request has it
---@return table request
function bridge.open(me, port, payload, data, on_event)
  local mock = bridge.mocks[port]
  if mock and mock.takes(me, payload) then
    local what = "mock.port(%q, fn) answers no process that is held open, no stdin from a file "
      .. "and no Python function: use mock.worker(name, fn) in place of the whole worker"
    return errors.throw("host_error", format(what, port))
  end
  return new_request(me, port, payload, data, on_event)
end

---@return boolean waited
local function wait(me, request, enough)
  request.worker = me
  local waited = true
  repeat
    if cancelling.is_cancelled(me) then
      on_cancel(request) -- it was, while an event was looked at
    end
    local is_enough = enough and not request.cancelled and enough(request)
    if not is_enough and not take_event(request) and not request.done then
      waited = park(me, request)
    end
  until is_enough or not waited or (request.done and not has_events(request))
  if not waited then
    request.worker = nil
    on_cancel(request)
  end
  return waited
end

---Its worker was abandoned in the middle of an event: the port is cancelled, and waited for.
local function forsake(request)
  request.event_error = request.event_error or request -- no further event is looked at
  on_cancel(request)
  wait(S.current, request)
end

---Takes what a port emits, until it answers or `enough` says so. Where the worker is cancelled the
---port is, and this goes on until it has cleaned up.
---@param me table the running worker
---@param request table
---@param enough? function called between two events: true ends the waiting. It raises nothing
---@return boolean waited false: a C function is in the way
function bridge.wait(me, request, enough)
  local before = scopes.begin_standing_still(me)
  if request.events then
    holds.add(me.task, request, forsake)
  end
  local waited = wait(me, request, enough)
  if request.events then
    holds.drop(me.task)
  end
  scopes.end_standing_still(me, before)
  return waited
end

---Asks a port and waits for its answer.
---@param port string
---@param payload table JSON-like
---@param data string? bytes that go beside the payload as they are
---@param options table? { verb = which the caller needs; on_event = function(event, data), called
---for each thing that the port emits before its answer, in the caller's coroutine; it may wait;
---between = function(request), called between two of them: it may tell the port something, and does
---not wait }
---@return any value, string? data what came beside it, one string or several
function bridge.request(port, payload, data, options)
  local me = S.current
  cancelling.may_request(me)
  local verb = options and options.verb
  if verb then
    payload.bounds = gate.bounds(me, verb)
  end
  local mock = bridge.mocks[port]
  if mock and mock.takes(me, payload) then
    return mock.answer(me, payload, data, options)
  end
  local noted = noting.on
    and noting.asks(me.task, port, payload)
    and json.encode(payload, "payload")
  if noted then
    payload.noted = true
  end
  local request = new_request(me, port, payload, data, options and options.on_event)
  request.noted = noted
  if not bridge.wait(me, request, options and options.between) then
    return waiting.barred("a call that waits for the host")
  end
  cancelling.may_request(me)
  return bridge.answer(me, request, verb)
end

---What a request came to: its values, or the error raised that its events or its port had.
---@param verb string? which its caller needed
---@return any value, string? data
function bridge.answer(me, request, verb)
  if request.event_error then
    return error(request.event_error, 0)
  end
  return answer_of(request, me, verb)
end

---Asks a port, and does not wait for its answer.
function bridge.send(port, payload, data)
  new_request(nil, port, payload, data)
end

---Tells the port of a request something while it is under way. Never waits.
---@param message table JSON-like
---@param data string? bytes beside it
function bridge.tell(request, message, data)
  if not request.done then
    put(tells, { id = request.id, message = json.encode(message, "message"), data = data })
  end
end

---Cancels a request: its port cleans up and answers.
bridge.cancel = on_cancel

---The same, and its answer is this error.
function bridge.fail(request, err)
  request.event_error = request.event_error or err
  return on_cancel(request)
end

---The next request, for the pump, or nothing.
---@return number? id, string port, string payload, string? data, number? task its worker's
---@return boolean? last nothing else is left for the pump
function bridge.take_request()
  local request = take(requests)
  if request then
    local w = request.worker
    local task = w and w.task and w.task.id
    return request.id, request.port, request.payload, request.data, task, not bridge.waits()
  end
end

---The ids of the requests to cancel since the last call.
function bridge.take_cancels()
  local taken = cancels
  cancels = {}
  return taken
end

---The next thing that a worker tells its port, for the pump, or nothing.
---@return number? id, string message, string? data
function bridge.take_told()
  local one = take(tells)
  if one then
    return one.id, one.message, one.data
  end
end

---The ids of the requests all of whose events have been taken since the last call.
function bridge.take_read()
  local taken = read
  read = {}
  return taken
end

---A port's answer: `ok` with JSON and bytes, or not ok with a JSON error.
---@param data? string|number bytes that came beside it, or their address where there are many
---@param size? number how many
---@param more? string|number others
---@param more_size? number
function bridge.deliver(id, ok, answer, data, size, more, more_size)
  local request = under_way[id]
  under_way[id] = nil
  request.done, request.ok, request.answer = true, ok, answer
  request.answer_data = size and ffi.string(ffi.cast("char *", data), size) or data
  request.more_data = more_size and ffi.string(ffi.cast("char *", more), more_size) or more
  if request.on_done then
    request.on_done()
  end
  wake(request)
end

---What a port emits before its answer: JSON and bytes.
function bridge.emit(id, event, data)
  local request = under_way[id]
  local events = request and request.worker and request.events
  if events and not request.event_error then
    put(events, { event = event, data = data })
    wake(request)
  else
    read[#read + 1] = id -- nobody wants it
  end
end

function bridge.waits()
  return not is_empty(requests) or not is_empty(tells) or #cancels > 0 or #read > 0
end

return bridge
