-- Proves retries.md, "The task's end".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "retries_stock"

local note, noted = notes.note, notes.noted
local code_of = outcomes.code_of
local try, fail, pass, until_backoff = stock.try, stock.fail, stock.pass, stock.until_backoff

describe("retries: the task's end", function()
  it("is what every joiner is told, whenever it came", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local told = {}
    for i = 1, 4 do
      swarm.spawn(function()
        swarm.sleep(i * 0.9)
        told[i] = h:result() .. "@" .. swarm.monotonic()
      end)
    end
    h:join()
    swarm.sleep(1)
    local third = "attempt 3@3"
    assert.same({ third, third, third, "attempt 3@3.6" }, told)
  end)

  it("is not reached by a join with a timeout that ends between two attempts", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local ok, err = swarm.join(h, { timeout = 0.5 })
    assert.is_nil(ok)
    assert.equal("poll_timeout", err.code)
    assert.equal("pending", h.status)
    assert.is_true(swarm.join(h, { timeout = 100 }))
  end)

  it("is waited for by a cancelled joiner no more, and by others still", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local first = swarm.spawn(function()
      return h:join()
    end)
    local second = swarm.spawn(function()
      return h:result()
    end)
    until_backoff(h)
    first:cancel()
    assert.equal("attempt 3", second:result())
  end)

  it("counts in all, any, race and settle as the end of one", function()
    local policy = { max = 2, backoff = 1, jitter = false }
    local values = swarm.all { try({ fail, pass }, policy), try({ pass }, policy) }
    assert.same({ "passed", "passed" }, values)
    assert.equal("passed", (swarm.any { try({ fail }, policy), try({ fail, fail, pass }, policy) }))
    local first, i = swarm.race {
      try({ fail, pass }, policy),
      function()
        swarm.sleep(0.5)
      end,
    }
    assert.equal(2, i)
    assert.equal("pass", first.status)
  end)

  it("is one place in the list of map", function()
    local values = swarm.map(
      "flaky",
      { { works_at = 3 }, { works_at = 1 }, { works_at = 2 } },
      { concurrency = 2 }
    )
    assert.same({ "attempt 3", "attempt 1", "attempt 2" }, values)
    assert.equal(3, swarm.monotonic())
  end)

  it("is handed out by each once", function()
    local n = 0
    for _, h in swarm.each { swarm.spawn("flaky", {}), swarm.spawn("flaky", { works_at = 2 }) } do
      n = n + 1
      assert.is_true(h.status == "pass" or h.status == "failed")
      h:join()
    end
    assert.equal(2, n)
  end)

  it("cancels a loser between two attempts", function()
    local h = swarm.spawn("flaky", {})
    local _, i = swarm.race {
      h,
      function()
        swarm.sleep(0.5)
      end,
    }
    assert.equal(2, i)
    assert.equal("cancelled", h.status)
    assert.equal(0.5, swarm.monotonic())
  end)

  it("cancels no scope but by its last failure", function()
    local code = code_of(swarm.scope, function(scope)
      scope:spawn("flaky", {})
      scope:spawn(function()
        local ok, err = pcall(swarm.sleep, 100)
        note((ok and "slept" or err.code) .. swarm.monotonic())
      end)
    end)
    assert.equal("broke", code)
    assert.matches("try4@7 cancelled7$", noted())
  end)

  it("needs no owner until it is the last", function()
    swarm.scope(function()
      swarm.spawn("flaky", { works_at = 4 })
    end)
    local code = code_of(swarm.timeout, 1e3, function()
      swarm.spawn("flaky", {})
    end)
    assert.equal("children_failed", code)
  end)

  it("is what a block waits for, through all attempts", function()
    swarm.scope(function(scope)
      scope:spawn("flaky", { works_at = 4 })
    end)
    assert.equal(7, swarm.monotonic())
  end)

  it("is one end to a supervisor", function()
    local ended = 0
    local sup = swarm.supervise {
      intensity = 0,
      children = { { "flaky", { works_at = 4 }, restart = "transient", id = "it" } },
    }
    swarm.sleep(8)
    for _, child in ipairs(sup:children()) do
      ended = ended + child.restarts
      assert.equal("pass", child.status)
    end
    assert.equal(0, ended)
    sup:cancel()
  end)

  it("carries the number of attempts where there was more than one", function()
    local h = swarm.spawn("flaky", {})
    local _, err = h:join()
    assert.equal(4, err.attempts)
    local _, once = swarm.join(swarm.spawn("stubborn", {}))
    assert.is_nil(once.attempts)
    assert.is_nil(err.cause, "an error of an attempt keeps no other's alive")
  end)

  it("is counted for a timeout too", function()
    local h = swarm.spawn("brief", { 10, 10 })
    local _, err = h:join()
    assert.equal("timeout", err.code)
    assert.equal(2, err.attempts)
  end)

  it("is a deadlock where an attempt joins who waits for it", function()
    local h ---@type swarm.Handle
    local joiner = swarm.spawn(function()
      return h:result()
    end)
    h = swarm.spawn(function(ctx)
      return ctx.attempt == 1 and error "again" or joiner:join()
    end, nil, { retries = { max = 1, backoff = 1, jitter = false } })
    local _, err = h:join()
    assert.equal("deadlock", err.code)
    joiner:join()
  end)

  it("is not asked about where who owns the task is cancelled", function()
    local asked, h = 0, nil
    local parent = swarm.spawn(function()
      h = swarm.spawn(
        function()
          pcall(swarm.sleep, 100)
          error "raised in its clean-up"
        end,
        nil,
        {
          retries = {
            max = 1,
            on = function()
              asked = asked + 1
              return true
            end,
          },
        }
      )
      h:join()
    end)
    swarm.sleep(1)
    swarm.cancel(parent, "enough")
    parent:join()
    assert.equal("failed", h.status)
    assert.equal(0, asked)
  end)

  it("that is cancelled tells the run why this one was, not the one before", function()
    local reasons = {}
    local h = swarm.spawn(function()
      local _, err = pcall(swarm.sleep, 100)
      reasons[#reasons + 1] = err.reason
      error(err, 0)
    end, nil, { timeout = 5, retries = { max = 1, backoff = 0 } })
    swarm.sleep(7)
    swarm.cancel(h, "enough", { wait = true })
    assert.same({ "ran out of time after 5 s", "enough" }, reasons)
  end)

  it("of a detached task is waited for by the run", function()
    local h = swarm.call(function()
      return swarm.spawn("flaky", { works_at = 3 }, { detached = true })
    end)
    assert.equal(0, swarm.monotonic())
    assert.equal("attempt 3", h:result())
  end)
end)
