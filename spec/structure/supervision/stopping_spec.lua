-- Proves supervision.md, "Stopping".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted = notes.note, notes.noted
local seconds_of = outcomes.seconds_of
local unit, child, FAIL = stock.unit, stock.child, stock.FAIL

swarm.worker "says_deadline" {
  run = function(ctx)
    note(tostring(ctx.deadline))
    swarm.sleep(1e9)
  end,
}

swarm.worker "hooked" {
  run = function()
    swarm.sleep(100)
  end,
}

swarm.settled("hooked", function()
  swarm.sleep(1)
  note "hook done"
end)

describe("stopping", function()
  it("stops in reverse order, one after the other, when it is cancelled", function()
    local children =
      { unit("a", { clean = 1 }), unit("b", { clean = 2 }), unit("c", { clean = 1 }) }
    local sup = swarm.supervise { children = children }
    swarm.sleep(1)
    assert.is_true(swarm.cancel(sup, "no more"))
    assert.equal(4, seconds_of(swarm.join, sup))
    assert.equal("+a +b +c -c cleaned c -b cleaned b -a cleaned a", noted())
    assert.equal("cancelled", sup.status)
    local _, err = swarm.join(sup)
    assert.equal("no more", err.reason)
  end)

  it("hands its reason to its children", function()
    local sup = swarm.supervise { children = { unit "a" } }
    local a = child(sup, "a").handle
    swarm.sleep(1)
    swarm.cancel(sup, "no more", { wait = true })
    local _, err = swarm.join(a)
    assert.equal("cancelled", err.code)
    assert.equal("no more", err.reason)
  end)

  it("gives each child its own shutdown for clean-up, then pierces its shields", function()
    local children = {
      unit("a", { clean = 10, shutdown = 3 }),
      unit("b", { clean = 4, shutdown = 20 }),
      unit("c", { clean = 100, shutdown = 2 }),
    }
    local sup = swarm.supervise { children = children }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(9, seconds_of(swarm.join, sup))
    assert.equal("+a +b +c -c killed c -b cleaned b -a killed a", noted())
  end)

  it("gives five seconds where a child says nothing", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 100 }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(5, seconds_of(swarm.join, sup))
  end)

  it("gives no time for clean-up at all where shutdown is zero", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 1, shutdown = 0 }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(0, seconds_of(swarm.join, sup))
    assert.equal("+a -a killed a", noted())
  end)

  it("waits as long as it takes where shutdown is math.huge", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 5000, shutdown = math.huge }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(5000, seconds_of(swarm.join, sup))
    assert.equal("+a -a cleaned a", noted())
  end)

  it("pierces shields of workers below a child, and lets none open a further one", function()
    local function stubborn()
      for _ = 1, 3 do
        pcall(swarm.shield, function()
          swarm.sleep(20)
          note "slept"
        end)
      end
    end
    local sup = swarm.supervise {
      children = {
        {
          function()
            swarm.spawn(stubborn)
            stubborn()
          end,
          id = "s",
          shutdown = 2,
        },
      },
    }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(2, seconds_of(swarm.join, sup))
    assert.equal("", noted())
  end)

  it("lets settled hooks of a pierced child run to their end", function()
    local sup = swarm.supervise { children = { { "hooked", id = "h", shutdown = 0 } } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(1, seconds_of(swarm.join, sup))
    assert.equal("hook done", noted())
  end)

  it("ends a child at once that has not begun", function()
    local sup = swarm.supervise { children = { unit "a", unit "b" } }
    swarm.cancel(sup)
    assert.is_nil((swarm.join(sup)))
    assert.equal("", noted())
    assert.equal("cancelled", sup.status)
    assert.equal("cancelled", sup:children()[1].status)
  end)

  it("is stopped by a deadline above it as by a cancel", function()
    local children = { unit("a", { clean = 1 }), unit("b", { clean = 1 }) }
    local sup
    local start = swarm.monotonic()
    local err = assert.has_error(function()
      swarm.timeout(10, function()
        sup = swarm.supervise { children = children }
      end)
    end)
    assert.equal("timeout", err.code)
    assert.equal(12, swarm.monotonic() - start)
    assert.equal("cancelled", sup.status)
    assert.equal("+a +b -b cleaned b -a cleaned a", noted())
  end)

  it("shows its children the deadline above it", function()
    local start = swarm.monotonic()
    pcall(swarm.timeout, 10, function()
      swarm.supervise { children = { { "says_deadline" } } }
    end)
    assert.equal(tostring(start + 10), noted())
  end)

  it("is stopped in order when the block that it belongs to fails", function()
    pcall(swarm.scope, function()
      swarm.supervise { children = { unit("a", { clean = 1 }), unit("b", { clean = 1 }) } }
      swarm.sleep(1)
      error "the block failed"
    end)
    assert.equal("+a +b -b cleaned b -a cleaned a", noted())
  end)

  it(
    "stops all when it is cancelled in the middle of a restart, and starts nothing more",
    function()
      local children =
        { unit("a", { clean = 1 }), unit("b", { ends = { FAIL } }), unit("c", { clean = 3 }) }
      local sup = swarm.supervise { strategy = "one_for_all", children = children }
      swarm.sleep(2)
      assert.equal("+a +b +c -c", noted())
      swarm.cancel(sup)
      assert.equal(3, seconds_of(swarm.join, sup))
      assert.equal("cleaned c -a cleaned a", noted())
      local _, err = swarm.join(sup)
      assert.equal("cancelled", err.code)
      assert.is_nil(err.others) -- the supervisor had taken b's failure upon itself
      assert.equal(0, child(sup, "a").restarts)
    end
  )

  it("keeps the errors of clean-up with its own", function()
    local sup = swarm.supervise { children = { unit("a", { breaks = 1 }), unit "b" } }
    swarm.sleep(1)
    swarm.cancel(sup, "no more")
    local _, err = swarm.join(sup)
    assert.equal("cancelled", err.code)
    assert.equal("no more", err.reason)
    assert.equal("clean_up_broke", err.others[1].code)
  end)

  it("deals with a failure that comes together with its cancel", function()
    local sup = swarm.supervise { children = { unit("a", { ends = { FAIL } }), unit "b" } }
    swarm.sleep(1)
    swarm.cancel(sup)
    local _, err = swarm.join(sup)
    assert.equal("cancelled", err.code)
    assert.is_nil(err.others)
    assert.equal("failed", child(sup, "a").status)
    assert.equal("+a +b -b", noted())
  end)

  it("is cancelled once: a further cancel changes nothing", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 3 }) } }
    swarm.sleep(1)
    swarm.cancel(sup, "first")
    swarm.sleep(1)
    swarm.cancel(sup, "second")
    local _, err = swarm.join(sup)
    assert.equal("first", err.reason)
    assert.equal("+a -a cleaned a", noted())
  end)
end)
