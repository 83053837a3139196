-- Proves supervision.md, "Intensity".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local noted = notes.noted
local seconds_of = outcomes.seconds_of
local supervised, unit, child, FAIL = stock.supervised, stock.unit, stock.child, stock.FAIL
local PASS = stock.PASS

describe("intensity", function()
  it("fails with restart_limit_exceeded, the child's error as its cause", function()
    local always = unit("b", { ends = { always = FAIL } })
    local sup = swarm.supervise { intensity = 2, period = 10, children = { unit "a", always } }
    local ok, err = swarm.join(sup)
    assert.is_nil(ok)
    assert.equal("failed", sup.status)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal("b", err.id)
    assert.equal(3, err.restarts)
    assert.equal(10, err.period)
    assert.equal("broke", err.cause.code)
    assert.equal(3, err.cause.run)
    assert.matches('child "b" needs restart 3 within 10 s, and its intensity is 2', err.message)
    assert.matches("b broke", err.message)
    assert.matches("intensity_spec.lua:%d+$", err.where)
  end)

  it("stops all in reverse before it fails", function()
    local children =
      { unit("a", { clean = 1 }), unit("b", { ends = { FAIL } }), unit("c", { clean = 1 }) }
    local sup = swarm.supervise { intensity = 0, children = children }
    assert.equal(3, seconds_of(swarm.join, sup))
    assert.equal("+a +b +c -c cleaned c -a cleaned a", noted())
  end)

  it("of zero fails at the first end that asks for a restart", function()
    local sup = swarm.supervise { intensity = 0, children = { unit("a", { ends = { PASS } }) } }
    local _, err = swarm.join(sup)
    assert.equal("restart_limit_exceeded", err.code)
    assert.is_nil(err.cause)
    assert.matches("it ended %(pass%)", err.message)
  end)

  it("counts the restarts within the period alone", function()
    local seldom = unit("a", { ends = { always = { 3, "fail" } } })
    supervised({ intensity = 1, period = 2, children = { seldom } }, function(sup)
      swarm.sleep(29)
      assert.equal("running", sup.status)
      assert.equal(9, child(sup, "a").restarts)
    end)
  end)

  it("counts a restart that is exactly one period old", function()
    local sup = swarm.supervise {
      period = 3,
      children = { unit("a", { ends = { always = { 3, "fail" } } }) },
    }
    assert.equal(6, seconds_of(swarm.join, sup))
  end)

  it("counts over all children", function()
    local children = { unit("a", { ends = { FAIL } }), unit("b", { ends = { { 2, "fail" } } }) }
    local _, err = swarm.join(swarm.supervise { children = children })
    assert.equal("b", err.id)
  end)

  it("ends a storm of children that fail at once, without time passing", function()
    local sup = swarm.supervise { intensity = 1000, children = { { "crash" } } }
    local took = seconds_of(swarm.join, sup)
    assert.equal(0, took)
    assert.equal(1000, sup:children()[1].restarts)
    assert.equal("failed", sup.status)
  end)

  it("lets others have their turns during a storm", function()
    local sup = swarm.supervise { intensity = 5000, children = { { "crash" } } }
    for _ = 1, 100 do
      swarm.yield()
    end
    assert.equal("running", sup.status)
    assert.is_true(sup:children()[1].restarts < 1000)
    swarm.cancel(sup)
  end)

  it("lets a storm be cancelled", function()
    local sup = swarm.supervise { intensity = 100000, children = { { "crash" } } }
    swarm.yield()
    assert.is_true(swarm.cancel(sup, "enough", { wait = true }))
    assert.equal("cancelled", sup.status)
  end)

  it("fails the block above where nobody takes the failure", function()
    local err = assert.has_error(function()
      swarm.scope(function()
        swarm.supervise { intensity = 0, children = { { "crash", "the reason" } } }
      end)
    end)
    assert.equal("restart_limit_exceeded", err.code)
    assert.matches("the reason", err.cause.message)
  end)

  it("keeps the errors of children that fail while it gives up", function()
    local children = { unit("a", { breaks = 1 }), unit("b", { ends = { FAIL } }) }
    local _, err = swarm.join(swarm.supervise { intensity = 0, children = children })
    assert.equal("broke", err.cause.code)
    assert.equal(1, #err.others)
    assert.equal("clean_up_broke", err.others[1].code)
  end)
end)
