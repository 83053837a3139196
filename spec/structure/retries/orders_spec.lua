-- Proves retries.md in every order.
local swarm = require "swarm"
require "retries_stock"

describe("retries: in every order", function()
  it("a cancel at every moment leaves nothing behind", function()
    local ends = {}
    local report = explore(function()
      local h = swarm.spawn(function(ctx)
        swarm.yield()
        return ctx.attempt < 3 and error "again" or nil
      end, nil, { retries = { max = 2, backoff = 0 } })
      local canceller = swarm.spawn(function()
        swarm.yield()
        swarm.yield()
        h:cancel()
      end)
      h:join()
      canceller:join()
      ends[h.status .. h.attempt] = true
    end)
    assert.is_true(report.complete, tostring(report))
    assert.is_true(ends.cancelled1, "cancelled in the first attempt")
    assert.is_true(ends.cancelled2 or ends.cancelled3, "cancelled in a later one")
  end)

  it("a deadline around a task that backs off leaves nothing behind", function()
    local ends = {}
    local report = explore(function()
      local h
      pcall(swarm.timeout, 1, function()
        h = swarm.spawn(function(ctx)
          return ctx.attempt < 3 and error "again" or nil
        end, nil, { retries = { max = 2, backoff = 0.5, factor = 1, jitter = false } })
        local joiner = swarm.spawn(function()
          return h:join()
        end)
        joiner:join()
      end)
      ends[h.status] = true
    end)
    assert.is_true(report.complete, tostring(report))
    assert.is_true(ends.cancelled, "the deadline may ring before the last attempt")
  end)

  it("a slot is given back and taken again", function()
    local report = explore(function()
      local first = swarm.spawn("one_at_a_time", { works_at = 2 })
      local second = swarm.spawn("one_at_a_time", { works_at = 2 })
      swarm.join(first)
      swarm.join(second)
      assert.equal("pass", first.status)
      assert.equal("pass", second.status)
    end, { max = 3000 })
    assert.is_true(report.schedules > 10, tostring(report))
  end)
end)
