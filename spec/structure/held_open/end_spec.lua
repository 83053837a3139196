-- Proves held_open.md, "The end".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "held_open_stock"

local note, noted = notes.note, notes.noted
local raised, code_of = outcomes.raised, outcomes.code_of
local invoke_code, invoker = stock.invoke_code, stock.invoker

-- A supervised user of held-open workers: each run opens one of its own.
swarm.worker "supervised" {
  run = function(_, seconds)
    local s = swarm.open "unit"
    note("count" .. s:invoke { name = "s" })
    swarm.sleep(seconds)
    error "again"
  end,
}

swarm.worker "breaks in clean-up" {
  run = function()
    pcall(swarm.sleep, 1)
    error "broke in clean-up"
  end,
}

describe("sessions: the end", function()
  it("is a failure where an invocation fails after its invoker was cancelled", function()
    local h = swarm.open "breaks in clean-up"
    local w = swarm.spawn(function()
      h:invoke()
    end)
    swarm.sleep(0.01)
    swarm.cancel(w, "enough", { wait = true })
    local passed, why = swarm.join(h)
    assert.is_nil(passed)
    assert.equal("children_failed", why.code)
    assert.matches("broke in clean%-up", why.message)
    assert.equal("failed", h.status)
  end)

  it("comes with the ttl, idle", function()
    local s = swarm.open("unit", { ttl = 10 })
    s:invoke()
    swarm.sleep(9)
    s:invoke()
    swarm.sleep(1)
    assert.equal("token_expired", invoke_code(s))
    assert.is_true(s:join())
    assert.equal(10, swarm.monotonic())
  end)

  it("comes with the default ttl of 1800 seconds", function()
    local s = swarm.open "unit"
    assert.is_true(s:join())
    assert.equal(1800, swarm.monotonic())
  end)

  it("comes at once with a ttl of zero", function()
    local s = swarm.open("unit", { ttl = 0 })
    assert.equal("token_expired", invoke_code(s))
    assert.is_true(s:join())
  end)

  it("leaves an invocation that runs as the ttl is over to its end", function()
    local s = swarm.open("unit", { ttl = 10 })
    assert.equal(1, s:invoke { seconds = 15 })
    assert.equal(15, swarm.monotonic())
    assert.equal("token_expired", invoke_code(s))
  end)

  it("tells who waits for a turn at once that the ttl is over", function()
    local s = swarm.open("unit", { ttl = 10 })
    local a = invoker(s, { name = "a", seconds = 15 })
    local b = invoker(s, { name = "b" })
    b:join()
    assert.equal(10, swarm.monotonic())
    a:join()
    assert.equal("+a b=token_expired -a a=1", noted())
  end)

  it("comes with the last use, which goes on to its end", function()
    local s = swarm.open("unit", { uses = 2 })
    assert.equal(1, s:invoke())
    assert.equal(2, s:invoke { seconds = 1 })
    assert.equal("token_uses_exhausted", invoke_code(s))
    assert.is_true(s:join())
    assert.equal(1, swarm.monotonic())
  end)

  it("counts the uses of invokers that come at once", function()
    local s = swarm.open("unit", { uses = 2 })
    local list = {}
    for i = 1, 5 do
      list[i] = invoker(s, { name = tostring(i), seconds = 1 })
    end
    swarm.all(list)
    local text = noted()
    assert.equal(2, select(2, text:gsub("%+", "")))
    assert.equal(3, select(2, text:gsub("token_uses_exhausted", "")))
    assert.equal(2, swarm.monotonic())
  end)

  it("spends uses on invocations that fail, too", function()
    local s = swarm.open("unit", { uses = 2 })
    invoke_code(s, { fail = true })
    s:invoke { block = true }
    assert.equal("token_uses_exhausted", invoke_code(s))
  end)

  it("comes with close, which says whether it was open", function()
    local s = swarm.open "unit"
    s:invoke()
    assert.is_true(s:close())
    assert.is_false(s:close())
    assert.equal("token_revoked", invoke_code(s))
    assert.is_true(s:join())
    assert.is_false(s:close())
  end)

  it("comes with close before it has begun", function()
    local s = swarm.open "unit"
    assert.is_true(s:close())
    assert.equal("token_revoked", invoke_code(s))
    assert.is_true(s:join())
    assert.equal("pass", s.status)
  end)

  it("leaves the running invocation, and tells the waiting ones, on close", function()
    local s = swarm.open "unit"
    local a = invoker(s, { name = "a", seconds = 5 })
    local b = invoker(s, { name = "b" })
    local c = invoker(s, { name = "c" })
    swarm.sleep(1)
    s:close()
    swarm.settle { b, c }
    assert.equal(1, swarm.monotonic())
    a:join()
    assert.equal("+a b=token_revoked c=token_revoked -a a=1", noted())
    assert.is_true(s:join())
  end)

  it("can come from inside an invocation", function()
    local s = swarm.open "itself"
    assert.is_true(s:invoke { how = "close", held = s })
    assert.equal("token_revoked", invoke_code(s, {}))
  end)

  it("comes when the function of its block has returned", function()
    local s ---@type swarm.HeldOpen
    swarm.scope(function()
      s = swarm.open "unit"
      s:invoke()
    end)
    assert.equal(0, swarm.monotonic(), "nobody waited for the ttl")
    assert.equal("token_revoked", invoke_code(s))
    assert.equal("pass", s.status)
  end)

  it("waits for the running invocation where its block has returned", function()
    local s, inside ---@type swarm.HeldOpen, swarm.Handle
    swarm.scope(function(scope)
      s = swarm.open "unit"
      inside = scope:spawn(function()
        return s:invoke { seconds = 3 }
      end)
      swarm.sleep(1)
    end)
    assert.equal(3, swarm.monotonic())
    assert.equal(1, inside:result())
  end)

  it("comes with the end of a worker that opened it", function()
    local s = swarm.call(function()
      return swarm.open "unit"
    end)
    assert.equal("token_revoked", invoke_code(s))
    assert.equal("pass", s.status)
    assert.equal(0, swarm.monotonic())
  end)

  it("cancels the invocation where its block failed", function()
    local s ---@type swarm.HeldOpen
    local outside ---@type swarm.Handle
    pcall(swarm.scope, function()
      s = swarm.open "unit"
      outside = swarm.spawn(function()
        return s:invoke { name = "a", seconds = 100 }
      end, nil, { detached = true })
      swarm.sleep(1)
      error "the block"
    end)
    assert.equal("cancelled", s.status)
    assert.equal(1, swarm.monotonic())
    local _, err = outside:join()
    assert.equal("cancelled", err.cause and err.cause.code)
    assert.equal("token_revoked", invoke_code(s))
  end)

  it("is what join waits for, which closes nothing", function()
    local s = swarm.open "unit"
    local joiner = swarm.spawn(function()
      return s:join() and swarm.monotonic()
    end)
    swarm.sleep(5)
    assert.equal(1, s:invoke { seconds = 2 })
    s:close()
    assert.equal(7, joiner:result())
    local ok, err = swarm.join(swarm.open "unit", { timeout = 1 })
    assert.is_nil(ok)
    assert.equal("poll_timeout", err.code)
  end)

  it("passes with nothing, whatever became of its invocations", function()
    local s = swarm.open "unit"
    invoke_code(s, { fail = true })
    s:close()
    assert.is_nil(s:result())
  end)

  it("comes with a cancel, idle", function()
    local s = swarm.open "unit"
    s:invoke()
    assert.is_true(swarm.cancel(s, "enough"))
    local err = raised(s.invoke, s)
    assert.equal("token_revoked", err.code)
    assert.matches("enough", err.message)
    s:join()
    assert.equal("cancelled", s.status)
  end)

  it("comes with a cancel before it has begun", function()
    local s = swarm.open "unit"
    assert.is_true(swarm.cancel(s, "enough"))
    assert.equal("token_revoked", invoke_code(s))
    s:join()
    assert.equal("cancelled", s.status)
    assert.equal("token_revoked", invoke_code(s))
    assert.equal(0, swarm.monotonic())
  end)

  it("comes with a cancel, busy: its invocation first, and who waits is told", function()
    local s = swarm.open "unit"
    local a = swarm.spawn(function()
      return code_of(s.invoke, s, { name = "a", seconds = 100, clean = 2 })
    end)
    local b = invoker(s, { name = "b" })
    swarm.sleep(1)
    assert.is_true(swarm.cancel(s, "enough"))
    s:join()
    assert.equal("cancelled", s.status)
    assert.equal(3, swarm.monotonic())
    assert.equal("cancelled", a:result())
    b:join()
    assert.matches("b=token_revoked", noted())
  end)

  it("comes with a cancel from inside an invocation, even before the session began", function()
    local s = swarm.open "itself"
    assert.equal("cancelled", invoke_code(s, { how = "cancel", held = s }))
    s:join()
    assert.equal("cancelled", s.status)
    assert.equal(0, swarm.monotonic())
  end)

  it("comes to a supervised worker's sessions with each of its runs", function()
    local sup = swarm.supervise {
      intensity = 5,
      period = 1000,
      children = { { "supervised", 1, restart = "permanent" } },
    }
    swarm.sleep(2.5)
    swarm.cancel(sup, "enough", { wait = true })
    assert.equal("+s -s count1 +s -s count1 +s -s count1", noted())
    assert.equal(2.5, swarm.monotonic())
  end)

  it("is bounded by the deadlines around it", function()
    local s ---@type swarm.HeldOpen
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 3, function()
        s = swarm.open "unit"
        s:join()
      end)
    )
    assert.equal("cancelled", s.status)
    assert.equal("token_revoked", invoke_code(s))
  end)
end)

describe("the ttl of one that has ended", function()
  it("comes to nothing", function()
    for _, ends in ipairs { swarm.cancel, "close" } do
      local s = swarm.open("unit", { ttl = 10 })
      swarm.sleep(1)
      if ends == "close" then
        s:close()
      else
        ends(s)
      end
      s:join()
      assert.equal(ends == "close" and "pass" or "cancelled", s.status)
      swarm.sleep(100)
    end
  end)
end)

describe("close", function()
  swarm.role "cannot_cancel" { extends = "worker", deny = { "cancel_task" } }
  swarm.worker "closer" {
    role = "cannot_cancel",
    run = function(_, input)
      return input.held:close()
    end,
  }
  swarm.worker "opener" {
    role = "cannot_cancel",
    run = function()
      return swarm.open("closed_by_its_opener"):close()
    end,
  }
  swarm.worker "closed_by_its_opener" { run = function() end }

  it("of somebody else's session needs the verb cancel_task", function()
    local held = swarm.open "closed_by_its_opener"
    assert.has_error(function()
      swarm.call("closer", { held = held })
    end, { code = "role_violation", verb = "cancel_task" })
    assert.is_nil(held:invoke(1))
  end)

  it("of one's own needs none", function()
    assert.is_true(swarm.call "opener")
  end)
end)
