-- Proves gather.md, "any".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local raised, codes_of = outcomes.raised, outcomes.codes_of
local gives, breaks, blocks, cleans = stock.gives, stock.breaks, stock.blocks, stock.cleans

describe("any", function()
  it("gives the value and place of the first that passes", function()
    local value, i = swarm.any { gives("slow", 3), breaks "quick", gives("second", 1) }
    assert.equal("second", value)
    assert.equal(3, i)
  end)

  it("goes on past what is blocked, failed, timed out or cancelled", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled)
    local list =
      { blocks(1, "no"), breaks "broke", swarm.spawn "brief", cancelled, gives("late", 9) }
    local value, i = swarm.any(list)
    assert.equal("late", value)
    assert.equal(5, i)
  end)

  it("passes with nil and false as well", function()
    local value, i = swarm.any { gives(false) }
    assert.is_false(value)
    assert.equal(1, i)
    value, i = swarm.any { breaks "x", gives(nil, 1) }
    assert.is_nil(value)
    assert.equal(2, i)
  end)

  it("raises none_passed with the error of each, by index", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled)
    local err = raised(function()
      swarm.any { breaks("one", 3), blocks(2, "no"), cancelled, breaks("four", 1) }
    end)
    assert.equal("none_passed", err.code)
    assert.same({ "one", "blocked", "cancelled", "four" }, codes_of(err.errors))
    assert.matches("none of the 4 workers of swarm.any passed; the first: ", err.message)
    assert.matches("any_spec.lua:%d+$", err.where)
  end)

  it("owns the failures before the pass", function()
    local h = swarm.spawn(breaks "owned")
    local outer = swarm.spawn(function()
      local bad = swarm.spawn(breaks "mine")
      return (swarm.any { bad, h, gives("x", 1), breaks "function's" })
    end)
    assert.equal("x", outer:result())
  end)

  it("returns its value though a loser fails in its clean-up, and fails nobody by it", function()
    local log = {}
    local outer = swarm.spawn(function()
      local mine = swarm.spawn(cleans(log, 1, "handle's"))
      return (swarm.any { mine, cleans(log, 2, "function's"), gives("x", 1) })
    end)
    assert.equal("x", outer:result())
    assert.equal("pass", outer.status)
    assert.same({ 2, 3 }, log)
  end)

  it("gives the reader a copy of its own", function()
    local h = swarm.spawn(gives { 1 })
    local value = swarm.any { h }
    value[1] = "changed"
    assert.same({ 1 }, h:result())
  end)
end)
