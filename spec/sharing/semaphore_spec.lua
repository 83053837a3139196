-- Proves sync.md, "swarm.semaphore".
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
local stock = require "sharing_stock"

local raised, code_of = outcomes.raised, outcomes.code_of
local started, join_all = stages.started, stages.join_all
local must_wait, packed, crowd = stock.must_wait, stock.packed, stock.crowd

describe("swarm.semaphore", function()
  it("takes a whole number of permits, one or more", function()
    for _, n in ipairs { 0, -1, 1.5, 0 / 0, 1 / 0, 1e300, "3", true, {} } do
      local err = raised(swarm.semaphore, n)
      assert.equal("invalid_argument", err.code)
      assert.matches("whole number from 1", err.message)
    end
    assert.equal("invalid_argument", code_of(swarm.semaphore))
  end)

  it("lets n in at once, and not one more", function()
    local semaphore, inside, most = swarm.semaphore(3), 0, 0
    local list = {}
    for i = 1, 10 do
      list[i] = swarm.spawn(function()
        semaphore:acquire()
        inside = inside + 1
        most = math.max(most, inside)
        swarm.sleep(1)
        inside = inside - 1
        semaphore:release()
      end)
    end
    join_all(list)
    assert.equal(3, most)
    assert.equal(4, swarm.monotonic())
  end)

  it("serves who waits in their order, and they go on in it", function()
    local semaphore, order = swarm.semaphore(3), {}
    for _ = 1, 3 do
      semaphore:acquire()
    end
    local list = crowd(6, function(i)
      semaphore:acquire()
      order[#order + 1] = i
    end)
    for _ = 1, 3 do
      semaphore:release()
    end
    join_all { list[1], list[2], list[3] }
    assert.same({ 1, 2, 3 }, order)
    for _ = 1, 3 do
      semaphore:release()
    end
    join_all(list)
    assert.same({ 1, 2, 3, 4, 5, 6 }, order)
  end)

  it("hands a permit over: who comes in between waits", function()
    local semaphore, order = swarm.semaphore(1), {}
    semaphore:acquire()
    local h = started(function()
      semaphore:acquire()
      order[#order + 1] = "waited"
      semaphore:release()
    end)
    semaphore:release()
    semaphore:acquire()
    order[#order + 1] = "came later"
    semaphore:release()
    swarm.join(h)
    assert.same({ "waited", "came later" }, order)
  end)

  it("release without acquire is an error, and changes nothing", function()
    local semaphore = swarm.semaphore(2)
    local err = raised(semaphore.release, semaphore)
    assert.equal("invalid_argument", err.code)
    assert.matches("more often than it was acquired", err.message)
    assert.matches("semaphore:with", err.message)
    semaphore:acquire()
    semaphore:release()
    assert.equal("invalid_argument", code_of(semaphore.release, semaphore))
    semaphore:acquire()
    semaphore:acquire()
    must_wait(semaphore, "acquire")
  end)

  it("a permit may be released by another worker", function()
    local semaphore = swarm.semaphore(1)
    semaphore:acquire()
    must_wait(semaphore, "acquire")
    swarm.result(swarm.spawn(function()
      semaphore:release()
    end))
    semaphore:acquire()
    must_wait(semaphore, "acquire") -- it was one permit, and is taken again
  end)

  it("a worker that ends keeps what it acquired without with", function()
    local semaphore = swarm.semaphore(1)
    swarm.result(swarm.spawn(function()
      semaphore:acquire()
    end))
    must_wait(semaphore, "acquire")
    semaphore:release()
    semaphore:acquire()
  end)

  it("passes a permit on past ten thousand waiters that were cancelled", function()
    local semaphore = swarm.semaphore(1)
    semaphore:acquire()
    local group = started(function()
      for _ = 1, 10000 do
        swarm.spawn(function()
          semaphore:with(error)
        end)
      end
    end)
    swarm.sleep(1)
    local h = started(function()
      semaphore:acquire()
      return "acquired"
    end)
    swarm.cancel(group, "enough", { wait = true })
    semaphore:release()
    assert.equal("acquired", swarm.result(h))
  end)

  it("loses no permit, however acquires are cancelled and released", function()
    local semaphore = swarm.semaphore(3)
    for round = 1, 50 do
      local list = {}
      for i = 1, 20 do
        list[i] = swarm.spawn(function()
          semaphore:with(function()
            swarm.sleep((i * 7 + round) % 5)
          end)
        end)
      end
      for i = 1, 20 do
        if (i * round) % 3 == 0 then
          swarm.sleep((i + round) % 2)
          swarm.cancel(list[i])
        end
      end
      for i = 1, 20 do
        swarm.join(list[i])
      end
    end
    for _ = 1, 3 do
      semaphore:acquire()
    end
    must_wait(semaphore, "acquire")
  end)

  it("with returns all that its function returned", function()
    local semaphore = swarm.semaphore(1)
    assert.same(
      { n = 4, 1, nil, "x", nil },
      packed(semaphore:with(function()
        return 1, nil, "x", nil
      end))
    )
    assert.same({ n = 0 }, packed(semaphore:with(function() end)))
  end)

  it("with may be nested where there are permits", function()
    local semaphore = swarm.semaphore(2)
    assert.equal(
      "inner",
      semaphore:with(function()
        return semaphore:with(function()
          return "inner"
        end)
      end)
    )
  end)

  it("a release too many inside with is an error, but no error of its function is lost", function()
    local semaphore = swarm.semaphore(1)
    assert.equal(
      "invalid_argument",
      code_of(semaphore.with, semaphore, function()
        semaphore:release()
      end)
    )
    assert.has_error(function()
      semaphore:with(function()
        semaphore:release()
        error "mine"
      end)
    end, "mine")
    semaphore:acquire()
    semaphore:release()
  end)
end)
