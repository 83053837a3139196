-- Proves supervision.md, "Its own end".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local noted = notes.noted
local code_of, seconds_of = outcomes.code_of, outcomes.seconds_of
local supervised, unit, child, ids = stock.supervised, stock.unit, stock.child, stock.ids
local FAIL, PASS = stock.FAIL, stock.PASS

describe("its own end", function()
  it("passes with no value once all children have ended for good and somebody joins it", function()
    local children = { unit("a", { restart = "transient", ends = { PASS } }) }
    local sup = swarm.supervise { children = children }
    assert.is_nil(swarm.result(sup))
    assert.equal("pass", sup.status)
    assert.equal(1, swarm.monotonic())
  end)

  it("stays without children while its owner's block is open and nobody joins it", function()
    local sup = swarm.supervise {}
    swarm.sleep(100)
    assert.equal("running", sup.status)
    assert.equal("unit", sup:start({ "unit", { name = "a" }, restart = "temporary" }).name)
    swarm.sleep(1)
    assert.equal("+a", noted())
    assert.is_true(sup:stop "unit")
    swarm.sleep(1)
    assert.equal("running", sup.status)
  end)

  it("ends with its owner's block once no child is left", function()
    local sup
    swarm.scope(function()
      sup = swarm.supervise { children = { unit("a", { restart = "temporary", ends = { PASS } }) } }
      swarm.sleep(5)
      assert.equal("running", sup.status)
    end)
    assert.equal("pass", sup.status)
    assert.equal(5, swarm.monotonic())
  end)

  it("keeps its owner's block open while a child lives", function()
    local took = seconds_of(swarm.scope, function(scope)
      local sup = swarm.supervise { children = { unit "a" } }
      scope:spawn(function()
        swarm.sleep(50)
        swarm.cancel(sup)
      end)
    end)
    assert.equal(50, took)
  end)

  it("goes on after a join that ran out of time", function()
    supervised(
      { children = { unit("a", { ends = { { 5, "pass" } }, restart = "temporary" }) } },
      function(sup)
        local _, err = swarm.join(sup, { timeout = 2 })
        assert.equal("poll_timeout", err.code)
        swarm.sleep(10)
        assert.equal("running", sup.status)
        assert.equal("", ids(sup))
      end
    )
  end)

  it("passes for whoever joins, any number of them", function()
    local sup = swarm.supervise {}
    local joined = 0
    swarm.scope(function(scope)
      for _ = 1, 3 do
        scope:spawn(function()
          assert(swarm.join(sup))
          joined = joined + 1
        end)
      end
    end)
    assert.equal(3, joined)
  end)

  it("passes for who waits for it among others", function()
    swarm.all {
      function()
        swarm.sleep(1)
      end,
      swarm.supervise {},
    }
    assert.equal("pass", swarm.settle({ swarm.supervise {} })[1].status)
  end)

  it("passes for a group that begins to wait for one that has long been idle", function()
    for _, call in ipairs { "all", "settle", "race", "any" } do
      local sup = swarm.supervise {}
      swarm.sleep(5)
      assert.equal("running", sup.status)
      swarm[call] { sup }
      assert.equal("pass", sup.status, call)
    end
  end)

  it("is not awaited by a group that has given up", function()
    local sup = swarm.supervise { children = { unit("a", { restart = "temporary" }) } }
    for _, call in ipairs { "all", "race", "settle" } do
      local waits = swarm.spawn(function()
        swarm[call] { sup }
      end)
      swarm.sleep(1)
      swarm.cancel(waits, "no more", { wait = true })
    end
    sup:stop "a"
    swarm.sleep(1)
    assert.equal("running", sup.status)
  end)

  it("refuses those who wait to start a child", function()
    local children = { unit("a", { clean = 5 }), unit("b", { clean = 5 }) }
    local sup = swarm.supervise { children = children }
    swarm.sleep(1)
    local stops = swarm.spawn(function()
      sup:stop "b"
    end)
    swarm.sleep(1)
    local starts = swarm.spawn(function()
      return code_of(sup.start, sup, { "unit", { name = "c" } })
    end)
    swarm.sleep(1)
    swarm.cancel(sup, "over", { wait = true })
    stops:join()
    assert.equal("invalid_argument", swarm.result(starts))
  end)

  it("settles after its children", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 2 }) } }
    local a = child(sup, "a").handle
    swarm.sleep(1)
    swarm.cancel(sup, "over", { wait = true })
    assert.equal("cancelled", a.status)
  end)

  it("raises deadlock for a child that joins its own supervisor", function()
    local found
    local sup
    sup = swarm.supervise {
      children = {
        {
          function()
            found = code_of(swarm.join, sup)
          end,
          restart = "temporary",
        },
      },
    }
    swarm.sleep(1)
    assert.equal("deadlock", found)
    assert.is_true(swarm.join(sup))
  end)

  it("keeps what its children came to, for who asks afterwards", function()
    local children = {
      unit("a", { restart = "transient", ends = { PASS } }),
      unit("b", { restart = "transient", ends = { FAIL, PASS } }),
    }
    local sup = swarm.supervise { children = children }
    assert.is_true(swarm.join(sup))
    assert.equal("pass", child(sup, "a").status)
    assert.equal(1, child(sup, "b").restarts)
    assert.equal(2, swarm.result(child(sup, "b").handle))
  end)
end)
