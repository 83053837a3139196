-- The workers that Python waits for: held by id until Python releases them, so that it can ask how
-- each is and how it ended.
local raised = require "swarm.ground.raised"
local Settle = require "swarm.worker.settle"
local handles = require "swarm.worker.handle"
local json = require "swarm.values.json"
local Scope = require "swarm.scope.scope"
local tails = require "swarm.worker.output.tail"
local text_of = require("swarm.values.json").text_of
local values = require "swarm.values.values"

local held = {}

local workers = {} -- id → record
local settled, settled_n = {}, 0 -- ids that have settled since the last take

function Settle.on_settled(w)
  settled_n = settled_n + 1
  settled[settled_n] = w.id
end

---@param w table record
---@return number id
function held.hold(w)
  workers[w.id] = w
  return w.id
end

---The record of a worker that is held.
---@return table
function held.record(id)
  return workers[id]
end

---@return boolean live
function held.cancel(id, reason)
  local w = workers[id]
  if not w or handles.final[w.status] then
    return false
  end
  Scope.cancel(w, { kind = "cancel", reason = reason, scope = w })
  return true
end

---A settled worker for Python: its status, its value (a string as bytes, else JSON) and its error.
---@return string status, boolean is_text, string? value, string? error as JSON
function held.outcome(id)
  local w = workers[id]
  local status, err = w.status, w.err
  local value = w.value
  local is_text = type(value) == "string"
  if value ~= nil and not is_text then
    local ok, text = pcall(json.encode, value, "result")
    if ok then
      value = text
    else
      status, value, err = "failed", nil, text
      err.where = err.where or handles.home(w)
    end
  end
  return status, is_text, value, err and text_of(raised.plain(err)) or nil
end

---@return string JSON list of events
function held.tail(id, since)
  return text_of(values.array(tails.snapshot(workers[id], since)))
end

function held.status(id)
  return workers[id].status
end

---Python no longer needs to know of this worker.
function held.release(id)
  workers[id] = nil
end

---The ids that have settled since the last call.
function held.take_settled()
  local n = settled_n
  settled_n = 0
  return unpack(settled, 1, n)
end

---Whether ids wait to be taken.
function held.any_settled()
  return settled_n > 0
end

return held
