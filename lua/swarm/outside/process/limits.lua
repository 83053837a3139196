-- The fields of a process worker that bound it: in time, in what it may use, and its terminal.
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local floor, format = math.floor, string.format
local pairs, type = pairs, type

local limits = { readers = {} }
local readers = limits.readers

local MOST_BYTES = 2 ^ 53 -- from there on whole numbers have gaps
local ROWS, COLS = 24, 80
local MOST_CELLS = 65535

-- What a child may use → the system's word for it (setrlimit), or false: the host holds it to that.
local LIMITS = {
  line = false,
  output = false,
  memory = "as",
  cpu = "cpu",
  files = "nofile",
  file_size = "fsize",
  processes = "nproc",
}
local UNITS = { cpu = "seconds", files = "open files", processes = "processes of the user" }

---Says what a field must be.
local function must(fail, field, what, value)
  return fail(field, format("%s must be %s, and is %s", field, what, shown.value(value)))
end
limits.must = must

local function is_whole(value, most)
  return type(value) == "number" and value >= 1 and value <= most and floor(value) == value
end

function readers.limits(plan, given, fail)
  if type(given) ~= "table" then
    return must(fail, "limits", "a table", given)
  end
  plan.limits = {}
  for key, value in pairs(given) do
    local word = LIMITS[key]
    if word == nil then
      return fail(
        "limits",
        "limits of a process worker are "
          .. spelling.list(LIMITS)
          .. "; it has no "
          .. shown.value(key)
          .. spelling.hint(key, LIMITS, "")
      )
    elseif not is_whole(value, MOST_BYTES - 1) then
      local unit = UNITS[key] or "bytes"
      local what = format("a whole number of %s, one or more and below 2^53", unit)
      return must(fail, "limits." .. key, what, value)
    elseif word then
      plan.limits[word] = value
    else
      plan[key .. "_limit"] = value
    end
  end
end

local function seconds_of(field, zero)
  return function(plan, value, fail)
    if
      type(value) ~= "number"
      or not (value >= 0 and value < 1 / 0)
      or (value == 0 and not zero)
    then
      local what = zero and "a number of seconds, zero or more" or "a number of seconds above zero"
      return must(fail, field, what, value)
    end
    plan[field] = value
  end
end
readers.kill_after = seconds_of("kill_after", true)
readers.linger = seconds_of("linger", true)
readers.idle = seconds_of("idle", false)

local PTY = { rows = true, cols = true, plain = true }

function readers.pty(plan, given, fail)
  if given == false then
    return
  elseif given == true then
    given = {}
  elseif type(given) ~= "table" then
    local what = "true, false or a table such as { rows = 24, cols = 80, plain = true }"
    return must(fail, "pty", what, given)
  end
  for key in pairs(given) do
    if not PTY[key] then
      local hint = spelling.hint(key, PTY, "")
      return fail("pty", "pty has no " .. shown.value(key) .. hint)
    end
  end
  for _, key in pairs { "rows", "cols" } do
    local value = given[key]
    if value ~= nil and not is_whole(value, MOST_CELLS) then
      return must(fail, "pty." .. key, "a whole number from 1 to " .. MOST_CELLS, value)
    end
  end
  if given.plain ~= nil and type(given.plain) ~= "boolean" then
    return must(fail, "pty.plain", "true or false", given.plain)
  end
  plan.terminal = { rows = given.rows or ROWS, cols = given.cols or COLS }
  plan.plain = given.plain or false
end

---What no field can say by itself.
---@param fields table what the author wrote
function limits.check(plan, fields, fail)
  local timeout = type(fields.timeout) == "number" and fields.timeout
  if plan.idle and timeout and plan.idle > timeout then
    local message = "idle (%g s) is longer than timeout (%g s), and would never come"
    return fail("idle", format(message, plan.idle, timeout))
  end
  local has_final = plan.stream and (plan.format ~= "lines" or plan.event) and not plan.final
  if plan.linger and not has_final then
    return fail(
      "linger",
      "linger counts from a final on: it needs output.format ndjson, sse or frames without final, "
        .. "or lines with event"
    )
  end
end

return limits
