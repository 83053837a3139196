-- Proves workers.md, "Join".
local stages = require "stages"
local swarm = require "swarm"
require "worker_stock"
require "stock_workers"

local started, end_of = stages.started, stages.end_of

describe("join", function()
  it("returns true where the worker ran to completion", function()
    assert.is_true(swarm.join(swarm.spawn("double", 1)))
    assert.is_true(swarm.join(swarm.spawn(function()
      return nil, "blocked"
    end)))
  end)

  it("returns true alone, never the value", function()
    assert.equal(1, select("#", swarm.join(swarm.spawn("double", 1))))
  end)

  it("returns nil and the error where it failed, was cancelled or ran out of time", function()
    local failed = swarm.spawn("boom")
    local cancelled = swarm.spawn("sleeper")
    cancelled:cancel()
    local late = swarm.spawn("sleeper", 10, { timeout = 1 })
    local cases = { { failed, "failed" }, { cancelled, "cancelled" }, { late, "timeout" } }
    for _, case in ipairs(cases) do
      local ok, err = swarm.join(case[1])
      assert.is_nil(ok)
      assert.equal(case[2], err.code)
      assert.equal(case[2], case[1].status)
    end
  end)

  it("tells all of many joiners the same", function()
    local target = swarm.spawn(function()
      swarm.sleep(10)
      error { code = "mine" }
    end)
    local joiners, errs = {}, {}
    for i = 1, 200 do
      joiners[i] = swarm.spawn(function()
        local ok, err = swarm.join(target)
        assert.is_nil(ok)
        errs[i] = err
      end)
    end
    for _, h in ipairs(joiners) do
      assert.is_true(swarm.join(h))
    end
    for i = 1, 200 do
      assert.equal("mine", errs[i].code)
      assert.is_true(rawequal(errs[1], errs[i]))
    end
  end)

  it("wakes joiners in the order in which they came", function()
    local target, order = swarm.spawn("sleeper", 1), {}
    for i = 1, 4 do
      swarm.spawn(function()
        swarm.join(target)
        order[#order + 1] = i
      end)
    end
    swarm.sleep(2)
    assert.same({ 1, 2, 3, 4 }, order)
  end)

  it("of what has settled answers at once, again and again", function()
    local h = swarm.spawn("boom")
    local _, first = swarm.join(h)
    local before = swarm.monotonic()
    for _ = 1, 3 do
      local ok, err = swarm.join(h)
      assert.is_nil(ok)
      assert.is_true(rawequal(first, err))
    end
    assert.equal(before, swarm.monotonic())
  end)

  it("waits for the children of the worker too", function()
    local child
    local h = swarm.spawn(function()
      child = swarm.spawn("sleeper", 30)
    end)
    local before = swarm.monotonic()
    assert.is_true(swarm.join(h))
    assert.near(30, swarm.monotonic() - before, 1e-9)
    assert.equal("pass", child.status)
  end)

  it("with a timeout gives up with poll_timeout, and the worker goes on", function()
    local h = swarm.spawn("sleeper", 10)
    local before = swarm.monotonic()
    local ok, err = swarm.join(h, { timeout = 4 })
    assert.is_nil(ok)
    assert.equal("poll_timeout", err.code)
    assert.equal("string", type(err.traceback))
    assert.near(4, swarm.monotonic() - before, 1e-9)
    assert.equal("running", h.status)
    assert.is_true(swarm.join(h, { timeout = 7 }))
    assert.near(10, swarm.monotonic() - before, 1e-9)
  end)

  it("with a timeout that is not needed leaves no trace of it", function()
    local h = swarm.spawn("sleeper", 1)
    assert.is_true(swarm.join(h, { timeout = 50 }))
    local before = swarm.monotonic()
    swarm.sleep(60)
    assert.near(60, swarm.monotonic() - before, 1e-9)
  end)

  it("with a timeout of zero asks whether it has settled", function()
    local h = started("sleeper")
    local ok, err = swarm.join(h, { timeout = 0 })
    assert.is_nil(ok)
    assert.equal("poll_timeout", err.code)
    h:cancel()
    swarm.join(h)
    assert.equal("cancelled", select(2, swarm.join(h, { timeout = 0 })).code)
  end)

  it("that timed out does not own the failure that comes later", function()
    local status, err = end_of(function()
      local h = swarm.spawn(function()
        swarm.sleep(5)
        error("later")
      end)
      swarm.join(h, { timeout = 1 })
    end)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
  end)

  it("refuses options that do not exist, and timeouts that are no seconds", function()
    local h = swarm.spawn("double", 1)
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      swarm.join(h, { timout = 1 })
    end, { code = "invalid_argument", unknown = "timout" })
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      swarm.join(h, 5)
    end, { code = "invalid_argument" })
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      swarm.join(h, { timeout = "5" })
    end, { code = "invalid_argument" })
  end)

  it("lets a cancelled joiner go, and keeps the others", function()
    local target = swarm.spawn("sleeper", 10)
    local function joiner()
      return assert(swarm.join(target))
    end
    local first, second, third = swarm.spawn(joiner), started(joiner), started(joiner)
    second:cancel("enough")
    swarm.join(second)
    assert.equal("cancelled", second.status)
    assert.equal("running", target.status)
    assert.is_true(first:join())
    assert.is_true(third:join())
  end)

  it("is a point of cancellation even where it need not wait", function()
    local done = swarm.spawn("double", 1)
    done:join()
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx)
      swarm.join(done)
      error("not reached")
    end)
    h:join()
    assert.equal("cancelled", h.status)
  end)
end)
