-- Proves supervision.md, "Strategies".
local notes = require "notes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local noted = notes.noted
local supervised, unit, child, ids = stock.supervised, stock.unit, stock.child, stock.ids
local FAIL, PASS = stock.FAIL, stock.PASS

describe("one_for_one", function()
  it("restarts the child that ended and leaves the others alone", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c" }
    supervised({ children = children }, function(sup)
      local a, c = child(sup, "a").handle, child(sup, "c").handle
      swarm.sleep(2)
      assert.equal("+a +b +c +b", noted())
      assert.equal("a b c", ids(sup))
      assert.equal(a, child(sup, "a").handle)
      assert.equal(c, child(sup, "c").handle)
    end)
  end)

  it("handles ends that come together one after the other", function()
    local children = { unit("a", { ends = { FAIL } }), unit("b", { ends = { FAIL } }) }
    supervised({ intensity = 2, children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b +a +b", noted())
    end)
  end)
end)

describe("one_for_all", function()
  it("stops all others in reverse and starts all in order", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c" }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c -a +a +b +c", noted())
      for _, one in ipairs(sup:children()) do
        assert.equal("running", one.status)
        assert.equal(1, one.restarts)
      end
    end)
  end)

  it("waits for one child's clean-up before it stops the next", function()
    local children =
      { unit("a", { clean = 1 }), unit("b", { clean = 2 }), unit("c", { ends = { FAIL } }) }
    supervised({ strategy = "one_for_all", children = children }, function()
      swarm.sleep(3.5)
      assert.equal("+a +b +c -b cleaned b -a", noted())
      swarm.sleep(1)
      assert.equal("cleaned a +a +b +c", noted())
    end)
  end)

  it("counts one restart, however many children there are", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c" }
    local sup = supervised({ strategy = "one_for_all", children = children }, function()
      swarm.sleep(10)
    end)
    assert.equal("cancelled", sup.status)
  end)

  it("counts children that ended together as one restart", function()
    local both = { unit("a", { ends = { FAIL } }), unit("b", { ends = { FAIL } }), unit "c" }
    supervised({ strategy = "one_for_all", children = both }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c +a +b +c", noted())
      assert.equal("running", sup.status)
    end)
  end)

  it("starts a transient child again that had passed, for all start", function()
    local children = {
      unit("a", { restart = "transient", ends = { PASS, PASS } }),
      unit("b", { ends = { { 3, "fail" } } }),
    }
    supervised({ strategy = "one_for_all", children = children }, function()
      swarm.sleep(4)
      assert.equal("+a +b +a +b", noted())
    end)
  end)

  it("does not start a temporary child again that it stopped", function()
    local children =
      { unit("a", { ends = { FAIL } }), unit("b", { restart = "temporary" }), unit "c" }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c -b +a +c", noted())
      assert.equal("a c", ids(sup))
    end)
  end)

  it("stops nobody for a temporary child that failed", function()
    local children = { unit "a", unit("b", { restart = "temporary", ends = { FAIL } }) }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b", noted())
      assert.equal("a", ids(sup))
    end)
  end)

  it("starts over where a child fails at once after the others were started", function()
    local children = { unit "a", unit("b", { ends = { FAIL, { 0, "fail" } } }) }
    supervised({ strategy = "one_for_all", intensity = 2, children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b -a +a +b -a +a +b", noted())
    end)
  end)
end)

describe("rest_for_one", function()
  it("stops those after it in reverse, and restarts it and them in order", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c", unit "d" }
    supervised({ strategy = "rest_for_one", children = children }, function(sup)
      local a = child(sup, "a").handle
      swarm.sleep(2)
      assert.equal("+a +b +c +d -d -c +b +c +d", noted())
      assert.equal(a, child(sup, "a").handle)
      assert.equal("a b c d", ids(sup))
    end)
  end)

  it("restarts the last child alone", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }) }
    supervised({ strategy = "rest_for_one", children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b +b", noted())
    end)
  end)

  it("does not start a temporary child again that it stopped", function()
    local children =
      { unit("a", { ends = { FAIL } }), unit("b", { restart = "temporary" }), unit "c" }
    supervised({ strategy = "rest_for_one", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c -b +a +c", noted())
      assert.equal("a c", ids(sup))
    end)
  end)

  it("takes children that were started later to be after all others", function()
    local first = unit("a", { ends = { FAIL } })
    supervised({ strategy = "rest_for_one", children = { first } }, function(sup)
      sup:start(unit "b")
      swarm.sleep(2)
      assert.equal("+a +b -b +a +b", noted())
    end)
  end)

  it("restarts from the later child on where that one fails in its turn", function()
    local children = {
      unit("a", { ends = { FAIL } }),
      unit("b", { ends = { { 100, "pass" }, { 0, "fail" } } }),
    }
    supervised({ strategy = "rest_for_one", intensity = 2, children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b -b +a +b +b", noted())
    end)
  end)
end)
