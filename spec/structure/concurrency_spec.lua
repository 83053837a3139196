-- Proves structure.md, "Concurrency".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "structure_stock"

local code_of = outcomes.code_of
local began = stock.began

swarm.worker "two_at_a_time" {
  concurrency = 2,
  run = function(_, seconds)
    began[#began + 1] = swarm.monotonic()
    swarm.sleep(seconds)
  end,
}

swarm.layer("told of ends", {
  settled = function()
    swarm.sleep(0)
  end,
})

swarm.worker "told of its end" {
  concurrency = 1,
  layers = { "told of ends" },
  run = function()
    began[#began + 1] = swarm.monotonic()
    swarm.sleep(5)
  end,
}

swarm.worker "nested_single" {
  concurrency = 1,
  run = function(_, how)
    local inner = swarm.spawn("nested_single", "leaf")
    if how == "leaf" then
      swarm.cancel(inner)
      return "leaf"
    elseif how == "join" then
      local ok, err = pcall(swarm.join, inner)
      swarm.cancel(inner)
      return not ok and err.code
    elseif how == "deep" then
      local between = swarm.spawn(function()
        local ok, err = pcall(swarm.join, inner)
        return not ok and err.code
      end)
      local code = swarm.result(between)
      swarm.cancel(inner)
      return code
    end
    local _, err = swarm.join(inner, { timeout = 3 })
    swarm.cancel(inner)
    return err.code
  end,
}

describe("concurrency", function()
  it("lets at most n run, and keeps the others pending", function()
    local list = {}
    for i = 1, 5 do
      list[i] = swarm.spawn("two_at_a_time", 10)
    end
    swarm.sleep(1)
    local counts = { running = 0, pending = 0 }
    for _, h in ipairs(list) do
      counts[h.status] = counts[h.status] + 1
    end
    assert.same({ running = 2, pending = 3 }, counts)
    for _, h in ipairs(list) do
      swarm.join(h)
    end
    assert.same({ 0, 0, 10, 10, 20 }, began)
  end)

  it("serves first come first", function()
    local list = {}
    for i = 1, 6 do
      list[i] = swarm.spawn("one_at_a_time", { name = i, seconds = 1 })
    end
    swarm.yield()
    for i = 6, 1, -1 do
      swarm.join(list[i])
    end
    assert.same({ 1, 2, 3, 4, 5, 6 }, began)
  end)

  it("frees the slot at every kind of end", function()
    local ends = {
      pass = {},
      failed = { fail = true },
      blocked = { block = true },
      cancelled = { seconds = 50 },
      timeout = { seconds = 50 },
    }
    for status, job in pairs(ends) do
      local h = swarm.spawn("one_at_a_time", job, status == "timeout" and { timeout = 2 } or nil)
      local following = swarm.spawn("one_at_a_time", { name = status })
      swarm.sleep(1)
      if status == "cancelled" then
        swarm.cancel(h)
      end
      swarm.join(h)
      assert.equal(status, h.status)
      assert.equal(status, swarm.result(following))
    end
  end)

  it("holds the slot until the children have settled", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", child = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    swarm.sleep(3)
    assert.equal("pending", second.status)
    swarm.join(first)
    assert.equal("second", swarm.result(second))
    assert.equal(5, swarm.monotonic())
  end)

  it("loses nothing when a worker is cancelled while it waits for a slot", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    local third = swarm.spawn("one_at_a_time", { name = "third" })
    swarm.sleep(1)
    swarm.cancel(second)
    assert.equal("cancelled", second.status)
    swarm.join(first)
    assert.equal("third", swarm.result(third))
    assert.same({ "first", "third" }, began)
  end)

  it("lets nobody in when one further back is cancelled while it waits for a slot", function()
    swarm.spawn("one_at_a_time", { name = "first", seconds = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    local third = swarm.spawn("one_at_a_time", { name = "third" })
    swarm.sleep(1)
    swarm.cancel(third)
    swarm.sleep(1)
    assert.same({ "first" }, began)
    assert.equal("pending", second.status)
    assert.equal("second", swarm.result(second))
    assert.equal(5, swarm.monotonic())
  end)

  it("takes no slot for settled hooks alone, and so gives none back", function()
    local list = {}
    for i = 1, 4 do
      list[i] = swarm.spawn "told of its end"
    end
    swarm.sleep(1)
    swarm.cancel(list[2])
    swarm.settle(list)
    assert.same({ 0, 5, 10 }, began)
  end)

  it("passes on a slot whose new holder is cancelled as it gets it, and is told of that", function()
    local list = {}
    for i = 1, 3 do
      list[i] = swarm.spawn "told of its end"
    end
    list[1]:join()
    swarm.cancel(list[2])
    assert.equal("pending", list[2].status)
    swarm.settle(list)
    assert.equal("pass", list[3].status)
    assert.same({ 0, 5 }, began)
  end)

  it("passes on a slot whose new holder is cancelled before it began", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    local third = swarm.spawn("one_at_a_time", { name = "third" })
    swarm.yield()
    swarm.sleep(5)
    assert.equal("pass", first.status) -- the slot is second's now, and we run before it
    assert.equal("pending", second.status)
    swarm.cancel(second)
    assert.equal("third", swarm.result(third))
    assert.equal("one more", swarm.call("one_at_a_time", { name = "one more" }))
    assert.same({ "first", "third", "one more" }, began)
  end)

  it("hands a slot to who waits, not to who comes as it is freed", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    swarm.yield()
    swarm.sleep(5)
    assert.equal("pass", first.status)
    assert.equal("pending", second.status)
    assert.equal("third", swarm.call("one_at_a_time", { name = "third" }))
    assert.same({ "first", "second", "third" }, began)
    assert.equal("pass", second.status)
  end)

  it("gives back what was never used when a whole queue is cancelled", function()
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 3, function()
        for i = 1, 10 do
          swarm.spawn("one_at_a_time", { name = i, seconds = 2 })
        end
      end)
    )
    assert.same({ 1, 2 }, began)
    assert.equal("after", swarm.call("one_at_a_time", { name = "after" }))
  end)

  it("raises deadlock where one joins a child that needs the slot one holds", function()
    assert.equal("deadlock", swarm.call("nested_single", "join"))
  end)

  it("raises deadlock where an ancestor further up holds the slot", function()
    assert.equal("deadlock", swarm.call("nested_single", "deep"))
  end)

  it("lets a join with a timeout wait for such a child", function()
    assert.equal("poll_timeout", swarm.call("nested_single", "timed"))
    assert.equal(3, swarm.monotonic())
  end)
end)
