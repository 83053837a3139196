-- Proves gather.md, "all".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local raised, code_of, codes_of = outcomes.raised, outcomes.code_of, outcomes.codes_of
local seconds_of = outcomes.seconds_of
local gives, breaks, blocks, cleans = stock.gives, stock.breaks, stock.blocks, stock.cleans

swarm.worker "hands_on" {
  run = function()
    return swarm.all {
      function()
        return 1
      end,
      function()
        return 2, "not enough"
      end,
    }
  end,
}

describe("all", function()
  it("gives values in the order of the list, whoever is first", function()
    local values, blockeds = swarm.all { gives("a", 3), gives("b", 1), gives("c", 2), gives "d" }
    assert.same({ "a", "b", "c", "d" }, values)
    assert.is_nil(blockeds)
  end)

  it("waits as long as the slowest", function()
    assert.equal(
      3,
      seconds_of(function()
        swarm.all { gives("a", 3), gives("b", 1), swarm.spawn("sleeper", 2) }
      end)
    )
  end)

  it("gives the reader copies of its own", function()
    local h = swarm.spawn(gives { 1 })
    local values = swarm.all { h, h }
    values[1][1] = "changed"
    assert.same({ 1 }, values[2])
    assert.same({ 1 }, h:result())
  end)

  it("leaves nil and false where that is the value", function()
    local values = swarm.all { gives(nil), gives(false), gives(3) }
    assert.is_nil(values[1])
    assert.is_false(values[2])
    assert.equal(3, values[3])
  end)

  it("puts blocked values in place and their errors beside", function()
    local values, blockeds = swarm.all { gives(1), blocks(2, "not enough"), blocks(nil, "no") }
    assert.same({ 1, 2 }, values)
    assert.equal("blocked", blockeds[2].code)
    assert.equal("not enough", blockeds[2].reason)
    assert.equal("no", blockeds[3].reason)
    assert.is_nil(blockeds[1])
  end)

  it("hands a block on where a worker returns it", function()
    local value, err = swarm.call "hands_on"
    assert.same({ 1, 2 }, value)
    assert.equal("blocked", err.code)
    assert.equal("1 worker is blocked; [2]: not enough", err.reason)
  end)

  it("raises the first failure by time, not by place", function()
    assert.equal("early", code_of(swarm.all, { breaks("late", 2), breaks("early", 1), gives(1) }))
  end)

  it("raises the member's own error, with the tracebacks of worker and spawner", function()
    local function bad()
      error { code = "mine", detail = { 1, 2 } }
    end
    local err = raised(function()
      local values = swarm.all { bad }
      return values
    end)
    assert.equal("mine", err.code)
    assert.same({ 1, 2 }, err.detail)
    assert.matches("all_spec.lua:%d+: in function", err.traceback)
    assert.matches("all_spec.lua:%d+$", err.spawned_at)
    assert.matches("^T%-%d+$", err.task_id)
  end)

  it("raises a timeout and a cancel of a member too", function()
    local err = raised(swarm.all, { swarm.spawn "brief", gives(1, 9) })
    assert.equal("timeout", err.code)
    local h = swarm.spawn "sleeper"
    swarm.cancel(h, "not wanted")
    err = raised(swarm.all, { gives(1, 3), h })
    assert.equal("cancelled", err.code)
    assert.equal("not wanted", err.reason)
  end)

  it("fails its worker with the member's error as cause", function()
    local _, err = swarm.join(swarm.spawn(function()
      swarm.all { breaks "inner" }
    end))
    assert.equal("failed", err.code)
    assert.equal("inner", err.cause.code)
  end)

  it("is not cancelled by a member that was", function()
    local h = swarm.spawn "sleeper"
    swarm.cancel(h)
    local caller = swarm.spawn(function()
      swarm.all { h }
    end)
    swarm.join(caller)
    assert.equal("failed", caller.status)
  end)

  it("attaches what failed besides, in clean-up too, each once", function()
    local log = {}
    local handle = swarm.spawn(cleans(log, 2, "handle's clean-up"))
    local err = raised(swarm.all, {
      cleans(log, 3, "clean-up"),
      handle,
      breaks("first", 1),
      breaks("second", 1),
      handle,
    })
    assert.equal("first", err.code)
    assert.same({ "second", "handle's clean-up", "clean-up" }, codes_of(err.others))
  end)

  it("attaches nothing twice where two calls fail by the same worker", function()
    local bad = swarm.spawn(breaks "bad")
    local other = swarm.spawn(breaks "other")
    swarm.join(bad)
    swarm.join(other)
    raised(swarm.all, { bad, other })
    local err = raised(swarm.all, { bad, other })
    assert.same({ "other" }, codes_of(err.others))
  end)

  it("keeps the first error of a member that was none of a table", function()
    local err = raised(swarm.all, {
      function()
        error("plain text", 0)
      end,
    })
    assert.equal("plain text", err.message)
    assert.equal("failed", err.code)
  end)

  it("takes handles that have settled already", function()
    local a, b = swarm.spawn("double", 1), swarm.spawn("double", 2)
    swarm.join(a)
    swarm.join(b)
    assert.equal(
      0,
      seconds_of(function()
        assert.same({ 4, 2 }, (swarm.all { b, a }))
      end)
    )
  end)

  it("nests", function()
    local function leaf(n)
      return function()
        swarm.sleep(n)
        return n
      end
    end
    local function branch(n)
      return function()
        return (swarm.all { leaf(n), leaf(n + 1) })
      end
    end
    assert.equal(
      4,
      seconds_of(function()
        assert.same({ { 1, 2 }, { 3, 4 } }, (swarm.all { branch(1), branch(3) }))
      end)
    )
  end)

  it("cancels nested calls to the bottom, and waits for them", function()
    local log = {}
    local err = raised(swarm.all, {
      function()
        swarm.any {
          function()
            swarm.race { cleans(log, 2), cleans(log, 3) }
          end,
        }
      end,
      breaks("first", 1),
    })
    assert.equal("first", err.code)
    assert.same({ 3, 4 }, log)
  end)

  it("works inside a coroutine of the author's", function()
    local co = coroutine.wrap(function()
      coroutine.yield((swarm.all { gives(1, 1), gives(2, 2) }))
      return "over"
    end)
    assert.same({ 1, 2 }, co())
    assert.equal("over", co())
  end)

  it("says so where a C function is in the way, and leaves nothing behind", function()
    for _, call in ipairs { "all", "any", "race", "settle" } do
      local h = swarm.spawn "sleeper"
      local err
      local _ = ("x"):gsub("x", function()
        err = raised(swarm[call], { gives(1, 1), h })
      end)
      assert.equal("invalid_argument", err.code)
      assert.matches("string.gsub or table.sort", err.message)
      assert.is_true(h:cancel())
    end
  end)

  it("needs not wait for what has settled, not even below a C function", function()
    local h = swarm.spawn("double", 2)
    swarm.join(h)
    local got
    local _ = ("x"):gsub("x", function()
      got = swarm.all { h }
    end)
    assert.same({ 4 }, got)
  end)
end)
