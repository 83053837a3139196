-- What a process wrote, made into a worker's value by `output = { format, result, ok }`.
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local values = require "swarm.values.values"
local find, format, gsub = string.find, string.format, string.gsub
local floor = math.floor
local gmatch, match, sub = string.gmatch, string.match, string.sub
local pairs, pcall, tonumber, type = pairs, pcall, tonumber, type

local output = {}

local STDERR_IN_ERRORS = 4096 -- bytes, the last ones

-- Whether it is a stream, taken item by item (stream.lua), and what each format has besides.
local FORMATS = {
  auto = { result = true, ok = true },
  text = {},
  json = { result = true, ok = true },
  file = {},
  lines = { stream = true, keep = true, event = true },
  ndjson = { stream = true, result = true, ok = true, event = true, final = true },
  sse = { stream = true, result = true, ok = true, event = true, final = true },
  frames = { stream = true, result = true, ok = true, event = true, final = true },
}
local FIELDS = { format = true, result = true, ok = true, event = true, final = true, keep = true }
local FIELD_NAMES = { "result", "ok", "event", "final", "keep" }

local function is_pointer(value)
  return type(value) == "string" and (value == "" or find(value, "^/") ~= nil)
end

local POINTER = 'a JSON Pointer such as "/answer/text"'

-- What a field must be, in words and as a check.
local CHECKS = {
  result = { POINTER, is_pointer },
  ok = { POINTER, is_pointer },
  event = {
    "a function(item)",
    function(value)
      return type(value) == "function"
    end,
  },
  final = {
    '"last": the last item is the result',
    function(value)
      return value == "last"
    end,
  },
  keep = {
    "a whole number of lines, zero or more",
    function(value)
      return type(value) == "number" and value >= 0 and value < 2 ^ 53 and floor(value) == value
    end,
  },
}

---The formats that have a field, for a message.
local function formats_with(field)
  local list = {}
  for name, has in pairs(FORMATS) do
    if has[field] then
      list[name] = true
    end
  end
  return spelling.list(list)
end

---Reads the field `output` of a definition into its plan.
function output.read(plan, given, fail)
  if type(given) ~= "table" then
    return fail("output", 'output must be a table such as { format = "json" }')
  end
  for key in pairs(given) do
    if not FIELDS[key] then
      return fail("output", "output has no " .. shown.value(key) .. spelling.hint(key, FIELDS, ""))
    end
  end
  local name = given.format or "auto"
  local has = type(name) == "string" and FORMATS[name]
  if not has then
    local hint = spelling.hint(name, FORMATS, "")
    return fail(
      "output",
      "there is no output.format "
        .. shown.value(name)
        .. hint
        .. "; formats: "
        .. spelling.list(FORMATS)
    )
  end
  plan.format, plan.stream = name, has.stream and name
  for i = 1, #FIELD_NAMES do
    local key = FIELD_NAMES[i]
    local value, check = given[key], CHECKS[key]
    if value ~= nil and not has[key] then
      local message = "output.%s is for the formats %s, and this is %s"
      return fail("output", format(message, key, formats_with(key), name))
    elseif value ~= nil and not check[2](value) then
      local message = "output.%s must be %s, and is %s"
      return fail("output", format(message, key, check[1], shown.value(value)))
    end
    plan[key] = value
  end
end

---The value that a JSON Pointer (RFC 6901) names, or nil.
local function point(value, pointer)
  for key in gmatch(pointer, "/([^/]*)") do
    if type(value) ~= "table" then
      return nil
    end
    key = gsub(gsub(key, "~1", "/"), "~0", "~")
    if #value > 0 then
      key = match(key, "^%d+$") and tonumber(key) + 1
    end
    value = value[key]
  end
  return value
end

---JSON that can cross as it is; where only a part of it is the result, any that can be read.
---@param levels integer of nesting that the value may have
local function parse(plan, text, levels)
  local ok, value = pcall(json.decode, text, levels)
  if not ok and plan.result then
    return pcall(json.decode, text)
  end
  return ok, value
end

---@param levels integer of nesting that the value may have
---@return any value, string? problem why it is not what the format promises
local function shape(plan, ended, stdout, stderr, levels)
  local name = plan.format
  if name == "file" then
    return values.file(ended.path)
  elseif name == "text" then
    return stdout -- without its last newline: see child.run, `chomp`
  elseif name == "json" or find(stdout, "^%s*[%[{]") then
    local ok, value = parse(plan, stdout, levels)
    if ok then
      return value
    elseif name == "json" then
      return nil, "its output is " .. value.message
    end
  end
  return { raw = stdout, stderr = stderr }
end

---The part of a value that is the result.
---@return any part, string? problem
local function part_of(plan, value)
  if not plan.result then
    return value
  end
  local part = point(value, plan.result)
  if part == nil then
    return nil, "its output has nothing at " .. plan.result
  end
  local crosses, why = pcall(values.copy, part, "what is at " .. plan.result)
  return part, not crosses and why.message or nil
end

---The end of what a child wrote to its standard error.
function output.end_of(stderr)
  return sub(stderr, -STDERR_IN_ERRORS)
end

---How a child ended, in words, with the last line of its standard error.
function output.how_it_ended(ended, stderr)
  local text = ended.signal and "ended by " .. ended.signal or "exit code " .. ended.exit_code
  -- What was written over on a terminal's line is not what it says.
  local last = match(output.end_of(stderr), "([^\r\n]+)[\r\n]*$")
  return last and text .. ": " .. sub(last, 1, 200) or text
end

---What a value says of itself.
---@param final table? the event that it comes from
---@return string? refusal why it is blocked
---@return string? problem why it says nothing
local function verdict_of(plan, value, final)
  if final and not final.ok then
    return final.reason or "its final says that it is not ok"
  elseif plan.ok then
    local flag = point(value, plan.ok)
    if flag == false then
      return "its output says so: " .. plan.ok .. " is false"
    elseif flag ~= true then
      return nil, "its output has no boolean at " .. plan.ok
    end
  end
end

---A worker's result, as `run` returns it; raises the error of a program that failed. What does not
---keep `format` is no verdict, whatever `exit` says; else the program's own word goes before its
---exit code.
---@param ended table how the child ended
---@param items table? the stream that its output was (stream.lua)
---@param posted table? { value, reason }: the result that it has posted to the run's socket
---@return any value, string? reason why it is blocked
function output.result(plan, ended, stdout, stderr, items, posted)
  local is_well = ended.lingered or plan.ok_codes[ended.exit_code or false]
  local how = not is_well and output.how_it_ended(ended, stderr)
  local function fail(message, left, reason)
    return errors.throw("process_failed", plan.who .. ": " .. message, {
      exit_code = ended.exit_code,
      signal = ended.signal,
      stderr = output.end_of(stderr),
      stdout = left,
      reason = reason,
    })
  end
  local function block(value, why)
    local signal, code = ended.signal, ended.exit_code
    return { exit_code = code, signal = signal, stderr = stderr, stdout = value }, why
  end
  local value, problem, final
  if posted then
    value, final = posted.value, { ok = posted.reason == nil, reason = posted.reason }
  elseif items then
    value, problem, final = items:result()
  else
    -- Beside how it ended the value stands a level further in.
    local levels = is_well and values.MAX_DEPTH or values.MAX_DEPTH - 1
    value, problem = shape(plan, ended, stdout, stderr, levels)
  end
  if problem then
    return fail(how and how .. "; " .. problem or problem, not items and stdout or nil, problem)
  end
  local refusal, silence = verdict_of(plan, value, final)
  if refusal and final and not final.ok then
    return value, refusal
  elseif refusal then
    return block(value, refusal)
  elseif how and plan.exit == "failed" then
    return fail(how, value)
  elseif how then
    return block(value, how)
  elseif not silence then
    value, silence = part_of(plan, value)
  end
  if silence then
    return fail(silence, not items and stdout or nil, silence)
  end
  return value
end

---The answer to one invocation of a child that is held open.
---@param final table? the event that it comes from
---@return any value, string? reason why it is blocked
function output.of_item(plan, value, final)
  local refusal, problem = verdict_of(plan, value, final)
  if refusal then
    return value, refusal
  elseif not problem then
    value, problem = part_of(plan, value)
  end
  if problem then
    return errors.throw("process_failed", plan.who .. ": " .. problem, { reason = problem })
  end
  return value
end

return output
