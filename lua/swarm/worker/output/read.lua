-- Reading what a worker said: its output tail as it stands, event by event as they come, or the
-- last artifact of a name. One's own tail is free to read; that of another takes read_task_state.
local arguments = require "swarm.ground.arguments"
local attempts = require "swarm.worker.attempts"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local cancelling = require "swarm.scope.cancel"
local handles = require "swarm.worker.handle"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shared = require "swarm.journal.shared"
local shown = require "swarm.ground.shown"
local tails = require "swarm.worker.output.tail"
local waiting = require "swarm.scope.waiting"
local type, floor, snapshot = type, math.floor, tails.snapshot

local reading = {}

---Raises unless the running worker may read of this one.
local function check(task)
  local me = S.current
  if me and me.task ~= task and me.rights.read_task_state ~= true then
    gate.check(me, "read_task_state")
  end
end
reading.check = check

local READ_OPTIONS = { attempt = true, since = true }

---@return number since, number|"all" attempt
local function read_options(task, opts, call)
  local last = attempts.number(task)
  if opts == nil then
    return 0, last
  end
  arguments.options(opts, READ_OPTIONS, call)
  local attempt = opts.attempt == nil and last or opts.attempt
  if not attempts.of(task, attempt) and not (call == "follow" and attempt == "all") then
    local got = shown.value(attempt)
    return errors.throw("invalid_argument", call .. ": there is no attempt " .. got)
  end
  local since = opts.since or 0
  if type(since) ~= "number" or since ~= since then
    return errors.throw(
      "invalid_argument",
      call .. " takes since = a seq, and got " .. shown.value(since)
    )
  end
  return floor(since), attempt
end

---What `output_tail` returns, up to so many bytes.
---@return table list, boolean? more there are others
function reading.page(target, opts, most)
  cancelling.not_while_loading()
  local task = handles.task(target, "output_tail")
  shared.ask(task)
  check(task)
  local since, attempt = read_options(task, opts, "output_tail")
  return snapshot(attempts.of(task, attempt), since, most)
end

---swarm.output_tail(h, opts?) → list of events
function reading.output_tail(target, opts)
  return (reading.page(target, opts))
end

local function describe_followed(waits_for)
  return "events of worker " .. record.named(waits_for.follows)
end

---swarm.follow(h, opts?) → iterator of events, until the attempt has ended; with attempt = "all"
---until the task has settled
function reading.follow(target, opts)
  cancelling.not_while_loading()
  local task = handles.task(target, "follow")
  shared.ask(task)
  check(task)
  local since, attempt = read_options(task, opts, "follow")
  local all = attempt == "all"
  if all then
    attempt = 1
  end
  local ready, i = {}, 0
  return function()
    local me = cancelling.enter()
    while true do
      i = i + 1
      local event = ready[i]
      if event then
        since = event.seq
        if all then
          event.attempt = attempt
        end
        return event
      end
      local seen = attempts.of(task, attempt)
      local over = not seen or record.final[seen.status]
      ready, i = seen and snapshot(seen, since) or {}, 0
      if #ready == 0 then
        if not over then
          local waits_for = { describe = describe_followed, follows = task }
          waiting.in_list(me, tails.of(seen).followers, waits_for, "follow")
        elseif all and attempt < attempts.number(task) then
          attempt, since = attempt + 1, 0
        else
          return nil
        end
      end
    end
  end
end

---The last artifact of a name, or nil.
function reading.artifact(target, name)
  local task = handles.task(target, "artifact")
  shared.ask(task)
  check(task)
  local list = snapshot(task, 0)
  for i = #list, 1, -1 do
    local event = list[i]
    if event.type == "artifact" and event.name == name then
      return tails.value_of(event.content)
    end
  end
  return nil
end

return reading
