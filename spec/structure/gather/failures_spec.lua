-- Proves gather.md, "Failures, cancels and deadlines".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local raised, code_of, codes_of = outcomes.raised, outcomes.code_of, outcomes.codes_of
local CALLS, gives, breaks, cleans = stock.CALLS, stock.gives, stock.breaks, stock.cleans
local drained = stock.drained

swarm.worker "one_sleeper" {
  concurrency = 1,
  run = function()
    swarm.sleep(100)
  end,
}

-- What the calls say to a script that loads.
local while_loading = {}
for _, call in ipairs { "all", "map", "any", "race", "settle", "each" } do
  local gather = swarm[call] ---@type function
  local ok, err = pcall(gather, {})
  while_loading[call] = ok or err.code
end

swarm.role "no_spawn" { extends = "worker", deny = { "start_task" } }

swarm.worker "may_not_spawn" {
  role = "no_spawn",
  run = function(ctx)
    local ok, err = pcall(swarm.all, { ctx.input, function() end })
    return { ok or err.code, ctx.input.status }
  end,
}

describe("failures, cancels and deadlines", function()
  it("are owned by the calls that return or raise them", function()
    local h = swarm.spawn(function()
      local a, b = swarm.spawn(breaks "a"), swarm.spawn(breaks "b")
      local c, d = swarm.spawn(breaks "c"), swarm.spawn(breaks "d")
      pcall(swarm.all, { a })
      pcall(swarm.any, { b })
      swarm.race { c }
      swarm.settle { d }
      return "none left"
    end)
    assert.equal("none left", h:result())
  end)

  it("show others who join a member the same end", function()
    local bad = swarm.spawn("fail_after", 2)
    local joiner = swarm.spawn(function()
      local _, err = swarm.join(bad)
      return err.code
    end)
    assert.equal("broke", code_of(swarm.all, { bad, gives(1, 9) }))
    assert.equal("broke", joiner:result())
    local _, err = bad:join()
    assert.equal("broke", err.code)
  end)

  it("show a joiner of a loser that it was cancelled", function()
    local slow = swarm.spawn "sleeper"
    local joiner = swarm.spawn(function()
      local _, err = swarm.join(slow)
      return err.code
    end)
    swarm.race { slow, gives(1, 1) }
    assert.equal("cancelled", joiner:result())
  end)

  it("reach two groups that hold the same worker", function()
    local shared = swarm.spawn("sleeper", 2)
    local function waits()
      return swarm.all({ shared, gives(1) })[1]
    end
    assert.same({ "slept", "slept" }, (swarm.all { waits, waits }))
  end)

  it("raise in a caller that is cancelled already, before anything is started", function()
    local begun, codes = false, {}
    local function begins()
      begun = true
    end
    local h = swarm.spawn(function(ctx)
      ctx:cancel()
      for _, call in ipairs(CALLS) do
        codes[#codes + 1] = code_of(swarm[call], { begins })
      end
      codes[#codes + 1] = code_of(swarm.map, begins, { 1 })
    end)
    swarm.join(h)
    assert.equal(
      "cancelled cancelled cancelled cancelled cancelled cancelled",
      table.concat(codes, " ")
    )
    assert.is_false(begun)
  end)

  it("cancel the functions and leave the handles alone where the caller is cancelled", function()
    for _, call in ipairs(CALLS) do
      local log = {}
      local handle = swarm.spawn("sleeper", 10)
      local start = swarm.monotonic()
      local caller = swarm.spawn(function()
        drained(call) { handle, cleans(log, 2) }
      end)
      swarm.sleep(1)
      swarm.cancel(caller)
      swarm.join(caller)
      assert.equal("cancelled", caller.status, call)
      assert.same({ start + 3 }, log, call)
      assert.equal("running", handle.status, call)
      assert.equal("slept", handle:result(), call)
    end
  end)

  it("leave the failure of a handle unowned where the caller was cancelled first", function()
    local err = raised(swarm.timeout, 60, function()
      local bad = swarm.spawn("fail_after", 5)
      local caller = swarm.spawn(function()
        swarm.settle { bad }
      end)
      swarm.sleep(1)
      swarm.cancel(caller)
      swarm.join(caller)
    end)
    assert.equal("children_failed", err.code)
    assert.same({ "broke" }, codes_of(err.errors))
  end)

  it("have what failed of the functions in others of the cancel", function()
    local caller = swarm.spawn(function()
      swarm.settle { breaks "before", cleans({}, 1, "clean-up") }
    end)
    swarm.sleep(1)
    swarm.cancel(caller)
    local _, err = swarm.join(caller)
    assert.equal("cancelled", err.code)
    assert.same({ "before", "clean-up" }, codes_of(err.others))
  end)

  it("raise a failure that came before the cancel", function()
    local caller ---@type swarm.Handle
    caller = swarm.spawn(function()
      swarm.all {
        function()
          swarm.sleep(1)
          swarm.spawn(function()
            caller:cancel()
          end, nil, { detached = true })
          error { code = "came first" }
        end,
        gives(1, 50),
      }
    end)
    local _, err = swarm.join(caller)
    assert.equal("failed", err.code)
    assert.equal("came first", err.cause.code)
  end)

  it("end by a timeout around, with the functions settled and what failed attached", function()
    for _, call in ipairs(CALLS) do
      local log = {}
      local start = swarm.monotonic()
      local err = raised(swarm.timeout, 2, function()
        drained(call) { cleans(log, 3, "clean-up"), gives(1, 60) }
      end)
      assert.equal("timeout", err.code, call)
      assert.same({ "clean-up" }, codes_of(err.others), call)
      assert.same({ start + 5 }, log, call)
    end
  end)

  it("leave handles of outside alone where a timeout around ends the call", function()
    local h = swarm.spawn("sleeper", 5)
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 1, function()
        swarm.all { h }
      end)
    )
    assert.equal("running", h.status)
    assert.same({ "slept" }, (swarm.all { h }))
  end)

  it("wait in a shield that hides the cancel", function()
    local got
    local caller = swarm.spawn(function()
      swarm.shield(function()
        got = swarm.all { gives("a", 3), gives("b", 1) }
      end)
    end)
    swarm.sleep(2)
    swarm.cancel(caller)
    swarm.join(caller)
    assert.same({ "a", "b" }, got)
    assert.equal("cancelled", caller.status)
  end)

  it(
    "end cancelled, and not failed, where the caller and its members are cancelled at once",
    function()
      for _, call in ipairs(CALLS) do
        local caller
        local parent = swarm.spawn(function()
          local a = swarm.spawn "sleeper"
          local later -- spawned after the caller, and so cancelled before it
          caller = swarm.spawn(function()
            swarm.yield()
            drained(call) { a, later }
          end)
          later = swarm.spawn "sleeper"
          swarm.sleep(100)
        end)
        swarm.sleep(1)
        swarm.cancel(parent)
        swarm.join(parent)
        assert.equal("cancelled", parent.status, call)
        assert.equal("cancelled", caller.status, call)
      end
    end
  )

  it("end cancelled where a member that never began is cancelled along with the caller", function()
    local holder = swarm.spawn("one_sleeper")
    for _, call in ipairs(CALLS) do
      local caller
      local parent = swarm.spawn(function()
        local queued -- settles as it is cancelled, which is before the caller is
        caller = swarm.spawn(function()
          swarm.yield()
          drained(call) { queued, swarm.spawn "sleeper" }
        end)
        queued = swarm.spawn "one_sleeper"
        swarm.sleep(100)
      end)
      swarm.sleep(1)
      swarm.cancel(parent)
      swarm.join(parent)
      assert.equal("cancelled", caller.status, call)
    end
    swarm.cancel(holder)
  end)

  it("raise the cancel where a member fails because of it", function()
    for _, call in ipairs(CALLS) do
      local code
      local caller = swarm.spawn(function()
        local ok, err = pcall(drained(call), {
          gives(1, 60),
          function() -- the youngest is cancelled first
            pcall(swarm.sleep, 100)
            error { code = "clean-up" }
          end,
        })
        code = not ok and err.code
        error(err)
      end)
      swarm.sleep(1)
      swarm.cancel(caller)
      local _, err = swarm.join(caller)
      assert.equal("cancelled", code, call)
      assert.equal("cancelled", err.code, call)
      assert.same({ "clean-up" }, codes_of(err.others), call)
    end
  end)

  it("are the same for detached members", function()
    local h = swarm.spawn("sleeper", nil, { detached = true })
    local value = swarm.any { h, gives("x", 1) }
    assert.equal("x", value)
    assert.equal("cancelled", h.status)
    local bad = swarm.spawn(breaks "detached", nil, { detached = true })
    assert.equal("detached", code_of(swarm.all, { bad }))
  end)

  it("have no meaning while a script loads", function()
    for _, call in ipairs { "all", "map", "any", "race", "settle", "each" } do
      assert.equal("not_while_loading", while_loading[call], call)
    end
  end)

  it("keep what broke below a loser, and what broke below a member that was cancelled", function()
    local function parent()
      swarm.spawn(cleans({}, 1, "below"))
      swarm.sleep(100)
    end
    local outer = swarm.spawn(function()
      local mine = swarm.spawn(parent)
      local h = swarm.race { parent, mine, gives(1, 1) }
      return (swarm.any { parent, gives(h.status, 1) })
    end)
    assert.equal("pass", outer:result())
    local err = raised(swarm.all, { parent, breaks("first", 1) })
    assert.equal("first", err.code)
    assert.same({ "below" }, codes_of(err.others[1].others))
  end)

  it("end retries, and count a member once, at its last attempt", function()
    local tries = 0
    local h = swarm.spawn(function()
      tries = tries + 1
      swarm.sleep(1)
      if tries < 3 then
        error "again"
      end
      return tries
    end, nil, { retries = { max = 5, backoff = 0 } })
    assert.same({ 3 }, (swarm.all { h }))
    tries = -100
    local never = swarm.spawn(function()
      tries = tries + 1
      error "again"
    end, nil, { retries = { max = 50, backoff = 2, factor = 1, jitter = false } })
    swarm.race { never, gives(1, 3) }
    assert.equal("cancelled", never.status)
    assert.equal(-98, tries)
  end)

  it("start nothing, and watch nothing, where a function may not be spawned", function()
    local h = swarm.spawn("sleeper", 1)
    assert.same({ "role_violation", "pending" }, (swarm.call("may_not_spawn", h)))
    assert.equal("slept", h:result())
  end)
end)
