-- Proves retries.md, "Between two attempts".
-- A handle tells of the latest attempt: a local keeps the id of an earlier one.
---@diagnostic disable: preferred-local-alias
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "retries_stock"

local noted = notes.noted
local code_of = outcomes.code_of
local hooks_seen, until_backoff = stock.hooks_seen, stock.until_backoff

describe("retries: between two attempts", function()
  it("the task is pending, with the id and number of the attempt to come", function()
    local h = swarm.spawn("flaky", { seconds = 1 })
    local first = h.id
    swarm.sleep(1.5)
    assert.equal("pending", h.status)
    assert.equal(2, h.attempt)
    assert.not_equal(first, h.id)
    local second = h.id
    swarm.sleep(1)
    assert.equal("running", h.status)
    assert.equal(second, h.id)
    h:join()
    assert.equal("failed", h.status)
    assert.equal("flaky", h.name)
  end)

  it("keeps its task_id through all", function()
    local h = swarm.spawn("flaky", {})
    local id = h.task_id
    h:join()
    assert.equal(id, h.task_id)
    assert.equal(4, swarm.output_tail(id)[1].note and tonumber(swarm.output_tail(id)[1].note))
  end)

  it("gives its slot to others, and waits for one again", function()
    local first = swarm.spawn("one_at_a_time", { works_at = 2 })
    local second = swarm.spawn("one_at_a_time", { seconds = 15, works_at = 1 })
    first:join()
    assert.equal("pass", second.status)
    assert.equal("try1@0 try1@0 try2@15", noted())
  end)

  it("never runs more at once than its concurrency", function()
    local list = {}
    for i = 1, 6 do
      list[i] = swarm.spawn("one_at_a_time", { seconds = 3, works_at = 3 })
    end
    swarm.settle(list)
    local last, n = nil, 0
    for at in noted():gmatch "@(%d+)" do
      assert.is_true(not last or at - last >= 3, at .. " after " .. tostring(last))
      last, n = tonumber(at), n + 1
    end
    assert.equal(18, n)
  end)

  it("is no shorter for whoever begins to wait for its end", function()
    local waits = { swarm.join, swarm.settle } ---@type function[]
    for _, wait in ipairs(waits) do
      local since = swarm.monotonic()
      local h = swarm.spawn("flaky", { works_at = 2 })
      until_backoff(h)
      wait(wait == swarm.join and h or { h })
      assert.equal("pass", h.status)
      assert.equal(1, swarm.monotonic() - since)
    end
  end)

  it("gives back no slot when it is cancelled: it has none", function()
    local first = swarm.spawn("one_at_a_time", {})
    until_backoff(first)
    local second = swarm.spawn("one_at_a_time", { seconds = 5, works_at = 1 })
    local third = swarm.spawn("one_at_a_time", { seconds = 5, works_at = 1 })
    swarm.sleep(1)
    swarm.cancel(first)
    swarm.settle { second, third }
    assert.equal("try1@0 try1@0 try1@5", noted())
  end)

  it("is cancelled at once, with the error before as cause", function()
    local h = swarm.spawn("flaky", {})
    until_backoff(h)
    local at = swarm.monotonic()
    assert.is_true(swarm.cancel(h, "enough"))
    assert.equal("cancelled", h.status)
    local _, err = h:join()
    assert.equal(at, swarm.monotonic())
    assert.equal("enough", err.reason)
    assert.equal(2, err.attempts)
    assert.equal("broke", err.cause.code)
    assert.equal("try1@0", noted())
    assert.same({}, h:output_tail())
  end)

  it("is cancelled at once where it has settled hooks, which run once more", function()
    local h = swarm.spawn("settles", {})
    until_backoff(h)
    assert.is_true(swarm.cancel(h, "enough", { wait = true }))
    assert.equal(0, swarm.monotonic())
    assert.same({ "1 failed", "2 cancelled" }, hooks_seen)
    assert.equal("try1@0", noted())
  end)

  it("is ended at once by a deadline from above", function()
    local h
    local code = code_of(swarm.timeout, 1.5, function()
      h = swarm.spawn("flaky", {})
      return h:result()
    end)
    assert.equal("timeout", code)
    assert.equal("cancelled", h.status)
    assert.equal(1.5, swarm.monotonic())
    assert.equal(3, h.attempt)
  end)

  it("is ended by its parent's failure", function()
    local h
    local parent = swarm.spawn(function()
      h = swarm.spawn("flaky", {})
      until_backoff(h)
      error "parent"
    end)
    parent:join()
    assert.equal("cancelled", h.status)
    assert.equal(0, swarm.monotonic())
  end)

  it("is ended by the first failure of its scope", function()
    local h
    local code = code_of(swarm.scope, function(scope)
      h = scope:spawn("flaky", {})
      scope:spawn("stubborn", { seconds = 2 })
    end)
    assert.equal("broke", code)
    assert.equal("cancelled", h.status)
    assert.equal(2, swarm.monotonic())
  end)

  it("leaves no slot taken when it is cancelled while it waits for one again", function()
    local h = swarm.spawn("one_at_a_time", {})
    local holder = swarm.spawn("one_at_a_time", { seconds = 100, works_at = 1 })
    swarm.sleep(20)
    assert.equal("pending", h.status)
    assert.is_true(h:cancel())
    assert.equal("cancelled", h.status)
    holder:cancel()
    assert.equal("attempt 1", swarm.call("one_at_a_time", { works_at = 1 }))
  end)

  it("leaves its cancel token as if nothing had been when an attempt has timed out", function()
    local h = swarm.spawn("brief", { 10, 1 })
    local token = h.cancel_token
    swarm.sleep(5.5)
    assert.equal("pending", h.status)
    assert.is_false(token.cancelled)
    assert.equal("in time", h:result())
  end)

  it("tells who waits for its cancel", function()
    local h = swarm.spawn("flaky", {})
    local waiter = swarm.spawn(function()
      return h.cancel_token:wait()
    end)
    until_backoff(h)
    h:cancel()
    assert.is_true(waiter:result())
  end)

  it("is no silence: its timer will ring", function()
    swarm.timeout(1e5, function()
      swarm.call("flaky", { works_at = 3 })
    end)
    assert.equal(3, swarm.monotonic())
  end)
end)
