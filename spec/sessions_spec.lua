-- Proves sessions.md, in its order.
local notes = require "notes"
local swarm = require "swarm"
local note, noted = notes.note, notes.noted

-- Workers of this file ------------------------------------------------------------------------

-- Does what its input says.
swarm.worker "unit" {
  run = function(ctx, input)
    input = input or {}
    note("+" .. (input.name or "?"))
    ctx:progress("doing", input.name)
    ctx.state.count = (ctx.state.count or 0) + 1
    local ok, err = pcall(swarm.sleep, input.seconds or 0)
    note((ok and "-" or "x") .. (input.name or "?"))
    if not ok then
      swarm.shield(function()
        swarm.sleep(input.clean or 0)
      end)
      error(err, 0)
    elseif input.fail then
      error { code = "broke" }
    elseif input.block then
      return "half", "not enough"
    end
    return ctx.state.count
  end,
}

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

swarm.worker "identity" {
  run = function(ctx)
    return { id = ctx.id, task_id = ctx.task_id, agent = ctx.agent, who = ctx.meta.who }
  end,
}

swarm.worker "single" {
  concurrency = 1,
  run = function(_, seconds)
    note("at" .. swarm.monotonic())
    swarm.sleep(seconds)
  end,
}

swarm.worker "itself" {
  run = function(_, input)
    if input.how == "invoke" then
      return input.session:invoke(input)
    elseif input.how == "child" then
      return swarm.call(function(_, session)
        return session:invoke {}
      end, input.session)
    elseif input.how == "other" then
      return input.other:invoke { how = "invoke", session = input.session }
    elseif input.how == "detached" then
      local h = swarm.spawn(function(_, session)
        return session:invoke {}
      end, input.session, { detached = true })
      return h:result()
    elseif input.how == "join" then
      swarm.sleep(1)
      return input.invoker.h:recv():result()
    elseif input.how == "close" then
      return input.session:close()
    elseif input.how == "cancel" then
      swarm.cancel(input.session, "from inside")
      swarm.sleep(1e6)
    end
    return "done"
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

swarm.worker "script" { command = { "cat" } }

swarm.role "no_files" { extends = "worker", deny = { "read_files" } }
swarm.role "no_tasks" { extends = "worker", deny = { "start_task" } }
swarm.role "no_joins" { extends = "worker", deny = { "poll_task" } }
swarm.worker "reads" {
  run = function()
    return pcall(swarm.fs.exists, "x")
  end,
}
swarm.worker "opens_restricted" {
  role = "no_files",
  run = function(_, name)
    local s = swarm.open(name or "reads")
    local value = s:invoke()
    s:close()
    return value
  end,
}
swarm.worker "may_not_open" {
  role = "no_tasks",
  run = function()
    swarm.open "unit"
  end,
}
swarm.worker "may_not_invoke" {
  role = "no_joins",
  run = function(_, session)
    session:invoke()
  end,
}

-- A supervised user of sessions: each run opens one of its own.
swarm.worker "supervised" {
  run = function(_, seconds)
    local s = swarm.open "unit"
    note("count" .. s:invoke { name = "s" })
    swarm.sleep(seconds)
    error "again"
  end,
}

-- Words of this file --------------------------------------------------------------------------

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "expected an error, and there was none")
  return err
end

local function code_of(fn, ...)
  local err = raised(fn, ...)
  return type(err) == "table" and err.code or tostring(err)
end

---The code that an invocation raises.
local function invoke_code(s, input)
  return code_of(s.invoke, s, input)
end

---A worker that invokes, and notes how that went. It has called when this returns.
local function invoker(s, input)
  local h = swarm.spawn(function()
    local ok, value = pcall(s.invoke, s, input)
    note((input.name or "?") .. "=" .. tostring(ok and value or value.code))
    if not ok and value.code == "cancelled" then
      error(value, 0)
    end
  end)
  swarm.yield()
  return h
end

describe("sessions: swarm.open", function()
  it("returns a handle at once, of a worker that runs until it is closed", function()
    local s = swarm.open "unit"
    assert.equal("pending", s.status)
    assert.equal(1, s:invoke())
    assert.equal("running", s.status)
    assert.equal("unit", s.agent)
    s:close()
    assert.is_true(s:join())
    assert.equal("pass", s.status)
    assert.equal(0, swarm.monotonic())
  end)

  it("refuses what is no worker of kind lua", function()
    assert.equal("not_registered", code_of(swarm.open, "unti"))
    assert.matches("unit", raised(swarm.open, "unti").message)
    local err = raised(swarm.open, "script")
    assert.equal("invalid_argument", err.code)
    assert.matches("kind process", err.message)
    for _, name in ipairs { 5, false, {}, print } do
      assert.equal("invalid_argument", code_of(swarm.open, name))
    end
    assert.equal("invalid_argument", code_of(swarm.open))
  end)

  it("refuses wrong options, and names them", function()
    local wrong = {
      { ttl = -1 },
      { ttl = "1" },
      { ttl = false },
      { ttl = 1 / 0 },
      { uses = 0 },
      { uses = 1.5 },
      { uses = "2" },
      { timeout = -1 },
      { timeout = false },
      { tll = 1 },
      5,
    }
    for i, opts in ipairs(wrong) do
      local err = raised(swarm.open, "unit", opts)
      assert.equal("invalid_argument", err.code, i)
      assert.matches("sessions_spec.lua:%d+$", err.where)
    end
    assert.matches("did you mean ttl", raised(swarm.open, "unit", { tll = 1 }).message)
  end)

  it("needs start_task", function()
    local _, err = swarm.join(swarm.spawn "may_not_open")
    assert.equal("role_violation", err.code)
    assert.equal("start_task", err.verb)
  end)

  it("cuts the rights of its invocations by those of who opened it", function()
    assert.is_false(swarm.call "opens_restricted")
    local s = swarm.open "reads"
    assert.is_true(s:invoke())
  end)

  it("gives its invocations nothing of who invokes", function()
    local s = swarm.open "reads"
    local h = swarm.spawn("opens_restricted", nil)
    assert.is_false(h:result())
    local other = swarm.spawn(function(_, session)
      return session:invoke()
    end, s, { meta = { who = "invoker" } })
    assert.is_true(other:result())
  end)

  it("gives its invocations the meta of who opened it", function()
    local who = swarm.call(function()
      local s = swarm.open "identity"
      return s:invoke().who
    end, nil, { meta = { who = "opener" } })
    assert.equal("opener", who)
  end)

  it("is refused in a cancelled block", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.open "unit"
    end)
    swarm.sleep(1)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
  end)

  it("gives many sessions of one worker states of their own", function()
    local a, b = swarm.open "unit", swarm.open "unit"
    a:invoke()
    a:invoke()
    assert.equal(3, a:invoke())
    assert.equal(1, b:invoke())
  end)
end)

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
    assert.equal("unit", broke.agent)
    assert.matches("sessions_spec.lua:%d+$", broke.spawned_at)
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
    assert.equal("identity", a.agent)
  end)

  it("has a tail of its own, which can be asked for by its task_id", function()
    local s = swarm.open "identity"
    local unit = swarm.open "unit"
    local id = s:invoke().task_id
    assert.equal("final", swarm.output_tail(id)[1].type)
    unit:invoke { name = "x" }
    assert.same({}, unit:output_tail(), "the session says nothing itself")
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
      return s:invoke { how = "cancel", session = swarm.open "unit" }
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
    local b
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
    assert.equal(3, swarm.monotonic(), "the session does")
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
        return input.session:invoke { seconds = 1 }
      end, { session = s })
    )
  end)

  it("cannot wait in a callback of gsub, and leaves the session as it was", function()
    local s = swarm.open("unit", { uses = 2 })
    local err = raised(string.gsub, "x", "x", function()
      return s:invoke { seconds = 1 }
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("session:invoke", err.message)
    assert.equal(1, s:invoke())
    assert.equal(2, s:invoke())
  end)

  it("raises deadlock from inside its own invocation, and from a child of it", function()
    local s = swarm.open "itself"
    for _, how in ipairs { "invoke", "child" } do
      local err = raised(s.invoke, s, { how = how, session = s })
      local inner = err.code == "deadlock" and err or err.cause
      assert.equal("deadlock", inner.code)
    end
    assert.equal("done", s:invoke {})
    assert.equal(0, swarm.monotonic())
  end)

  it("raises deadlock by way of another session", function()
    local s, other = swarm.open "itself", swarm.open "itself"
    local err = raised(s.invoke, s, { how = "other", session = s, other = other })
    assert.equal("deadlock", (err.cause or err).code)
    assert.equal(0, swarm.monotonic())
    assert.equal("done", s:invoke {})
    assert.equal("done", other:invoke {})
  end)

  it("raises deadlock by way of a detached worker that the invocation joins", function()
    local s = swarm.open "itself"
    local err = raised(s.invoke, s, { how = "detached", session = s })
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

describe("sessions: the end", function()
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
    assert.is_true(s:invoke { how = "close", session = s })
    assert.equal("token_revoked", invoke_code(s, {}))
  end)

  it("comes when the function of its block has returned", function()
    local s
    swarm.scope(function()
      s = swarm.open "unit"
      s:invoke()
    end)
    assert.equal(0, swarm.monotonic(), "nobody waited for the ttl")
    assert.equal("token_revoked", invoke_code(s))
    assert.equal("pass", s.status)
  end)

  it("waits for the running invocation where its block has returned", function()
    local s, inside
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
    local s
    local outside
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
    assert.equal("cancelled", invoke_code(s, { how = "cancel", session = s }))
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
    local s
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

describe("sessions: in every order", function()
  it("two invokers, a cancel and a close leave nothing behind", function()
    local codes = {}
    local report = explore(function()
      local s = swarm.open "identity"
      local function invoke(name)
        return swarm.spawn(function()
          local ok, value = pcall(s.invoke, s)
          codes[name .. (ok and "=pass" or "=" .. value.code)] = true
        end)
      end
      local a, b = invoke "a", invoke "b"
      swarm.yield()
      a:cancel()
      s:close()
      b:join()
      a:join()
      s:join()
    end, { max = 4000 })
    assert.is_true(report.schedules > 20, tostring(report))
    assert.is_true(codes["a=cancelled"] and codes["b=pass"] and codes["b=token_revoked"])
  end)

  it("an invoker that is cancelled at any time never keeps the turn", function()
    local report = explore(function()
      local s = swarm.open "identity"
      local a = swarm.spawn(function()
        s:invoke()
      end)
      local b = swarm.spawn(function()
        pcall(s.invoke, s)
        return "over"
      end)
      local canceller = swarm.spawn(function()
        a:cancel()
      end)
      assert.equal("over", b:result())
      canceller:join()
      a:join()
      s:close()
      s:join()
    end, { max = 4000 })
    assert.is_true(report.schedules > 5, tostring(report))
  end)
end)

describe("close", function()
  swarm.role "cannot_cancel" { extends = "worker", deny = { "cancel_task" } }
  swarm.worker "closer" {
    role = "cannot_cancel",
    run = function(_, input)
      return input.session:close()
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
    local session = swarm.open "closed_by_its_opener"
    assert.has_error(function()
      swarm.call("closer", { session = session })
    end, { code = "role_violation", verb = "cancel_task" })
    assert.is_nil(session:invoke(1))
  end)

  it("of one's own needs none", function()
    assert.is_true(swarm.call "opener")
  end)
end)
