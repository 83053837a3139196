-- Proves gather.md, "settle".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local seconds_of = outcomes.seconds_of
local gives, breaks, blocks = stock.gives, stock.breaks, stock.blocks

describe("settle", function()
  it("gives status, value and err of each, in the order of the list", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled, "unwanted")
    local list =
      { gives(1, 3), blocks(2, "no"), breaks("broke", 1), swarm.spawn "brief", cancelled }
    local ends = swarm.settle(list)
    local statuses, errs = {}, {}
    for i, outcome in ipairs(ends) do
      statuses[i] = outcome.status
      errs[i] = outcome.err and outcome.err.code or "none"
    end
    assert.same({ "pass", "blocked", "failed", "timeout", "cancelled" }, statuses)
    assert.same({ "none", "blocked", "broke", "timeout", "cancelled" }, errs)
    assert.equal(1, ends[1].value)
    assert.equal(2, ends[2].value)
    assert.is_nil(ends[3].value)
  end)

  it("gives outcomes that a worker may return, errors and all", function()
    local ends = swarm.call(function()
      return swarm.settle { gives(1), breaks "broke" }
    end)
    assert.same({ "pass", 1 }, { ends[1].status, ends[1].value })
    assert.same({ "failed", "broke" }, { ends[2].status, ends[2].err.code })
  end)

  it("never raises for them, and cancels nobody", function()
    local quiet = swarm.spawn("sleeper", 4)
    assert.equal(
      4,
      seconds_of(function()
        swarm.settle { breaks "x", quiet }
      end)
    )
    assert.equal("pass", quiet.status)
  end)

  it("owns every failure", function()
    local outer = swarm.spawn(function()
      local bad = swarm.spawn(breaks "mine")
      return #swarm.settle { bad, breaks "function's" }
    end)
    assert.equal(2, outer:result())
  end)

  it("gives each reader copies of its own", function()
    local h = swarm.spawn(gives { 1 })
    local first, second = unpack(swarm.settle { h, h })
    first.value[1] = "changed"
    assert.same({ 1 }, second.value)
    assert.same({ 1 }, h:result())
  end)
end)
