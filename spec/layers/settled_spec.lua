-- Proves middleware.md, "settled".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local say, worker, only = stock.say, stock.worker, stock.only

local outcomes = {}

worker("seen", {
  settled = function(ctx, outcome)
    outcomes[#outcomes + 1] = outcome
    say("seen", ctx.name, outcome.status)
  end,
}, {
  timeout = 10,
  run = function(_, input)
    if input == "fail" then
      error "on purpose"
    elseif input == "block" then
      return 1, "why"
    elseif type(input) == "number" then
      swarm.sleep(input)
    end
    return { 1 }
  end,
})

worker("seen refused", {
  before = function()
    error "no"
  end,
  settled = function(_, outcome)
    outcomes[#outcomes + 1] = outcome
  end,
})

worker("one at a time", {
  settled = function(_, outcome)
    say("one", outcome.status)
  end,
}, {
  concurrency = 1,
  run = function()
    swarm.sleep(10)
  end,
})

worker("meddled with", {
  settled = function(_, outcome)
    outcome.status, outcome.err = "failed", {}
    outcome.value.list[1] = "changed"
  end,
})

-- That it is bounded by 5 s fails a run: tests/host/test_middleware.py.
local finished, cancelled_late

worker("slow to settle", {
  settled = function(ctx)
    local started = swarm.monotonic()
    swarm.sleep(ctx.input)
    finished = swarm.monotonic() - started
  end,
}, {
  run = function() end,
})

worker("cancelled while settling", {
  settled = function(ctx)
    cancelled_late = swarm.cancel(ctx, "too late")
    swarm.sleep(1)
    say "not disturbed"
  end,
})

describe("settled", function()
  it("runs after every end, with its outcome", function()
    local statuses = { pass = 0, fail = "fail", block = "block" }
    for _, input in pairs(statuses) do
      end_of("seen", input)
    end
    end_of("seen", 100)
    local h = swarm.spawn("seen", 100)
    swarm.yield()
    h:cancel("enough", { wait = true })
    local got = {}
    for _, outcome in ipairs(outcomes) do
      got[outcome.status] = outcome
      assert.truthy(outcome.ended >= outcome.started)
    end
    assert.same({ 1 }, got.pass.value)
    assert.is_nil(got.pass.err)
    assert.equal("failed", got.failed.err.code)
    assert.equal("why", got.blocked.err.reason)
    assert.equal(1, got.blocked.value)
    assert.equal("timeout", got.timeout.err.code)
    assert.equal("enough", got.cancelled.err.reason)
    assert.equal(5, #outcomes)
  end)

  it("runs after a refusal", function()
    end_of "seen refused"
    assert.equal("rejected_by_middleware", outcomes[1].err.code)
  end)

  it("runs for a worker that was cancelled before it began, also with a timeout", function()
    local h = swarm.spawn("seen", 1)
    assert.is_true(swarm.cancel(h, "never mind"))
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("cancelled", outcomes[1].status)
    assert.is_nil(outcomes[1].started)
  end)

  it("runs for one that waits for a slot, and gives no slot away", function()
    local first, second = swarm.spawn "one at a time", swarm.spawn "one at a time"
    local third = swarm.spawn "one at a time"
    swarm.yield()
    second:cancel()
    second:join()
    third:join()
    first:join()
    assert.same({ "one cancelled", "one pass", "one pass" }, only "^one")
    assert.near(20, swarm.monotonic(), 1)
  end)

  it("cannot change the end", function()
    local h = swarm.spawn("meddled with", { list = { "mine" } })
    assert.same({ list = { "mine" } }, h:result())
    assert.equal("pass", h.status)
  end)

  it("runs before joiners go on", function()
    swarm.call("seen", 0)
    assert.same({ "seen seen pass" }, only "^seen")
  end)

  it("is shielded from a cancel of the worker and of those above", function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn("slow to settle", 3)
      swarm.sleep(100)
    end)
    swarm.sleep(1)
    parent:cancel("as Ctrl-C does", { wait = true })
    assert.near(3, finished, 0.1)
    assert.equal("pass", child.status)
  end)

  it("is not told of a cancel that came too late", function()
    local h = swarm.spawn("slow to settle", 3)
    local waits = swarm.spawn(function()
      return h.cancel_token:wait()
    end)
    swarm.sleep(1)
    assert.equal("running", h.status)
    h:cancel "late"
    assert.is_false(h.cancel_token.cancelled)
    assert.is_false(waits:result())
  end)

  it("comes after the end is decided: a cancel then is too late, and says so", function()
    local h = swarm.spawn("cancelled while settling", 1)
    h:join()
    assert.is_false(cancelled_late)
    assert.equal("pass", h.status)
    assert.is_false(h.cancel_token.cancelled)
    assert.same({ "not disturbed" }, only "^not")
  end)
end)
