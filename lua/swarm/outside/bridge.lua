-- Requests to the host. A worker that needs the outside parks on a request; the pump takes all
-- requests of a tick at once, starts the ports, and delivers their answers in a later tick.
-- A cancelled worker whose request is under way stays parked until the port has cleaned up.
local waits = require "swarm.scope.waits"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"

local bridge = {
  outstanding = 0, -- requests without an answer yet
  mocks = {}, -- port → what answers in its place, in specs (swarm/testing/mock.lua)
}

local ids = 0
local under_way = {} -- id → request
local requests, cancels = { first = 1, last = 0 }, {}

local function on_cancel(request)
  if not request.cancelled then
    request.cancelled = true
    cancels[#cancels + 1] = request.id
  end
end

---Asks a port and waits for its answer.
---@param port string
---@param payload table JSON-like
---@param data string? bytes that go beside the payload as they are
---@param options table? { verb = which the caller needs; on_event = function(event, data), called
---for what the port emits before its answer, on behalf of the caller; it must not wait }
---@return any value, string? data
function bridge.request(port, payload, data, options)
  local me = S.current
  local cause = me.scope.cancel
  if cause and cause ~= Scope.LOADING then
    Scope.raise(me)
  end
  local verb = options and options.verb
  if verb then
    payload.bounds = gate.bounds(me, verb)
  end
  local mock = bridge.mocks[port]
  if mock and mock.takes(me, payload) then
    return mock.answer(me, payload, data, options)
  end
  ids = ids + 1
  local request = {
    id = ids,
    worker = me,
    port = port,
    payload = json.encode(payload, "payload", true),
    data = data,
    on_event = options and options.on_event,
    event_error = nil, -- what on_event raised
    what = "an answer from port " .. port,
    on_cancel = on_cancel,
    cancelled = false,
    done = false,
  }
  under_way[ids] = request
  requests.last = requests.last + 1
  requests[requests.last] = request
  bridge.outstanding = bridge.outstanding + 1
  while not request.done do
    if not S.park(me, request) then
      request.worker = nil
      on_cancel(request)
      return waits.barred("a call that waits for the host")
    end
  end
  cause = me.scope.cancel
  if cause and cause ~= Scope.LOADING then
    Scope.raise(me)
  end
  if request.event_error then
    return error(request.event_error, 0)
  end
  local answer
  if request.answer then
    answer = json.decode(request.answer)
  end
  if not request.ok then
    local code, message = answer.code, answer.message
    answer.code, answer.message = nil, nil
    if code == "role_violation" and verb then
      if answer.what then
        return gate.refuse(me, verb, answer.what)
      end
      answer.role, answer.verb = me.rights.role, verb
    end
    return errors.throw(code, message, answer)
  end
  return answer, request.answer_data
end

---The next request, for the pump, or nothing.
---@return number? id, string port, string payload, string? data, string? agent
function bridge.take_request()
  local first = requests.first
  local request = requests[first]
  if not request then
    requests.first, requests.last = 1, 0
    return nil
  end
  requests[first] = nil
  requests.first = first + 1
  return request.id, request.port, request.payload, request.data
end

---The ids of the requests to cancel since the last call.
function bridge.take_cancels()
  local taken = cancels
  cancels = {}
  return taken
end

---A port's answer: `ok` with JSON and bytes, or not ok with a JSON error.
function bridge.deliver(id, ok, answer, data)
  local request = under_way[id]
  under_way[id] = nil
  bridge.outstanding = bridge.outstanding - 1
  request.done, request.ok, request.answer, request.answer_data = true, ok, answer, data
  if request.worker then
    S.wake(request.worker)
  end
end

---What a port emits before its answer: JSON and bytes.
function bridge.emit(id, event, data)
  local request = under_way[id]
  local worker = request and request.worker
  if not worker or not request.on_event or request.event_error then
    return
  end
  S.current = worker
  local ok, err = pcall(request.on_event, json.decode(event), data)
  S.current = nil
  if not ok then
    request.event_error = err
    on_cancel(request)
  end
end

function bridge.waits()
  return requests.last >= requests.first or #cancels > 0
end

return bridge
