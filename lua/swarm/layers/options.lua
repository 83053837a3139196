-- What the layers that come with the host take as options, checked as a script has loaded.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local error, format, next, pairs = error, string.format, next, pairs

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

return options
