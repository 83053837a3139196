-- Proves supervision.md, "Backoff".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted, seconds_of = notes.note, notes.noted, outcomes.seconds_of
local supervised, unit, child = stock.supervised, stock.unit, stock.child
local FAIL = stock.FAIL

local begun ---@type number[]

---Notes when it begins, and ends after `seconds`, or the next of them.
local function crash(_, seconds)
  begun[#begun + 1] = swarm.monotonic()
  swarm.sleep(type(seconds) == "table" and (seconds[#begun] or 1e9) or seconds)
  error "it crashed"
end

---How long after each end of a child that crashes it begins again, in virtual seconds.
local function delays(backoff, lasts, opts)
  begun = {}
  opts = opts or {}
  supervised({
    intensity = 1000,
    period = opts.period,
    backoff = backoff,
    children = { { crash, lasts, id = "a" } },
  }, function()
    swarm.sleep(opts.watch or 100)
  end)
  local list = {}
  for i = 2, math.min(#begun, 7) do
    local last = type(lasts) == "table" and lasts[i - 1] or lasts
    list[#list + 1] = ("%g"):format(begun[i] - begun[i - 1] - last)
  end
  return table.concat(list, " ")
end

describe("backoff", function()
  it("of a number waits as long before each restart", function()
    assert.equal("0.5 0.5 0.5 0.5 0.5 0.5", delays(0.5, 1))
  end)

  it("grows by its factor up to its max", function()
    assert.equal("1 3 9 20 20", delays({ first = 1, factor = 3, max = 20 }, 1, { watch = 60 }))
  end)

  it("doubles up to 30 s where it says no more than its first", function()
    assert.equal("4 8 16 30 30 30", delays({ first = 4 }, 1, { watch = 200 }))
  end)

  it("of zero waits for nothing, however often", function()
    assert.equal("0 0 0 0 0 0", delays({ first = 0, factor = 1e300 }, 1))
    assert.equal("0 0 0 0 0 0", delays(0, 1))
  end)

  it("begins again once the child has run for a whole period", function()
    local lasts = { 1, 1, 4, 5, 1 }
    assert.equal("1 2 4 1 2", delays({ first = 1 }, lasts, { period = 5 }))
  end)

  it("is each child's own", function()
    local ends = { FAIL, FAIL, FAIL }
    supervised({
      intensity = 9,
      backoff = { first = 1, factor = 10 },
      children = { unit("a", { ends = ends }), unit("b", { ends = { { 2, "fail" } } }) },
    }, function()
      swarm.sleep(3.5) -- a: 1 to 2, then 10; b: 2 to 3
      assert.equal("+a +b +a +b", noted())
    end)
  end)

  it("holds up no other child", function()
    supervised({
      intensity = 9,
      backoff = { first = 100, max = 100 },
      children = { unit("a", { ends = { FAIL } }), unit "b" },
    }, function(sup)
      swarm.sleep(2)
      assert.equal(0, seconds_of(sup.stop, sup, "b"))
      assert.equal("+a +b -b", noted())
    end)
  end)

  it("holds up the start of children behind it", function()
    supervised({
      intensity = 9,
      backoff = 10,
      children = { unit("a", { ends = { FAIL } }) },
    }, function(sup)
      swarm.sleep(2)
      local took = seconds_of(sup.start, sup, unit "b")
      assert.equal(9, took)
      assert.equal("+a +a", noted())
    end)
  end)

  it("stops the others at once, and starts all after it", function()
    supervised({
      strategy = "one_for_all",
      backoff = 10,
      children = { unit "a", unit("b", { ends = { FAIL } }), unit "c" },
    }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c -a", noted())
      assert.equal("pending", child(sup, "a").status)
      swarm.sleep(9.5)
      assert.equal("+a +b +c", noted())
      assert.equal("running", child(sup, "a").status)
    end)
  end)

  it("shows the child as pending meanwhile, with its last handle", function()
    supervised({ backoff = 10, children = { unit("a", { ends = { FAIL } }) } }, function(sup)
      swarm.sleep(2)
      local one = child(sup, "a")
      assert.same({ "pending", "failed", 0 }, { one.status, one.handle.status, one.restarts })
      swarm.sleep(10)
      one = child(sup, "a")
      assert.same({ "running", "running", 1 }, { one.status, one.handle.status, one.restarts })
    end)
  end)

  it("ends at once where the child is stopped", function()
    supervised({ backoff = 1000, children = { unit("a", { ends = { FAIL } }) } }, function(sup)
      swarm.sleep(2)
      assert.equal(
        0,
        seconds_of(function()
          assert.is_true(sup:stop "a")
        end)
      )
      assert.same({}, sup:children())
      swarm.sleep(2000)
      assert.equal("+a", noted())
    end)
  end)

  it("ends at once where the supervisor is stopped, and nothing is started", function()
    local sup = swarm.supervise { backoff = 1000, children = { unit("a", { ends = { FAIL } }) } }
    swarm.sleep(2)
    local function stop()
      swarm.cancel(sup, "enough", { wait = true })
    end
    assert.equal(0, seconds_of(stop))
    assert.equal("+a", noted())
    assert.equal("cancelled", sup.status)
  end)

  it("is waited for by who joins the supervisor", function()
    local a = unit("a", { restart = "transient", ends = { FAIL, { 1, "pass" } } })
    local sup = swarm.supervise { backoff = 10, children = { a } }
    assert.equal(
      12,
      seconds_of(function()
        assert.is_true(swarm.join(sup))
      end)
    )
    note "joined"
    assert.equal("+a +a joined", noted())
  end)

  it("counts a restart as the child ends", function()
    local sup = swarm.supervise {
      intensity = 1,
      period = 3,
      backoff = 1.5,
      children = { unit("a", { ends = { always = { 0.5, "fail" } } }) },
    }
    local _, err = swarm.join(sup)
    assert.equal("restart_limit_exceeded", err.code) -- it ends at 0.5 and 2.5
    assert.equal(2.5, swarm.monotonic())
  end)

  ---The message of a supervise that is refused.
  local function refused(backoff)
    local err = outcomes.raised(swarm.supervise, { backoff = backoff })
    assert.equal("invalid_argument", err.code)
    return err.message
  end

  it("is checked before anything starts", function()
    assert.matches("takes seconds, or { first = 0.1", refused "soon")
    assert.matches("takes a number of seconds, zero or more", refused(-1))
    assert.matches("backoff.first takes a number of seconds", refused {})
    assert.matches("backoff.factor takes a number, 1 or more", refused { first = 1, factor = 0.5 })
    assert.matches("backoff.max takes a number of seconds", refused { first = 1, max = 1 / 0 })
    assert.matches("did you mean factor", refused { first = 1, facter = 2 })
  end)

  it("belongs to the supervisor", function()
    local err = outcomes.raised(swarm.supervise, { children = { { "unit", backoff = 1 } } })
    assert.matches("backoff belongs to the supervisor", err.message)
  end)
end)
