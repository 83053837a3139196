-- cache = true, and --reuse: where a worker has passed before, in whichever run, and nothing that
-- its result came of has changed, that result is taken and the worker does not run.
local bridge = require "swarm.outside.bridge"
local exact = require "swarm.values.exact"
local json = require "swarm.values.json"
local log = require "swarm.events.log"
local noting = require "swarm.journal.noting"
local output = require "swarm.worker.output.say"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local settling = require "swarm.worker.settle"
local tails = require "swarm.worker.output.tail"
local find, format = string.find, string.format
local ipairs, pairs, pcall = ipairs, pairs, pcall

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
    local given = def.generation.line.script.run
    for _, name in ipairs { "args", "input" } do
      if text and find(text, name, 1, true) then -- it may be what the run was given
        text = text .. "\n" .. json.text_of(given[name])
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

---The same of workers that were all asked for before; it does not wait.
local function known_digests(workers, names)
  local digests = {}
  for name in pairs(workers) do
    digests[name] = names[name] and names[name].digest
    if not digests[name] then
      return nil
    end
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

---Has a result kept, if its task passes with it: workers below may still read something, or fail.
local function keep(task, key, text, value)
  local def = task.def
  local value_text, same = records.text(value)
  local outputs = same and outputs_of(task)
  if not outputs or not digests_of(task.extra.came_of.workers, def.names) then
    return
  end
  local function settled()
    local came_of = noting.take(task)
    local workers = known_digests(came_of.workers, def.names)
    local alone = not task.extra.shared and not def.uses_state
    if task.status == "pass" and workers and alone and (def.cache or not came_of.outside) then
      local entry = {
        reads = came_of.reads,
        workers = workers,
        outside = came_of.outside,
        value = value_text,
        outputs = outputs,
      }
      bridge.send("reuse", { op = "put", key = key, entry = entry }, text)
    end
  end
  settling.watch(task, { settled = settled, queue = false, queue_prev = nil, queue_next = nil })
end

---The value of an entry; raises where there is none, or somebody else has written it.
local function value_of(entry)
  for i = 1, #entry.outputs do
    exact.decode(entry.outputs[i])
  end
  return records.value(entry.value)
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
    local given, extra = input, task.extra
    if extra and (extra.needs or extra.meta) then
      given = { input = input, needs = extra.needs, meta = extra.meta }
    end
    local text, same = records.text(given)
    local digest = same and digest_of(def)
    if not digest then
      return run(ctx, input)
    end
    local key = def.name .. " " .. digest
    local entry = bridge.request("reuse", { op = "get", key = key }, text)
    local known, value = pcall(value_of, entry)
    if known and digests_of(entry.workers, def.names) then
      noting.inherit(task, entry)
      repeat_outputs(task, entry.outputs)
      record.extra(task).reused = true
      return value
    end
    noting.begin(task)
    local reason
    value, reason = run(ctx, input)
    if reason == nil then
      keep(task, key, text, value)
    end
    return value, reason
  end
end

return reuse
