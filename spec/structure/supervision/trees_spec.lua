-- Proves supervision.md, "Trees".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted = notes.note, notes.noted
local seconds_of = outcomes.seconds_of
local supervised, unit, child, ids = stock.supervised, stock.unit, stock.child, stock.ids
local FAIL = stock.FAIL

describe("trees", function()
  ---A child that supervises: what it runs, as an item.
  local function house(id, opts, fields)
    local item = {
      function()
        note("+" .. id)
        swarm.supervise(opts)
      end,
      id = id,
    }
    for key, value in pairs(fields or {}) do
      item[key] = value
    end
    return item
  end

  it("restart a house of which a child asked for too much", function()
    local inner = { intensity = 0, children = { unit "a", unit("b", { ends = { FAIL } }) } }
    supervised({ children = { house("h", inner) } }, function(sup)
      swarm.sleep(2)
      assert.equal("+h +a +b -a +h +a +b", noted())
      assert.equal("running", sup.status)
    end)
  end)

  it("escalate from house to house up to who joins", function()
    local inner = { intensity = 1, children = { { "crash", "the reason" } } }
    local sup = swarm.supervise { intensity = 2, children = { house("h", inner) } }
    local _, err = swarm.join(sup)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal("h", err.id)
    assert.equal("+h +h +h", noted())
    local below = err.cause.errors[1]
    assert.equal("restart_limit_exceeded", below.code)
    assert.equal("crash", below.id)
    assert.matches("the reason", below.cause.message)
  end)

  it("leave the other houses alone", function()
    local quiet = { children = { unit "q" } }
    local loud = { intensity = 0, children = { unit("l", { ends = { FAIL } }) } }
    supervised({ children = { house("quiet", quiet), house("loud", loud) } }, function()
      swarm.sleep(2)
      assert.equal("+quiet +loud +q +l +loud +l", noted())
    end)
  end)

  it("are stopped from the last house to the first, each in its own order", function()
    local one = { children = { unit("a", { clean = 1 }), unit("b", { clean = 1 }) } }
    local two = { children = { unit("c", { clean = 1 }), unit("d", { clean = 1 }) } }
    local sup = swarm.supervise { children = { house("one", one), house("two", two) } }
    swarm.sleep(1)
    noted()
    swarm.cancel(sup)
    assert.equal(4, seconds_of(swarm.join, sup))
    assert.equal("-d cleaned d -c cleaned c -b cleaned b -a cleaned a", noted())
  end)

  it("pierce a house whose own shutdown is over, all the way down", function()
    local one =
      { children = { unit("a", { clean = 50, shutdown = math.huge }), unit("b", { clean = 50 }) } }
    local sup = swarm.supervise { children = { house("one", one, { shutdown = 3 }) } }
    swarm.sleep(1)
    noted()
    swarm.cancel(sup)
    assert.equal(3, seconds_of(swarm.join, sup))
    assert.equal("-b killed b -a killed a", noted())
  end)

  it("forget the children that were started later when a house is restarted", function()
    local inner ---@type swarm.Supervisor
    local item = {
      function()
        inner = swarm.supervise { intensity = 0, children = { unit "a" } }
      end,
      id = "h",
    }
    supervised({ children = { item } }, function()
      swarm.sleep(1)
      inner:start(unit("b", { ends = { FAIL } }))
      assert.equal("a b", ids(inner))
      swarm.sleep(2)
      assert.equal("a", ids(inner))
      assert.equal("+a +b -a +a", noted())
    end)
  end)

  it("keep the error of a clean-up deep below through a restart of all", function()
    local one = { children = { unit("a", { breaks = 1 }) } }
    local children = { house("one", one), unit("b", { ends = { { 2, "fail" } } }) }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      local first = child(sup, "one").handle
      swarm.sleep(3)
      assert.equal("+one +b +a -a +one +b +a", noted())
      assert.equal("running", sup.status)
      local _, err = swarm.join(first)
      assert.equal("cancelled", err.code)
      assert.equal("clean_up_broke", err.others[1].code)
    end)
  end)
end)
