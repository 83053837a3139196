-- Checks of what authors give to the calls: a mistake is named where it was made.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local type, pairs, tostring, format = type, pairs, tostring, string.format

local arguments = {}

---Checks a number of seconds that an author gave.
function arguments.seconds(value, what)
  if type(value) ~= "number" or value ~= value or value < 0 or value == 1 / 0 then
    return errors.throw(
      "invalid_argument",
      what .. " takes a number of seconds, zero or more, and got " .. shown.value(value)
    )
  end
  return value
end

---Checks a whole number that an author gave.
function arguments.whole(value, what, least, most)
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
    return errors.throw(
      "invalid_argument",
      what
        .. " takes a whole number from "
        .. least
        .. " to "
        .. format("%d", most)
        .. ", and got "
        .. shown.value(value)
    )
  end
  return value
end

---Checks that an author gave a table of options, and none that does not exist.
function arguments.options(opts, known, call)
  if type(opts) ~= "table" then
    return errors.throw(
      "invalid_argument",
      call .. " takes a table of options, and got " .. shown.value(opts)
    )
  end
  for key in pairs(opts) do
    if not known[key] then
      local near = spelling.nearest(tostring(key), known)
      return errors.throw(
        "invalid_argument",
        call
          .. " has no option "
          .. shown.value(key)
          .. (near and "; did you mean " .. near .. "?" or "; it has " .. spelling.list(known)),
        { name = tostring(key) }
      )
    end
  end
end

return arguments
