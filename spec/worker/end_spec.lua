-- Proves workers.md, "The end".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "worker_stock"
require "stock_workers"

local started, end_of = stages.started, stages.end_of
local types_of = stock.types_of

describe("the end of a worker", function()
  it("is one of five statuses, set once", function()
    local blocked = function()
      return nil, "why"
    end
    local cancelled = swarm.spawn("sleeper")
    cancelled:cancel()
    local ends = {
      pass = swarm.spawn("double", 1),
      blocked = swarm.spawn(blocked),
      failed = swarm.spawn("boom"),
      cancelled = cancelled,
      timeout = swarm.spawn("sleeper", 5, { timeout = 1 }),
    }
    for status, h in pairs(ends) do
      swarm.join(h)
      assert.equal(status, h.status)
      assert.is_false(h:cancel("late"))
      assert.equal(status, h.status)
    end
  end)

  it("comes after that of the children", function()
    local seen = {}
    local parent = started(function()
      for i = 1, 3 do
        local child = swarm.spawn("sleeper", i)
        swarm.spawn(function()
          swarm.join(child)
          seen[#seen + 1] = "child " .. i
        end)
      end
      return "returned first"
    end)
    parent:join()
    seen[#seen + 1] = "parent"
    assert.same({ "child 1", "child 2", "child 3", "parent" }, seen)
  end)

  it("shows joiners the final and the status together", function()
    local h = swarm.spawn(function(ctx)
      ctx:partial("x")
      return "value"
    end)
    local at_join
    swarm.spawn(function()
      swarm.join(h)
      at_join = { h.status, types_of(h:output_tail()) }
    end)
    swarm.sleep(1)
    assert.same({ "pass", { "partial", "final" } }, at_join)
  end)

  it("keeps running until the children have settled, and has no final before", function()
    local h = started(function(ctx)
      ctx:progress("x")
      swarm.spawn("sleeper", 10)
      return "value"
    end)
    swarm.sleep(5)
    assert.equal("running", h.status)
    assert.same({ "progress" }, types_of(h:output_tail()))
    h:join()
    assert.same({ "progress", "final" }, types_of(h:output_tail()))
  end)

  it("is cancelled where the cancel came before it, whatever was returned", function()
    local h = started(function()
      pcall(swarm.sleep, 100)
      return "value", "reason"
    end)
    h:cancel("early")
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("cancelled", h.status)
    assert.equal("early", err.reason)
    assert.same({}, h:output_tail())
  end)

  it("is timeout where the deadline came before it, whatever was returned", function()
    local status, err = end_of(function()
      pcall(swarm.sleep, 100)
      return "value"
    end, nil, { timeout = 1 })
    assert.equal("timeout", status)
    assert.equal("timeout", err.code)
  end)

  it("is cancelled, not timeout, where a deadline of the scope around it passed", function()
    local h
    assert.has_error(function()
      swarm.timeout(2, function()
        h = swarm.spawn("sleeper")
        swarm.join(h)
      end)
    end, { code = "timeout" })
    assert.equal("cancelled", h.status)
  end)

  it("is failed with the cancel's reason where the clean-up raised", function()
    local h = started(function()
      local ok = pcall(swarm.sleep, 100)
      assert.is_false(ok)
      error("broke while cleaning up")
    end)
    h:cancel("stop")
    local _, err = swarm.join(h)
    assert.equal("failed", h.status)
    assert.equal("failed", err.code)
    assert.matches("broke while cleaning up", err.message)
    assert.equal("stop", err.cancel_reason)
  end)

  it("is failed with the reason where the clean-up after a timeout raised", function()
    local status, err = end_of(function()
      pcall(swarm.sleep, 100)
      error("late and broken")
    end, nil, { timeout = 1 })
    assert.equal("failed", status)
    assert.matches("1 s", err.cancel_reason)
  end)

  it("is cancelled where the cancel's own error is raised again", function()
    local h = started(function()
      local _, err = pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(1)
      end)
      error(err, 0)
    end)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
  end)

  it("tells in others of children that broke in their clean-up", function()
    local h = started(function()
      swarm.spawn(function()
        pcall(swarm.sleep, 100)
        error("child broke")
      end)
      swarm.sleep(100)
    end)
    swarm.yield()
    h:cancel()
    local _, err = swarm.join(h)
    assert.equal("cancelled", h.status)
    assert.equal(1, #err.others)
    assert.matches("child broke", err.others[1].message)
  end)

  it("cancels the children where the worker raises, then waits for them", function()
    local child ---@type swarm.Handle
    local h = swarm.spawn(function()
      child = started(function()
        pcall(swarm.sleep, 100)
        swarm.shield(function()
          swarm.sleep(4)
        end)
      end)
      error("broken")
    end)
    local before = swarm.monotonic()
    h:join()
    assert.equal("failed", h.status)
    assert.equal("cancelled", child.status)
    assert.near(4, swarm.monotonic() - before, 1e-9)
    assert.matches("broken", select(2, swarm.join(child)).reason)
  end)

  it("leaves nothing of it to the next worker of the same coroutine", function()
    end_of("boom")
    local status, err = end_of(function(ctx)
      assert.is_false(ctx.cancel_token.cancelled)
      assert.is_nil(ctx.deadline)
      assert.is_nil(ctx.input)
      return "clean"
    end)
    assert.equal("pass", status)
    assert.is_nil(err)
  end)
end)
