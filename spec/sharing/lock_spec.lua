-- Proves sync.md, "swarm.lock".
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
local stock = require "sharing_stock"

local raised, code_of = outcomes.raised, outcomes.code_of
local started, join_all = stages.started, stages.join_all
local crowd = stock.crowd

describe("swarm.lock", function()
  it("lets one worker in at a time, in their order", function()
    local lock, order, inside = swarm.lock(), {}, 0
    local list = {}
    for i = 1, 5 do
      list[i] = swarm.spawn(function()
        lock:with(function()
          inside = inside + 1
          assert.equal(1, inside)
          swarm.sleep(1)
          order[#order + 1] = i
          inside = inside - 1
        end)
      end)
    end
    join_all(list)
    assert.same({ 1, 2, 3, 4, 5 }, order)
    assert.equal(5, swarm.monotonic())
  end)

  it("is fair to those who wait while its holder takes it again and again", function()
    local lock, order = swarm.lock(), {}
    local list = {}
    for i = 1, 2 do
      list[i] = swarm.spawn(function()
        for _ = 1, 3 do
          lock:with(function()
            order[#order + 1] = i
            swarm.yield()
          end)
        end
      end)
    end
    join_all(list)
    assert.same({ 1, 2, 1, 2, 1, 2 }, order)
  end)

  it("raises deadlock where its holder takes it again, and stays held meanwhile", function()
    local lock = swarm.lock()
    local other ---@type swarm.Handle
    local got = false
    lock:with(function()
      local err = raised(function()
        lock:with(print)
      end)
      assert.equal("deadlock", err.code)
      assert.matches("holds the lock made at .*lock_spec%.lua:%d+ already", err.message)
      assert.matches("take it once", err.message)
      assert.matches("lock_spec%.lua:%d+$", err.where)
      other = started(function()
        lock:with(function()
          got = true
        end)
      end)
      assert.is_false(got)
    end)
    swarm.join(other)
    assert.is_true(got)
  end)

  it("raises deadlock also from inside a coroutine, a timeout or a shield", function()
    local lock = swarm.lock()
    lock:with(function()
      assert.equal(
        "deadlock",
        code_of(coroutine.wrap(function()
          lock:with(print)
        end))
      )
      assert.equal(
        "deadlock",
        code_of(swarm.timeout, 1, function()
          lock:with(print)
        end)
      )
      assert.equal(
        "deadlock",
        code_of(swarm.shield, function()
          lock:with(print)
        end)
      )
    end)
  end)

  it("can be taken again by the same worker once it is free", function()
    local lock = swarm.lock()
    for i = 1, 3 do
      assert.equal(
        i,
        lock:with(function()
          return i
        end)
      )
    end
  end)

  it("takes nothing else: a lock beside it is another", function()
    local a, b = swarm.lock(), swarm.lock()
    assert.equal(
      "both",
      a:with(function()
        return b:with(function()
          return "both"
        end)
      end)
    )
  end)

  it("passes on where its holder is cancelled, and where the next is cancelled as well", function()
    local lock = swarm.lock()
    local list = crowd(3, function()
      lock:with(function()
        swarm.sleep(100)
      end)
    end)
    local last = started(function()
      return lock:with(function()
        return "mine"
      end)
    end)
    swarm.cancel(list[2])
    swarm.cancel(list[1])
    swarm.sleep(1)
    swarm.cancel(list[3])
    assert.equal("mine", swarm.result(last))
    assert.equal(1, swarm.monotonic())
  end)
end)
