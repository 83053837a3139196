-- Proves workers.md, "Result and call" and "Blocked".
local stages = require "stages"
local swarm = require "swarm"
require "worker_stock"
require "stock_workers"

local end_of = stages.end_of

describe("result and call", function()
  it("give the value of the last final", function()
    local h = swarm.spawn("double", 21)
    assert.equal(42, swarm.result(h))
    assert.equal(42, h:output_tail()[1].content.value)
    assert.equal(42, swarm.call("double", 21))
  end)

  it("give every kind of value, nil and false among them", function()
    for _, value in ipairs { false, 0, "", "\255\0", swarm.null } do
      local got = swarm.call(function()
        return value
      end)
      assert.equal(value, got)
    end
    assert.equal(1, select("#", swarm.call(function() end)))
    assert.is_nil(swarm.call(function() end))
  end)

  it("raise the worker's error, which the caller may catch", function()
    local ok, err = pcall(swarm.call, "boom", "no good")
    assert.is_false(ok)
    assert.equal("failed", err.code)
    assert.equal("boom", err.name)
    assert.matches("no good", err.message)
  end)

  it("raise for a cancelled worker without cancelling the caller", function()
    local h = swarm.spawn("sleeper")
    h:cancel("not needed")
    assert.has_error(function()
      swarm.result(h)
    end, { code = "cancelled", reason = "not needed" })
    swarm.checkpoint()
  end)

  it("take options for the spawn", function()
    assert.has_error(function()
      swarm.call("sleeper", 10, { timeout = 2 })
    end, { code = "timeout" })
  end)

  it("hand the call's own place on as the place of the spawn", function()
    local _, err = pcall(function()
      swarm.call("boom") -- this line
    end)
    assert.matches("result_spec%.lua:%d+$", err.spawned_at)
    local line = tonumber(err.spawned_at:match ":(%d+)$")
    local _, err2 = pcall(function()
      swarm.call("boom")
    end)
    assert.is_true(tonumber(err2.spawned_at:match ":(%d+)$") > line)
  end)
end)

describe("blocked", function()
  it("is a second value that is not nil: the value and why", function()
    local h = swarm.spawn(function()
      return { got = 3 }, "the disk is full"
    end)
    local value, err = swarm.result(h)
    assert.equal("blocked", h.status)
    assert.same({ got = 3 }, value)
    assert.equal("blocked", err.code)
    assert.equal("the disk is full", err.reason)
    assert.same({ got = 3 }, err.value)
  end)

  it("may have no value at all", function()
    local value, err = swarm.call(function()
      return nil, "why"
    end)
    assert.is_nil(value)
    assert.equal("why", err.reason)
  end)

  it("is what swarm.blocked says", function()
    local value, err = swarm.call(function()
      return swarm.blocked({ n = 1 }, "wait for it")
    end)
    assert.equal(1, value.n)
    assert.equal("wait for it", err.reason)
    local _, bare = swarm.call(function()
      return swarm.blocked(5)
    end)
    assert.equal("blocked", bare.code)
    assert.equal("string", type(bare.reason))
  end)

  it("is handed on by return swarm.call(...)", function()
    local outer = swarm.spawn(function()
      return swarm.call(function()
        return 5, "inner reason"
      end)
    end)
    local value, err = outer:result()
    assert.equal("blocked", outer.status)
    assert.equal(5, value)
    assert.equal("inner reason", err.reason)
  end)

  it("is no failure: nobody need join it", function()
    assert.equal("pass", (end_of(function()
      swarm.spawn(function()
        return nil, "why"
      end)
    end)))
  end)

  it("takes any second value, false and numbers too, and says why", function()
    for _, case in ipairs { { false, "false" }, { 3, "3" }, { true, "true" } } do
      local h = swarm.spawn(function()
        return "value", case[1]
      end)
      local value, err = h:result()
      assert.equal("blocked", h.status)
      assert.equal("value", value)
      assert.equal(case[2], err.reason)
      assert.matches("second value", err.message)
    end
  end)

  it("takes its reason from a table's fields, without running its code", function()
    local function reason_of(second)
      local _, err = swarm.call(function()
        return 1, second
      end)
      assert.equal("blocked", err.code)
      return err.reason
    end
    assert.equal("because", reason_of { reason = "because" })
    assert.equal("said so", reason_of { message = "said so" })
    assert.equal(
      "a joke",
      reason_of(setmetatable({}, {
        __tostring = function()
          return "a joke"
        end,
      }))
    )
    local raising = setmetatable({}, {
      __index = function()
        error("index")
      end,
      __tostring = function()
        error("tostring")
      end,
    })
    assert.equal("string", type(reason_of(raising)))
  end)

  it("survives second values that raise when read: a handle, swarm, a token", function(ctx)
    for _, second in ipairs { ctx, swarm, ctx.cancel_token, swarm.fs } do
      local status, err = end_of(function()
        return 1, second
      end)
      assert.equal("blocked", status)
      assert.is_nil(err)
    end
  end)

  it("ignores what comes after the second value", function()
    assert.equal(
      1,
      swarm.call(function()
        return 1, nil, "third"
      end)
    )
  end)
end)
