-- Schemas of workers: `input_schema` and `output_schema`, by way of port `schema`. The check needs
-- the host and spawn never yields, so an input is checked as its attempt begins, before `run`. A
-- worker without a schema runs as it was: the check is put around `run` where it is defined.
local bridge = require "swarm.outside.bridge"
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local S = require "swarm.scheduler.scheduler"
local site = require "swarm.ground.site"
local values = require "swarm.values.values"
local pcall, error, format = pcall, error, string.format

local schema = {}

local function load_error(def, field, path, message)
  local text = format("worker %q: %s%s", def.name, path, message)
  return errors.throw("load_error", text, { field = field, path = path })
end

---A schema as text, and what is wrong with it; raises where JSON cannot say it.
---@param written table
---@param name string what it is called, the first word of an offence's path
---@return string text
---@return table? problem { path, message }
function schema.compile(written, name)
  local text = json.encode(written, name)
  return text, bridge.request("schema", { op = "compile" }, text)
end

---What is wrong with a value.
---@param text string the schema
---@param name string what the value is called
---@return string? path of the offence; nil: nothing is wrong
---@return string message
function schema.offence(text, value, name)
  local data = text .. "\n" .. json.encode(value, name)
  local problem = bridge.request("schema", { op = "check" }, data)
  if problem then
    return values.path(name, problem.path), problem.message
  end
end

---The text of a definition's schema, once the host has found it right; nil where there is none.
---@return string?
local function compiled(def, field)
  local written = def[field]
  if written == nil then
    return nil
  end
  local ok, text, problem = pcall(schema.compile, written, field)
  if not ok and text.code == "invalid_value" then
    return load_error(def, field, text.path, text.message:sub(#text.path + 1))
  elseif not ok then
    return error(text, 0)
  elseif problem then
    return load_error(def, field, values.path(field, problem.path), ": " .. problem.message)
  end
  return text
end

---What is wrong with a value, as an error to be raised, or nil.
---@param text string the schema
---@param root string "input" or "result"
---@param says string what the message begins with
local function misfit(text, value, root, says)
  local path, message = schema.offence(text, value, root)
  return path and errors.new("invalid_value", says .. path .. ": " .. message, { path = path })
end

local function check_input(def, text, input)
  local err = misfit(text, input, "input", format("worker %q refused ", def.name))
  if err then
    err.refused = true -- like every refusal, never tried again
    err.where = site.place(S.current.task.site) -- who spawned it is wrong, not who was spawned
    return error(err, 0)
  end
end

local function check_output(def, text, value)
  local says = format("worker %q does not keep to its output_schema: ", def.name)
  local err = misfit(text, value, "result", says)
  if err then
    err.refused = false -- the attempt's own fault: the next may do better
    return error(err, 0)
  end
end

---What checks values against a definition's `output_schema`, for a kind that can have a value made
---anew: nil where it has none.
---@param def table
---@return string? text the schema
---@return function? misfit called with a value; returns the error, or nil where it fits
function schema.of_output(def)
  local text = compiled(def, "output_schema")
  if not text then
    return nil
  end
  local says = format("worker %q does not keep to its output_schema: ", def.name)
  return text,
    function(value)
      local err = misfit(text, value, "result", says)
      if err then
        err.refused = false
      end
      return err
    end
end

---A worker's `run` with its schemas checked: `run` itself where there are none.
---@param def table the definition: name, input_schema, output_schema (each a table, or nil)
---@param run function called as run(ctx, input); returns value, reason
---@return function
function schema.wrap(def, run)
  local input_text = compiled(def, "input_schema")
  local output_text = compiled(def, "output_schema")
  if not input_text and not output_text then
    return run
  end
  return function(ctx, input)
    if input_text then
      check_input(def, input_text, input)
    end
    local value, reason = run(ctx, input)
    if output_text and reason == nil then
      value = values.copy(value, "result") -- nobody changes it while it is being checked
      check_output(def, output_text, value)
    end
    return value, reason
  end
end

return schema
