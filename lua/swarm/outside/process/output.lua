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
      value = match(key, "^%d+$") and value[tonumber(key) + 1] or nil
    else
      value = value[key]
    end
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
  end
  local raw = { raw = stdout, stderr = stderr }
  if name == "json" or find(stdout, "^%s*[%[{]") then
    local ok, value = parse(plan, stdout, levels)
    if ok then
      return value
    elseif name == "json" then
      raw.parse_error = value.message
      return raw, "its output is " .. value.message
    end
  end
  return raw
end

---What the value says of itself, and the part of it that counts.
---@return any value, string? problem, string? refusal
local function judge(plan, value, stdout, stderr)
  if plan.ok then
    local flag = point(value, plan.ok)
    if flag == false then
      return value, nil, "its output says so: " .. plan.ok .. " is false"
    elseif flag ~= true then
      return value, nil, "its output has no boolean at " .. plan.ok
    end
  end
  if plan.result then
    local part = point(value, plan.result)
    local crosses, why = pcall(values.copy, part, "what is at " .. plan.result)
    if part == nil or not crosses then
      local problem = part == nil and "its output has nothing at " .. plan.result or why.message
      return { raw = stdout, stderr = stderr, parse_error = problem }, problem
    end
    value = part
  end
  return value
end

local function how_it_ended(ended, stderr)
  local text = ended.signal and "ended by " .. ended.signal or "exit code " .. ended.exit_code
  local last = match(stderr, "([^\n]+)\n*$")
  return last and text .. ": " .. sub(last, 1, 200) or text
end

---A worker's result, as `run` returns it.
---@param ended table how the child ended
---@return any value, string? reason why it is blocked
function output.result(plan, ended, stdout, stderr)
  local is_well = ended.exit_code and plan.ok_codes[ended.exit_code]
  -- Beside how it ended the value stands a level further in.
  local levels = is_well and values.MAX_DEPTH or values.MAX_DEPTH - 1
  local value, problem = shape(plan, ended, stdout, stderr, levels)
  local refusal
  if not is_well then
    refusal = how_it_ended(ended, stderr)
  elseif not problem then
    value, problem, refusal = judge(plan, value, stdout, stderr)
  end
  if not refusal then
    return value, problem
  elseif plan.exit == "failed" then
    return errors.throw("process_failed", plan.who .. ": " .. refusal, {
      exit_code = ended.exit_code,
      signal = ended.signal,
      stderr = sub(stderr, -STDERR_IN_ERRORS),
    })
  end
  return {
    exit_code = ended.exit_code,
    signal = ended.signal,
    stderr = stderr,
    stdout = value,
  },
    refusal
end

return output
