-- cache = true, and --reuse: where a worker has passed before, in whichever run, and nothing that
-- its result came of has changed, that result is taken and the worker does not run.
local bridge = require "swarm.outside.bridge"
local exact = require "swarm.values.exact"
local log = require "swarm.events.log"
local noting = require "swarm.journal.noting"
local output = require "swarm.worker.output.say"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local tails = require "swarm.worker.output.tail"
local find, format, pairs = string.find, string.format, pairs

local reuse = {
  all = false, -- results of all workers that ran Lua alone are used again
}

local KEPT = { artifact = true, partial = true } -- events that belong to a result

---What a definition consists of, as a digest: itself, and the globals and modules of its script.
---@return string? digest nil: something in it cannot be compared
local function digest_of(def)
  if def.digest == nil then
    local prints, around = def.generation.prints, def.generation.around
    local own = prints["worker " .. def.name]
    local text = own and not def.is_blind and own .. "\n" .. (prints.globals or "")
    if text and find(text, "require", 1, true) then
      for name, print in pairs(around) do
        text = find(name, "^module ") and text .. "\n" .. name .. "\n" .. print or text
      end
    end
    def.digest = text and bridge.request("reuse", { op = "digest" }, text) or false
    if not text and def.cache then
      local message = "worker %q: cache = true does nothing: what it closes over cannot be compared"
      log.entry("warn", format(message, def.name))
    end
  end
  return def.digest or nil
end

---The workers that were started, each with what it consists of.
---@param workers table name → true, or → a digest to compare with
---@return table? name → digest; nil: one of them is not as it was
local function digests_of(workers, names)
  local digests = {}
  for name, was in pairs(workers) do
    local def = names[name]
    local digest = def and digest_of(def)
    if not digest or (was ~= true and was ~= digest) then
      return nil
    end
    digests[name] = digest
  end
  return digests
end

local function repeat_outputs(task, outputs)
  for i = 1, #outputs do
    local event = exact.decode(outputs[i])
    event.seq, event.at, event.dropped = nil, nil, nil
    output.relay(task.handle, event)
  end
end

---The events of an attempt that belong to its result.
local function outputs_of(task)
  local outputs = {}
  for _, event in ipairs(task.extra.tail and tails.snapshot(task, 0) or {}) do
    local text, same = records.text(event)
    if not same then
      return nil
    end
    outputs[#outputs + 1] = KEPT[event.type] and text or nil
  end
  return outputs
end

local function keep(task, key, text, value)
  local came_of = noting.take(task)
  local def = task.def
  if task.extra.shared or def.uses_state or (came_of.outside and not def.cache) then
    return
  end
  local value_text, same = records.text(value)
  local workers, outputs = digests_of(came_of.workers, def.names), outputs_of(task)
  if same and workers and outputs then
    bridge.request("reuse", {
      op = "put",
      key = key,
      entry = {
        reads = came_of.reads,
        workers = workers,
        outside = came_of.outside,
        value = value_text,
        outputs = outputs,
      },
    }, text)
  end
end

---A worker's `run` whose results are used again: `run` itself where they are not to be.
---@param def table
---@param run function called as run(ctx, input); returns value, reason
function reuse.wrap(def, run)
  if def.cache == false or not (def.cache or reuse.all) then
    return run
  end
  noting.on = true
  return function(ctx, input)
    local task = S.current.task
    local text, same = records.text(input)
    local digest = same and digest_of(def)
    if not digest then
      return run(ctx, input)
    end
    local key = def.name .. " " .. digest
    local entry = bridge.request("reuse", { op = "get", key = key }, text)
    if entry and digests_of(entry.workers, def.names) then
      noting.inherit(task, entry)
      repeat_outputs(task, entry.outputs)
      record.extra(task).reused = true
      return entry.value ~= "" and exact.decode(entry.value) or nil
    end
    noting.begin(task)
    local value, reason = run(ctx, input)
    if reason == nil then
      keep(task, key, text, value)
    end
    return value, reason
  end
end

return reuse
