-- explore(fn, opts): runs a small program under every order of its ready lists. The scheduler is
-- deterministic, so an order is nothing but the numbers chosen where more than one could go on, and
-- the tree of these choices is walked depth-first: run the program, go back to the last choice that
-- has another way, run it again from the start.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local order = require "swarm.testing.explore.order"
local pauses = require "swarm.structure.pauses"
local shown = require "swarm.ground.shown"
local trace = require "swarm.testing.explore.trace"
local concat, format, match, gmatch = table.concat, string.format, string.match, string.gmatch
local tonumber, type, error, setmetatable = tonumber, type, error, setmetatable

local MOST_SCHEDULES = 10000 -- by default
local BREATH = 0.05 -- seconds between two looks of the host, for signals and its own deadlines

-- The tree of choices -----------------------------------------------------------------------------

local function new_path(fields)
  fields.chosen = fields.chosen or {}
  fields.count = {}
  fields.depth = 0
  fields.list = {}
  return fields
end

---Goes back to the last choice that has another way, and takes it.
---@return boolean whether there is one
local function next_path(path)
  local chosen, count = path.chosen, path.count
  for i = path.depth, 1, -1 do
    if chosen[i] < count[i] then
      chosen[i] = chosen[i] + 1
      for j = #chosen, i + 1, -1 do
        chosen[j], count[j] = nil, nil
      end
      return true
    end
  end
  return false
end

---Numbers that are the same for the same seed, on every machine (Lehmer's generator).
local function seeded(seed)
  local state = seed % 2147483646 + 1
  return function(n)
    state = state * 48271 % 2147483647
    return state % n + 1
  end
end

---The choices of a path; ones at the end say nothing, for one is what is taken without a word.
local function schedule_of(path)
  local last = path.depth
  while last > 1 and path.chosen[last] == 1 do
    last = last - 1
  end
  return last == 0 and "1" or concat(path.chosen, ".", 1, last)
end

local function path_of(schedule)
  local chosen = {}
  for number in gmatch(schedule, "%d+") do
    chosen[#chosen + 1] = tonumber(number)
  end
  return new_path { chosen = chosen }
end

---Runs the order that failed once more, to tell it step by step, and raises.
local function fail(job, schedule, tried, failure)
  local path = path_of(schedule)
  path.trace = {}
  local again = order.play(job, path)
  local said = errors.is(failure) and errors.headline(failure) or shown.text(failure)
  local message = "an order of the program fails, number " .. tried .. " of those tried: " .. said
  if path.strayed or not again then
    message = message
      .. "\nRun again, the same order passes: something outlives it; keep all state inside the "
      .. "function that explore runs"
  end
  message = message
    .. '\nreplay it: explore(fn, { schedule = "'
    .. schedule
    .. '" })\n'
    .. trace.order(path.trace)
  return error(
    errors.new("exploration_failed", message, {
      schedule = schedule,
      schedules = tried,
      failure = failure,
      steps = path.trace,
      where = job.where,
      traceback = type(failure) == "table" and failure.traceback or nil,
    }),
    0
  )
end

-- Reports -----------------------------------------------------------------------------------------

local function with_commas(n)
  local text = format("%d", n)
  local head, rest = match(text, "^(%d%d?%d?)(.*)$")
  if #text % 3 > 0 then
    head, rest = text:sub(1, #text % 3), text:sub(#text % 3 + 1)
  end
  return head .. rest:gsub("%d%d%d", ",%0")
end

local Report = {}

function Report.__tostring(report)
  local steps = " (" .. with_commas(report.steps) .. " steps)"
  local n = with_commas(report.schedules) .. " schedule" .. (report.schedules == 1 and "" or "s")
  if report.schedule then
    return "replayed schedule " .. report.schedule .. steps
  elseif report.seed then
    return "tried " .. n .. " drawn with seed " .. report.seed .. steps
  elseif not report.complete then
    return "explored " .. n .. ", and there are more" .. steps
  end
  return "explored all " .. n .. steps
end

-- explore -----------------------------------------------------------------------------------------

local OPTIONS = { max = true, check = true, schedule = true, seed = true }

local function is_schedule(text)
  return ("." .. text):gsub("%.[1-9]%d*", "") == ""
end

local function check_options(opts)
  arguments.options(opts, OPTIONS, "explore")
  local schedule = opts.schedule
  if opts.max ~= nil then
    arguments.whole(opts.max, "explore's option max", 1, 1e9)
  end
  if opts.seed ~= nil then
    arguments.whole(opts.seed, "explore's option seed", 0, 2 ^ 31)
  end
  if opts.check ~= nil and type(opts.check) ~= "function" then
    return errors.throw(
      "invalid_argument",
      "explore's option check takes a function, and got " .. shown.value(opts.check)
    )
  end
  if schedule ~= nil and (type(schedule) ~= "string" or not is_schedule(schedule)) then
    return errors.throw(
      "invalid_argument",
      'explore\'s option schedule takes what a failure shows, such as "1.3.2", and got '
        .. shown.value(schedule)
    )
  end
end

---Lets the host look at signals and deadlines from time to time.
local function breathe(job)
  local now = clock.real()
  if now >= job.breath then
    pauses.sleep(0)
    job.breath = clock.real() + BREATH
  end
end

local function replay(job, schedule)
  local path = path_of(schedule)
  local failure = order.play(job, path)
  if failure and not path.strayed then
    return fail(job, schedule, 1, failure)
  elseif path.strayed or path.depth < #path.chosen then
    local why = path.strayed
      or format("the schedule does not fit the program: it has only %d choices", path.depth)
    return errors.throw("invalid_argument", why)
  end
  return { schedules = 1, steps = job.steps, complete = false, schedule = schedule }
end

local function walk(job, opts)
  local most, draw = opts.max or MOST_SCHEDULES, opts.seed and seeded(opts.seed)
  local path, tried, more = new_path { draw = draw }, 0, true
  while more and tried < most do
    breathe(job)
    local failure = order.play(job, path)
    tried = tried + 1
    if path.strayed then
      return errors.throw("invalid_argument", path.strayed)
    elseif failure then
      return fail(job, schedule_of(path), tried, failure)
    end
    if draw then
      path = new_path { draw = draw }
    else
      more = next_path(path)
    end
  end
  return { schedules = tried, steps = job.steps, complete = not more, seed = opts.seed }
end

---explore(fn, opts?) → report { schedules, steps, complete }; raises `exploration_failed` where an
---order fails
---@param fn function the program: it runs as a worker, once for each order
---@param opts table? { max = 10,000, check = function() end, schedule = "1.3.2", seed }
local function explore(fn, opts)
  if type(fn) ~= "function" then
    return errors.throw("invalid_argument", "explore takes a function, and got " .. shown.value(fn))
  end
  opts = opts or {}
  check_options(opts)
  local me = cancelling.enter()
  if order.playing then
    return errors.throw("invalid_argument", "explore cannot run inside explore")
  end
  local job = {
    me = me,
    fn = fn,
    check = opts.check,
    steps = 0,
    where = frames.where(),
    breath = clock.real() + BREATH,
  }
  local report = opts.schedule and replay(job, opts.schedule) or walk(job, opts)
  return setmetatable(report, Report)
end

return explore
