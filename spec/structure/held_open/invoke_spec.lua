-- Proves held_open.md, "invoke".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "held_open_stock"

local note, noted = notes.note, notes.noted
local raised, code_of = outcomes.raised, outcomes.code_of
local invoke_code, invoker = stock.invoke_code, stock.invoker

swarm.worker "keeps" {
  run = function(ctx)
    local state = ctx.state
    if state.itself then
      return state.itself.fn()
    end
    state.itself = state
    function state.fn()
      return "kept"
    end
  end,
}

swarm.worker "asks_child_for_state" {
  run = function()
    return swarm.call(function(ctx)
      local ok, err = pcall(function()
        return ctx.state
      end)
      return not ok and err.code
    end)
  end,
}

swarm.worker "patient" {
  timeout = 5,
  run = function(_, seconds)
    swarm.sleep(seconds)
    return "in time"
  end,
}

swarm.worker "breaks_in_clean_up" {
  run = function()
    pcall(swarm.sleep, 1e6)
    error { code = "clean_up_broke" }
  end,
}

swarm.worker "numbers" {
  input_schema = { type = "number" },
  output_schema = { type = "number" },
  run = function(ctx, n)
    ctx.state.n = (ctx.state.n or 0) + 1
    return n < 0 and "negative" or n
  end,
}

swarm.worker "flaky" {
  retries = { max = 2, backoff = 1, jitter = false },
  run = function(ctx, works_at)
    ctx.state.tries = (ctx.state.tries or 0) + 1
    note(ctx.attempt .. ctx.id)
    if ctx.attempt < works_at then
      error "again"
    end
    return ctx.state.tries
  end,
}

swarm.worker "single" {
  concurrency = 1,
  run = function(_, seconds)
    note("at" .. swarm.monotonic())
    swarm.sleep(seconds)
  end,
}

swarm.worker "hooked" {
  run = function(_, input)
    note("run " .. input)
    return input
  end,
}

swarm.before("hooked", function(_, input)
  if input == "bad" then
    error "refused"
  end
  return input .. "!"
end)

swarm.after("hooked", function(_, result)
  result.value = result.value .. "?"
  return result
end)

swarm.settled("hooked", function(_, outcome)
  note("settled " .. outcome.status)
end)

swarm.role "no_joins" { extends = "worker", deny = { "poll_task" } }

swarm.worker "may_not_invoke" {
  role = "no_joins",
  run = function(_, held)
    held:invoke()
  end,
}

describe("sessions: invoke", function()
  it("returns as call does: a value, a block, an error", function()
    local s = swarm.open "unit"
    assert.equal(1, s:invoke {})
    local value, err = s:invoke { block = true }
    assert.equal("half", value)
    assert.equal("blocked", err.code)
    assert.equal("not enough", err.reason)
    local broke = raised(function()
      local _ = s:invoke { fail = true }
    end)
    assert.equal("broke", broke.code)
    assert.equal("unit", broke.name)
    assert.matches("invoke_spec.lua:%d+$", broke.spawned_at)
    assert.equal(4, s:invoke {}, "and goes on")
  end)

  it("goes one at a time, in the order of the calls", function()
    local s = swarm.open "unit"
    for i = 1, 4 do
      invoker(s, { name = tostring(i), seconds = 5 - i })
    end
    swarm.sleep(20)
    assert.equal("+1 -1 1=1 +2 -2 2=2 +3 -3 3=3 +4 -4 4=4", noted():gsub("(%d=%d) ", "%1 "))
  end)

  it("lets nobody past who waits", function()
    local s = swarm.open "unit"
    invoker(s, { name = "a", seconds = 1 })
    invoker(s, { name = "b" })
    swarm.sleep(1)
    s:invoke { name = "c" }
    local order = noted()
    assert.is_true(order:find "+b" < order:find "+c", order)
  end)

  it("copies its input when it is called", function()
    local s = swarm.open "identity"
    local echo = swarm.open "hooked"
    assert.equal("invalid_value", invoke_code(s, { fn = print }))
    local unit = swarm.open "unit"
    invoker(unit, { name = "first", seconds = 2 })
    swarm.sleep(1)
    local input = { name = "second" }
    local h = swarm.spawn(function()
      unit:invoke(input)
    end)
    swarm.sleep(0)
    input.name = "changed"
    h:join()
    assert.matches("+second", noted())
    assert.equal("x!?", echo:invoke "x")
  end)

  it("spends no use on an input that cannot cross", function()
    local s = swarm.open("unit", { uses = 1 })
    assert.equal("invalid_value", invoke_code(s, { fn = print }))
    assert.equal(1, s:invoke())
  end)

  it("is a task of its own below the session, in one worker", function()
    local s = swarm.open "identity"
    local a, b = s:invoke(), s:invoke()
    assert.equal(a.id, b.id)
    assert.equal(s.id, a.id)
    assert.not_equal(a.task_id, b.task_id)
    assert.not_equal(s.task_id, a.task_id)
    assert.equal("identity", a.name)
  end)

  it("has a tail of its own, which can be asked for by its task_id", function()
    local s = swarm.open "identity"
    local unit = swarm.open "unit"
    local id = s:invoke().task_id
    assert.equal("final", swarm.output_tail(id)[1].type)
    unit:invoke { name = "x" }
    assert.same({}, unit:output_tail(), "the held-open worker says nothing itself")
  end)

  it("keeps anything in ctx.state, functions and cycles too", function()
    local s = swarm.open "keeps"
    s:invoke()
    assert.equal("kept", s:invoke())
  end)

  it("has ctx.state in no other worker, not even in its children", function()
    local s = swarm.open "asks_child_for_state"
    assert.equal("invalid_argument", s:invoke())
    for _, other in ipairs { s, swarm.spawn "identity" } do
      local err = raised(function()
        ---@diagnostic disable-next-line: undefined-field
        return other.state
      end)
      assert.equal("invalid_argument", err.code)
      assert.matches("swarm.open", err.message)
    end
  end)

  it("passes its hooks each time", function()
    local s = swarm.open "hooked"
    assert.equal("a!?", s:invoke "a")
    assert.equal("rejected_by_middleware", invoke_code(s, "bad"))
    assert.equal("b!?", s:invoke "b")
    assert.equal("run a! settled pass settled failed run b! settled pass", noted())
  end)

  it("checks its schemas each time", function()
    local s = swarm.open "numbers"
    assert.equal(1, s:invoke(1))
    assert.equal("invalid_value", invoke_code(s, "no number"))
    assert.equal("invalid_value", invoke_code(s, -1))
    assert.equal(2, s:invoke(2))
  end)

  it("is tried again as its retries say, in the same worker with the same state", function()
    local s = swarm.open "flaky"
    assert.equal(3, s:invoke(3))
    local id = s.id
    assert.equal(("1%s 2%s 3%s"):format(id, id, id), noted())
    assert.equal(4, s:invoke(1))
    assert.equal(3, swarm.monotonic())
  end)

  it("keeps others waiting while it backs off", function()
    local s = swarm.open "flaky"
    local h = swarm.spawn(function()
      s:invoke(2)
    end)
    swarm.sleep(0.5)
    assert.equal(3, s:invoke(1))
    assert.equal(1, swarm.monotonic())
    h:join()
  end)

  it("takes a slot of the worker's concurrency for each invocation only", function()
    local s = swarm.open "single"
    local other = swarm.spawn("single", 5)
    swarm.sleep(1)
    s:invoke(1)
    assert.equal("at0 at5", noted())
    other:join()
    swarm.call("single", 0)
    assert.equal("at6", noted())
  end)

  it("has the definition's timeout, or the session's, for each", function()
    local s = swarm.open "patient"
    assert.equal("in time", s:invoke(4))
    assert.equal("in time", s:invoke(4))
    local short = swarm.open("patient", { timeout = 2 })
    assert.equal("in time", short:invoke(1))
    assert.equal("timeout", invoke_code(short, 3))
    assert.equal(11, swarm.monotonic())
  end)

  it("stands still for a timeout while it waits for its turn", function()
    local s = swarm.open "patient"
    local first = swarm.spawn(function()
      return s:invoke(4)
    end)
    swarm.sleep(1)
    assert.equal("in time", s:invoke(4))
    first:join()
  end)

  it("cancels no scope and fails no block where its failure was caught", function()
    swarm.scope(function(scope)
      local s = swarm.open "unit"
      local other = scope:spawn(function()
        swarm.sleep(5)
        return "undisturbed"
      end)
      assert.equal("broke", invoke_code(s, { fail = true }))
      assert.equal("undisturbed", other:result())
      assert.equal(2, s:invoke())
    end)
    assert.equal(5, swarm.monotonic())
  end)

  it("is its invoker's failure where it is not caught", function()
    local s = swarm.open "unit"
    local h = swarm.spawn(function()
      s:invoke { fail = true }
    end)
    local _, err = h:join()
    assert.equal("failed", h.status)
    assert.equal("broke", err.cause.code)
    assert.equal(2, s:invoke())
  end)

  it("closes the session with a timeout", function()
    local s = swarm.open("unit", { timeout = 2 })
    assert.equal("timeout", invoke_code(s, { seconds = 5 }))
    local err = raised(s.invoke, s)
    assert.equal("token_revoked", err.code)
    assert.matches("timeout", err.message)
    assert.is_true(s:join())
    assert.equal(2, swarm.monotonic())
  end)

  it("closes the session with a cancel of the invocation", function()
    local s = swarm.open "itself"
    local h = swarm.spawn(function()
      return s:invoke { how = "cancel", held = swarm.open "unit" }
    end)
    swarm.sleep(1)
    h:cancel()
    h:join()
    assert.equal("token_revoked", invoke_code(s, {}))
    assert.is_true(s:join())
  end)

  it("is left by a cancelled invoker that waits for its turn, and goes on", function()
    local s = swarm.open "unit"
    local a = invoker(s, { name = "a", seconds = 3 })
    local b = invoker(s, { name = "b" })
    local c = invoker(s, { name = "c" })
    swarm.sleep(1)
    b:cancel()
    b:join()
    c:join()
    a:join()
    assert.equal("+a b=cancelled -a a=1 +c -c c=2", noted())
    assert.equal(3, s:invoke {})
  end)

  it("passes its turn on where an invoker is cancelled as its turn comes", function()
    local s = swarm.open "unit"
    invoker(s, { name = "a", seconds = 3 })
    local b ---@type swarm.Handle
    local a2 = swarm.spawn(function()
      swarm.sleep(3)
      b:cancel()
    end)
    b = invoker(s, { name = "b" })
    local c = invoker(s, { name = "c" })
    c:join()
    a2:join()
    assert.matches("c=%d$", noted())
  end)

  it("is cancelled with its invoker, and that closes the session", function()
    local s = swarm.open "unit"
    local a = invoker(s, { name = "a", seconds = 100, clean = 2 })
    local b = invoker(s, { name = "b" })
    swarm.sleep(1)
    a:cancel()
    a:join()
    b:join()
    assert.equal(1, swarm.monotonic(), "neither waits for the clean-up")
    assert.is_true(s:join())
    assert.equal(3, swarm.monotonic(), "the held-open worker does")
    local text = noted()
    assert.matches("a=cancelled", text)
    assert.matches("b=token_revoked", text)
    assert.falsy(text:find("+b", 1, true))
  end)

  it("is ended by a deadline of its invoker, and that closes the session", function()
    local s = swarm.open "unit"
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 2, function()
        s:invoke { seconds = 10 }
      end)
    )
    assert.equal("token_revoked", invoke_code(s))
  end)

  it("keeps the failure of a clean-up that no invoker waits for: it is the session's", function()
    local s = swarm.open "breaks_in_clean_up"
    local h = swarm.spawn(function()
      s:invoke()
    end)
    swarm.sleep(1)
    h:cancel()
    local _, err = s:join()
    assert.equal("children_failed", err.code)
    assert.equal("clean_up_broke", err.errors[1].code)
    assert.equal("failed", s.status)
  end)

  it("works in shields, coroutines and other workers", function()
    local s = swarm.open "unit"
    assert.equal(
      1,
      swarm.shield(function()
        return s:invoke { seconds = 1 }
      end)
    )
    assert.equal(
      2,
      coroutine.wrap(function()
        return s:invoke { seconds = 1 }
      end)()
    )
    assert.equal(
      3,
      swarm.call(function(_, input)
        return input.held:invoke { seconds = 1 }
      end, { held = s })
    )
  end)

  it("cannot wait in a callback of gsub, and leaves the session as it was", function()
    local s = swarm.open("unit", { uses = 2 })
    local err = raised(string.gsub, "x", "x", function()
      return s:invoke { seconds = 1 }
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("h:invoke", err.message)
    assert.equal(1, s:invoke())
    assert.equal(2, s:invoke())
  end)

  it("raises deadlock from inside its own invocation, and from a child of it", function()
    local s = swarm.open "itself"
    for _, how in ipairs { "invoke", "child" } do
      local err = raised(s.invoke, s, { how = how, held = s })
      local inner = err.code == "deadlock" and err or err.cause
      assert.equal("deadlock", inner.code)
    end
    assert.equal("done", s:invoke {})
    assert.equal(0, swarm.monotonic())
  end)

  it("raises deadlock by way of another session", function()
    local s, other = swarm.open "itself", swarm.open "itself"
    local err = raised(s.invoke, s, { how = "other", held = s, other = other })
    assert.equal("deadlock", (err.cause or err).code)
    assert.equal(0, swarm.monotonic())
    assert.equal("done", s:invoke {})
    assert.equal("done", other:invoke {})
  end)

  it("raises deadlock by way of a detached worker that the invocation joins", function()
    local s = swarm.open "itself"
    local err = raised(s.invoke, s, { how = "detached", held = s })
    assert.equal("deadlock", (err.cause or err).code)
    assert.equal(0, swarm.monotonic())
  end)

  it("raises deadlock where the invocation joins who waits for its turn", function()
    local s, channel = swarm.open "itself", swarm.channel(1)
    local first = swarm.spawn(function()
      return s:invoke { how = "join", invoker = { h = channel } }
    end)
    swarm.sleep(0.5)
    local second = swarm.spawn(function()
      return s:invoke {}
    end)
    channel:send(second)
    local _, err = first:join()
    assert.equal("deadlock", (err.cause or err).code)
    assert.equal("done", second:result())
  end)

  it("is not for other handles", function()
    local h = swarm.spawn("unit", {})
    for _, method in ipairs { "invoke", "close" } do
      local err = raised(h[method], h)
      assert.equal("invalid_argument", err.code)
      assert.matches("swarm.open", err.message)
    end
    h:join()
  end)

  it("needs poll_task", function()
    local s = swarm.open "unit"
    local _, err = swarm.join(swarm.spawn("may_not_invoke", s))
    assert.equal("role_violation", err.code)
    assert.equal("poll_task", err.verb)
    assert.equal(1, s:invoke())
  end)

  it("passes on the turn of who is cancelled as it comes", function()
    local s = swarm.open "unit"
    local first = swarm.spawn(function()
      s:invoke { seconds = 1 }
    end)
    swarm.yield()
    local second, third =
      swarm.spawn(function()
        s:invoke { name = "second" }
      end), swarm.spawn(function()
        return s:invoke { name = "third" }
      end)
    swarm.yield()
    first:join()
    second:cancel()
    assert.equal(2, third:result())
    assert.equal(3, s:invoke())
    assert.equal("cancelled", second.status)
  end)

  it("is a point of cancellation, before it takes a turn", function()
    local s = swarm.open("unit", { uses = 1 })
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      s:invoke()
    end)
    swarm.sleep(1)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal(1, s:invoke())
  end)
end)
