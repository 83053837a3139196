-- What a call came to: the error that it raised, and how long it took on the run's clock.
local swarm = require "swarm"

local outcomes = {}

---The error that fn raises, which it must.
---@param fn function
---@param ... any its arguments
---@return any err
function outcomes.raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "expected an error, and there was none")
  return err
end

---The same, where its text must have another in it.
---@param says string
---@param fn function
---@param ... any its arguments
---@return any err
function outcomes.mistaken(says, fn, ...)
  local err = outcomes.raised(fn, ...)
  local text = tostring(err)
  assert(text:find(says, 1, true), text)
  return err
end

---The code of the error that fn raises, which it must; the text of one without a code.
---@param fn function
---@param ... any its arguments
---@return string
function outcomes.code_of(fn, ...)
  local err = outcomes.raised(fn, ...)
  return type(err) == "table" and err.code or tostring(err)
end

---The codes of a list of errors, nil being none.
---@param errs swarm.Error[]?
---@return string[]
function outcomes.codes_of(errs)
  local list = {}
  for i, err in ipairs(errs or {}) do
    list[i] = err.code
  end
  return list
end

---How many seconds fn takes.
---@param fn function
---@param ... any its arguments
---@return number
function outcomes.seconds_of(fn, ...)
  local start = swarm.monotonic()
  fn(...)
  return swarm.monotonic() - start
end

return outcomes
