-- What the layers that come with the host take as options, checked as a script has loaded.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local error, format, next, pairs, type = error, string.format, next, pairs, type

local options = {}

---Raises: an option is wrong. The place is that of who asks for the layer.
function options.wrong(message)
  return error(errors.new("load_error", message), 0)
end

---The `options` of a layer, from what each may be.
---@param known table option → function(value: any) → any: what the hooks get of it, nil where it is
---not given too; raises by options.wrong
---@return fun(given: table): table
function options.of(known)
  return function(given)
    for key in pairs(given) do
      if not known[key] then
        local hint = spelling.hint(key, known, "")
        local list = next(known) and "; it has " .. spelling.list(known) or "; it has none"
        local message = format("there is no option %s", shown.value(key))
        return options.wrong(message .. (hint ~= "" and hint or list))
      end
    end
    local read = {}
    for key, check in pairs(known) do
      read[key] = check(given[key])
    end
    return read
  end
end

---Says what an option must be.
---@param key string
---@param must string
---@param value any what was given
function options.must(key, must, value)
  return options.wrong(key .. " must be " .. must .. ", and is " .. shown.value(value))
end

---What an option may be that is a text and no empty one.
---@param key string
---@param must string what it is, as messages say it
---@param default string
---@return fun(value: any): string
function options.text(key, must, default)
  return function(value)
    if value ~= nil and (type(value) ~= "string" or value == "") then
      return options.must(key, must, value)
    end
    return value or default
  end
end

---What an option may be that is a time.
---@param key string
---@param default number? seconds
---@return fun(value: any): number?
function options.seconds(key, default)
  return function(value)
    if value ~= nil and not (type(value) == "number" and value > 0 and value < 1 / 0) then
      return options.must(key, "a number of seconds above zero", value)
    end
    return value or default
  end
end

return options
