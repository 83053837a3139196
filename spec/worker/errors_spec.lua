-- Proves workers.md, "Errors".
local stages = require "stages"
local swarm = require "swarm"
require "worker_stock"
require "stock_workers"

local end_of = stages.end_of

local function lines_of(text)
  return select(2, text:gsub("\n", "\n")) + 1
end

describe("the error of a worker", function()
  it("has code, message, where, traceback, name, task_id and spawned_at", function()
    local h = swarm.spawn("boom", "no good")
    local _, err = swarm.join(h)
    assert.equal("failed", err.code)
    assert.matches("stock%.lua:%d+: no good$", err.message)
    assert.matches("stock%.lua:%d+$", err.where)
    assert.matches("stock%.lua:%d+", err.traceback)
    assert.equal("boom", err.name)
    assert.equal(h.task_id, err.task_id)
    assert.matches("errors_spec%.lua:%d+$", err.spawned_at)
  end)

  it("says what one that ran out of time had said last", function()
    local function said(...)
      local stages_of = { ... }
      local _, err = end_of(function(ctx)
        for i = 1, #stages_of, 2 do
          ctx:progress(stages_of[i], stages_of[i + 1])
        end
        swarm.sleep(9)
      end, nil, { timeout = 1 })
      assert.equal("timeout", err.code)
      return err.said
    end
    assert.is_nil(said())
    assert.equal("reading: part 2", said("reading", "part 1", "reading", "part 2"))
    assert.equal("a line", said("stderr", "a line"))
    assert.equal(200, #said("reading", ("x"):rep(5000)))
  end)

  it("names the worker above where a tail call took the line that spawned", function()
    local _, err = end_of(function()
      return swarm.call("boom", "no good")
    end)
    local cause = err.cause
    assert.equal("boom", cause.name)
    assert.is_nil(cause.spawned_at)
    assert.matches("^worker function at .*errors_spec%.lua:%d+ %(T%-%d+%)$", cause.spawned_by)
  end)

  it("is one readable paragraph as a string", function()
    local _, err = swarm.join(swarm.spawn("boom", "no good"))
    assert.matches("^[^\n]*no good[^\n]*$", tostring(err))
  end)

  it("has a traceback of the author's frames, innermost first", function()
    local function inner()
      error("deep")
    end
    local function outer()
      inner()
      return "not a tail call"
    end
    local _, err = end_of(function()
      outer()
    end)
    assert.matches("inner.*outer", err.traceback)
    assert.falsy(assert(err.traceback):find("swarm/", 1, true))
    assert.equal(3, lines_of(err.traceback))
  end)

  it("has a traceback, if an empty one, whatever its end", function()
    local cancelled = swarm.spawn("sleeper")
    cancelled:cancel()
    local late = swarm.spawn("sleeper", 10, { timeout = 1 })
    for _, h in ipairs { cancelled, late } do
      local _, err = swarm.join(h)
      assert.equal("string", type(err.traceback))
      assert.equal("string", type(err.message))
      assert.matches("errors_spec%.lua:%d+$", err.spawned_at)
    end
  end)

  it("is made from whatever was raised: strings, numbers, booleans, nil", function()
    local cases = {
      { "plain text", "^plain text$" },
      { 42, "42" },
      { true, "boolean" },
      { nil, "nil" },
      { print, "function" },
    }
    for i = 1, 5 do
      local status, err = end_of(function()
        error(cases[i][1], 0)
      end)
      assert.equal("failed", status)
      assert.equal("failed", err.code)
      assert.matches(cases[i][2], err.message)
      assert.matches("errors_spec%.lua:%d+", err.where)
    end
  end)

  it("keeps a table that was raised whole, with the rest added", function()
    local h = swarm.spawn(function()
      error { code = "mine", items = { 1, 2 }, ["other key"] = true }
    end)
    local _, err = swarm.join(h)
    assert.equal("mine", err.code)
    assert.same({ 1, 2 }, err.items)
    assert.is_true(err["other key"])
    assert.equal("string", type(err.message))
    assert.matches("errors_spec%.lua:%d+", err.traceback)
    assert.matches("errors_spec%.lua:%d+$", err.spawned_at)
  end)

  it("is named after its worker, whatever name a raised table has", function()
    local own = { code = "mine", name = "ann", task_id = "5" }
    local h = swarm.spawn(function()
      swarm.call(function()
        error(own)
      end)
    end)
    local _, err = swarm.join(h)
    assert.matches("^function at .*errors_spec%.lua:%d+$", err.cause.name)
    assert.matches("^T%-%d+$", err.cause.task_id)
    assert.equal("ann", own.name)
    _, err = swarm.join(swarm.spawn "boom")
    assert.equal("boom", err.name)
  end)

  it("keeps the message that a raised table has", function()
    local _, err = end_of(function()
      error { code = "mine", message = "in my words" }
    end)
    assert.equal("in my words", err.message)
    assert.matches("in my words", tostring(err))
    assert.matches("mine", tostring(err))
  end)

  it("has the fields of a raised object, its text and its class's values, not its class", function()
    local Problem = { kind = "problem" }
    Problem.__index = Problem
    local asked = 0
    function Problem.__tostring(self)
      asked = asked + 1
      return "problem " .. self.n
    end
    function Problem.twice(self)
      return self.n * 2
    end
    local _, err = end_of(function()
      error(setmetatable({ n = 4 }, Problem))
    end)
    assert.equal(4, err.n)
    assert.equal("problem", err.kind)
    assert.is_nil(err.twice)
    assert.equal("problem 4", tostring(err))
    assert.equal("problem 4", err.message)
    assert.equal(1, asked)
    ---@diagnostic disable-next-line: param-type-mismatch
    assert.equal(getmetatable(select(2, pcall(swarm.sleep, "x"))), getmetatable(err))
    assert.equal("failed", err.code)
  end)

  it("is each worker's own where many raise one and the same table", function()
    local NOT_FOUND = { code = "not_found" }
    local function fail()
      error(NOT_FOUND)
    end
    local a, b = swarm.spawn(fail), swarm.spawn(fail)
    local _, first = swarm.join(a)
    local _, second = swarm.join(b)
    assert.equal("not_found", first.code)
    assert.equal("not_found", second.code)
    assert.equal(a.task_id, first.task_id)
    assert.equal(b.task_id, second.task_id)
  end)

  it("does not change the table that a script raises", function()
    local constant = { code = "constant" }
    end_of(function()
      error(constant)
    end)
    assert.same({ code = "constant" }, constant)
  end)

  it("survives error objects whose metamethods raise", function()
    local function angry()
      error("angry")
    end
    for _, mt in ipairs {
      { __tostring = angry },
      { __index = angry },
      { __newindex = angry },
      { __index = angry, __newindex = angry, __tostring = angry, __eq = angry, __len = angry },
      { __metatable = false, __tostring = angry },
    } do
      local status, err = end_of(function()
        error(setmetatable({}, mt))
      end)
      assert.equal("failed", status)
      assert.equal("string", type(rawget(err, "message")))
    end
  end)

  it("survives error objects with odd fields, unowned ones too", function()
    for _, odd in ipairs {
      { where = true, message = "m" },
      { where = {}, message = {} },
      { code = {}, traceback = 5 },
      { spawned_at = print, others = 5, cause = "x" },
    } do
      local status, err = end_of(function()
        swarm.spawn("sleeper")
        swarm.spawn("boom")
        swarm.yield()
        error(odd)
      end)
      assert.equal("failed", status)
      assert.equal("string", type(tostring(err)))
    end
  end)

  it("survives what is no error object: handles, swarm, files, null", function(ctx)
    for _, odd in ipairs { ctx, swarm, swarm.file "x", swarm.null, ctx.cancel_token } do
      local status, err = end_of(function()
        error(odd)
      end)
      assert.equal("failed", status)
      assert.equal("string", type(err.message))
    end
    assert.equal("running", ctx.status)
  end)

  it("tells of a stack overflow", function()
    local function endless()
      return 1 + endless()
    end
    local status, err = end_of(endless)
    assert.equal("failed", status)
    assert.equal("failed", err.code)
    assert.matches("stack overflow", err.message)
  end)

  it("has the error of another worker as its cause where that is raised again", function()
    local outer = swarm.spawn(function()
      return swarm.call("boom", "root of it")
    end)
    local _, err = swarm.join(outer)
    assert.equal("failed", err.code)
    assert.equal(outer.task_id, err.task_id)
    assert.matches("root of it", err.message)
    assert.equal("boom", err.cause.name)
    assert.not_equal(err.task_id, err.cause.task_id)
    assert.equal("string", type(err.cause.traceback))
  end)

  it("keeps the whole chain of causes, and codes of the author's in it", function()
    local status, err = end_of(function()
      return swarm.call(function()
        assert(swarm.join(swarm.spawn(function()
          error { code = "mine" }
        end)))
      end)
    end)
    assert.equal("failed", status)
    assert.equal("failed", err.code)
    assert.equal("failed", err.cause.code)
    assert.equal("mine", err.cause.cause.code)
  end)

  it("has another worker's error object with a class as cause, too", function()
    local Problem = {
      __tostring = function()
        return "problem"
      end,
    }
    local inner
    local _, err = end_of(function()
      inner = swarm.spawn(function()
        error(setmetatable({ code = "mine" }, Problem))
      end)
      return inner:result()
    end)
    assert.equal("failed", err.code)
    assert.equal("mine", err.cause.code)
    assert.equal(inner.task_id, err.cause.task_id)
  end)

  it("is failed, not cancelled, where another worker's cancel is raised again", function()
    local status, err = end_of(function()
      local h = swarm.spawn("sleeper")
      h:cancel("not me")
      return h:result()
    end)
    assert.equal("failed", status)
    assert.equal("cancelled", err.cause.code)
  end)

  it("has a script's own code cancelled or timeout without being that", function()
    for _, code in ipairs { "cancelled", "timeout", "blocked" } do
      local status, err = end_of(function()
        error { code = code }
      end)
      assert.equal("failed", status)
      assert.equal(code, err.code)
      assert.equal("string", type(err.traceback))
    end
  end)

  it("carries the failures that nobody took as others", function()
    local status, err = end_of(function()
      swarm.spawn("boom", "unseen")
      swarm.yield()
      error("my own")
    end)
    assert.equal("failed", status)
    assert.matches("my own", err.message)
    assert.equal(1, #err.others)
    assert.matches("unseen", err.others[1].message)
  end)

  it("is children_failed, with every error, where only children failed", function()
    local status, err = end_of(function()
      for i = 1, 3 do
        swarm.spawn("boom", "number " .. i)
      end
      return "fine"
    end)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
    assert.equal(3, #err.errors)
    for i = 1, 3 do
      assert.matches("number " .. i, err.errors[i].message)
    end
  end)
end)
