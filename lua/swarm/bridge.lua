-- Requests to the host. A worker that needs the outside parks on a request; the pump takes all
-- requests of a tick at once, starts the ports, and delivers their answers in a later tick.
-- A cancelled worker whose request is under way stays parked until the port has cleaned up.
local waits = require "swarm.waits"
local errors = require "swarm.errors"
local json = require "swarm.json"
local S = require "swarm.scheduler"
local Scope = require "swarm.scope"

local bridge = {
  outstanding = 0, -- requests without an answer yet
  mocks = {}, -- port → function(payload, data), under test
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
---@return any value, string? data
function bridge.request(port, payload, data)
  local me = S.current
  local cause = me.scope.cancel
  if cause and cause ~= Scope.LOADING then
    Scope.raise(me)
  end
  ids = ids + 1
  local request = {
    id = ids,
    worker = me,
    port = port,
    payload = json.encode(payload, "payload", true),
    data = data,
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
  local answer = request.answer and json.decode(request.answer) or nil
  if not request.ok then
    local code, message = answer.code, answer.message
    answer.code, answer.message = nil, nil
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

function bridge.waits()
  return requests.last >= requests.first or #cancels > 0
end

return bridge
