-- Proves structure.md, "Deadlines".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "structure_stock"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local noting = stock.noting

describe("deadlines", function()
  it("end a timeout's function and raise timeout with the place and the time", function()
    local err
    local taken = seconds_of(function()
      err = raised(function()
        swarm.timeout(2.5, function()
          swarm.sleep(100)
        end)
      end)
    end)
    assert.equal(2.5, taken)
    assert.equal("timeout", err.code)
    assert.matches("2%.5 s", err.message)
    assert.matches("deadlines_spec%.lua:%d+$", err.where)
  end)

  it("are forgotten when the block ends in time", function()
    assert.equal(
      "value",
      swarm.timeout(2, function()
        swarm.sleep(1)
        return "value"
      end)
    )
    swarm.sleep(10)
    assert.has_no_error(swarm.checkpoint)
  end)

  it("end what is waited for, join included, and the children with it", function()
    local child
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 3, function()
          child = swarm.spawn("sleeper", 50)
          swarm.join(child)
        end)
      )
    end)
    assert.equal(3, taken)
    assert.equal("cancelled", child.status)
  end)

  it("wait for the children's clean-up", function()
    local log = {}
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 3, function()
          swarm.spawn(noting(log, "child", 4))
        end)
      )
    end)
    assert.equal(7, taken)
    assert.matches("ran out of time after 3 s", log[1].reason)
  end)

  it("nest: the nearest wins, inner", function()
    local inner_error
    local taken = seconds_of(function()
      swarm.timeout(9, function()
        inner_error = raised(swarm.timeout, 2, function()
          swarm.sleep(50)
        end)
      end)
    end)
    assert.equal(2, taken)
    assert.matches("2 s", inner_error.message)
  end)

  it("nest: the nearest wins, outer; the inner block sees it as a cancel", function()
    local inner_code
    local err = raised(swarm.timeout, 2, function()
      local ok, inner_error = pcall(swarm.timeout, 9, function()
        swarm.sleep(50)
      end)
      inner_code = not ok and inner_error.code
      error(inner_error, 0)
    end)
    assert.equal("cancelled", inner_code)
    assert.equal("timeout", err.code)
    assert.matches("2 s", err.message)
    assert.equal(2, swarm.monotonic())
  end)

  it("nest: where both are equal the outer one ends the block", function()
    local err = raised(swarm.timeout, 5, function()
      swarm.timeout(5, function()
        swarm.sleep(50)
      end)
      error "the inner one was caught by nobody"
    end)
    assert.equal("timeout", err.code)
  end)

  it("raise timeout though the function caught the cancel and returned", function()
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 1, function()
        pcall(swarm.sleep, 50)
        return "as if nothing had been"
      end)
    )
  end)

  it("leave an error of the clean-up as it is, with the reason attached", function()
    local err = raised(swarm.timeout, 1, function()
      pcall(swarm.sleep, 50)
      error { code = "clean-up" }
    end)
    assert.equal("clean-up", err.code)
    assert.matches("ran out of time", err.cancel_reason)
  end)

  it("leave an error that is nil as it is", function()
    local ok, err = pcall(swarm.timeout, 1, function()
      pcall(swarm.sleep, 50)
      error(nil)
    end)
    assert.is_false(ok)
    assert.is_nil(err)
  end)

  it("that pass while a failed block cleans up do not change its error", function()
    local err
    local taken = seconds_of(function()
      err = raised(swarm.timeout, 2, function()
        swarm.spawn(noting({}, "child", 5))
        swarm.sleep(1)
        error { code = "mine" }
      end)
    end)
    assert.equal(6, taken)
    assert.equal("mine", err.code)
  end)

  it("that pass while the children of a returned block work end them", function()
    local child
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 2, function()
        child = swarm.spawn("sleeper", 5)
        return "early"
      end)
    )
    assert.equal("cancelled", child.status)
    assert.equal(2, swarm.monotonic())
  end)

  it("of zero are over at once, even for a function that only computes", function()
    local ran
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 0, function()
        ran = true
        return 1
      end)
    )
    assert.is_true(ran)
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 0, function()
        swarm.sleep(1)
      end)
    )
    assert.equal(0, swarm.monotonic())
  end)

  it("are seen by checkpoint in a loop that never waits", function()
    local turns = 0
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 0, function()
        while turns < 1000 do
          turns = turns + 1
          swarm.checkpoint()
        end
      end)
    )
    assert.equal(1, turns)
  end)

  it("decide a worker's status though it only computed past them", function()
    local h = swarm.spawn(function()
      return "computed"
    end, nil, { timeout = 0 })
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("are numbers of seconds, zero or more, and finite", function()
    for _, seconds in ipairs { -1, 0 / 0, math.huge, "5", {} } do
      assert.equal("invalid_argument", code_of(swarm.timeout, seconds, function() end))
      assert.equal("invalid_argument", code_of(swarm.sleep, seconds))
      assert.equal("invalid_argument", code_of(swarm.spawn, "double", 1, { timeout = seconds }))
    end
    assert.equal("invalid_argument", code_of(swarm.timeout, nil, function() end))
    assert.equal("invalid_argument", code_of(swarm.timeout, 5))
    assert.equal("invalid_argument", code_of(swarm.sleep))
  end)

  it("bind all below them: children, grandchildren and what they wait for", function()
    local child, grandchild
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 4, function()
        child = swarm.spawn(function()
          grandchild = swarm.spawn("sleeper", 50)
          swarm.timeout(20, function()
            swarm.join(grandchild)
          end)
        end)
        swarm.join(child)
      end)
    )
    assert.equal("cancelled", child.status)
    assert.equal("cancelled", grandchild.status)
    assert.equal(4, swarm.monotonic())
  end)

  it("do not bind what was spawned into a scope around them", function()
    local h ---@type swarm.Handle
    swarm.scope(function(scope)
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 2, function()
          h = scope:spawn("sleeper", 9)
          swarm.join(h)
        end)
      )
    end)
    assert.equal("slept", swarm.result(h))
  end)

  it("name the worker's function where a tail call has left no place", function()
    local _, err = swarm.join(swarm.spawn(function()
      return swarm.timeout(1, function()
        return swarm.sleep(5)
      end)
    end))
    assert.equal("timeout", err.code)
    assert.matches("deadlines_spec%.lua:%d+$", err.where)
  end)

  it("show in ctx.deadline: the nearest of one's own and those above", function()
    local function deadline_of(options)
      return swarm.result(swarm.spawn(function(ctx)
        return ctx.deadline
      end, nil, options))
    end
    assert.is_nil(deadline_of())
    assert.equal(7, deadline_of { timeout = 7 })
    swarm.timeout(5, function()
      assert.equal(5, deadline_of())
      assert.equal(5, deadline_of { timeout = 7 })
      assert.equal(3, deadline_of { timeout = 3 })
      assert.is_nil(deadline_of { detached = true })
      swarm.shield(function()
        assert.equal(20, deadline_of())
      end, { timeout = 20 })
    end)
  end)

  it("of a worker end it as timeout, a failure", function()
    local h = swarm.spawn("brief", 6)
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("timeout", err.code)
    assert.equal("timeout", h.status)
    assert.equal(5, swarm.monotonic())
    assert.equal("in time", swarm.call("brief", 4))
  end)

  it("of a spawn win over those of the definition", function()
    assert.equal("in time", swarm.result(swarm.spawn("brief", 6, { timeout = 8 })))
    local h = swarm.spawn("brief", 4, { timeout = 2 })
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("of a worker count from running on, not while it is queued", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 10 })
    local second = swarm.spawn("one_at_a_time", { name = "second", seconds = 3 }, { timeout = 4 })
    swarm.sleep(9)
    assert.equal("pending", second.status)
    assert.is_nil(second.deadline)
    assert.equal("first", swarm.result(first))
    assert.equal("second", swarm.result(second))
    assert.equal(13, swarm.monotonic())
  end)

  it("above bound a queued worker too", function()
    local second
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 10 })
    swarm.yield()
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 4, function()
        second = swarm.spawn("one_at_a_time", { name = "second" })
      end)
    )
    assert.equal("cancelled", second.status)
    assert.equal("first", swarm.result(first))
  end)

  it("that come with a cancel of the whole worker leave it cancelled", function()
    local worker ---@type swarm.Handle
    swarm.spawn(function()
      swarm.sleep(5)
      swarm.cancel(worker, "at the same time")
    end)
    swarm.yield()
    worker = swarm.spawn(function()
      swarm.timeout(5, function()
        swarm.sleep(50)
      end)
    end)
    swarm.join(worker)
    assert.equal("cancelled", worker.status)
  end)
end)

describe("a deadline", function()
  it("that is caught lets the worker go on with a value of its own", function()
    local value = "late"
    pcall(function()
      value = swarm.timeout(1, function()
        return swarm.call("sleeper", 100)
      end)
    end)
    assert.equal("late", value)
    swarm.sleep(1)
    assert.equal("slept", swarm.call("sleeper", 1))
  end)

  it("is seen inside as cancelled with the deadline as its reason", function()
    local seen
    pcall(swarm.timeout, 2, function()
      seen = raised(swarm.sleep, 100)
      error(seen, 0)
    end)
    assert.equal("cancelled", seen.code)
    assert.matches("ran out of time after 2 s", seen.reason)
  end)

  it(
    "that comes after a cancel leaves the worker cancelled, however long it takes to end",
    function()
      local h = swarm.spawn(function()
        swarm.timeout(2, function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            swarm.sleep(5)
          end)
          swarm.checkpoint()
        end)
      end)
      swarm.sleep(1)
      swarm.cancel(h, "before its time")
      local _, err = swarm.join(h)
      assert.equal("cancelled", h.status)
      assert.equal("before its time", err.reason)
    end
  )

  it("of a worker that comes after its cancel leaves it cancelled", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(5)
      end)
    end, nil, { timeout = 2 })
    swarm.sleep(1)
    swarm.cancel(h, "before its time")
    swarm.join(h)
    assert.equal("cancelled", h.status)
  end)

  it("that comes before a cancel leaves the worker out of time", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(5)
      end)
    end, nil, { timeout = 1 })
    swarm.sleep(2)
    assert.falsy(swarm.cancel(h, "too late"))
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("further in does not make a timeout of a cancel from outside", function()
    local log = {}
    local h = swarm.spawn(function()
      log.outer = code_of(swarm.timeout, 10, function()
        log.inner = code_of(swarm.timeout, 5, function()
          swarm.sleep(100)
        end)
        swarm.checkpoint()
      end)
      swarm.checkpoint()
    end)
    swarm.sleep(1)
    swarm.cancel(h)
    swarm.join(h)
    assert.same({ inner = "cancelled", outer = "cancelled" }, log)
    assert.equal("cancelled", h.status)
  end)

  it("of zero in a worker that is cancelled raises cancelled, not timeout", function()
    local code
    local h = swarm.spawn(function(ctx)
      ctx:cancel()
      code = code_of(swarm.timeout, 0, swarm.checkpoint)
    end)
    swarm.join(h)
    assert.equal("cancelled", code)
  end)

  it("whose worker is cancelled as it passes gives way to the cancel", function()
    local log = {}
    local h = swarm.spawn(function(ctx)
      log.inner = code_of(swarm.timeout, 0, function()
        local err = raised(swarm.checkpoint)
        ctx:cancel "meanwhile"
        error(err, 0)
      end)
      log.after = true
      swarm.checkpoint()
      log.further = true
    end)
    swarm.join(h)
    assert.same({ inner = "cancelled", after = true }, log)
    assert.equal("cancelled", h.status)
  end)

  it("is noticed by a worker that only yields", function()
    local turns = 0
    local err = raised(swarm.timeout, 3, function()
      while true do
        swarm.yield()
        turns = turns + 1
        clock.advance(1)
      end
    end)
    assert.equal("timeout", err.code)
    assert.truthy(turns >= 2 and turns <= 4)
  end)

  it("of a block and of the one inside it are taken away with them", function()
    swarm.timeout(10, function()
      swarm.timeout(5, function()
        swarm.sleep(1)
      end)
      swarm.sleep(8) -- past the inner one, which is over
    end)
    assert.equal(50, seconds_of(swarm.sleep, 50))
  end)

  it("bounds a worker that a scope took from within it by that scope's, not by its own", function()
    local log = {}
    swarm.timeout(20, function()
      swarm.scope(function(scope)
        log.code = code_of(swarm.timeout, 1, function()
          scope:spawn(function(ctx)
            log.left = ctx.deadline - swarm.monotonic()
            swarm.sleep(5)
            log.done = true
          end)
          swarm.sleep(100)
        end)
      end)
    end)
    assert.equal("timeout", log.code)
    assert.truthy(log.done)
    assert.truthy(log.left > 18 and log.left <= 20)
  end)

  it("that ends a block does not cancel the scope around it", function()
    local log = {}
    swarm.scope(function(scope)
      log.code = code_of(swarm.timeout, 0, function()
        scope:spawn("sleeper", 1)
      end)
      log.value = swarm.result(scope:spawn("sleeper", 1))
    end)
    assert.same({ code = "timeout", value = "slept" }, log)
  end)

  it("holds for each of a thousand blocks, one in another", function()
    local function nest(n)
      if n == 0 then
        return swarm.sleep(100)
      end
      return (swarm.timeout(n == 1000 and 1 or 50, function()
        nest(n - 1)
      end))
    end
    local err
    assert.equal(
      1,
      seconds_of(function()
        err = raised(nest, 1000)
      end)
    )
    assert.equal("timeout", err.code)
    assert.matches("after 1 s", err.message)
    swarm.sleep(100)
  end)

  it("leaves nothing open where blocks nest until the stack is full", function()
    local function nest()
      return (swarm.timeout(50, function()
        return (nest())
      end))
    end
    local err = raised(nest)
    assert.matches("stack overflow", tostring(err))
    swarm.sleep(100) -- none of those deadlines is left to end it
    assert.equal("slept", swarm.call("sleeper", 1))
  end)

  it("is a finite number of seconds, zero or more, wherever it can be said", function()
    local wrong = { -1, -0.001, 0 / 0, math.huge, -math.huge, "5", true, {} } ---@type any[]
    local h = swarm.spawn("sleeper", 1)
    for _, seconds in ipairs(wrong) do
      for name, call in pairs {
        timeout = function()
          swarm.timeout(seconds, function() end)
        end,
        shield = function()
          swarm.shield(function() end, { timeout = seconds })
        end,
        sleep = function()
          swarm.sleep(seconds)
        end,
        join = function()
          swarm.join(h, { timeout = seconds })
        end,
        spawn = function()
          swarm.spawn("sleeper", 1, { timeout = seconds })
        end,
      } do
        local err = raised(call)
        assert.equal("invalid_argument", err.code, name)
        assert.matches("deadlines_spec%.lua:%d+", err.where)
        assert.matches("seconds", err.message)
      end
    end
    assert.equal("slept", swarm.result(h))
  end)
end)
