-- Proves structure.md, "Cancellation".
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
require "structure_stock"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local all_wait, cancelled_in_wait = stages.all_wait, stages.cancelled_in_wait

describe("cancellation", function()
  it("is raised again at every call that may yield, and at spawn", function()
    local codes = {}
    local settled = swarm.spawn("double", 1)
    swarm.join(settled)
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      local calls = {
        { swarm.sleep, 0 },
        { swarm.yield },
        { swarm.checkpoint },
        { swarm.spawn, "double", 1 },
        { swarm.call, "double", 1 },
        { swarm.join, settled },
        { swarm.result, settled },
        { swarm.scope, function() end },
        { swarm.timeout, 1, function() end },
        { swarm.follow(settled) },
      }
      for i, call in ipairs(calls) do
        codes[i] = code_of(unpack(call))
      end
    end)
    swarm.yield()
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(10, #codes)
    for i = 1, 10 do
      assert.equal("cancelled", codes[i], i)
    end
  end)

  it("decides the status, whatever the worker returned", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      return "as if nothing had been"
    end)
    swarm.yield()
    assert.is_true(swarm.cancel(h, "enough"))
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.same({ "cancelled", "enough" }, { err.code, err.reason })
    assert.equal("cancelled", h.status)
  end)

  it("makes an error of the clean-up a failure, with the reason attached", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      error { code = "clean-up" }
    end)
    swarm.yield()
    swarm.cancel(h, "enough")
    local _, err = swarm.join(h)
    assert.same({ "clean-up", "enough" }, { err.code, err.cancel_reason })
    assert.equal("failed", h.status)
  end)

  it("ends a worker that never began at once, without running it", function()
    local ran = false
    local h = swarm.spawn(function()
      ran = true
    end)
    swarm.cancel(h)
    assert.equal("cancelled", h.status)
    swarm.sleep(1)
    assert.is_false(ran)
  end)

  it("of oneself is raised at one's next call", function()
    local reached = false ---@type boolean|string
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx, "by myself")
      reached = true
      swarm.checkpoint()
      reached = "too far"
    end)
    local _, err = swarm.join(h)
    assert.equal("by myself", err.reason)
    assert.is_true(reached)
  end)

  it("says true only where the worker will end cancelled", function()
    local done = swarm.spawn("double", 1)
    swarm.join(done)
    assert.is_false(swarm.cancel(done))
    local late = swarm.spawn(function()
      pcall(swarm.sleep, 50)
      swarm.shield(function()
        swarm.sleep(3)
      end)
    end, nil, { timeout = 2 })
    swarm.sleep(3)
    assert.is_false(swarm.cancel(late))
    swarm.join(late)
    assert.equal("timeout", late.status)
  end)

  it("lets who waits for me be cancelled and joined by me", function()
    local waiter ---@type swarm.Handle
    local h = swarm.spawn(function()
      swarm.sleep(1)
      swarm.cancel(waiter, "no need", { wait = true })
      return waiter.status
    end)
    waiter = swarm.spawn(function()
      swarm.join(h)
    end)
    assert.equal("cancelled", swarm.result(h))
  end)

  it("does not reach what the block has spawned as detached", function()
    local child ---@type swarm.Handle
    local h = swarm.spawn(function()
      child = swarm.spawn("sleeper", 5, { detached = true })
      swarm.sleep(50)
    end)
    swarm.sleep(1)
    swarm.cancel(h, "enough", { wait = true })
    assert.equal("slept", swarm.result(child))
  end)
end)

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
    local log = {} ---@type any[]
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
      ---@diagnostic disable-next-line: redundant-parameter
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
      local cancel = raised(swarm.sleep, 100)
      error { code = "wrapped", cause = cancel }
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
