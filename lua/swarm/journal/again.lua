-- What a task is given once more where it runs again: values that were recorded, when sleeps end,
-- the time as main read it, and random numbers. Each is known by its task and by which of its kind
-- it was, or by a key.
local bit = require "bit"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local exact = require "swarm.values.exact"
local ffi = require "ffi"
local random = require "swarm.ground.random"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local rshift, tonumber, tostring = bit.rshift, tonumber, tostring

local again = {
  seed = 0, -- of the run, 0 to 2^53
}

-- Recorded values ---------------------------------------------------------------------------------

---What was kept of a kind for a task.
---@return table? n or key → text
local function kept_of(task, kind)
  local found = task.extra and task.extra.found
  return found and found.kept and found.kept[kind]
end

---Which of its kind comes next in a task.
---@return string? text nil: it is the first time
---@return integer n
local function next_of(task, kind)
  local extra = record.extra(task)
  local counts = extra.kept_counts or {}
  extra.kept_counts = counts
  local n = (counts[kind] or 0) + 1
  counts[kind] = n
  local kept = kept_of(task, kind)
  return kept and kept[tostring(n)], n
end

---The value of a key, where it was recorded.
---@return boolean known, any value
function again.recorded(task, key)
  local memory = task.extra and task.extra.recorded
  local text = memory and memory[key]
  if not text then
    local kept = kept_of(task, "recorded")
    text = kept and kept[records.field(key)]
  end
  if text then
    return true, records.value(text)
  end
  return false
end

---Records the value of a key.
function again.record(task, key, value)
  local text, same = records.text(value)
  if not same then
    local message = "swarm.recorded: its value cannot be kept: there is a secret in it, or a "
      .. "live object such as a channel"
    return errors.throw("invalid_value", message, { path = "value" })
  end
  local extra = record.extra(task)
  extra.recorded = extra.recorded or {}
  extra.recorded[key] = text
  if records.on then
    records.kept(task, "recorded", 0, key, value)
  end
end

---A value of which only the first counts: what `make` gives, or what it gave before.
---@param kind string
---@param make function
function again.same(task, kind, make)
  local text, n = next_of(task, kind)
  if text then
    return exact.decode(text)
  end
  local value = make()
  records.kept(task, kind, n, "", value)
  return value
end

---What a task has is to be given to it again.
---@param kind string there is one of the kind
function again.give(task, kind, value)
  if records.on then
    records.kept(task, kind, 1, "", value)
  end
end

---What a task had in the run that is resumed, or nil.
function again.given(task, kind)
  local kept = kept_of(task, kind)
  return kept and exact.decode(kept["1"])
end

---What was kept of a kind under a key of the host's own, or nil.
function again.recorded_as(task, kind, key)
  local kept = kept_of(task, kind)
  return kept and kept[key] and exact.decode(kept[key])
end

---The question that a task asked as its n-th, and what it came to, as the journal has them.
---@param n string
---@return table? asked { about, since }, table? answer { value, by, via, … } or { withdrawn }
function again.asked(task, n)
  local asked, answers = kept_of(task, "question"), kept_of(task, "answer")
  local answer = answers and answers[n]
  return asked and asked[n] and exact.decode(asked[n]), answer and exact.decode(answer)
end

-- Sleeps ------------------------------------------------------------------------------------------

---When a sleep that begins now ends.
---@param seconds number
---@return table sleep { n, till: Unix seconds, order: of its end, where it has ended before }
function again.sleep(task, seconds)
  local text, n = next_of(task, "sleep")
  local sleep = text and exact.decode(text)
  if sleep and sleep.seconds == seconds and not sleep.cut then
    sleep.n = n
    return sleep
  end
  sleep = { seconds = seconds, till = clock.wall() + seconds }
  records.kept(task, "sleep", n, "", sleep)
  sleep.n = n
  return sleep
end

---It was cut short, by a time limit of its script's own: where that runs again, so does the sleep.
function again.cut(task, sleep)
  local kept = { seconds = sleep.seconds, till = sleep.till, cut = true }
  records.kept(task, "sleep", sleep.n, "", kept)
end

---It has ended.
function again.woke(task, sleep)
  local order = records.order + 1
  records.order = order
  local kept = { seconds = sleep.seconds, till = sleep.till, order = order }
  records.kept(task, "sleep", sleep.n, "", kept)
end

-- Random numbers: a stream for each task (splitmix64), so that who runs first changes nothing -----

local GOLDEN, mixed = random.GOLDEN, random.mixed

---The stream of the running worker's task.
local function stream()
  local me = S.current
  local task = me and me.task
  if not task then
    return nil
  end
  local extra = record.extra(task)
  local state = extra.stream
  if not state then
    state = ffi.new("uint64_t[1]", mixed(again.seed + GOLDEN * task.id))
    extra.stream = state
  end
  return state
end

---A number in [0, 1).
local function unit()
  local state = stream()
  if not state then
    return random.random()
  end
  state[0] = state[0] + GOLDEN
  return tonumber(rshift(mixed(state[0]), 11)) / 9007199254740992
end

---math.random, and swarm.random: a number in [0, 1), or a whole one in [1, m] or [m, n].
---@param m number?
---@param n number?
function again.random(m, n)
  return random.within(unit(), m, n)
end

---math.randomseed: of the running worker's own numbers.
function again.randomseed(seed)
  local state = stream()
  if state then
    state[0] = mixed((tonumber(seed) or 0) * 1ULL)
  end
end

return again
