-- Stand-ins, in spec files: a function that runs in place of what a worker runs, with the worker's
-- pipeline around it, and a function that answers in place of a port of the host.
local answering = require "swarm.testing.answering"
local app = require "swarm.testing.app"
local arguments = require "swarm.ground.arguments"
local bridge = require "swarm.outside.bridge"
local closed = require "swarm.ground.closed"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local json = require "swarm.values.json"
local mocked = require "swarm.testing.mocked"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local spies = require "swarm.testing.spies"
local values = require "swarm.values.values"
local type, pairs, pcall, error, tostring = type, pairs, pcall, error, tostring

local mock = {}

-- Workers -----------------------------------------------------------------------------------------

local stand_ins = {} -- definition → { fn, calls }

---The innermost run of a definition: its own, or what stands in for it.
function mock.around_run(def, run)
  return function(ctx, input)
    local stand_in = stand_ins[def]
    if not stand_in then
      return run(ctx, input)
    end
    local calls = stand_in.calls
    calls[#calls + 1] = input == nil and values.null or values.copy(input, "input")
    return stand_in.fn(ctx, input)
  end
end

---Puts a stand-in into every definition of a name: the spec file's and those of its scripts.
local function stand_in_for(generation, name, stand_in, where)
  local known, found = {}, false
  local function look(workers)
    for candidate, def in pairs(workers) do
      known[candidate] = true
      if candidate == name then
        stand_ins[def], found = stand_in, true
      end
    end
  end
  look(generation.workers)
  for i = 1, #app.lines do
    look(app.lines[i].newest.workers)
  end
  if not found then
    local hint, list = spelling.hint(name, known, ""), spelling.list(known)
    return errors.throw(
      "not_registered",
      "mock.worker: there is no worker "
        .. shown.value(name)
        .. (hint ~= "" and hint or list ~= "" and "; there are " .. list or "; there are none")
        .. " (a script's workers are there once swarm.script has loaded it)",
      { unknown = name, where = where }
    )
  end
end

local function check(call, name, fn)
  if type(name) ~= "string" or name == "" then
    return arguments.wrong(call .. " takes a name", name)
  elseif type(fn) ~= "function" then
    return arguments.wrong(call .. " takes a function second", fn)
  end
end

local function worker_mock(generation)
  return function(name, fn)
    check("mock.worker", name, fn)
    local stand_in, where = { fn = fn, calls = {} }, frames.where()
    if generation.closed then
      stand_in_for(generation, name, stand_in, where)
    else
      -- Names are resolved when loading ends, so order is free.
      generation.closing[#generation.closing + 1] = function()
        return stand_in_for(generation, name, stand_in, where)
      end
    end
    return { calls = stand_in.calls }
  end
end

-- Ports -------------------------------------------------------------------------------------------

---What a mock raised, as the port's error.
local function raise_for_port(name, err)
  local me = S.current
  if me.scope.cancel or errors.is(err) then
    return error(err, 0) -- a cancel, or a mistake in the mock itself
  elseif type(err) == "table" then
    local fields = {}
    for key, value in next, err do
      fields[key] = value
    end
    local code, message = fields.code or "host_error", fields.message
    fields.code, fields.message = nil, nil
    local text = message == nil and "port " .. name .. " failed" or shown.text(message)
    return errors.throw(tostring(code), text, fields)
  end
  return errors.throw("host_error", "port " .. name .. " failed: " .. shown.text(err))
end

local function answer_with(name, fn)
  local self = { port = name, where = frames.where() }
  return function(_, payload, data, options)
    local on_event = options and options.on_event
    local function emit(event, bytes)
      if on_event then
        event = json.decode(json.encode(event, "event"))
        mocked.check_event(self, bytes)
        on_event(event, bytes)
      end
    end
    payload = json.decode(json.encode(payload, "payload", true))
    local ok, value, bytes = pcall(fn, payload, data, emit)
    if not ok then
      return raise_for_port(name, value)
    end
    cancelling.enter()
    if value ~= nil then
      value = json.decode(json.encode(value, "answer"))
    end
    return mocked.answer(self, payload, value, bytes)
  end
end

---Scripts and modules are still loaded by the host: a mock answers what runs.
local function takes_from(name)
  return function(me, payload)
    return not cancelling.is_loading(me) and not (name == "files" and payload.op == "first")
  end
end

---@param ports string[] the names of those that there are
local function port_mock(ports)
  local known = {}
  for i = 1, #ports do
    known[ports[i]] = true
  end
  return function(name, fn)
    check("mock.port", name, fn)
    if not known[name] then
      local hint = spelling.hint(name, known, "")
      return errors.throw(
        "host_error",
        "mock.port: there is no port "
          .. shown.value(name)
          .. (hint ~= "" and hint or "; there are " .. spelling.list(known)),
        { unknown = name }
      )
    end
    bridge.mocks[name] = { takes = takes_from(name), answer = answer_with(name, fn) }
  end
end

---`mock` for a spec file.
---@param generation table the spec file's
function mock.face(generation)
  local function answers(port, answer)
    bridge.mocks[port] = { takes = takes_from(port), answer = answer_with(port, answer) }
  end
  local face = {
    worker = worker_mock(generation),
    port = port_mock(generation.line.script.ports),
    exec = function(fn)
      if type(fn) ~= "function" then
        return arguments.wrong("mock.exec takes a function", fn)
      end
      local calls = {}
      answers("process", answering.exec(fn, calls))
      return { calls = calls }
    end,
    fs = function(tree)
      local answer, files = answering.fs(tree)
      answers("files", answer)
      return { files = files }
    end,
  }
  setmetatable(face, { __index = closed.index(face, "mock.") })
  return setmetatable({}, {
    __index = face,
    __call = function(_, object, is_stub) -- busted's: a spy in the place of each function
      return spies.mock(object, is_stub)
    end,
    __metatable = "swarm.mock",
  })
end

return mock
