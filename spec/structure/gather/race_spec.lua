-- Proves gather.md, "race".
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local gives, breaks, blocks, cleans = stock.gives, stock.breaks, stock.blocks, stock.cleans

describe("race", function()
  it("gives the handle and place of the first that settles", function()
    local h, i = swarm.race { gives("slow", 2), gives("quick", 1) }
    assert.equal("quick", h:result())
    assert.equal(2, i)
  end)

  it("is won by a failure, a block, a timeout and a cancel alike", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled)
    for status, member in pairs {
      failed = breaks("x", 1),
      blocked = blocks(1, "no"),
      timeout = swarm.spawn "brief",
      cancelled = cancelled,
    } do
      local h = swarm.race { gives("slow", 50), member }
      assert.equal(status, h.status)
    end
  end)

  it("owns the winner's failure, and that of losers in their clean-up", function()
    local log = {}
    local outer = swarm.spawn(function()
      local bad = swarm.spawn("fail_after", 1)
      local loser = swarm.spawn(cleans(log, 1, "clean-up"))
      local h = swarm.race { loser, bad, cleans(log, 2, "clean-up") }
      return h.status
    end)
    assert.equal("failed", outer:result())
    assert.same({ 2, 3 }, log)
  end)

  it("gives one winner where several settle at the same time", function()
    local h, i = swarm.race { gives("a", 1), gives("b", 1), gives("c", 1) }
    assert.equal("a", h:result())
    assert.equal(1, i)
  end)
end)
