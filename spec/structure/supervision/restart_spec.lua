-- Proves supervision.md, "Restart kinds".
local notes = require "notes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted = notes.note, notes.noted
local runs, supervised, unit, child = stock.runs, stock.supervised, stock.unit, stock.child
local BLOCK, FAIL, PASS = stock.BLOCK, stock.FAIL, stock.PASS

swarm.worker "tries_twice" {
  retries = { max = 1, backoff = 0 },
  run = function()
    note "try"
    if runs.tries == 3 then
      swarm.sleep(1e9)
    end
    runs.tries = (runs.tries or 0) + 1
    error "again"
  end,
}

describe("restart kinds", function()
  ---How often a unit of a kind has begun once its first run has ended in some way.
  local function begun(restart, how)
    supervised({ children = { unit("a", { restart = restart, ends = { how } }) } }, function(sup)
      swarm.sleep(2)
      local one = child(sup, "a")
      note(one and one.status .. " " .. one.restarts or "gone")
    end)
    return noted()
  end

  it("restarts a permanent child that passed", function()
    assert.equal("+a +a running 1 -a", begun("permanent", PASS))
  end)

  it("restarts a permanent child that failed", function()
    assert.equal("+a +a running 1 -a", begun("permanent", FAIL))
  end)

  it("restarts a permanent child that is blocked", function()
    assert.equal("+a +a running 1 -a", begun("permanent", BLOCK))
  end)

  it("leaves a transient child that passed, and still lists it", function()
    assert.equal("+a pass 0", begun("transient", PASS))
  end)

  it("leaves a transient child that is blocked", function()
    assert.equal("+a blocked 0", begun("transient", BLOCK))
  end)

  it("restarts a transient child that failed", function()
    assert.equal("+a +a running 1 -a", begun("transient", FAIL))
  end)

  it("forgets a temporary child that passed", function()
    assert.equal("+a gone", begun("temporary", PASS))
  end)

  it("forgets a temporary child that failed, and owns its failure", function()
    assert.equal("+a gone", begun("temporary", FAIL))
  end)

  ---The same for a child that somebody else cancels.
  local function cancelled(restart)
    supervised({ children = { unit("a", { restart = restart }) } }, function(sup)
      swarm.sleep(1)
      assert.is_true(child(sup, "a").handle:cancel "by a stranger")
      swarm.sleep(1)
      note(child(sup, "a") and child(sup, "a").status or "gone")
    end)
    return noted()
  end

  it("restarts a permanent child that somebody else cancelled", function()
    assert.equal("+a -a +a running -a", cancelled "permanent")
  end)

  it("leaves a transient child that somebody else cancelled", function()
    assert.equal("+a -a cancelled", cancelled "transient")
  end)

  it("forgets a temporary child that somebody else cancelled", function()
    assert.equal("+a -a gone", cancelled "temporary")
  end)

  it("restarts a child that was cancelled before it began", function()
    supervised({ children = { unit "a" } }, function(sup)
      child(sup, "a").handle:cancel()
      swarm.sleep(1)
      assert.equal("+a", noted())
      assert.equal(1, child(sup, "a").restarts)
    end)
  end)

  it("restarts a transient child that ran out of time", function()
    local one = unit("a", { restart = "transient", timeout = 1 })
    supervised({ children = { one } }, function(sup)
      swarm.sleep(1.5)
      assert.equal("+a -a +a", noted())
      assert.equal(1, child(sup, "a").restarts)
    end)
  end)

  it("gives the restarted child a handle of its own, and lets the old one keep its end", function()
    supervised({ children = { unit("a", { ends = { FAIL } }) } }, function(sup)
      local first = child(sup, "a").handle
      swarm.sleep(2)
      local second = child(sup, "a").handle
      assert.not_equal(first, second)
      assert.equal("failed", first.status)
      assert.equal("running", second.status)
      local _, err = swarm.join(first)
      assert.equal("broke", err.code)
    end)
  end)

  it("hears of a child that has retries of its own once those are used up", function()
    supervised({ children = { { "tries_twice" } } }, function(sup)
      swarm.sleep(0.5)
      assert.equal("try try try try", noted())
      assert.equal(1, child(sup, "tries_twice").restarts)
    end)
  end)

  it("fails nobody with a child's failure that it has dealt with", function()
    swarm.scope(function()
      local one = unit("a", { restart = "transient", ends = { FAIL, PASS } })
      swarm.supervise { children = { one } }
    end)
    assert.equal("+a +a", noted())
  end)
end)
