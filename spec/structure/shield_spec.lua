-- Proves structure.md, "swarm.shield".
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local all_wait, cancelled_in_wait = stages.all_wait, stages.cancelled_in_wait

describe("swarm.shield", function()
  it("hides a cancel from its block, and raises it at the next call", function()
    local finished, after
    local h = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(5)
        swarm.checkpoint()
        finished = swarm.monotonic()
      end)
      after = code_of(swarm.checkpoint)
      swarm.sleep(1)
    end)
    swarm.sleep(1)
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(5, finished)
    assert.equal("cancelled", after)
    assert.equal(5, swarm.monotonic())
    assert.equal("cancelled", h.status)
  end)

  it("hides the deadline of a timeout around it", function()
    local value
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 2, function()
          value = swarm.shield(function()
            swarm.sleep(5)
            return "whole"
          end)
        end)
      )
    end)
    assert.equal(5, taken)
    assert.equal("whole", value)
  end)

  it("hides the deadline of its worker, which still ends as timeout", function()
    local reached
    local h = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(5)
        reached = true
      end)
    end, nil, { timeout = 2 })
    swarm.join(h)
    assert.is_true(reached)
    assert.equal("timeout", h.status)
  end)

  it("hides outer cancels from the children spawned in it, and from theirs", function()
    local inside, outside ---@type swarm.Handle, swarm.Handle
    local h = swarm.spawn(function()
      outside = swarm.spawn("sleeper", 50)
      swarm.shield(function()
        inside = swarm.spawn(function()
          return swarm.call("double", swarm.call("sleeper", 5) == "slept" and 21 or 0)
        end)
      end)
    end)
    swarm.sleep(1)
    swarm.cancel(h, "enough", { wait = true })
    assert.equal("cancelled", outside.status)
    assert.equal(42, swarm.result(inside))
  end)

  it("can be opened by a worker that is cancelled already, to clean up", function()
    local cleaned
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        cleaned = swarm.call("double", 4)
      end)
    end)
    swarm.yield()
    swarm.cancel(h, "enough", { wait = true })
    assert.equal(8, cleaned)
    assert.equal("cancelled", h.status)
  end)

  it("has one time with all others that a cancelled worker or block opens", function()
    local function for_ever(first)
      return function()
        pcall(swarm.sleep, 1000)
        swarm.shield(function()
          swarm.sleep(1)
        end, { timeout = first })
        while true do
          swarm.shield(function()
            swarm.sleep(1)
          end)
        end
      end
    end
    for first, most in pairs { [20] = 30, [100] = 100 } do
      local h = swarm.spawn(for_ever(first))
      swarm.sleep(0.5)
      local taken = seconds_of(function()
        swarm.cancel(h, "enough", { wait = true })
      end)
      assert.equal("cancelled", h.status)
      assert.equal(most, taken)
    end
    local late
    local taken = seconds_of(function()
      late = raised(swarm.timeout, 2, for_ever(5))
    end)
    assert.equal("timeout", late.code)
    assert.equal(32, taken)
    local ok = pcall(swarm.shield, function() end) -- the worker itself is not cancelled
    assert.is_true(ok)
  end)

  it("ends after 30 seconds where nothing else was said", function()
    local err
    local taken = seconds_of(function()
      err = raised(swarm.shield, function()
        swarm.sleep(100)
      end)
    end)
    assert.equal(30, taken)
    assert.equal("timeout", err.code)
    assert.matches("swarm.shield", err.message)
  end)

  it("ends after its own timeout, its children too", function()
    local child
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.shield, function()
          child = swarm.spawn("sleeper", 90)
          swarm.sleep(100)
        end, { timeout = 40 })
      )
    end)
    assert.equal(40, taken)
    assert.equal("cancelled", child.status)
  end)

  it("is always bounded", function()
    for _, seconds in ipairs { math.huge, -1, 0 / 0, "long" } do
      assert.equal("invalid_argument", code_of(swarm.shield, swarm.yield, { timeout = seconds }))
    end
    assert.equal("invalid_argument", code_of(swarm.shield, swarm.yield, 40))
  end)

  it("refuses an option that does not exist, and names the nearest", function()
    ---@diagnostic disable-next-line: param-type-mismatch
    local ok, err = pcall(swarm.shield, swarm.yield, { timout = 3 })
    assert.is_false(ok)
    assert.equal("invalid_argument", err.code)
    assert.matches('swarm.shield has no option "timout"; did you mean timeout%?', err.message)
  end)

  it("hides nothing of what is inside it", function()
    local child
    assert.equal(
      "timeout",
      code_of(swarm.shield, function()
        child = swarm.spawn("sleeper", 90)
        swarm.yield()
        swarm.cancel(child)
        assert.is_nil((swarm.join(child)))
        swarm.timeout(3, function()
          swarm.sleep(20)
        end)
      end)
    )
    assert.equal(3, swarm.monotonic())
  end)

  it("lets a failure in the scope around it wait", function()
    local finished
    assert.equal(
      "broke",
      code_of(swarm.scope, function(scope)
        scope:spawn("fail_after", 1)
        swarm.shield(function()
          swarm.sleep(4)
          finished = true
        end)
        swarm.sleep(50)
      end)
    )
    assert.is_true(finished)
    assert.equal(4, swarm.monotonic())
  end)
end)

describe("a shield", function()
  it("lets a worker that cancels itself inside go on until its end", function()
    local log = {}
    local h = swarm.spawn(function(ctx)
      swarm.shield(function()
        ctx:cancel "inside"
        log.token = ctx.cancel_token.cancelled
        swarm.checkpoint()
        swarm.sleep(2)
        log.slept = true
      end)
      log.after = { code_of(swarm.sleep, 0.01), code_of(swarm.sleep, 0.01) }
    end)
    swarm.join(h)
    assert.same({ token = true, slept = true, after = { "cancelled", "cancelled" } }, log)
  end)

  it("in a worker that is cancelled already has no deadline but its own", function()
    local log = {}
    local h = swarm.spawn(function(ctx)
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        log.inside = ctx.deadline - swarm.monotonic()
        log.child = swarm.result(swarm.spawn("sleeper", 2))
      end, { timeout = 4 })
      log.after = ctx.deadline
      log.code = code_of(swarm.checkpoint)
    end, nil, { timeout = 7 })
    all_wait()
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(4, log.inside)
    assert.equal("slept", log.child)
    assert.equal("cancelled", log.code)
    assert.equal(7, log.after)
  end)

  it("shows in ctx.deadline in place of those around it", function()
    local h = swarm.spawn(function(ctx)
      return swarm.timeout(10, function()
        return swarm.shield(function()
          local here = ctx.deadline - swarm.monotonic()
          return swarm.timeout(12, function()
            return { here, ctx.deadline - swarm.monotonic() }
          end)
        end, { timeout = 1000 })
      end)
    end)
    assert.same({ 1000, 12 }, swarm.result(h))
  end)

  it("between two deadlines that pass behind it: the outer one ends both", function()
    local passed = false
    local err = raised(swarm.timeout, 1, function()
      swarm.timeout(2, function()
        swarm.shield(function()
          swarm.sleep(5)
        end)
      end)
      swarm.checkpoint()
      passed = true
    end)
    assert.equal("timeout", err.code)
    assert.matches("after 1 s", err.message)
    assert.falsy(passed)
  end)

  it("between two deadlines, only the outer passing: the inner block ends by it", function()
    local passed, inner
    local err = raised(swarm.timeout, 1, function()
      inner = raised(swarm.timeout, 50, function()
        swarm.shield(function()
          swarm.sleep(5)
        end)
        swarm.checkpoint()
        passed = true
      end)
      error(inner, 0)
    end)
    assert.equal("cancelled", inner.code)
    assert.equal("timeout", err.code)
    assert.falsy(passed)
  end)

  it(
    "out of time while its worker is cancelled raises timeout; what follows is cancelled",
    function()
      local log = {}
      local h = swarm.spawn(function(ctx)
        log[1] = code_of(swarm.shield, function()
          pcall(swarm.sleep, 100) -- its own time runs out
          ctx:cancel()
          swarm.sleep(1)
        end, { timeout = 1 })
        log[2] = "between"
        log[3] = code_of(swarm.checkpoint)
      end)
      swarm.join(h)
      assert.same({ "timeout", "between", "cancelled" }, log)
      assert.equal("cancelled", h.status)
    end
  )

  it("inside a shield keeps its own bound", function()
    local log = {}
    log.took = seconds_of(function()
      swarm.shield(function()
        log.code = code_of(swarm.shield, function()
          swarm.sleep(100)
        end, { timeout = 2 })
        swarm.sleep(1)
      end, { timeout = 20 })
    end)
    assert.same({ code = "timeout", took = 3 }, log)
  end)

  it("inside a shield that runs out of time goes on to its own end", function()
    local log = {}
    log.outer = code_of(swarm.shield, function()
      swarm.shield(function()
        swarm.sleep(5)
        log.inner = "done"
      end, { timeout = 10 })
      log.code = code_of(swarm.checkpoint)
    end, { timeout = 1 })
    assert.same({ inner = "done", code = "cancelled", outer = "timeout" }, log)
  end)

  it("in a child holds against the cancel of who started it", function()
    local done
    local h = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn(function()
          swarm.shield(function()
            swarm.sleep(3)
            done = swarm.monotonic()
          end)
          swarm.checkpoint()
          done = nil
        end)
        swarm.sleep(100)
      end)
    end)
    all_wait()
    local at = swarm.monotonic()
    swarm.cancel(h)
    swarm.join(h)
    assert.truthy(math.abs(done - at - 3) < 0.01)
  end)

  it("passes on what its function returned though the worker was cancelled meanwhile", function()
    local got
    local status = cancelled_in_wait(function()
      got = { swarm.shield(function()
        swarm.sleep(2)
        return 1, nil, 3
      end) }
      swarm.checkpoint()
    end)
    assert.equal(1, got[1])
    assert.equal(3, got[3])
    assert.equal("cancelled", status)
  end)

  it("that fails in a cancelled worker makes it failed, with the reason", function()
    local status, err = cancelled_in_wait(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(1)
        error { code = "clean_up" }
      end)
    end, "enough")
    assert.equal("failed", status)
    assert.equal("clean_up", err.code)
    assert.equal("enough", err.cancel_reason)
  end)

  it("that runs out of time in a cancelled worker is an error of its clean-up", function()
    local status, err = cancelled_in_wait(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(100)
      end, { timeout = 2 })
    end, "enough")
    assert.equal("failed", status)
    assert.equal("timeout", err.code)
    assert.equal("enough", err.cancel_reason)
  end)

  it("that was closed hides nothing of a later call", function()
    local h = swarm.spawn(function()
      for _ = 1, 100 do
        swarm.shield(function() end)
      end
      swarm.sleep(100)
    end)
    all_wait()
    swarm.cancel(h)
    assert.equal(0, seconds_of(swarm.join, h))
  end)

  it("does not keep the failure of a sibling from the shielded worker's children", function()
    local log = {}
    pcall(swarm.scope, function(scope)
      scope:spawn(function()
        swarm.spawn(function()
          log.outside = code_of(swarm.sleep, 100)
        end)
        swarm.shield(function()
          swarm.spawn(function()
            swarm.sleep(5)
            log.inside = "done"
          end)
        end)
      end)
      scope:spawn(function()
        swarm.sleep(1)
        error "broke"
      end)
    end)
    assert.same({ outside = "cancelled", inside = "done" }, log)
  end)
end)
