-- Proves gather.md, "each".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local raised, code_of, codes_of = outcomes.raised, outcomes.code_of, outcomes.codes_of
local gives, breaks, cleans = stock.gives, stock.breaks, stock.cleans

describe("each", function()
  it("gives members in the order in which they settle", function()
    local order = {}
    for i, h in swarm.each { gives("a", 3), gives("b", 1), swarm.spawn("sleeper", 2) } do
      order[#order + 1] = i .. " " .. h:result() .. " " .. swarm.monotonic()
    end
    assert.same({ "2 b 1", "3 slept 2", "1 a 3" }, order)
  end)

  it("keeps the order while the loop is busy", function()
    local order = {}
    for i in swarm.each { gives(1, 3), gives(2, 2), gives(3, 1), gives(4, 9) } do
      order[#order + 1] = i
      swarm.sleep(4)
    end
    assert.same({ 3, 2, 1, 4 }, order)
  end)

  it("keeps the order of those that settle at the same time", function()
    local order = {}
    for i in swarm.each { gives(1, 2), gives(2, 1), gives(3, 2), gives(4, 1) } do
      order[#order + 1] = i
    end
    assert.same({ 2, 4, 1, 3 }, order)
  end)

  it("takes handles from anywhere, and every member once", function()
    local list, expected = {}, {}
    for i = 1, 10 do
      list[i] = swarm.spawn(function()
        if i % 2 == 0 then
          swarm.yield()
        end
        return "FINISH " .. i
      end, nil, { detached = true })
      expected[i] = "FINISH " .. i
    end
    local results, count = {}, 0
    for i, h in swarm.each(list) do
      results[i], count = h:result(), count + 1
    end
    assert.same(expected, results)
    assert.equal(10, count)
  end)

  it("leaves a failure to who joins in the loop", function()
    local results, failure = {}, nil
    local list = {}
    for i = 1, 10 do
      list[i] = function()
        swarm.sleep(i)
        if i == 3 then
          error("ERROR IN TASK " .. i)
        end
        return "FINISH " .. i
      end
    end
    for i, h in swarm.each(list) do
      local ok, value = pcall(h.result, h)
      if not ok then
        failure = value
        break
      end
      results[i] = value
    end
    assert.matches("each_spec.lua:%d+: ERROR IN TASK 3", failure.message)
    assert.same({ "FINISH 1", "FINISH 2" }, results)
  end)

  it("owns nothing: a failure that nobody joined fails the block", function()
    local err = raised(swarm.timeout, 60, function()
      for _ in swarm.each { breaks "unowned", gives(1) } do
      end
    end)
    assert.equal("children_failed", err.code)
    assert.same({ "unowned" }, codes_of(err.errors))
    err = raised(swarm.scope, function()
      for _ in swarm.each { breaks("cancels", 1), gives(1, 50) } do
      end
    end)
    assert.equal("cancels", err.code)
  end)

  it("knows an error that is false as a failure", function()
    local _, h = swarm.each {
      function()
        error(false, 0)
      end,
    }()
    local ok, err = swarm.join(assert(h))
    assert.is_nil(ok)
    assert.equal("failed", err.code)
  end)

  it("ends well before an error of the caller's own", function()
    local results = {}
    local h = swarm.spawn(function()
      for i, one in swarm.each { gives "FINISH" } do
        results[i] = one:result()
      end
      error "GOT HERE"
    end)
    local _, err = swarm.join(h)
    assert.matches("GOT HERE", err.message)
    assert.same({ "FINISH" }, results)
  end)

  it("gives a cancelled member too", function()
    local list = {}
    for i = 1, 4 do
      list[i] = swarm.spawn(i == 2 and "sleeper" or gives(i))
    end
    list[2]:cancel()
    local results, codes = {}, {}
    for i, h in swarm.each(list) do
      local ok, value = pcall(h.result, h)
      if ok then
        results[i] = value
      else
        codes[#codes + 1] = value.code
      end
    end
    assert.same({ [1] = 1, [3] = 3, [4] = 4 }, results)
    assert.same({ "cancelled" }, codes)
  end)

  it("keeps few nodes of loops that were left", function()
    local long = swarm.spawn "sleeper"
    local function leaves_loops(n)
      for _ = 1, n do
        assert.equal(2, (swarm.each { long, gives(1) }()))
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local before = leaves_loops(1000)
    assert.truthy(leaves_loops(50000) - before < 5000, "50,000 loops must not stay")
    assert.equal("running", long.status)
    swarm.cancel(long)
    local seen
    for _, h in swarm.each { long } do
      seen = h.status
    end
    assert.equal("cancelled", seen)
  end)

  it("ends at once for an empty list", function()
    local steps = 0
    for _ in swarm.each {} do
      steps = steps + 1
    end
    assert.equal(0, steps)
  end)

  it("gives nil after the last, again and again", function()
    local step = swarm.each { gives(1) }
    assert.equal(1, (step()))
    for _ = 1, 3 do
      assert.is_nil((step()))
    end
  end)

  it("leaves members alone when the loop is left", function()
    local slow = swarm.spawn("sleeper", 5)
    assert.equal(2, (swarm.each { slow, gives("x", 1) }()))
    assert.equal("running", slow.status)
    assert.equal("slept", slow:result())
  end)

  it("makes its functions children of the block that calls", function()
    local log = {}
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 2, function()
        for _ in swarm.each { cleans(log, 1), gives(1, 1) } do
        end
      end)
    )
    assert.same({ 3 }, log)
  end)

  it("gives each member to one of several workers that take", function()
    local step = swarm.each { gives(1, 1), gives(2, 2), gives(3, 3), gives(4, 4) }
    local function takes()
      local got = {}
      for i in step do
        got[#got + 1] = i
      end
      return got
    end
    local got = swarm.all { takes, takes }
    local all = {}
    for _, list in ipairs(got) do
      for _, i in ipairs(list) do
        all[#all + 1] = i
      end
    end
    table.sort(all)
    assert.same({ 1, 2, 3, 4 }, all)
    assert.is_nil((step()))
  end)

  it("loses nothing when a worker that takes is cancelled as its member comes", function()
    local step = swarm.each { gives("at once", 1), gives("later", 50) }
    local first = swarm.spawn(function()
      return (step())
    end)
    local second = swarm.spawn(function()
      return { (step()), swarm.monotonic() }
    end)
    swarm.sleep(0.5)
    swarm.spawn(function()
      swarm.sleep(0.5) -- its timer rings right after the member's
      swarm.cancel(first)
    end)
    swarm.join(first)
    assert.equal("cancelled", first.status)
    local got = second:result()
    assert.equal(1, got[1])
    assert.equal(1, got[#got])
  end)

  it("is a point of cancellation at every step", function()
    local done = swarm.spawn(gives(1))
    swarm.join(done)
    local steps = 0
    local h = swarm.spawn(function(ctx)
      for _ in swarm.each { done, done, done } do
        steps = steps + 1
        ctx:cancel()
      end
    end)
    swarm.join(h)
    assert.equal("cancelled", h.status)
    assert.equal(1, steps)
  end)

  it("says so where a C function is in the way, and can go on after", function()
    local step = swarm.each { gives(1, 1) }
    local err
    local _ = ("x"):gsub("x", function()
      err = raised(step)
    end)
    assert.matches("swarm.each cannot wait inside", err.message)
    assert.equal(1, (step()))
  end)
end)
