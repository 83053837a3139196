-- Proves pools.md, "Slots and rates".
local outcomes = require "outcomes"
local swarm = require "swarm"

local began = {}

local function note(ctx, input)
  began[#began + 1] = { ctx.name, swarm.monotonic() }
  swarm.sleep(input or 10)
  return input
end

---When the workers began, in order.
local function times()
  local list = {}
  for i, one in ipairs(began) do
    list[i] = one[2]
  end
  return list
end

local function names()
  local list = {}
  for i, one in ipairs(began) do
    list[i] = one[1]
  end
  return table.concat(list, " ")
end

local function spawn_all(...)
  local list = {}
  for _, name in ipairs { ... } do
    list[#list + 1] = swarm.spawn(name)
    swarm.yield()
  end
  return list
end

swarm.pool "two" { slots = 2 }
swarm.pool "one" { slots = 1 }
swarm.pool "even" { per_second = 2 }
swarm.pool "minute" { per_minute = 60, burst = 3 }
swarm.pool "both" { slots = 1, per_second = 1 }
swarm.pool "parent's" { slots = 4 }

swarm.worker "a" { pool = "two", run = note }
swarm.worker "b" { pool = "two", run = note }
swarm.worker "c" { pool = { "one", "two" }, run = note }
swarm.worker "d" { pool = "one", run = note }
swarm.worker "single" { pool = "two", concurrency = 1, run = note }
swarm.worker "even" { pool = "even", run = note }
swarm.worker "minute" { pool = "minute", run = note }
swarm.worker "both" { pool = "both", run = note }
swarm.worker "even and two" { pool = { "even", "two" }, run = note }
swarm.worker "program" {
  pool = "one",
  command = { "true" },
}
swarm.worker "timed" { pool = "one", timeout = 15, run = note }
swarm.worker "failing" {
  pool = "one",
  run = function(_, how)
    began[#began + 1] = { how, swarm.monotonic() }
    if how == "blocked" then
      return nil, "it is blocked"
    elseif how == "failed" then
      error("it failed")
    end
    swarm.sleep(5)
  end,
}
swarm.worker "parent" {
  pool = "parent's",
  run = function(_, how)
    if how == "leaf" then
      return "leaf"
    end
    local h = swarm.spawn("parent", "leaf")
    local code
    if how == "join" then
      code = outcomes.code_of(swarm.join, h)
    elseif how == "all" then
      code = outcomes.code_of(swarm.all, { h })
    elseif how == "map" then
      code = outcomes.code_of(swarm.map, "parent", { "leaf" })
    else
      code = swarm.call(function()
        return outcomes.code_of(swarm.join, h)
      end)
    end
    swarm.cancel(h)
    return code
  end,
}

describe("pools: slots", function()
  it("bound several workers together, first come first served", function()
    swarm.settle(spawn_all("a", "b", "a", "b", "a"))
    assert.same({ 0, 0, 10, 10, 20 }, times())
    assert.equal("a b a b a", names())
  end)

  it("keep the others pending, without a clock of their own", function()
    swarm.spawn("d")
    local h = swarm.spawn("timed")
    swarm.sleep(5)
    assert.equal("pending", h.status)
    assert.is_true(swarm.join(h))
    assert.equal(20, swarm.monotonic())
  end)

  it("are free again after every kind of end", function()
    for _, how in ipairs { "pass", "failed", "blocked", "cancelled", "timeout" } do
      local h = swarm.spawn("failing", how, how == "timeout" and { timeout = 1 } or nil)
      swarm.sleep(0)
      if how == "cancelled" then
        swarm.cancel(h)
      end
      swarm.join(h)
      assert.equal(how, h.status)
    end
    swarm.call("d", 1)
  end)

  it("are passed on by who is cancelled while it waits", function()
    local list = spawn_all("d", "d", "d")
    swarm.cancel(list[2])
    swarm.join(list[3])
    assert.same({ 0, 10 }, times())
  end)

  it("hold programs too", function()
    local programs = { swarm.spawn("program"), swarm.spawn("program") }
    swarm.settle(programs)
    assert.equal("pass", programs[2].status)
  end)
end)

describe("pools: several of them", function()
  it("are taken together or not at all", function()
    swarm.settle(spawn_all("d", "c"))
    assert.same({ 0, 10 }, times())
    began = {}
    swarm.settle(spawn_all("a", "b", "c", "d"))
    assert.equal("a b c d", names()) -- c keeps its place in "one"
  end)

  it("starve nobody who needs several, however many need one of them", function()
    local list = { swarm.spawn("d", 3), swarm.spawn("a", 5), swarm.spawn("b", 7) }
    swarm.yield()
    local both = swarm.spawn("c", 1)
    for i = 1, 10 do
      list[#list + 1] = swarm.spawn(i % 2 == 0 and "d" or "a", 10)
    end
    swarm.join(both)
    assert.equal(6, swarm.monotonic())
    for _, h in ipairs(list) do
      swarm.cancel(h)
    end
  end)

  it("are not kept by who waits for its own concurrency", function()
    swarm.settle(spawn_all("single", "single", "single", "a"))
    assert.same({ 0, 0, 10, 20 }, times())
    assert.equal("single a single single", names())
  end)

  it("are not kept by who waits for a rate", function()
    local list = spawn_all("even", "even and two", "a", "b")
    swarm.settle(list)
    assert.equal("even a b even and two", names())
    assert.same({ 0, 0, 0, 10 }, times())
  end)
end)

describe("pools: rates", function()
  it("space beginnings evenly", function()
    swarm.settle(spawn_all("even", "even", "even"))
    assert.same({ 0, 0.5, 1 }, times())
  end)

  it("let a burst begin at once, and no more than that and the rate", function()
    swarm.settle(spawn_all("minute", "minute", "minute", "minute", "minute"))
    assert.same({ 0, 0, 0, 1, 2 }, times())
  end)

  it("gather no more than a burst while nobody comes", function()
    swarm.sleep(1000)
    swarm.settle(spawn_all("minute", "minute", "minute", "minute"))
    assert.same({ 1000, 1000, 1000, 1001 }, times())
  end)

  it("hold beside slots", function()
    local list = { swarm.spawn("both", 0.2), swarm.spawn("both", 3), swarm.spawn("both", 1) }
    swarm.settle(list)
    assert.same({ 0, 1, 4 }, times())
  end)
end)

describe("pools: a join of who needs what one holds", function()
  for _, how in ipairs { "join", "all", "map", "deep" } do
    it("is a deadlock at once: " .. how, function()
      assert.equal("deadlock", swarm.call("parent", how))
      assert.equal(0, swarm.monotonic())
    end)
  end
end)
