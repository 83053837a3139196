-- The executable side of workers.md, in its order.
local swarm = require "swarm"
local stages = require "stages"
require "stock_workers"

local started, end_of = stages.started, stages.end_of

swarm.worker "boom" {
  run = function(_, text)
    error(text or "boom")
  end,
}

swarm.worker "brief" {
  timeout = 5,
  run = function(_, seconds)
    swarm.sleep(seconds)
    return "in time"
  end,
}

swarm.worker "reacher" {
  run = function(ctx, outside)
    local child = swarm.spawn "sleeper"
    local id = child.task_id
    child:cancel()
    local _, err = pcall(swarm.join, outside)
    return {
      itself = (pcall(swarm.output_tail, ctx.task_id)),
      below = (pcall(swarm.join, id)),
      err = err.code,
    }
  end,
}

local function types_of(events)
  local list = {}
  for i, event in ipairs(events) do
    list[i] = event.type
  end
  return list
end

local function lines_of(text)
  return select(2, text:gsub("\n", "\n")) + 1
end

describe("spawn", function()
  it("returns a handle at once and runs nothing yet", function()
    local ran = false
    local h = swarm.spawn(function()
      ran = true
    end)
    assert.is_false(ran)
    assert.equal("pending", h.status)
    h:join()
    assert.is_true(ran)
  end)

  it("starts workers in the order of their spawns", function()
    local order = {}
    for i = 1, 5 do
      swarm.spawn(function()
        order[#order + 1] = i
      end)
    end
    swarm.sleep(1)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("starts a worker that is joined before those that were spawned earlier", function()
    local order = {}
    local hs = {}
    for i = 1, 3 do
      hs[i] = swarm.spawn(function()
        order[#order + 1] = i
      end)
    end
    swarm.join(hs[3])
    assert.same({ 3 }, order)
    swarm.sleep(1)
    assert.same({ 3, 1, 2 }, order)
  end)

  it("takes a function and hands it its ctx and its input", function()
    local seen
    local h = swarm.spawn(function(ctx, input)
      seen = { same_object = ctx.input.a == input.a, task_id = ctx.task_id }
      return input.a
    end, { a = 7 })
    assert.equal(7, h:result())
    assert.is_true(seen.same_object)
    assert.equal(h.task_id, seen.task_id)
  end)

  it("names the nearest worker where there is none of the name", function()
    local err = assert.has_error(function()
      swarm.spawn("doubel", 1)
    end, { code = "not_registered", name = "doubel" })
    assert.matches("did you mean double%?", err.message)
    assert.matches("workers_spec%.lua:%d+", err.where)
  end)

  it("takes nothing but a name or a function", function()
    for _, wrong in ipairs { 5, true, {}, swarm.null } do
      assert.has_error(function()
        swarm.spawn(wrong)
      end, { code = "invalid_argument" })
    end
    assert.has_error(function()
      swarm.spawn()
    end, { code = "invalid_argument" })
  end)

  it("refuses an option that does not exist, and says which is meant", function()
    local err = assert.has_error(function()
      swarm.spawn("double", 1, { timout = 5 })
    end, { code = "invalid_argument", name = "timout" })
    assert.matches("did you mean timeout%?", err.message)
  end)

  it("refuses options that are not a table", function()
    assert.has_error(function()
      swarm.spawn("double", 1, 5)
    end, { code = "invalid_argument" })
  end)

  it("refuses a timeout that is not a number of seconds", function()
    for _, wrong in ipairs { "5", -1, 0 / 0, math.huge, true } do
      assert.has_error(function()
        swarm.spawn("double", 1, { timeout = wrong })
      end, { code = "invalid_argument" })
    end
  end)

  it("leaves nothing behind where it raises", function()
    local ran = false
    pcall(swarm.spawn, function()
      ran = true
    end, { fn = print })
    pcall(swarm.spawn, function()
      ran = true
    end, nil, { timout = 1 })
    swarm.sleep(1)
    assert.is_false(ran)
  end)

  it("nests workers 64 deep and no deeper", function()
    local function nest(ctx)
      if ctx.depth == 64 then
        local ok, err = pcall(swarm.spawn, nest)
        return { ok = ok, code = err.code, current = err.current, max = err.max }
      end
      return swarm.call(nest)
    end
    local deepest = swarm.call(nest)
    assert.same({ ok = false, code = "spawn_depth_exceeded", current = 64, max = 64 }, deepest)
  end)

  it("bounds one attempt by its timeout, the option before the definition", function()
    assert.equal("timeout", (end_of("brief", 6)))
    assert.equal("pass", (end_of("brief", 6, { timeout = 7 })))
    assert.equal("timeout", (end_of("brief", 2, { timeout = 1 })))
  end)

  it("gives children a copy of meta", function()
    local meta = { trace = { 1 } }
    local parent = swarm.spawn(function(ctx)
      local child = swarm.spawn(function(child)
        child.meta.trace[1] = "changed"
        return child.meta.trace[1]
      end)
      return { child:result(), ctx.meta.trace[1] }
    end, nil, { meta = meta })
    meta.trace[1] = 2
    assert.same({ "changed", 1 }, parent:result())
  end)
end)

describe("a handle", function()
  it("tells worker, task, attempt, name, generation and status", function()
    local h = swarm.spawn("double", 1)
    assert.matches("^W%-%d+$", h.id)
    assert.matches("^T%-%d+$", h.task_id)
    assert.equal(1, h.attempt)
    assert.equal("double", h.agent)
    assert.equal(1, h.generation)
    assert.equal("pending", h.status)
    assert.equal(h.id, h.worker_id)
  end)

  it("has ids of its own, and no name where it is a function's", function()
    local a = swarm.spawn(function() end)
    local b = swarm.spawn(function() end)
    assert.not_equal(a.id, b.id)
    assert.not_equal(a.task_id, b.task_id)
    assert.is_nil(a.agent)
  end)

  it("has the calls as methods", function()
    local h = swarm.spawn("double", 4)
    assert.is_true(h:join())
    assert.equal(8, h:result())
    assert.equal(1, #h:output_tail())
    assert.equal("final", h:follow()().type)
    assert.is_false(h:cancel())
  end)

  it("says the right name where one does not exist", function()
    local h = swarm.spawn("double", 1)
    local function hint(name)
      return assert.has_error(function()
        return h[name]
      end, { code = "unknown_name" }).message
    end
    assert.matches("join", hint "wait")
    assert.matches("join", hint "await")
    assert.matches("result", hint "value")
    assert.matches("cancel", hint "kill")
    assert.matches("output_tail", hint "tail")
    assert.matches("partial", hint "emit")
    assert.matches("did you mean status%?", hint "staus")
  end)

  it("raises unknown_name for keys that are no strings", function()
    local h = swarm.spawn("double", 1)
    for _, key in ipairs { 1, true, print } do
      assert.has_error(function()
        return h[key]
      end, { code = "unknown_name" })
    end
  end)

  it("cannot be written to, by rawset neither", function()
    local h = swarm.spawn("double", 1)
    assert.has_error(function()
      h.status = "pass"
    end)
    assert.has_error(function()
      h.mine = 1
    end)
    assert.has_error(function()
      rawset(h, "status", "pass")
    end)
    assert.equal("pending", h.status)
  end)

  it("shows nothing of what is behind it", function()
    local h = swarm.spawn("double", 1)
    assert.is_nil(next(h))
    assert.is_nil(rawget(h, "status"))
    assert.equal("string", type(getmetatable(h)))
    assert.is_false((pcall(setmetatable, h, {})))
  end)

  it("is ctx inside the worker, the same object", function()
    local inside
    local h = swarm.spawn(function(ctx)
      inside = ctx
    end)
    h:join()
    assert.is_true(rawequal(h, inside))
  end)

  it("may be replaced by its task_id in every call", function()
    local h = started("sleeper")
    local id = h.task_id
    assert.same({}, swarm.output_tail(id))
    assert.is_true(swarm.cancel(id, "by id"))
    local ok, err = swarm.join(id)
    assert.is_nil(ok)
    assert.equal("by id", err.reason)
    assert.has_error(function()
      swarm.result(id)
    end, { code = "cancelled" })
    assert.is_nil(swarm.follow(id)())
  end)

  it("is found by the task_id that an error carries", function()
    local _, err = swarm.join(swarm.spawn("boom"))
    local ok, again = swarm.join(err.task_id)
    assert.is_nil(ok)
    assert.is_true(rawequal(err, again))
  end)

  it("names tasks that exist: else task_not_found", function()
    assert.has_error(function()
      swarm.join("T-999999")
    end, { code = "task_not_found", task_id = "T-999999" })
  end)

  it("is found by its task_id among the last 10,000 settled, and not much longer", function()
    local ids = {}
    for i = 1, 10050 do
      local h = swarm.spawn("double", i)
      ids[i] = h.task_id
    end
    swarm.sleep(2)
    assert.is_true(swarm.join(ids[10050]))
    assert.is_true(swarm.join(ids[51]))
    assert.has_error(function()
      swarm.join(ids[1])
    end, { code = "task_not_found" })
  end)

  it("is the only thing besides a task_id that the calls take", function()
    local calls = { "join", "result", "cancel", "output_tail", "follow" }
    for _, name in ipairs(calls) do
      for _, wrong in ipairs { 5, true, {}, "double", print, swarm.null, swarm } do
        local err = assert.has_error(function()
          swarm[name](wrong)
        end, { code = "invalid_argument" }, name)
        assert.matches("handle", err.message)
      end
      assert.has_error(function()
        swarm[name](nil)
      end, { code = "invalid_argument" }, name)
    end
  end)

  it("reach with a bare task_id only itself and its descendants", function()
    local other = swarm.spawn("sleeper")
    local outside = other.task_id
    local reached = swarm.call("reacher", outside)
    other:cancel()
    assert.same({ itself = true, below = true, err = "token_task_mismatch" }, reached)
  end)
end)

describe("values at the boundary", function()
  it("are copied at spawn: later changes are not seen", function()
    local input = { list = { 1, 2 } }
    local h = swarm.spawn(function(_, got)
      return #got.list
    end, input)
    input.list[3] = 3
    assert.equal(2, h:result())
  end)

  it("are the worker's own: what it does to its input nobody else sees", function()
    local input = { n = 1 }
    swarm.call(function(ctx, got)
      got.n = 2
      ctx.input.more = true
    end, input)
    assert.same({ n = 1 }, input)
  end)

  it("cannot be reached through the handle", function()
    local h = swarm.spawn(function(_, input)
      swarm.sleep(1)
      return input.n
    end, { n = 1 })
    swarm.yield()
    h.input.n = 2
    assert.equal(1, h:result())
  end)

  it("are copied at return: a table that the worker keeps is not the result", function()
    local kept = { n = 1 }
    local h = swarm.spawn(function()
      return kept
    end)
    h:join()
    kept.n = 2
    assert.equal(1, h:result().n)
  end)

  it("are each reader's own at result", function()
    local h = swarm.spawn(function()
      return { n = 1 }
    end)
    h:result().n = 2
    assert.equal(1, h:result().n)
    assert.equal(1, h:output_tail()[1].content.value.n)
  end)

  it("are each reader's own where the worker is blocked, in value and err.value", function()
    local h = swarm.spawn(function()
      return { n = 1 }, "no"
    end)
    local value, err = h:result()
    value.n = 2
    err.value.n = 3
    assert.equal(1, (h:result()).n)
    assert.equal(1, h:output_tail()[1].content.value.n)
  end)

  it("are copied at an event, and each reader's own in the tail", function()
    local h = swarm.spawn(function(ctx)
      local chunk = { n = 1 }
      ctx:partial(chunk)
      chunk.n = 2
    end)
    h:join()
    h:output_tail()[1].chunk.value.n = 3
    assert.equal(1, h:output_tail()[1].chunk.value.n)
  end)

  it("may hold handles and cancel tokens, which stay the same object", function()
    local target = started("sleeper")
    local back = swarm.call(function(_, input)
      input.token:cancel("by a friend")
      return { input.h }
    end, { h = target, token = target.cancel_token })
    assert.is_true(rawequal(target, back[1]))
    swarm.join(target)
    assert.equal("cancelled", target.status)
  end)

  it("that cannot cross raise invalid_value with the path, at the place of the spawn", function()
    local err = assert.has_error(function()
      swarm.spawn("double", { items = { 1, 2, { fn = print } } })
    end, { code = "invalid_value", path = "input.items[3].fn" })
    assert.matches("workers_spec%.lua:%d+", err.where)
  end)

  it("that cannot cross as a result fail the worker", function()
    for _, wrong in ipairs { print, 0 / 0, math.huge, { { coroutine.create(print) } } } do
      local status, err = end_of(function()
        return wrong
      end)
      assert.equal("failed", status)
      assert.equal("invalid_value", err.code)
      assert.matches("^result", err.path)
      assert.matches("workers_spec%.lua:%d+", err.where)
    end
  end)

  it("that cannot cross in an event raise at the call, and leave no event", function()
    local h = swarm.spawn(function(ctx)
      assert.has_error(function()
        ctx:partial { fn = print }
      end, { code = "invalid_value", path = "partial.fn" })
      assert.has_error(function()
        ctx:artifact("x", 0 / 0)
      end, { code = "invalid_value" })
    end)
    assert.is_true(h:join())
    assert.same({ "final" }, types_of(h:output_tail()))
  end)

  it("as deep as they may be can be read back from result and tail", function()
    local deep = {}
    for _ = 1, 98 do
      deep = { deep }
    end
    local h = swarm.spawn(function(ctx)
      ctx:partial(deep)
      return deep
    end)
    assert.same(deep, h:result())
    local tail = h:output_tail()
    assert.same(deep, tail[1].chunk.value)
    assert.same(deep, tail[2].content.value)
  end)

  it("take errors along, with all their fields, as errors", function()
    local _, err = swarm.join(swarm.spawn(function()
      error { code = "mine", message = "no good", at = { 1, 2 } }
    end))
    local echo = swarm.result(swarm.spawn(function(_, input)
      return { got = input.err }
    end, { err = err }))
    assert.equal("mine", echo.got.code)
    assert.same({ 1, 2 }, echo.got.at)
    assert.equal(tostring(err), tostring(echo.got))
    assert.matches('"code":"mine"', swarm.json.encode(echo))
    assert.has_error(function()
      error(echo.got, 0)
    end, { code = "mine" })
  end)
end)

describe("join", function()
  it("returns true where the worker ran to completion", function()
    assert.is_true(swarm.join(swarm.spawn("double", 1)))
    assert.is_true(swarm.join(swarm.spawn(function()
      return nil, "blocked"
    end)))
  end)

  it("returns true alone, never the value", function()
    assert.equal(1, select("#", swarm.join(swarm.spawn("double", 1))))
  end)

  it("returns nil and the error where it failed, was cancelled or ran out of time", function()
    local failed = swarm.spawn("boom")
    local cancelled = swarm.spawn("sleeper")
    cancelled:cancel()
    local late = swarm.spawn("sleeper", 10, { timeout = 1 })
    local cases = { { failed, "failed" }, { cancelled, "cancelled" }, { late, "timeout" } }
    for _, case in ipairs(cases) do
      local ok, err = swarm.join(case[1])
      assert.is_nil(ok)
      assert.equal(case[2], err.code)
      assert.equal(case[2], case[1].status)
    end
  end)

  it("tells all of many joiners the same", function()
    local target = swarm.spawn(function()
      swarm.sleep(10)
      error { code = "mine" }
    end)
    local joiners, errs = {}, {}
    for i = 1, 200 do
      joiners[i] = swarm.spawn(function()
        local ok, err = swarm.join(target)
        assert.is_nil(ok)
        errs[i] = err
      end)
    end
    for _, h in ipairs(joiners) do
      assert.is_true(swarm.join(h))
    end
    for i = 1, 200 do
      assert.equal("mine", errs[i].code)
      assert.is_true(rawequal(errs[1], errs[i]))
    end
  end)

  it("wakes joiners in the order in which they came", function()
    local target, order = swarm.spawn("sleeper", 1), {}
    for i = 1, 4 do
      swarm.spawn(function()
        swarm.join(target)
        order[#order + 1] = i
      end)
    end
    swarm.sleep(2)
    assert.same({ 1, 2, 3, 4 }, order)
  end)

  it("of what has settled answers at once, again and again", function()
    local h = swarm.spawn("boom")
    local _, first = swarm.join(h)
    local before = swarm.monotonic()
    for _ = 1, 3 do
      local ok, err = swarm.join(h)
      assert.is_nil(ok)
      assert.is_true(rawequal(first, err))
    end
    assert.equal(before, swarm.monotonic())
  end)

  it("waits for the children of the worker too", function()
    local child
    local h = swarm.spawn(function()
      child = swarm.spawn("sleeper", 30)
    end)
    local before = swarm.monotonic()
    assert.is_true(swarm.join(h))
    assert.near(30, swarm.monotonic() - before, 1e-9)
    assert.equal("pass", child.status)
  end)

  it("with a timeout gives up with poll_timeout, and the worker goes on", function()
    local h = swarm.spawn("sleeper", 10)
    local before = swarm.monotonic()
    local ok, err = swarm.join(h, { timeout = 4 })
    assert.is_nil(ok)
    assert.equal("poll_timeout", err.code)
    assert.equal("string", type(err.traceback))
    assert.near(4, swarm.monotonic() - before, 1e-9)
    assert.equal("running", h.status)
    assert.is_true(swarm.join(h, { timeout = 7 }))
    assert.near(10, swarm.monotonic() - before, 1e-9)
  end)

  it("with a timeout that is not needed leaves no trace of it", function()
    local h = swarm.spawn("sleeper", 1)
    assert.is_true(swarm.join(h, { timeout = 50 }))
    local before = swarm.monotonic()
    swarm.sleep(60)
    assert.near(60, swarm.monotonic() - before, 1e-9)
  end)

  it("with a timeout of zero asks whether it has settled", function()
    local h = started("sleeper")
    local ok, err = swarm.join(h, { timeout = 0 })
    assert.is_nil(ok)
    assert.equal("poll_timeout", err.code)
    h:cancel()
    swarm.join(h)
    assert.equal("cancelled", select(2, swarm.join(h, { timeout = 0 })).code)
  end)

  it("that timed out does not own the failure that comes later", function()
    local status, err = end_of(function()
      local h = swarm.spawn(function()
        swarm.sleep(5)
        error("later")
      end)
      swarm.join(h, { timeout = 1 })
    end)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
  end)

  it("refuses options that do not exist, and timeouts that are no seconds", function()
    local h = swarm.spawn("double", 1)
    assert.has_error(function()
      swarm.join(h, { timout = 1 })
    end, { code = "invalid_argument", name = "timout" })
    assert.has_error(function()
      swarm.join(h, 5)
    end, { code = "invalid_argument" })
    assert.has_error(function()
      swarm.join(h, { timeout = "5" })
    end, { code = "invalid_argument" })
  end)

  it("lets a cancelled joiner go, and keeps the others", function()
    local target = swarm.spawn("sleeper", 10)
    local function joiner()
      return assert(swarm.join(target))
    end
    local first, second, third = swarm.spawn(joiner), started(joiner), started(joiner)
    second:cancel("enough")
    swarm.join(second)
    assert.equal("cancelled", second.status)
    assert.equal("running", target.status)
    assert.is_true(first:join())
    assert.is_true(third:join())
  end)

  it("is a point of cancellation even where it need not wait", function()
    local done = swarm.spawn("double", 1)
    done:join()
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx)
      swarm.join(done)
      error("not reached")
    end)
    h:join()
    assert.equal("cancelled", h.status)
  end)
end)

describe("result and call", function()
  it("give the value of the last final", function()
    local h = swarm.spawn("double", 21)
    assert.equal(42, swarm.result(h))
    assert.equal(42, h:output_tail()[1].content.value)
    assert.equal(42, swarm.call("double", 21))
  end)

  it("give every kind of value, nil and false among them", function()
    for _, value in ipairs { false, 0, "", "\255\0", swarm.null } do
      local got = swarm.call(function()
        return value
      end)
      assert.equal(value, got)
    end
    assert.equal(1, select("#", swarm.call(function() end)))
    assert.is_nil(swarm.call(function() end))
  end)

  it("raise the worker's error, which the caller may catch", function()
    local ok, err = pcall(swarm.call, "boom", "no good")
    assert.is_false(ok)
    assert.equal("failed", err.code)
    assert.equal("boom", err.agent)
    assert.matches("no good", err.message)
  end)

  it("raise for a cancelled worker without cancelling the caller", function()
    local h = swarm.spawn("sleeper")
    h:cancel("not needed")
    assert.has_error(function()
      swarm.result(h)
    end, { code = "cancelled", reason = "not needed" })
    swarm.checkpoint()
  end)

  it("take options for the spawn", function()
    assert.has_error(function()
      swarm.call("sleeper", 10, { timeout = 2 })
    end, { code = "timeout" })
  end)

  it("hand the call's own place on as the place of the spawn", function()
    local _, err = pcall(function()
      swarm.call("boom") -- this line
    end)
    assert.matches("workers_spec%.lua:%d+$", err.spawned_at)
    local line = tonumber(err.spawned_at:match ":(%d+)$")
    local _, err2 = pcall(function()
      swarm.call("boom")
    end)
    assert.is_true(tonumber(err2.spawned_at:match ":(%d+)$") > line)
  end)
end)

describe("blocked", function()
  it("is a second value that is not nil: the value and why", function()
    local h = swarm.spawn(function()
      return { got = 3 }, "the disk is full"
    end)
    local value, err = swarm.result(h)
    assert.equal("blocked", h.status)
    assert.same({ got = 3 }, value)
    assert.equal("blocked", err.code)
    assert.equal("the disk is full", err.reason)
    assert.same({ got = 3 }, err.value)
  end)

  it("may have no value at all", function()
    local value, err = swarm.call(function()
      return nil, "why"
    end)
    assert.is_nil(value)
    assert.equal("why", err.reason)
  end)

  it("is what swarm.blocked says", function()
    local value, err = swarm.call(function()
      return swarm.blocked({ n = 1 }, "wait for it")
    end)
    assert.equal(1, value.n)
    assert.equal("wait for it", err.reason)
    local _, bare = swarm.call(function()
      return swarm.blocked(5)
    end)
    assert.equal("blocked", bare.code)
    assert.equal("string", type(bare.reason))
  end)

  it("is handed on by return swarm.call(...)", function()
    local outer = swarm.spawn(function()
      return swarm.call(function()
        return 5, "inner reason"
      end)
    end)
    local value, err = outer:result()
    assert.equal("blocked", outer.status)
    assert.equal(5, value)
    assert.equal("inner reason", err.reason)
  end)

  it("is no failure: nobody need join it", function()
    assert.equal("pass", (end_of(function()
      swarm.spawn(function()
        return nil, "why"
      end)
    end)))
  end)

  it("takes any second value, false and numbers too, and says why", function()
    for _, case in ipairs { { false, "false" }, { 3, "3" }, { true, "true" } } do
      local h = swarm.spawn(function()
        return "value", case[1]
      end)
      local value, err = h:result()
      assert.equal("blocked", h.status)
      assert.equal("value", value)
      assert.equal(case[2], err.reason)
      assert.matches("second value", err.message)
    end
  end)

  it("takes its reason from a table's fields, without running its code", function()
    local function reason_of(second)
      local _, err = swarm.call(function()
        return 1, second
      end)
      assert.equal("blocked", err.code)
      return err.reason
    end
    assert.equal("because", reason_of { reason = "because" })
    assert.equal("said so", reason_of { message = "said so" })
    assert.equal(
      "a joke",
      reason_of(setmetatable({}, {
        __tostring = function()
          return "a joke"
        end,
      }))
    )
    local raising = setmetatable({}, {
      __index = function()
        error("index")
      end,
      __tostring = function()
        error("tostring")
      end,
    })
    assert.equal("string", type(reason_of(raising)))
  end)

  it("survives second values that raise when read: a handle, swarm, a token", function(ctx)
    for _, second in ipairs { ctx, swarm, ctx.cancel_token, swarm.fs } do
      local status, err = end_of(function()
        return 1, second
      end)
      assert.equal("blocked", status)
      assert.is_nil(err)
    end
  end)

  it("ignores what comes after the second value", function()
    assert.equal(
      1,
      swarm.call(function()
        return 1, nil, "third"
      end)
    )
  end)
end)

describe("the error of a worker", function()
  it("has code, message, where, traceback, agent, task_id and spawned_at", function()
    local h = swarm.spawn("boom", "no good")
    local _, err = swarm.join(h)
    assert.equal("failed", err.code)
    assert.matches("workers_spec%.lua:%d+: no good$", err.message)
    assert.matches("workers_spec%.lua:%d+$", err.where)
    assert.matches("workers_spec%.lua:%d+", err.traceback)
    assert.equal("boom", err.agent)
    assert.equal(h.task_id, err.task_id)
    assert.matches("workers_spec%.lua:%d+$", err.spawned_at)
  end)

  it("is one readable paragraph as a string", function()
    local _, err = swarm.join(swarm.spawn("boom", "no good"))
    assert.matches("^[^\n]*no good[^\n]*$", tostring(err))
  end)

  it("has a traceback of the author's frames, innermost first", function()
    local function inner()
      error("deep")
    end
    local function outer()
      inner()
      return "not a tail call"
    end
    local _, err = end_of(function()
      outer()
    end)
    assert.matches("inner.*outer", err.traceback)
    assert.falsy(err.traceback:find("swarm/", 1, true))
    assert.equal(3, lines_of(err.traceback))
  end)

  it("has a traceback, if an empty one, whatever its end", function()
    local cancelled = swarm.spawn("sleeper")
    cancelled:cancel()
    local late = swarm.spawn("sleeper", 10, { timeout = 1 })
    for _, h in ipairs { cancelled, late } do
      local _, err = swarm.join(h)
      assert.equal("string", type(err.traceback))
      assert.equal("string", type(err.message))
      assert.matches("workers_spec%.lua:%d+$", err.spawned_at)
    end
  end)

  it("is made from whatever was raised: strings, numbers, booleans, nil", function()
    local cases = {
      { "plain text", "^plain text$" },
      { 42, "42" },
      { true, "boolean" },
      { nil, "nil" },
      { print, "function" },
    }
    for i = 1, 5 do
      local status, err = end_of(function()
        error(cases[i][1], 0)
      end)
      assert.equal("failed", status)
      assert.equal("failed", err.code)
      assert.matches(cases[i][2], err.message)
      assert.matches("workers_spec%.lua:%d+", err.where)
    end
  end)

  it("keeps a table that was raised whole, with the rest added", function()
    local h = swarm.spawn(function()
      error { code = "mine", items = { 1, 2 }, ["other key"] = true }
    end)
    local _, err = swarm.join(h)
    assert.equal("mine", err.code)
    assert.same({ 1, 2 }, err.items)
    assert.is_true(err["other key"])
    assert.equal("string", type(err.message))
    assert.matches("workers_spec%.lua:%d+", err.traceback)
    assert.matches("workers_spec%.lua:%d+$", err.spawned_at)
  end)

  it("keeps the message that a raised table has", function()
    local _, err = end_of(function()
      error { code = "mine", message = "in my words" }
    end)
    assert.equal("in my words", err.message)
    assert.matches("in my words", tostring(err))
    assert.matches("mine", tostring(err))
  end)

  it("keeps the class of a raised object", function()
    local Problem = {}
    Problem.__index = Problem
    function Problem.__tostring(self)
      return "problem " .. self.n
    end
    function Problem.twice(self)
      return self.n * 2
    end
    local _, err = end_of(function()
      error(setmetatable({ n = 4 }, Problem))
    end)
    assert.equal(8, err:twice())
    assert.equal("problem 4", tostring(err))
    assert.equal("problem 4", err.message)
    assert.equal("failed", err.code)
  end)

  it("is each worker's own where many raise one and the same table", function()
    local NOT_FOUND = { code = "not_found" }
    local function fail()
      error(NOT_FOUND)
    end
    local a, b = swarm.spawn(fail), swarm.spawn(fail)
    local _, first = swarm.join(a)
    local _, second = swarm.join(b)
    assert.equal("not_found", first.code)
    assert.equal("not_found", second.code)
    assert.equal(a.task_id, first.task_id)
    assert.equal(b.task_id, second.task_id)
  end)

  it("does not change the table that a script raises", function()
    local constant = { code = "constant" }
    end_of(function()
      error(constant)
    end)
    assert.same({ code = "constant" }, constant)
  end)

  it("survives error objects whose metamethods raise", function()
    local function angry()
      error("angry")
    end
    for _, mt in ipairs {
      { __tostring = angry },
      { __index = angry },
      { __newindex = angry },
      { __index = angry, __newindex = angry, __tostring = angry, __eq = angry, __len = angry },
      { __metatable = false, __tostring = angry },
    } do
      local status, err = end_of(function()
        error(setmetatable({}, mt))
      end)
      assert.equal("failed", status)
      assert.equal("string", type(rawget(err, "message")))
    end
  end)

  it("survives error objects with odd fields, unowned ones too", function()
    for _, odd in ipairs {
      { where = true, message = "m" },
      { where = {}, message = {} },
      { code = {}, traceback = 5 },
      { spawned_at = print, others = 5, cause = "x" },
    } do
      local status, err = end_of(function()
        swarm.spawn("sleeper")
        swarm.spawn("boom")
        swarm.yield()
        error(odd)
      end)
      assert.equal("failed", status)
      assert.equal("string", type(tostring(err)))
    end
  end)

  it("survives what is no error object: handles, swarm, files, null", function(ctx)
    for _, odd in ipairs { ctx, swarm, swarm.file "x", swarm.null, ctx.cancel_token } do
      local status, err = end_of(function()
        error(odd)
      end)
      assert.equal("failed", status)
      assert.equal("string", type(err.message))
    end
    assert.equal("running", ctx.status)
  end)

  it("tells of a stack overflow", function()
    local function endless()
      return 1 + endless()
    end
    local status, err = end_of(endless)
    assert.equal("failed", status)
    assert.equal("failed", err.code)
    assert.matches("stack overflow", err.message)
  end)

  it("has the error of another worker as its cause where that is raised again", function()
    local outer = swarm.spawn(function()
      return swarm.call("boom", "root of it")
    end)
    local _, err = swarm.join(outer)
    assert.equal("failed", err.code)
    assert.equal(outer.task_id, err.task_id)
    assert.matches("root of it", err.message)
    assert.equal("boom", err.cause.agent)
    assert.not_equal(err.task_id, err.cause.task_id)
    assert.equal("string", type(err.cause.traceback))
  end)

  it("keeps the whole chain of causes, and codes of the author's in it", function()
    local status, err = end_of(function()
      return swarm.call(function()
        assert(swarm.join(swarm.spawn(function()
          error { code = "mine" }
        end)))
      end)
    end)
    assert.equal("failed", status)
    assert.equal("failed", err.code)
    assert.equal("failed", err.cause.code)
    assert.equal("mine", err.cause.cause.code)
  end)

  it("has another worker's error object with a class as cause, too", function()
    local Problem = {
      __tostring = function()
        return "problem"
      end,
    }
    local inner
    local _, err = end_of(function()
      inner = swarm.spawn(function()
        error(setmetatable({ code = "mine" }, Problem))
      end)
      return inner:result()
    end)
    assert.equal("failed", err.code)
    assert.equal("mine", err.cause.code)
    assert.equal(inner.task_id, err.cause.task_id)
  end)

  it("is failed, not cancelled, where another worker's cancel is raised again", function()
    local status, err = end_of(function()
      local h = swarm.spawn("sleeper")
      h:cancel("not me")
      return h:result()
    end)
    assert.equal("failed", status)
    assert.equal("cancelled", err.cause.code)
  end)

  it("has a script's own code cancelled or timeout without being that", function()
    for _, code in ipairs { "cancelled", "timeout", "blocked" } do
      local status, err = end_of(function()
        error { code = code }
      end)
      assert.equal("failed", status)
      assert.equal(code, err.code)
      assert.equal("string", type(err.traceback))
    end
  end)

  it("carries the failures that nobody took as others", function()
    local status, err = end_of(function()
      swarm.spawn("boom", "unseen")
      swarm.yield()
      error("my own")
    end)
    assert.equal("failed", status)
    assert.matches("my own", err.message)
    assert.equal(1, #err.others)
    assert.matches("unseen", err.others[1].message)
  end)

  it("is children_failed, with every error, where only children failed", function()
    local status, err = end_of(function()
      for i = 1, 3 do
        swarm.spawn("boom", "number " .. i)
      end
      return "fine"
    end)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
    assert.equal(3, #err.errors)
    for i = 1, 3 do
      assert.matches("number " .. i, err.errors[i].message)
    end
  end)
end)

describe("the output tail", function()
  it("is the events of the attempt in order, seq from 1, with their times", function()
    local h = swarm.spawn(function(ctx)
      ctx:progress("start", "a note")
      swarm.sleep(2)
      ctx:partial { n = 1 }
      ctx:artifact("report", "text")
      ctx:usage { tokens = 10 }
      return "done"
    end)
    local from = swarm.now()
    h:join()
    local tail = h:output_tail()
    assert.same({ "progress", "partial", "artifact", "usage", "final" }, types_of(tail))
    for i, event in ipairs(tail) do
      assert.equal(i, event.seq)
      assert.near(i == 1 and from or from + 2, event.at, 1e-6)
    end
    assert.equal("start", tail[1].stage)
    assert.equal("a note", tail[1].note)
    assert.same({ kind = "inline", value = { n = 1 } }, tail[2].chunk)
    assert.equal("report", tail[3].name)
    assert.same({ kind = "inline", value = "text" }, tail[3].content)
    assert.equal(10, tail[4].tokens)
    assert.is_true(tail[5].ok)
    assert.same({ kind = "inline", value = "done" }, tail[5].content)
  end)

  it("is a snapshot: what comes later is not in it", function()
    local h = started(function(ctx)
      ctx:progress("one")
      swarm.sleep(1)
      ctx:progress("two")
    end)
    local early = h:output_tail()
    h:join()
    assert.equal(1, #early)
    assert.equal(3, #h:output_tail())
  end)

  it("is empty before the worker begins", function()
    assert.same({}, swarm.output_tail(swarm.spawn("double", 1)))
  end)

  it("gives the events after a seq", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 5 do
        ctx:progress("step " .. i)
      end
    end)
    h:join()
    local function first_after(since)
      local list = h:output_tail { since = since }
      return #list, list[1] and list[1].seq
    end
    local count, seq = first_after(2)
    assert.equal(4, count)
    assert.equal(3, seq)
    assert.equal(6, (first_after(0)))
    assert.equal(6, (first_after(-5)))
    assert.equal(5, (first_after(1.5)))
    assert.equal(0, (first_after(6)))
    assert.equal(0, (first_after(1000)))
  end)

  it("has the attempts that were made, and options that exist", function()
    local h = swarm.spawn("double", 1)
    h:join()
    assert.equal(1, #h:output_tail { attempt = 1 })
    local wrongs = { { attempt = 2 }, { attempt = "all" }, { sinse = 1 }, { since = "1" } }
    for _, wrong in ipairs(wrongs) do
      assert.has_error(function()
        h:output_tail(wrong)
      end, { code = "invalid_argument" })
    end
  end)

  it("says why in the final of a blocked worker", function()
    local h = swarm.spawn(function()
      return 5, "why"
    end)
    h:join()
    local final = h:output_tail()[1]
    assert.equal("final", final.type)
    assert.is_false(final.ok)
    assert.equal("why", final.reason)
    assert.equal(5, final.content.value)
  end)

  it("says when the worker ended, not when somebody looked", function()
    local h = swarm.spawn("sleeper", 3)
    local from = swarm.now()
    h:join()
    swarm.sleep(50)
    assert.near(from + 3, h:output_tail()[1].at, 1e-6)
  end)

  it("keeps partial output through a cancel, a failure and a timeout, without a final", function()
    local function talk(ctx, how)
      ctx:partial(how)
      if how == "fail" then
        error("failed")
      end
      swarm.sleep(100)
    end
    local cancelled = started(talk, "cancel")
    cancelled:cancel()
    local hs = { cancelled, swarm.spawn(talk, "fail"), swarm.spawn(talk, "late", { timeout = 1 }) }
    for _, h in ipairs(hs) do
      swarm.join(h)
      assert.same({ "partial" }, types_of(h:output_tail()))
    end
  end)

  it("stands for a file by its path", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("log", swarm.file("run.log", "text/plain"))
      return swarm.file "out.bin"
    end)
    h:join()
    local tail = h:output_tail()
    assert.same({ kind = "file_ref", path = "run.log", mime = "text/plain" }, tail[1].content)
    assert.equal("file_ref", tail[2].content.kind)
    assert.equal("out.bin", tail[2].content.path)
  end)

  it("is closed once the worker has settled", function()
    local h = swarm.spawn("double", 1)
    h:join()
    assert.has_error(function()
      h:progress("late")
    end, { code = "invalid_argument" })
    assert.equal(1, #h:output_tail())
  end)

  it("takes strings for stage, note and name", function(ctx)
    for _, wrong in ipairs {
      function()
        ctx:progress()
      end,
      function()
        ctx:progress(5)
      end,
      function()
        ctx:progress("a", 5)
      end,
      function()
        ctx:artifact(5, "x")
      end,
      function()
        ctx.progress("a")
      end,
    } do
      assert.has_error(wrong, { code = "invalid_argument" })
    end
    assert.same({}, ctx:output_tail())
  end)

  it("takes usage as named amounts only, and its own fields are its own", function(ctx)
    for _, wrong in ipairs { { 1, 2 }, swarm.array {}, ctx, swarm.file "x" } do
      assert.has_error(function()
        ctx:usage(wrong)
      end, { code = "invalid_argument" })
    end
    assert.has_error(function()
      ctx:usage()
    end, { code = "invalid_argument" })
    ctx:usage { cost = 1, seq = 99, at = 0, type = "final", dropped = 7 }
    local tail = ctx:output_tail()
    assert.equal(1, #tail)
    assert.equal("usage", tail[1].type)
    assert.equal(1, tail[1].seq)
    assert.equal(swarm.now(), tail[1].at)
    assert.is_nil(tail[1].dropped)
  end)

  it("gives the last artifact of a name", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("a", 1)
      ctx:artifact("b", { n = 2 })
      ctx:artifact("a", 3)
    end)
    h:join()
    assert.equal(3, h:artifact "a")
    assert.same({ n = 2 }, h:artifact "b")
    assert.is_nil(h:artifact "c")
  end)

  it("holds 10,000 events: the oldest go, and the next one says how many", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 10003 do
        ctx:progress("step " .. i)
      end
      return "done"
    end)
    h:join()
    local tail = h:output_tail()
    assert.equal(10000, #tail)
    assert.equal(10004, tail[#tail].seq)
    assert.equal("final", tail[#tail].type)
    assert.equal(5, tail[1].seq)
    local dropped = 0
    for i, event in ipairs(tail) do
      assert.equal(i + 4, event.seq)
      dropped = dropped + (event.dropped or 0)
    end
    assert.equal(4, dropped)
  end)

  it("holds 16 MiB", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 20 do
        ctx:partial(("%02d"):format(i) .. ("x"):rep(1024 * 1024))
      end
    end)
    h:join()
    local tail = h:output_tail()
    local bytes = 0
    for _, event in ipairs(tail) do
      bytes = bytes + (event.chunk and #event.chunk.value or 0)
    end
    assert.is_true(bytes <= 16 * 1024 * 1024)
    assert.is_true(bytes >= 14 * 1024 * 1024)
    assert.equal("20", tail[#tail - 1].chunk.value:sub(1, 2))
    assert.equal("final", tail[#tail].type)
  end)

  it("drops no artifact, usage or final", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("first", "kept")
      ctx:usage { tokens = 1 }
      for _ = 1, 20000 do
        ctx:progress("noise")
      end
      return "end"
    end)
    h:join()
    local tail = h:output_tail()
    assert.equal(10000, #tail)
    assert.equal("artifact", tail[1].type)
    assert.equal("usage", tail[2].type)
    assert.equal("final", tail[#tail].type)
    assert.equal("kept", h:artifact "first")
  end)

  it("raises where only what may not be dropped is left, and still takes the final", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 10000 do
        ctx:artifact("a" .. i, i)
      end
      assert.has_error(function()
        ctx:artifact("one more", 1)
      end, { code = "budget_exceeded", what = "output" })
      return "end"
    end)
    assert.equal("end", h:result())
    local tail = h:output_tail()
    assert.equal(10001, #tail)
    assert.equal("final", tail[#tail].type)
  end)

  it("gives back an artifact that is false", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("verdict", false)
    end)
    assert.is_true(swarm.join(h))
    assert.is_false(h:artifact "verdict")
  end)
end)

describe("follow", function()
  it("gives events as they come, until the worker has settled", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 3 do
        swarm.sleep(1)
        ctx:partial(i)
      end
      swarm.sleep(1)
      return "end"
    end)
    local from, seen = swarm.monotonic(), {}
    for event in swarm.follow(h) do
      local at = math.floor(swarm.monotonic() - from + 0.5)
      seen[#seen + 1] = { at, event.type }
    end
    assert.same({ { 1, "partial" }, { 2, "partial" }, { 3, "partial" }, { 4, "final" } }, seen)
  end)

  it("gives what was there already, and since a seq only what came after", function()
    local h = swarm.spawn(function(ctx)
      ctx:progress("a")
      ctx:progress("b")
    end)
    h:join()
    local all, later = {}, {}
    for event in h:follow() do
      all[#all + 1] = event.seq
    end
    for event in h:follow { since = 2 } do
      later[#later + 1] = event.seq
    end
    assert.same({ 1, 2, 3 }, all)
    assert.same({ 3 }, later)
  end)

  it("ends for workers that say nothing and fail, and does not own the failure", function()
    local status, err = end_of(function()
      local count = 0
      for _ in swarm.follow(swarm.spawn("boom")) do
        count = count + 1
      end
      assert.equal(0, count)
    end)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
  end)

  it("gives all followers all events", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 10 do
        swarm.sleep(1)
        ctx:partial(i)
      end
    end)
    local followers = {}
    for i = 1, 3 do
      followers[i] = swarm.spawn(function()
        local sum = 0
        for event in h:follow() do
          sum = sum + (event.chunk and event.chunk.value or 0)
        end
        return sum
      end)
    end
    for i = 1, 3 do
      assert.equal(55, followers[i]:result())
    end
  end)

  it("ends with the follower's cancel, and the worker goes on", function()
    local h = started("sleeper", 20)
    local follower = started(function()
      for _ in h:follow() do
        error("no event was to come")
      end
    end)
    follower:cancel()
    follower:join()
    assert.equal("cancelled", follower.status)
    assert.is_true(h:join())
  end)

  it("refuses options that do not exist", function()
    local h = swarm.spawn("double", 1)
    assert.has_error(function()
      h:follow { form = 1 }
    end, { code = "invalid_argument" })
    assert.equal("final", h:follow { attempt = "all" }().type)
  end)
end)

describe("cancel", function()
  it("ends a waiting worker at its call, with the reason", function()
    local h = started("sleeper")
    local before = swarm.monotonic()
    assert.is_true(swarm.cancel(h, "enough"))
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("cancelled", h.status)
    assert.equal("cancelled", err.code)
    assert.equal("enough", err.reason)
    assert.equal(before, swarm.monotonic())
  end)

  it("does not wait: the worker ends later", function()
    local h = started("sleeper")
    swarm.cancel(h)
    assert.equal("running", h.status)
    swarm.sleep(0)
    assert.equal("cancelled", h.status)
  end)

  it("ends a pending worker at once, which never runs", function()
    local ran = false
    local h = swarm.spawn(function()
      ran = true
    end)
    assert.is_true(swarm.cancel(h, "changed my mind"))
    assert.equal("cancelled", h.status)
    assert.equal("changed my mind", select(2, swarm.join(h)).reason)
    assert.same({}, h:output_tail())
    assert.is_false(ran)
  end)

  it("of a settled worker returns false and changes nothing", function()
    local h = swarm.spawn("double", 1)
    h:join()
    assert.is_false(swarm.cancel(h, "too late"))
    assert.equal("pass", h.status)
    assert.is_true(h:join())
  end)

  it("keeps the first reason", function()
    local h = started("sleeper")
    assert.is_true(swarm.cancel(h, "first"))
    assert.is_true(swarm.cancel(h, "second"))
    assert.equal("first", select(2, swarm.join(h)).reason)
  end)

  it("returns false for a worker that has run out of time and is ending", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(5)
      end)
    end, nil, { timeout = 1 })
    swarm.sleep(3)
    assert.equal("running", h.status)
    assert.is_false(swarm.cancel(h))
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("is level-triggered: no pcall can swallow it", function()
    local codes = {}
    local h = started(function()
      for _ = 1, 5 do
        local _, err = pcall(swarm.sleep, 10)
        codes[#codes + 1] = err.code
      end
      return "survived"
    end)
    local before = swarm.monotonic()
    h:cancel()
    h:join()
    assert.same({ "cancelled", "cancelled", "cancelled", "cancelled", "cancelled" }, codes)
    assert.equal(before, swarm.monotonic())
    assert.equal("cancelled", h.status)
  end)

  it("raises in every call that may yield, and in spawn", function()
    local done = swarm.spawn("double", 1)
    done:join()
    local other = swarm.spawn("sleeper", 50)
    local calls = {
      join = function()
        swarm.join(done)
      end,
      join_timeout = function()
        swarm.join(other, { timeout = 1 })
      end,
      result = function()
        swarm.result(done)
      end,
      call = function()
        swarm.call("double", 1)
      end,
      spawn = function()
        swarm.spawn("double", 1)
      end,
      sleep = function()
        swarm.sleep(0)
      end,
      yield = swarm.yield,
      checkpoint = swarm.checkpoint,
      follow = function()
        done:follow()()
      end,
      token_wait = function()
        other.cancel_token:wait()
      end,
      scope = function()
        swarm.scope(function() end)
      end,
      timeout = function()
        swarm.timeout(1, function() end)
      end,
      read = function()
        swarm.fs.read "no such file"
      end,
      env = function()
        swarm.env "HOME"
      end,
    }
    local codes = {}
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx)
      for name, fn in pairs(calls) do
        local ok, err = pcall(fn)
        codes[name] = ok and "no error" or err.code
      end
    end)
    h:join()
    for name in pairs(calls) do
      assert.equal("cancelled", codes[name], name)
    end
  end)

  it("raises in none of the calls that never yield", function()
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx)
      ctx:progress("still here")
      local other = ctx:output_tail()
      swarm.cancel(ctx, "again")
      assert.equal(1, #other)
      ctx:partial("said")
    end)
    h:join()
    assert.same({ "progress", "partial" }, types_of(h:output_tail()))
  end)

  it("reaches a worker that is ready to run, before it runs", function()
    local reached
    local h = started(function()
      reached = "ready"
      swarm.yield()
      reached = "too far"
    end)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("ready", reached)
  end)

  it("takes the children first", function()
    local order, ended = {}, {}
    local function node(_, name)
      pcall(function()
        if #name < 3 then
          swarm.spawn(node, name .. "a")
          swarm.spawn(node, name .. "b")
        end
        swarm.sleep(100)
      end)
      order[#order + 1], ended[name] = name, true
      assert.is_true(#name == 3 or (ended[name .. "a"] and ended[name .. "b"]), name)
    end
    local root = started(node, "r")
    swarm.sleep(1)
    root:cancel("all of you")
    local _, err = root:join()
    assert.equal(7, #order)
    assert.equal("r", order[7])
    assert.equal("cancelled", root.status)
    assert.is_nil(err.others)
  end)

  it("gives children their parent's reason", function()
    local child
    local h = started(function()
      child = swarm.spawn("sleeper")
      swarm.sleep(100)
    end)
    swarm.yield()
    h:cancel("the whole branch")
    h:join()
    local _, err = swarm.join(child)
    assert.equal("cancelled", child.status)
    assert.equal("the whole branch", err.reason)
  end)

  it("lets clean-up behind a shield finish", function()
    local cleaned
    local h = started(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(2)
        cleaned = swarm.call("double", 4)
      end)
    end)
    local before = swarm.monotonic()
    h:cancel()
    h:join()
    assert.equal(8, cleaned)
    assert.near(2, swarm.monotonic() - before, 1e-9)
    assert.equal("cancelled", h.status)
  end)

  it("of oneself takes effect at the next call that may yield", function()
    local after, later
    local h = swarm.spawn(function(ctx)
      assert.is_true(ctx:cancel("my own wish"))
      after = true
      swarm.sleep(1)
      later = true
    end)
    local _, err = swarm.join(h)
    assert.is_true(after)
    assert.is_nil(later)
    assert.equal("my own wish", err.reason)
  end)

  it("of oneself, followed by a return, is still a cancel", function()
    local status, err = end_of(function(ctx)
      ctx:cancel()
      return "value"
    end)
    assert.equal("cancelled", status)
    assert.equal("cancelled", err.code)
  end)

  it("of an ancestor takes the worker with it", function()
    local status, err = end_of(function(ctx)
      swarm.spawn(function()
        ctx:cancel("from below")
        swarm.sleep(1)
        error("not reached")
      end)
      swarm.sleep(100)
    end)
    assert.equal("cancelled", status)
    assert.equal("from below", err.reason)
  end)

  it("of a worker that has returned and waits for its children ends both", function()
    local child
    local h = started(function()
      child = swarm.spawn("sleeper")
      return "value"
    end)
    swarm.yield()
    assert.equal("running", h.status)
    local before = swarm.monotonic()
    assert.is_true(h:cancel())
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("cancelled", child.status)
    assert.equal(before, swarm.monotonic())
  end)

  it("with wait has settled when it returns", function()
    local h = started(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(3)
      end)
    end)
    local before = swarm.monotonic()
    assert.is_true(swarm.cancel(h, nil, { wait = true }))
    assert.equal("cancelled", h.status)
    assert.near(3, swarm.monotonic() - before, 1e-9)
    assert.is_false(swarm.cancel(h, nil, { wait = true }))
  end)

  it("with wait does not swallow a failure of the clean-up", function()
    local cancelled
    local status, err = end_of(function()
      local h = swarm.spawn(function()
        pcall(swarm.sleep, 100)
        error("broke while cleaning up")
      end)
      swarm.yield()
      cancelled = swarm.cancel(h, "stop", { wait = true })
    end)
    assert.is_false(cancelled)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
    assert.matches("broke while cleaning up", err.errors[1].message)
  end)

  it("takes a reason that is a string, and options that exist", function()
    local h = started("sleeper")
    for _, wrong in ipairs { 5, {}, true } do
      assert.has_error(function()
        h:cancel(wrong)
      end, { code = "invalid_argument" })
    end
    assert.has_error(function()
      h:cancel("x", { wiat = true })
    end, { code = "invalid_argument", name = "wiat" })
    assert.has_error(function()
      h:cancel("x", true)
    end, { code = "invalid_argument" })
    assert.is_false(h.cancel_token.cancelled)
    h:cancel()
  end)

  it("that was asked for is no failure of who asked", function()
    assert.equal("pass", (end_of(function()
      started("sleeper"):cancel()
    end)))
  end)

  it("of ten thousand workers settles each of them", function()
    local hs = {}
    for i = 1, 10000 do
      hs[i] = swarm.spawn("sleeper", 50 + i)
    end
    swarm.sleep(1)
    for i = 1, 10000 do
      hs[i]:cancel()
    end
    for i = 1, 10000 do
      swarm.join(hs[i])
      assert.equal("cancelled", hs[i].status)
    end
  end)
end)

describe("a cancel token", function()
  it("tells whether and why its worker was cancelled", function()
    local h = started("sleeper")
    local token = h.cancel_token
    assert.is_false(token.cancelled)
    assert.is_nil(token.reason)
    h:cancel("enough")
    assert.is_true(token.cancelled)
    assert.equal("enough", token.reason)
    h:join()
    assert.is_true(token.cancelled)
  end)

  it("is one and the same for handle and ctx", function()
    local inside
    local h = started(function(ctx)
      inside = ctx.cancel_token
      swarm.sleep(1)
    end)
    assert.is_true(rawequal(inside, h.cancel_token))
  end)

  it("cancels its worker", function()
    local h = started("sleeper")
    assert.is_true(h.cancel_token:cancel("by token"))
    assert.equal("by token", select(2, swarm.join(h)).reason)
    assert.is_false(h.cancel_token:cancel())
  end)

  it("waits for the cancel: true; for another end: false", function()
    local h = swarm.spawn("sleeper", 10)
    local token = h.cancel_token
    local waiter = started(function()
      return token:wait()
    end)
    swarm.sleep(1)
    h:cancel()
    assert.is_true(waiter:result())
    assert.is_true(token:wait())
    local other = swarm.spawn("sleeper", 5)
    assert.is_false(other.cancel_token:wait())
    assert.equal("pass", other.status)
  end)

  it("waits for a worker that never began", function()
    local h = swarm.spawn("sleeper")
    local token = h.cancel_token
    local waiter = swarm.spawn(function()
      return token:wait()
    end)
    h:cancel("before it began")
    assert.is_true(waiter:result())
    assert.equal("before it began", token.reason)
  end)

  it("tells a shielded worker of its own cancel", function()
    local told
    local h = started(function(ctx)
      swarm.shield(function()
        told = ctx.cancel_token:wait()
      end)
    end)
    h:cancel()
    h:join()
    assert.is_true(told)
    assert.equal("cancelled", h.status)
  end)

  it("lets a cancelled waiter go", function()
    local h = started("sleeper", 20)
    local waiter = started(function()
      h.cancel_token:wait()
    end)
    waiter:cancel()
    waiter:join()
    assert.equal("cancelled", waiter.status)
    assert.equal("running", h.status)
  end)

  it("cannot be written to, and names what it has", function()
    local token = swarm.spawn("double", 1).cancel_token
    assert.has_error(function()
      token.cancelled = true
    end)
    local err = assert.has_error(function()
      return token.canceled
    end, { code = "unknown_name" })
    assert.matches("did you mean cancelled%?", err.message)
    assert.has_error(function()
      token.wait()
    end, { code = "invalid_argument" })
  end)
end)

describe("the end of a worker", function()
  it("is one of five statuses, set once", function()
    local blocked = function()
      return nil, "why"
    end
    local cancelled = swarm.spawn("sleeper")
    cancelled:cancel()
    local ends = {
      pass = swarm.spawn("double", 1),
      blocked = swarm.spawn(blocked),
      failed = swarm.spawn("boom"),
      cancelled = cancelled,
      timeout = swarm.spawn("sleeper", 5, { timeout = 1 }),
    }
    for status, h in pairs(ends) do
      swarm.join(h)
      assert.equal(status, h.status)
      assert.is_false(h:cancel("late"))
      assert.equal(status, h.status)
    end
  end)

  it("comes after that of the children", function()
    local seen = {}
    local parent = started(function()
      for i = 1, 3 do
        local child = swarm.spawn("sleeper", i)
        swarm.spawn(function()
          swarm.join(child)
          seen[#seen + 1] = "child " .. i
        end)
      end
      return "returned first"
    end)
    parent:join()
    seen[#seen + 1] = "parent"
    assert.same({ "child 1", "child 2", "child 3", "parent" }, seen)
  end)

  it("shows joiners the final and the status together", function()
    local h = swarm.spawn(function(ctx)
      ctx:partial("x")
      return "value"
    end)
    local at_join
    swarm.spawn(function()
      swarm.join(h)
      at_join = { h.status, types_of(h:output_tail()) }
    end)
    swarm.sleep(1)
    assert.same({ "pass", { "partial", "final" } }, at_join)
  end)

  it("keeps running until the children have settled, and has no final before", function()
    local h = started(function(ctx)
      ctx:progress("x")
      swarm.spawn("sleeper", 10)
      return "value"
    end)
    swarm.sleep(5)
    assert.equal("running", h.status)
    assert.same({ "progress" }, types_of(h:output_tail()))
    h:join()
    assert.same({ "progress", "final" }, types_of(h:output_tail()))
  end)

  it("is cancelled where the cancel came before it, whatever was returned", function()
    local h = started(function()
      pcall(swarm.sleep, 100)
      return "value", "reason"
    end)
    h:cancel("early")
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("cancelled", h.status)
    assert.equal("early", err.reason)
    assert.same({}, h:output_tail())
  end)

  it("is timeout where the deadline came before it, whatever was returned", function()
    local status, err = end_of(function()
      pcall(swarm.sleep, 100)
      return "value"
    end, nil, { timeout = 1 })
    assert.equal("timeout", status)
    assert.equal("timeout", err.code)
  end)

  it("is cancelled, not timeout, where a deadline of the scope around it passed", function()
    local h
    assert.has_error(function()
      swarm.timeout(2, function()
        h = swarm.spawn("sleeper")
        swarm.join(h)
      end)
    end, { code = "timeout" })
    assert.equal("cancelled", h.status)
  end)

  it("is failed with the cancel's reason where the clean-up raised", function()
    local h = started(function()
      local ok = pcall(swarm.sleep, 100)
      assert.is_false(ok)
      error("broke while cleaning up")
    end)
    h:cancel("stop")
    local _, err = swarm.join(h)
    assert.equal("failed", h.status)
    assert.equal("failed", err.code)
    assert.matches("broke while cleaning up", err.message)
    assert.equal("stop", err.cancel_reason)
  end)

  it("is failed with the reason where the clean-up after a timeout raised", function()
    local status, err = end_of(function()
      pcall(swarm.sleep, 100)
      error("late and broken")
    end, nil, { timeout = 1 })
    assert.equal("failed", status)
    assert.matches("1 s", err.cancel_reason)
  end)

  it("is cancelled where the cancel's own error is raised again", function()
    local h = started(function()
      local _, err = pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(1)
      end)
      error(err, 0)
    end)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
  end)

  it("tells in others of children that broke in their clean-up", function()
    local h = started(function()
      swarm.spawn(function()
        pcall(swarm.sleep, 100)
        error("child broke")
      end)
      swarm.sleep(100)
    end)
    swarm.yield()
    h:cancel()
    local _, err = swarm.join(h)
    assert.equal("cancelled", h.status)
    assert.equal(1, #err.others)
    assert.matches("child broke", err.others[1].message)
  end)

  it("cancels the children where the worker raises, then waits for them", function()
    local child
    local h = swarm.spawn(function()
      child = started(function()
        pcall(swarm.sleep, 100)
        swarm.shield(function()
          swarm.sleep(4)
        end)
      end)
      error("broken")
    end)
    local before = swarm.monotonic()
    h:join()
    assert.equal("failed", h.status)
    assert.equal("cancelled", child.status)
    assert.near(4, swarm.monotonic() - before, 1e-9)
    assert.matches("broken", select(2, swarm.join(child)).reason)
  end)

  it("leaves nothing of it to the next worker of the same coroutine", function()
    end_of("boom")
    local status, err = end_of(function(ctx)
      assert.is_false(ctx.cancel_token.cancelled)
      assert.is_nil(ctx.deadline)
      assert.is_nil(ctx.input)
      return "clean"
    end)
    assert.equal("pass", status)
    assert.is_nil(err)
  end)
end)
