-- What a process wrote, made into a worker's value by `output = { format, result, ok }`.
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local values = require "swarm.values.values"
local find, format, gsub = string.find, string.format, string.gsub
local gmatch, match, sub = string.gmatch, string.match, string.sub
local pairs, pcall, tonumber, type = pairs, pcall, tonumber, type

local output = {}

local STDERR_IN_ERRORS = 4096 -- bytes, the last ones

local FORMATS = { auto = true, text = true, json = true, file = true }
local LATER = { ndjson = true, sse = true, frames = true }
local FIELDS = { format = true, result = true, ok = true }
local FIELDS_LATER = { event = true, final = true }

---Reads the field `output` of a definition into its plan.
function output.read(plan, given, fail)
  if type(given) ~= "table" then
    return fail("output", 'output must be a table such as { format = "json" }')
  end
  for key in pairs(given) do
    if FIELDS_LATER[key] then
      return fail("output", "output." .. key .. " belongs to stream formats: not supported yet")
    elseif not FIELDS[key] then
      return fail("output", "output has no " .. shown.value(key) .. spelling.hint(key, FIELDS, ""))
    end
  end
  local name = given.format or "auto"
  if LATER[name] then
    return fail("output", format("output.format %q is not supported yet", name))
  elseif not FORMATS[name] then
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
  plan.format = name
  for _, key in pairs { "result", "ok" } do
    local pointer = given[key]
    if pointer ~= nil then
      if type(pointer) ~= "string" or not (pointer == "" or find(pointer, "^/")) then
        local example = 'a JSON Pointer such as "/answer/text"'
        return fail("output", format("output.%s must be %s", key, example))
      elseif name == "text" or name == "file" then
        return fail("output", format('output.%s needs format "json" or "auto"', key))
      end
      plan[key] = pointer
    end
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
    return (gsub(stdout, "\n$", ""))
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

local function how_it_ended(ended, stderr)
  local text = ended.signal and "ended by " .. ended.signal or "exit code " .. ended.exit_code
  local last = match(stderr, "([^\n]+)\n*$")
  return last and text .. ": " .. sub(last, 1, 200) or text
end

---A worker's result, as `run` returns it; raises the error of a program that failed. What does not
---keep `format` is no verdict, whatever `exit` says; else the program's own word goes before its
---exit code.
---@param ended table how the child ended
---@return any value, string? reason why it is blocked
function output.result(plan, ended, stdout, stderr)
  local function fail(message, left, reason)
    return errors.throw("process_failed", plan.who .. ": " .. message, {
      exit_code = ended.exit_code,
      signal = ended.signal,
      stderr = sub(stderr, -STDERR_IN_ERRORS),
      stdout = left,
      reason = reason,
    })
  end
  local function block(value, why)
    local signal, code = ended.signal, ended.exit_code
    return { exit_code = code, signal = signal, stderr = stderr, stdout = value }, why
  end
  local is_well = ended.exit_code and plan.ok_codes[ended.exit_code]
  local how = not is_well and how_it_ended(ended, stderr)
  -- Beside how it ended the value stands a level further in.
  local levels = is_well and values.MAX_DEPTH or values.MAX_DEPTH - 1
  local value, problem = shape(plan, ended, stdout, stderr, levels)
  if problem then
    return fail(how and how .. "; " .. problem or problem, stdout, problem)
  end
  local verdict = plan.ok and point(value, plan.ok)
  if plan.ok and verdict == false then
    return block(value, "its output says so: " .. plan.ok .. " is false")
  elseif how and plan.exit == "failed" then
    return fail(how, value)
  elseif how then
    return block(value, how)
  elseif plan.ok and verdict ~= true then
    problem = "its output has no boolean at " .. plan.ok
  else
    value, problem = part_of(plan, value)
  end
  if problem then
    return fail(problem, stdout, problem)
  end
  return value
end

return output
