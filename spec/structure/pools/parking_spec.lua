-- Proves pools.md, "A limit that is waited out".
local outcomes = require "outcomes"
local swarm = require "swarm"

local began = {}

swarm.pool "plan" { slots = 2, park = true }
swarm.pool "bounded" { park = { max = 100 } }
swarm.pool "none" { slots = 2 }

---Runs into a limit of so many seconds at its first attempt.
local function limited(ctx, seconds)
  began[#began + 1] = { ctx.attempt, swarm.monotonic() }
  if type(seconds) == "number" and ctx.attempt == 1 then
    error { code = "limited", retry_at = swarm.now() + seconds, message = "no more today" }
  end
  swarm.sleep(1)
  return ctx.attempt
end

swarm.worker "asks" { pool = "plan", run = limited }
swarm.worker "asks others" { pool = { "none", "plan" }, run = limited }
swarm.worker "tries" {
  pool = "plan",
  retries = { max = 1, backoff = 0 },
  run = function(ctx)
    if ctx.attempt == 2 then
      error { code = "limited", retry_at = swarm.now() + 60 }
    elseif ctx.attempt < 4 then
      error("it failed")
    end
  end,
}
swarm.worker "bounded" { pool = "bounded", run = limited }
swarm.worker "never parks" { pool = "none", run = limited }
swarm.worker "free" { pool = "none", run = limited }

describe("a parked pool", function()
  it("lets nobody begin until its time, and lets who runs go on", function()
    local running = swarm.spawn("asks")
    swarm.sleep(0.5)
    local h = swarm.spawn("asks", 3600)
    local other = swarm.spawn("asks")
    swarm.sleep(0.1)
    assert.same({ "pending", "pending", "running" }, { h.status, other.status, running.status })
    assert.equal(2, swarm.result(h))
    assert.equal(3601.5, swarm.monotonic())
    swarm.join(other)
    assert.same({ { 1, 0 }, { 1, 0.5 }, { 2, 3600.5 }, { 1, 3600.5 } }, began)
  end)

  it("spends no retry of the task, and no place", function()
    local err = outcomes.raised(swarm.call, "tries")
    assert.equal("it failed", err.message:match("it failed"))
    assert.equal(3, err.attempts)
    assert.equal(60, swarm.monotonic())
  end)

  it("holds up nobody in another pool", function()
    local list = { swarm.spawn("asks", 1000) } ---@type swarm.Handle[]
    swarm.sleep(0)
    list[2] = swarm.spawn("asks others")
    list[3] = swarm.spawn("asks others")
    list[4] = swarm.spawn("free")
    swarm.join(list[4])
    assert.equal(1, swarm.monotonic())
    swarm.settle(list)
  end)

  it("begins again by unpark", function()
    local h = swarm.spawn("asks", 3600)
    swarm.sleep(10)
    assert.is_true(swarm.unpark("plan"))
    assert.is_false(swarm.unpark("plan"))
    assert.equal(2, swarm.result(h))
    assert.equal(11, swarm.monotonic())
  end)

  it("leaves who waits to be cancelled", function()
    local h = swarm.spawn("asks", 3600)
    swarm.sleep(10)
    assert.is_true(swarm.cancel(h, "enough", { wait = true }))
    assert.equal(10, swarm.monotonic())
    swarm.unpark "plan"
  end)

  it("is parked for a second at least", function()
    assert.equal(2, swarm.call("asks", -5))
    assert.equal(2, swarm.monotonic())
  end)

  it("within its max begins again", function()
    assert.equal(2, swarm.call("bounded", 100))
    assert.equal(101, swarm.monotonic())
  end)

  it("past its max stays parked", function()
    local h = swarm.spawn("bounded", 101)
    local _, err = swarm.join(h, { timeout = 5000 })
    assert.equal("poll_timeout", err.code)
    swarm.unpark "bounded"
    assert.equal(2, swarm.result(h))
  end)

  it("is told of by name", function()
    local err = outcomes.raised(swarm.unpark, "plam")
    assert.equal("invalid_argument", err.code)
    assert.matches("did you mean plan", err.message)
  end)
end)

describe("without park", function()
  it("a limit is a failure like any other", function()
    local err = outcomes.raised(swarm.call, "never parks", 3600)
    assert.equal("limited", err.code)
    assert.equal(0, swarm.monotonic())
  end)
end)
