-- The workers and words that several specs of this chapter share.
local swarm = require "swarm"

swarm.worker "double" {
  run = function(_, n)
    swarm.sleep(1)
    return n * 2
  end,
}

-- Nothing that a script sees may speak of what the host is made of.
local HOST_WORDS = {
  "swarm/[%w_/]+%.lua",
  "Traceback",
  "%.py",
  "Error:",
  "codec",
  "lupa",
  "asyncio",
  "anyio",
  "\\x",
}

---@param text string
local function assert_no_host(text)
  for _, word in ipairs(HOST_WORDS) do
    if text:find(word) then
      error("the host shows (" .. word .. "): " .. text, 2)
    end
  end
end

---Runs a call that may refuse its arguments; what it raises must be an error object of ours, or
---what a function of the spec file raised.
---@param name string
---@param fn function
---@param ... any its arguments
local function survives(name, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok and type(err) == "string" then
    assert.matches("[%w_]+_spec.lua:%d+: ", err, name)
  elseif not ok then
    assert.equal("table", type(err), name)
    assert.equal("string", type(err.code), name)
    assert.equal("string", type(err.message), name)
    assert.not_equal("internal", err.code, name .. ": " .. tostring(err))
    assert.not_equal("host_error", err.code, name .. ": " .. tostring(err))
    assert_no_host(tostring(err))
  end
end

---The error of a worker that runs fn, from the place that joins it.
---@param fn any such as what `load` gave
---@return swarm.Error?
local function failure_of(fn)
  local ok, err = swarm.join(swarm.spawn(fn))
  assert.is_nil(ok)
  return err
end

---@return swarm.Handle
local function child()
  local h = swarm.spawn(function()
    swarm.sleep(1000)
  end)
  swarm.yield()
  return h
end

return {
  HOST_WORDS = HOST_WORDS,
  assert_no_host = assert_no_host,
  survives = survives,
  failure_of = failure_of,
  child = child,
}
