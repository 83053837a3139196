-- Proves sandbox.md, 5 and 6: coroutines and errors.
-- What is called wrongly here is so on purpose.
---@diagnostic disable: assign-type-mismatch, await-in-sync, param-type-mismatch, unresolved-require
local swarm = require "swarm"
local stock = require "sandbox_stock"

local assert_no_host, failure_of = stock.assert_no_host, stock.failure_of

local function never()
  error("nobody calls this")
end

describe("coroutines", function()
  it("give nobody the worker's own: running is nil at its top level", function()
    assert.is_nil(coroutine.running())
    pcall(function()
      assert.is_nil(coroutine.running())
    end)
    xpcall(function()
      error "x"
    end, function()
      assert.is_nil(coroutine.running())
    end)
    assert.is_false(coroutine.isyieldable())
  end)

  it("give nobody the worker's own through text that is made while it settles", function()
    local leaked
    local message = setmetatable({}, {
      __tostring = function()
        leaked = coroutine.running() or leaked
        return "text"
      end,
    })
    local raised = { message = message, where = message, code = message, errors = { message } }
    local h = swarm.spawn(function()
      error(raised)
    end)
    swarm.sleep(1)
    local _, err = swarm.join(h)
    err.message = message
    assert.equal("string", type(tostring(err)))
    swarm.join(swarm.spawn(function()
      error(err)
    end))
    assert.is_nil(leaked)
  end)

  it("cannot yield the worker's own away", function()
    assert.has_error(coroutine.yield, { code = "invalid_argument" })
    assert.has_error(function()
      for _ in coroutine.yield do
        error("it yielded")
      end
    end)
  end)

  it("that wait in a call cannot be resumed by the script, and do not see how they wait", function()
    local seen = {}
    local co = coroutine.create(function(...)
      seen[#seen + 1] = select("#", ...)
      seen[#seen + 1] = select("#", swarm.sleep(1))
      seen[#seen + 1] = select("#", coroutine.yield())
    end)
    local meddler = swarm.spawn(function()
      local ok, problem = coroutine.resume(co, "mine")
      return { ok = ok, problem = problem }
    end)
    local outcome = { coroutine.resume(co) }
    assert.equal(1, #outcome)
    assert.is_true(outcome[1])
    local meddled = swarm.result(meddler)
    assert.is_false(meddled.ok)
    assert.matches("waits in a swarm call", meddled.problem)
    assert.is_true(coroutine.resume(co))
    assert.same({ 0, 0, 0 }, seen)
  end)

  it("show the script's frames alone in a traceback of another coroutine", function()
    local co = coroutine.create(function()
      swarm.call(function()
        coroutine.yield()
      end)
    end)
    coroutine.resume(co)
    assert_no_host(debug.traceback(co))
    local parked = coroutine.create(function()
      coroutine.yield()
    end)
    coroutine.resume(parked)
    assert.matches("errors_spec.lua:%d+", debug.traceback(parked))
  end)

  it("leave the handlers of xpcall without the host's frames, and without a way to wait", function()
    local text
    xpcall(function()
      swarm.sleep "x"
    end, function()
      text = debug.traceback "here"
      assert.has_error(function()
        swarm.sleep(1)
      end, { code = "invalid_argument" })
    end)
    assert.matches("^here\nstack traceback:\n", text)
    assert_no_host(text)
  end)
end)

describe("errors", function()
  it("of every kind hold plain values and the script's frames, and nothing of the host", function()
    local errs = {
      failure_of(function() error "boom" end),
      failure_of(function() error { code = "mine" } end),
      failure_of(function() error() end),
      failure_of(function() local x = nil; return x.y end),
      failure_of(function() swarm.sleep "x" end),
      failure_of(function() swarm.call "nobody" end), ---@diagnostic disable-line: unknown-worker
      failure_of(function() swarm.fs.read "/nowhere/at/all" end),
      failure_of(function() swarm.spawn(function() error "inner" end) end),
      failure_of(function() swarm.timeout(1, function() swarm.sleep(2) end) end),
      failure_of(function() return { never } end),
      failure_of(function() return swarm.nothing end), ---@diagnostic disable-line: undefined-field
      failure_of(function() require "nothing.here" end),
      failure_of(function()
        swarm.scope(function(scope)
          scope:spawn(function() error "x" end)
        end)
      end),
    }
    local function inspect(value, depth)
      assert.is_true(depth < 10)
      local kind = type(value)
      if kind == "table" then
        for key, item in next, value do
          inspect(key, depth)
          inspect(item, depth + 1)
        end
      else
        local plain = kind == "string" or kind == "number" or kind == "boolean"
        assert.is_true(plain, "an error holds a " .. kind)
      end
    end
    for _, err in ipairs(errs) do
      inspect(err, 0)
      assert_no_host(tostring(err))
      assert_no_host(err.traceback)
      assert.not_equal("internal", err.code)
      assert.matches("errors_spec.lua:%d+", err.where)
    end
  end)

  it("are a script's to spoil without harm to the next", function()
    local first = assert.has_error(function()
      swarm.sleep "x"
    end)
    for key in pairs(first) do
      first[key] = never
    end
    first.__tostring = never
    assert.equal("string", type(tostring(first)))
    local second = assert.has_error(function()
      swarm.sleep "x"
    end)
    assert.equal("invalid_argument", second.code)
    assert.matches("swarm.sleep takes a number", tostring(second))
  end)

  it("that a script made with wrong fields arrive, and can be read", function()
    for _, raised in ipairs {
      { code = {} }, { code = 5 }, { message = {} }, { message = never }, { where = 5 },
      { where = {} },
      { traceback = never }, { errors = 5 }, { errors = { 1, never } }, { cause = "x" },
      { others = "x" },
      { name = {}, task_id = 5 }, { reason = never },
    } do
      local err = failure_of(function()
        error(raised)
      end)
      assert.equal("string", type(tostring(err)))
      assert.not_equal("internal", err.code)
    end
  end)

  it("with metamethods that raise fail the worker that raised them, and nobody else", function()
    for _, metatable in ipairs {
      { __index = never },
      { __newindex = never },
      { __tostring = never },
      { __tostring = function() return {} end },
      { __index = setmetatable({}, { __index = never }) },
      { __index = never, __newindex = never, __tostring = never, __eq = never },
      { __metatable = false, __index = never },
    } do
      local err = failure_of(function()
        error(setmetatable({ detail = 5 }, metatable))
      end)
      assert.equal("failed", rawget(err, "code"))
      assert.equal("string", type(rawget(err, "message")))
      assert.equal(5, rawget(err, "detail"))
    end
  end)

  it("with a class of their own keep what it gives as values, and no function", function()
    local Problem = { code = "mine" }
    Problem.__index = Problem
    function Problem.advice()
      return "try again"
    end
    local err = failure_of(function()
      error(setmetatable({ message = "no" }, Problem))
    end)
    assert.equal("mine", err.code)
    assert.equal("no", err.message)
    assert.is_nil(err.advice)
  end)

  it("that are objects of the host fail the worker", function(ctx)
    for _, object in ipairs {
      swarm, swarm.fs, ctx, ctx.cancel_token, swarm.null, swarm.file "x", os, io, swarm.array {},
    } do
      local err = failure_of(function()
        error(object)
      end)
      assert.equal("failed", err.code)
      assert.equal("string", type(err.message))
    end
  end)

  it("that contain themselves do not hang whoever shows them", function()
    local raised = { message = "round" }
    raised.errors = { raised, raised, raised }
    raised.cause = raised
    local err = failure_of(function()
      error(raised)
    end)
    assert.equal("round", err.message)
    assert.matches("round", tostring(err))
  end)

  it("with the same words as one that was caught keep their own traceback", function()
    local function boom()
      error("boom", 0)
    end
    local err = failure_of(function()
      pcall(swarm.timeout, 1, function()
        boom()
      end)
      boom()
    end)
    assert.equal(2, select(2, err.traceback:gsub("\n", "")) + 1, err.traceback)
  end)

  it("of a stack that overflows fail the worker", function()
    local function forever()
      return 1 + forever()
    end
    local err = failure_of(forever)
    assert.matches("stack overflow", err.message)
  end)

  it("of an error handler that fails fail the worker", function()
    local err = failure_of(function()
      local ok, problem = xpcall(never, never)
      assert.is_false(ok)
      error(problem, 0)
    end)
    assert.equal("failed", err.code)
  end)

  it("of blocked workers may be objects whose metamethods raise", function()
    local h = swarm.spawn(function()
      return nil, setmetatable({}, { __index = never, __tostring = never })
    end)
    swarm.join(h)
    assert.is_true(h.status == "blocked" or h.status == "failed")
  end)
end)
