-- Attempts: which there are of a task, and what its `retries` say about further ones. Each attempt
-- is one worker; what is left of earlier attempts is kept beside the task.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local log = require "swarm.events.log"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local type, pairs, floor, format = type, pairs, math.floor, string.format

local attempts = {
  renew = nil, -- structure/retry.lua
}

local FIELDS = {
  max = true,
  backoff = true,
  factor = true,
  max_delay = true,
  jitter = true,
  max_wait = true,
  on = true,
}
local LONGEST_LIMIT = 21600 -- seconds that a usage limit may last to be waited for
local FAILURES = { failed = true, timeout = true }

-- Ends, and codes of the host's, that may be worth another attempt. Any other word is a code of the
-- author's own, so one that looks like one of these is only told of.
local WORTH = {
  agent_failed = true,
  failed = true,
  timeout = true,
  blocked = true,
  closed = true,
  host_error = true,
  http_error = true,
  idle_timeout = true,
  invalid_value = true,
  io_error = true,
  limited = true,
  process_failed = true,
}

local function tell_of(word, what)
  local meant = not WORTH[word] and spelling.nearest(word, WORTH)
  if meant then
    local where = frames.where()
    log.entry(
      "warn",
      format("%s%s.on has %q: did you mean %q?", where and where .. ": " or "", what, word, meant)
    )
  end
end

local function read_on(on, what)
  if type(on) == "function" then
    return on
  elseif type(on) == "string" then
    on = { on }
  end
  local set, n = {}, 0
  if type(on) == "table" then
    for key, word in pairs(on) do
      if type(key) ~= "number" or type(word) ~= "string" then
        n = -1
        break
      end
      set[word], n = true, n + 1
      tell_of(word, what)
    end
  end
  if n < 1 then
    return errors.throw(
      "invalid_argument",
      what
        .. '.on takes a list such as { "failed", "timeout" } or a function, and got '
        .. shown.value(on)
    )
  elseif set.cancelled or set.pass then
    return errors.throw(
      "invalid_argument",
      what .. ".on: what " .. (set.pass and "passed" or "was cancelled") .. " is never tried again"
    )
  end
  return set
end

local function number_of(value, default, what, least)
  if value == nil then
    return default
  elseif type(value) ~= "number" or value ~= value or value < least or value == 1 / 0 then
    return errors.throw(
      "invalid_argument",
      what .. " takes a number, " .. least .. " or more, and got " .. shown.value(value)
    )
  end
  return value
end

---Reads `retries = n` or `retries = { max = n, ... }`.
---@param what string the field, as messages name it
---@return table? policy nil for none
function attempts.policy(value, what)
  local fields = type(value) == "number" and { max = value } or value
  if type(fields) ~= "table" then
    return errors.throw(
      "invalid_argument",
      what .. " takes a number of further attempts or a table, and got " .. shown.value(value)
    )
  end
  arguments.options(fields, FIELDS, what)
  local max = fields.max
  if type(max) ~= "number" or max < 0 or max == 1 / 0 or floor(max) ~= max then
    return errors.throw(
      "invalid_argument",
      what .. " takes how many further attempts there may be, and got " .. shown.value(max)
    )
  elseif fields.jitter ~= nil and type(fields.jitter) ~= "boolean" then
    return errors.throw("invalid_argument", what .. ".jitter is true or false")
  elseif max == 0 then
    return nil
  end
  return {
    max = max,
    backoff = number_of(fields.backoff, 0.5, what .. ".backoff", 0),
    factor = number_of(fields.factor, 2, what .. ".factor", 1),
    max_delay = number_of(fields.max_delay, 30, what .. ".max_delay", 0),
    jitter = fields.jitter ~= false,
    max_wait = number_of(fields.max_wait, LONGEST_LIMIT, what .. ".max_wait", 0),
    on = fields.on == nil and FAILURES or read_on(fields.on, what),
  }
end

-- Of a task that is begun again only where a limit has stopped it.
attempts.NONE = { max = 0, backoff = 0, factor = 1, max_delay = 0, jitter = false, on = {} }

---What a task with retries keeps.
---@param policy table
---@param input any as it was given; an attempt may change its own
---@param by table the rights of who spawned it
---@param given_by table? the rights of who gave the policy, where that is not the worker's own
---@return table
function attempts.new(policy, input, by, given_by)
  return {
    policy = policy,
    input = input,
    by = by,
    given_by = given_by,
    number = 1, -- of the attempt that the task is in
    limited = 0, -- attempts that a limit has stopped: they spend no retry
    past = {}, -- number → what is left of an attempt, shaped like a settled task
    timer = nil, -- set between two attempts
    is_new = false, -- the task is to begin an attempt that is not its first
    stopped = false, -- the task was cancelled: no further attempt
    why = nil, -- what the last attempt that failed said
    told = nil, -- its entry in the summary (events/tally.lua)
  }
end

---The number of a task's attempt, from 1.
function attempts.number(task)
  local retries = task.extra and task.extra.retries
  return retries and retries.number or 1
end

---One attempt of a task: itself, or what is left of it; nil where there is none, or no more.
---@return table? attempt { def, status, value, since, extra = { err, tail } } at least
function attempts.of(task, number)
  if number == attempts.number(task) then
    return task
  end
  local retries = task.extra and task.extra.retries
  return retries and retries.past[number]
end

---The time between two attempts, if there was one, is over or was cut short.
---@param w table
---@param retries table
function attempts.end_backoff(w, retries)
  if retries.timer then
    S.drop_timer(retries.timer)
    retries.timer, w.waiting = nil, nil
  end
end

---A worker is about to begin.
function attempts.begin(w)
  local retries = w.task.extra.retries
  if retries then
    attempts.end_backoff(w, retries)
    if retries.is_new then
      retries.is_new = false
      attempts.renew(w, retries)
    end
  end
end

return attempts
