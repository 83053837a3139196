-- Proves structure.md once more, by the lists that anyio and trio keep of how cancels, shields and
-- deadlines go wrong: structure_peers.md has their names beside ours.
local swarm = require "swarm"
local outcomes = require "outcomes"
local stages = require "stages"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local all_wait, cancelled_in_wait = stages.all_wait, stages.cancelled_in_wait

describe("a cancel", function()
  it("ends the blocks that are open: nothing after them runs", function()
    local reached = {}
    local status = cancelled_in_wait(function()
      swarm.scope(function()
        swarm.timeout(50, function()
          swarm.sleep(100)
          reached[#reached + 1] = "after sleep"
        end)
        reached[#reached + 1] = "after timeout"
      end)
      reached[#reached + 1] = "after scope"
    end)
    assert.equal("cancelled", status)
    assert.same({}, reached)
  end)

  it("reaches every leaf of a tree of workers and scopes", function()
    local reached = {}
    local function leaf(name)
      return function()
        local err = raised(swarm.sleep, 100)
        reached[name] = err.code .. ": " .. err.reason
      end
    end
    local function branch(name)
      return function()
        swarm.scope(function(scope)
          scope:spawn(leaf(name .. "1"))
          scope:spawn(leaf(name .. "2"))
        end)
      end
    end
    cancelled_in_wait(function()
      swarm.spawn(branch "a")
      swarm.spawn(branch "b")
    end, "enough")
    local all = "cancelled: enough"
    assert.same({ a1 = all, a2 = all, b1 = all, b2 = all }, reached)
  end)

  it("reaches children at once though their parent is behind a shield", function()
    local seen
    local h = swarm.spawn(function(ctx)
      local child = swarm.spawn(function()
        pcall(swarm.sleep, 100)
        seen = swarm.monotonic()
      end)
      swarm.shield(function()
        swarm.sleep(5)
        ctx:progress("shielded", child.status)
      end)
    end)
    all_wait()
    local at = swarm.monotonic()
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(at, seen)
    assert.equal("cancelled", h:output_tail()[1].note)
  end)

  it("is not delivered to a function that computes, until it calls", function()
    local log = {}
    local h = swarm.spawn(function(ctx)
      ctx:cancel("by myself")
      for i = 1, 3 do
        log[i] = i
      end
      log[4] = code_of(swarm.checkpoint)
    end)
    swarm.join(h)
    assert.same({ 1, 2, 3, "cancelled" }, log)
  end)

  it("leaves a worker cancelled though it never comes to a call", function()
    local h = swarm.spawn(function(ctx)
      ctx:cancel "too late to matter"
      return "done"
    end)
    local _, err = swarm.join(h)
    assert.equal("cancelled", h.status)
    assert.equal("too late to matter", err.reason)
  end)

  it("opens no block any more, save a shield", function()
    local codes, ran = {}, {}
    local h = swarm.spawn(function(ctx)
      ctx:cancel()
      for name, open in pairs {
        scope = swarm.scope,
        timeout = function(fn)
          swarm.timeout(5, fn)
        end,
      } do
        codes[name] = code_of(open, function()
          ran[#ran + 1] = name
        end)
      end
      swarm.shield(function()
        ran[#ran + 1] = "shield"
      end)
    end)
    swarm.join(h)
    assert.same({ scope = "cancelled", timeout = "cancelled" }, codes)
    assert.same({ "shield" }, ran)
  end)

  it("is raised as the very same error each time within one scope", function()
    local errs = {}
    cancelled_in_wait(function()
      for i = 1, 3 do
        errs[i] = raised(swarm.sleep, 100)
      end
    end, "once")
    assert.equal("once", errs[1].reason)
    assert.truthy(rawequal(errs[1], errs[2]) and rawequal(errs[2], errs[3]))
  end)

  it("comes out of a scope as one error, without those of its children", function()
    local seen
    local status = cancelled_in_wait(function()
      seen = raised(swarm.scope, function(scope)
        scope:spawn("sleeper", 100)
        scope:spawn("sleeper", 100)
        swarm.sleep(100)
      end)
      error(seen, 0)
    end)
    assert.equal("cancelled", status)
    assert.equal("cancelled", seen.code)
    assert.equal(nil, seen.others)
    assert.equal(nil, seen.errors)
  end)

  it("of a child is nothing to the scope around it", function()
    local done
    swarm.scope(function(scope)
      local h = scope:spawn("sleeper", 100)
      scope:spawn(function()
        swarm.sleep(2)
        done = true
      end)
      all_wait()
      swarm.cancel(h, "not needed")
      swarm.sleep(1)
    end)
    assert.truthy(done)
  end)

  it("of a child that runs out of time in a block of its own is nothing to its parent", function()
    local after
    local h = swarm.spawn(function()
      pcall(swarm.timeout, 1, swarm.sleep, 100)
      pcall(swarm.timeout, 1, function()
        swarm.sleep(100)
      end)
      after = swarm.monotonic()
      return "went on"
    end)
    local start = swarm.monotonic()
    assert.equal("went on", swarm.result(h))
    assert.equal(1, after - start)
  end)

  it("of a worker that waits for a child it has handed on to nobody takes the child too", function()
    local child
    local h = swarm.spawn(function()
      child = swarm.spawn("sleeper", 100)
      swarm.join(child)
    end)
    all_wait()
    assert.truthy(swarm.cancel(h))
    swarm.join(h)
    assert.equal("cancelled", child.status)
  end)

  it("of a joiner leaves alone what it waited for, where that is not its own", function()
    local other = swarm.spawn("sleeper", 10)
    cancelled_in_wait(function()
      swarm.join(other)
    end)
    assert.equal("running", other.status)
    assert.equal("slept", swarm.result(other))
  end)

  it("that comes while the children settle reaches them, and the wait goes on", function()
    local cleaned
    local h = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn(function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            swarm.sleep(3)
          end)
          cleaned = true
        end)
      end)
    end)
    all_wait()
    swarm.cancel(h)
    assert.equal("running", h.status)
    assert.equal(3, seconds_of(swarm.join, h))
    assert.truthy(cleaned)
  end)

  it("made twice is made once, with the first reason", function()
    local reasons = {}
    local h = swarm.spawn(function()
      reasons[1] = raised(swarm.sleep, 100).reason
      swarm.shield(function()
        swarm.sleep(1)
      end)
      reasons[2] = raised(swarm.sleep, 100).reason
    end)
    all_wait()
    assert.truthy(swarm.cancel(h, "first"))
    assert.truthy(swarm.cancel(h, "second"))
    swarm.sleep(0.5)
    assert.truthy(swarm.cancel(h, "third"))
    swarm.join(h)
    assert.same({ "first", "first" }, reasons)
  end)

  it("wrapped into an error of the script's own is an error of its clean-up", function()
    local status, err = cancelled_in_wait(function()
      local err = raised(swarm.sleep, 100)
      error { code = "wrapped", cause = err }
    end, "enough")
    assert.equal("failed", status)
    assert.equal("wrapped", err.code)
    assert.equal("cancelled", err.cause.code)
    assert.equal("enough", err.cancel_reason)
  end)

  it("does not hide an error that came before it", function()
    local h = swarm.spawn(function()
      swarm.spawn(function()
        pcall(swarm.sleep, 100)
        swarm.shield(function()
          swarm.sleep(5)
        end)
      end)
      all_wait()
      error { code = "mine" }
    end)
    swarm.sleep(1) -- it has failed, and waits for its child
    assert.equal("running", h.status)
    swarm.cancel(h, "afterwards")
    local _, err = swarm.join(h)
    assert.equal("failed", h.status)
    assert.equal("mine", err.code)
  end)

  it("does not hide the first error of a scope that was ending by it", function()
    local seen
    local h = swarm.spawn(function()
      seen = raised(swarm.scope, function(scope)
        scope:spawn(function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            swarm.sleep(5)
          end)
        end)
        scope:spawn(function()
          swarm.sleep(1)
          error { code = "first" }
        end)
        swarm.sleep(100)
      end)
      error(seen, 0)
    end)
    swarm.sleep(2)
    swarm.cancel(h, "afterwards")
    local _, err = swarm.join(h)
    assert.equal("first", seen.code)
    assert.equal("failed", h.status)
    assert.equal("failed", err.code)
    assert.equal("first", err.cause.code)
  end)

  it("lets a worker go on in the next block after one was lost", function()
    local log = {}
    for i = 1, 3 do
      local start = swarm.monotonic()
      log[i] = code_of(swarm.timeout, i, function()
        swarm.sleep(100)
      end) .. " " .. swarm.monotonic() - start
    end
    assert.same({ "timeout 1", "timeout 2", "timeout 3" }, log)
    swarm.checkpoint()
  end)

  it("costs no turns while it waits behind a shield", function()
    local turns, over = 0, false
    local h = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(20)
      end)
    end)
    all_wait()
    swarm.cancel(h)
    -- Were somebody ready all the time, the virtual clock would stand still.
    swarm.spawn(function()
      while not over do
        swarm.sleep(1)
        turns = turns + 1
      end
    end)
    swarm.join(h)
    over = true
    assert.truthy(turns >= 19 and turns <= 21)
  end)

  it("by a child of who is above it reaches the child as well", function()
    local seen
    local h = swarm.spawn(function(ctx)
      swarm.spawn(function()
        swarm.cancel(ctx, "from below")
        seen = raised(swarm.checkpoint).reason
      end)
      swarm.sleep(100)
    end)
    swarm.join(h)
    assert.equal("cancelled", h.status)
    assert.equal("from below", seen)
  end)

  it("leaves no worker of a deep chain behind", function()
    local chain = {}
    local function go(_, depth)
      chain[depth] = swarm.spawn(depth < 40 and go or "sleeper", depth < 40 and depth + 1 or 100)
      swarm.join(chain[depth])
    end
    local h = swarm.spawn(go, 1)
    swarm.sleep(1)
    assert.equal(40, #chain)
    swarm.cancel(h)
    swarm.join(h)
    for depth = 1, 40 do
      assert.equal("cancelled", chain[depth].status)
    end
  end)

  it("frees what a worker held on its stack", function()
    local held = setmetatable({}, { __mode = "v" })
    local h = swarm.spawn(function()
      local big = { "held" }
      held[1] = big
      swarm.sleep(100)
      return big
    end)
    all_wait()
    collectgarbage()
    assert.truthy(held[1])
    swarm.cancel(h)
    swarm.join(h)
    swarm.join(swarm.spawn(function() end)) -- a stack that is used again lets go of the last
    collectgarbage()
    collectgarbage()
    assert.equal(nil, held[1])
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
    local wrong = { -1, -0.001, 0 / 0, math.huge, -math.huge, "5", true, {} }
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
        assert.matches("cancellation_spec%.lua:%d+", err.where)
        assert.matches("seconds", err.message)
      end
    end
    assert.equal("slept", swarm.result(h))
  end)
end)
