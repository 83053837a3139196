-- The executable side of middleware.md, in its order.
local swarm = require "swarm"

local said = {} -- each `it` has a host of its own, and so a list of its own
local function say(...)
  said[#said + 1] = table.concat({ ... }, " ")
end

local function echo(_, input)
  return input
end

---Defines a worker that hands back its input, with the hooks that are given.
local function worker(name, hooks, fields)
  fields = fields or {}
  fields.run = fields.run or echo
  swarm.worker(name, fields)
  for kind, fn in pairs(hooks or {}) do
    swarm[kind](name, fn)
  end
end

---Joins, and returns the status and the error.
local function end_of(name, input, opts)
  local h = swarm.spawn(name, input, opts)
  local _, err = swarm.join(h)
  return h.status, err, h
end

local function finals_of(h)
  local list = {}
  for _, event in ipairs(h:output_tail()) do
    if event.type == "final" then
      list[#list + 1] = event
    end
  end
  return list
end

-- Order -------------------------------------------------------------------------------------------

local function loud(name)
  return {
    before = function()
      say("before", name)
    end,
    after = function()
      say("after", name)
    end,
    around = function(_, next)
      say("into", name)
      local result = next()
      say("out of", name)
      return result
    end,
    settled = function()
      say("settled", name)
    end,
  }
end

swarm.layer "used"(loud "used")
swarm.layer "asked"(loud "asked")
swarm.layer "asked too"(loud "asked too")
swarm.use("used")

worker("ordered", nil, {
  layers = { "asked", "asked too" },
  run = function()
    say "run"
  end,
})
swarm.before("ordered", function()
  say "before 1"
end)
swarm.after("ordered", function()
  say "after 1"
end)
swarm.before("ordered", function()
  say "before 2"
end)
swarm.after("ordered", function()
  say "after 2"
end)
swarm.around("ordered", function(_, next)
  say "into around"
  local result = next()
  say "out of around"
  return result
end)
swarm.settled("ordered", function()
  say "settled 1"
end)
swarm.settled("ordered", function()
  say "settled 2"
end)

describe("order", function()
  it("is from the inside out: the worker, use, layers, hooks as registered", function()
    swarm.result(swarm.spawn("ordered"))
    assert.same({
      "into around",
      "before 2",
      "before 1",
      "into asked too",
      "before asked too",
      "into asked",
      "before asked",
      "into used",
      "before used",
      "run",
      "after used",
      "out of used",
      "after asked",
      "out of asked",
      "after asked too",
      "out of asked too",
      "after 1",
      "after 2",
      "out of around",
      "settled used",
      "settled asked",
      "settled asked too",
      "settled 1",
      "settled 2",
    }, said)
  end)

  it("is the same again for the next worker: each hook once an attempt", function()
    swarm.call "ordered"
    local once = #said
    swarm.call "ordered"
    assert.equal(2 * once, #said)
    for i = 1, once do
      assert.equal(said[i], said[once + i])
    end
  end)
end)

-- Selectors ---------------------------------------------------------------------------------------

for _, name in ipairs { "lint-a", "lint-b", "fix", "a.c", "abc" } do
  worker(name)
end
local looked_at = {}
local function count(label)
  return function(ctx)
    say(label, tostring(ctx.agent))
  end
end
swarm.before("lint-*", count "glob")
swarm.before("a.?", count "dot")
swarm.before({ "fix", "lint-a", { "ab*" } }, count "list")
swarm.before(function(def)
  looked_at[#looked_at + 1] = def
  return def.name == "fix" and def.kind == "lua" and def.role == "worker"
end, count "function")
swarm.before(function(def)
  return def.name == nil and def.kind == "lua"
end, count "unnamed")

local function only(pattern)
  local list = {}
  for _, line in ipairs(said) do
    if not line:find "used" and line:find(pattern) then
      list[#list + 1] = line
    end
  end
  return list
end

swarm.worker "in the house" { run = function() end }
swarm.settled(function()
  return true -- every definition that there is
end, function(ctx)
  if ctx.agent == "house" or ctx.agent == "in the house" then
    say("house", ctx.agent)
  end
end)

describe("select", function()
  it("is a name, a glob, a list of these, or a function of the definition", function()
    swarm.call "lint-a"
    swarm.call "lint-b"
    swarm.call "fix"
    assert.same(
      { "list lint-a", "glob lint-a", "glob lint-b", "function fix", "list fix" },
      only "^%l+ "
    )
  end)

  it("reaches the children of a supervisor and the invocations of a session, not them", function()
    swarm.join(swarm.supervise {
      name = "house",
      children = { { "in the house", restart = "temporary" } },
    })
    local s = swarm.open "in the house"
    s:invoke()
    s:close()
    s:join()
    assert.same({ "house in the house", "house in the house" }, only "^house ")
  end)

  it("takes nothing in a glob but * and ? for more than itself", function()
    swarm.call "a.c"
    swarm.call "abc"
    assert.same({ "dot a.c", "list abc" }, only "^%l+ ")
  end)

  it("is asked when the script has loaded, and never again", function()
    local before = #looked_at
    assert.truthy(before > 5)
    for _ = 1, 3 do
      swarm.call "fix"
      swarm.call(function() end)
    end
    assert.equal(before, #looked_at)
  end)

  it("reaches workers made from a function, each once", function()
    for _ = 1, 3 do
      swarm.call(function() end)
    end
    assert.same({ "unnamed nil", "unnamed nil", "unnamed nil" }, only "^unnamed")
    local settled = 0
    for _, line in ipairs(said) do
      settled = settled + (line == "settled used" and 1 or 0)
    end
    assert.equal(3, settled)
  end)

  it("leaves the place and the error of a function's worker as they are", function()
    local h = swarm.spawn(function()
      return error()
    end)
    local _, err = h:join()
    assert.matches("middleware_spec%.lua:%d+", err.where)
    assert.matches("function at .*middleware_spec%.lua", tostring(h))
  end)
end)

-- before ------------------------------------------------------------------------------------------

local ran = 0
local function counted(_, input)
  ran = ran + 1
  return input
end

worker("doubled", {
  before = function(_, n)
    return n * 2
  end,
}, {
  run = function(ctx, n)
    return { n, ctx.input, ctx.prompt }
  end,
})
worker("rejected", {
  before = function(_, input)
    error(input)
  end,
}, { run = counted })
worker("own copy", {
  before = function(_, input)
    input.list[1] = "changed"
  end,
})
worker("nonsense input", {
  before = function()
    return { print }
  end,
}, { run = counted })
worker("nonsense output", {
  after = function()
    return { value = print }
  end,
})

describe("before", function()
  it("replaces the input with what it returns", function()
    assert.same({ 6, 6, "6" }, swarm.call("doubled", 3))
  end)

  it("rejects the worker by raising: nothing runs", function()
    local status, err = end_of("rejected", { message = "no, thanks" })
    assert.equal("failed", status)
    assert.equal("rejected_by_middleware", err.code)
    assert.equal("no, thanks", err.reason)
    assert.matches("the before hook at .*middleware_spec%.lua:%d+ refused: no, thanks", err.message)
    assert.equal(0, ran)
  end)

  it("has its own traceback and place in the error", function()
    local _, err = end_of("rejected", "text")
    assert.matches("middleware_spec%.lua:%d+: text$", err.reason)
    assert.matches("middleware_spec%.lua:%d+", err.where)
    assert.matches("middleware_spec%.lua:%d+", err.traceback)
  end)

  it("is named where what it returns cannot be used, as an after hook is", function()
    for _, name in ipairs { "nonsense input", "nonsense output" } do
      local _, err = end_of(name)
      assert.equal("invalid_value", err.code)
      assert.matches("^the %a+ hook at [^ ]* returned what cannot be used: ", err.message)
      assert.truthy(err.message:find(err.where, 1, true), err.where)
    end
  end)

  it("says the place of the error once", function()
    local _, err = end_of("rejected", "text")
    assert.matches("the before hook at [^ ]* refused: text$", err.message)
  end)

  it("may raise anything", function()
    for _, value in ipairs { false, 5, { a = 1 }, setmetatable({}, { __tostring = error }) } do
      local h = swarm.spawn(function(_, raised)
        error(raised)
      end)
      h:join()
      local _, err = end_of("rejected", type(value) == "table" and { a = 1 } or value)
      assert.equal("rejected_by_middleware", err.code)
      assert.equal("string", type(err.reason))
    end
    assert.equal("rejected_by_middleware", select(2, end_of "rejected").code)
  end)

  it("that returns what cannot cross fails the worker, and nothing runs", function()
    local status, err = end_of "nonsense input"
    assert.equal("failed", status)
    assert.equal("invalid_value", err.code)
    assert.equal(0, ran)
  end)

  it("sees the worker's own copy, never the spawner's", function()
    local input = { list = { "mine" } }
    assert.same({ list = { "changed" } }, swarm.call("own copy", input))
    assert.equal("mine", input.list[1])
  end)
end)

-- after -------------------------------------------------------------------------------------------

local function after(name, fn, run)
  worker(name, { after = fn }, { run = run })
end

after("wrapped", function(_, result)
  return { value = { inner = result.value } }
end)
after("untouched", function(_, result)
  result.value.list[1] = "changed"
  result.ok, result.reason = false, "changed"
end)
after("same content", function(_, result)
  return { value = { list = { result.value.list[1] } } }
end)
after("now blocked", function(_, result)
  result.ok, result.reason = false, "suspicious"
  return result
end)
after("now passes", function(_, result)
  say(tostring(result.ok), result.reason)
  result.ok = true
  return result
end, function()
  return 7, "a reason"
end)
after("still blocked", function(_, result)
  result.value = result.value + 1
  return result
end, function()
  return 7, "a reason"
end)
after("after raises", function()
  error "after went wrong"
end)
after("nonsense", function(_, result)
  return result.value.of
end, function(_, kind)
  local nonsense = {
    number = 5,
    string = "x",
    boolean = true,
    unknown = { vaule = 1 },
    list = { 1, 2 },
    ok = { value = 1, ok = "yes" },
    reason = { value = 1, reason = 5 },
  }
  return { of = nonsense[kind] }
end)
after("what cannot cross", function()
  return { value = function() end }
end)
after("not after a failure", function()
  say "after ran"
end, function()
  error "boom"
end)

describe("after", function()
  it("makes the result of what it returns, and appends one further final", function()
    local h = swarm.spawn("wrapped", 1)
    assert.same({ inner = 1 }, h:result())
    local finals = finals_of(h)
    assert.equal(2, #finals)
    assert.equal(1, finals[1].content.value)
    assert.same({ inner = 1 }, finals[2].content.value)
    assert.equal(finals[1].seq + 1, finals[2].seq)
  end)

  it("that changes its copy and returns nothing changes nothing", function()
    local h = swarm.spawn("untouched", { list = { "mine" } })
    assert.same({ list = { "mine" } }, h:result())
    assert.equal("pass", h.status)
    assert.equal(1, #finals_of(h))
  end)

  it("that returns the same content makes no further final", function()
    local h = swarm.spawn("same content", { list = { "mine" } })
    h:join()
    assert.equal(1, #finals_of(h))
  end)

  it("may block a result, and let a blocked one pass", function()
    local status, err, h = end_of("now blocked", 5)
    assert.equal("blocked", status)
    assert.is_nil(err)
    local value, why = h:result()
    assert.equal(5, value)
    assert.equal("suspicious", why.reason)
    assert.same({ true, false }, { finals_of(h)[1].ok, finals_of(h)[2].ok })

    assert.equal(7, swarm.call "now passes")
    assert.equal("false a reason", said[#said - 2 + 1])
  end)

  it("sees a blocked result and keeps its reason where it does not change it", function()
    local value, err = swarm.call "still blocked"
    assert.equal(8, value)
    assert.equal("a reason", err.reason)
  end)

  it("that raises fails the worker with its own traceback; what was said stays", function()
    local status, err, h = end_of("after raises", 5)
    assert.equal("failed", status)
    assert.equal("failed", err.code)
    assert.matches("after went wrong", err.message)
    assert.matches("middleware_spec%.lua:%d+", err.traceback)
    assert.equal(1, #finals_of(h))
  end)

  it("that returns nonsense fails the worker, and says which hook it was", function()
    for _, kind in ipairs { "number", "string", "boolean", "unknown", "list", "ok", "reason" } do
      local status, err = end_of("nonsense", kind)
      assert.equal("failed", status, kind)
      assert.equal("invalid_value", err.code, kind)
      assert.matches("the after hook at .*middleware_spec%.lua:%d+ .*return", err.message)
    end
    assert.equal("invalid_value", select(2, end_of "what cannot cross").code)
  end)

  it("does not run where the worker failed", function()
    assert.equal("failed", (end_of "not after a failure"))
    assert.same({}, only "^after ran")
  end)
end)

-- around ------------------------------------------------------------------------------------------

local kept
local function around(name, fn, run)
  worker(name, { around = fn }, { run = run or counted })
end

around("twice", function(_, next)
  local first = next()
  local second = next(first.value + 1)
  return { value = { first.value, second.value } }
end)
around("never", function()
  return { value = "from the hook" }
end)
around("never, blocked", function()
  return { ok = false, reason = "not today" }
end)
around("forgets to return", function(_, next)
  next()
end)
around("without input", function(_, next)
  return next(nil)
end, function(_, input)
  return input == nil
end)
around("retries", function(_, next)
  local ok, result = pcall(next)
  return ok and result or next()
end, function()
  ran = ran + 1
  if ran == 1 then
    swarm.spawn(function()
      error "a child of the first run"
    end)
    swarm.yield()
    error "the first run"
  end
  return "the second run"
end)
around("catches", function(_, next)
  local ok, err = pcall(next)
  return { value = { ok, type(err), tostring(err) } }
end, function()
  error "inside"
end)
around("passes on", function(_, next)
  return next()
end, function()
  error { code = "mine", detail = 5 }
end)
around("keeps next", function(_, next)
  kept = next
  return next()
end)
around("hands next on", function(_, next)
  swarm.call(function()
    next()
  end)
end)
around("nests next", function(_, next)
  kept = next
  return next()
end, function()
  kept()
end)
around("raises late", function(_, next)
  next()
  error "after next"
end)
around("watchdog", function(_, next)
  local dog = swarm.spawn(function(_, worker_of)
    swarm.sleep(1000)
    say(worker_of)
  end, "watchdog ran")
  local result = next()
  dog:cancel()
  return result
end, function()
  swarm.spawn(function()
    swarm.sleep(1)
    ran = ran + 1
  end)
end)
around("bounded", function(_, next)
  local ok, err = pcall(swarm.timeout, 5, next)
  return { value = ok or err.code }
end, function(_, seconds)
  swarm.spawn(function()
    swarm.sleep(seconds)
    ran = ran + 1
  end)
end)

describe("around", function()
  it("may run the inside again, with another input", function()
    local h = swarm.spawn("twice", 1)
    assert.same({ 1, 2 }, h:result())
    assert.equal(2, ran)
    assert.equal(3, #finals_of(h))
  end)

  it("may answer itself: nothing runs", function()
    local h = swarm.spawn("never", 1)
    assert.equal("from the hook", h:result())
    assert.equal(0, ran)
    assert.equal(1, #finals_of(h))
    local _, err = swarm.call "never, blocked"
    assert.equal("not today", err.reason)
  end)

  it("must return a result", function()
    local _, err = end_of "forgets to return"
    assert.equal("invalid_value", err.code)
    assert.matches("the around hook at .* must return a result .*, and returned nil", err.message)
  end)

  it("hands on nil where it says so", function()
    assert.is_true(swarm.call("without input", 5))
  end)

  it("runs the inside again after it failed: the first run's errors are its own", function()
    local h = swarm.spawn "retries"
    assert.equal("the second run", h:result())
    assert.equal(2, ran)
  end)

  it("sees what the inside raised, and passes it on whole", function()
    local caught = swarm.call "catches"
    assert.is_false(caught[1])
    assert.matches("inside", caught[3])
    local _, err = end_of "passes on"
    assert.equal("mine", err.code)
    assert.equal(5, err.detail)
    assert.matches("middleware_spec%.lua", err.traceback)
  end)

  it("that raises after next fails the worker", function()
    local status, err = end_of "raises late"
    assert.equal("failed", status)
    assert.matches("after next", err.message)
  end)

  it("owns next alone, while it runs, and one at a time", function()
    swarm.call "keeps next"
    assert.matches("kept beyond its hook", assert.has_error(kept).message)
    local _, err = end_of "hands next on"
    assert.matches("called by another worker", err.message)
    _, err = end_of "nests next"
    assert.matches("called within itself", err.message)
    assert.equal(1, ran)
  end)

  it("waits for the children of the run, not for its own, before next returns", function()
    local started = swarm.monotonic()
    swarm.call "watchdog"
    assert.equal(1, ran)
    assert.near(1, swarm.monotonic() - started, 0.1)
    assert.same({}, only "watchdog")
  end)

  it("may put a block around next: it bounds the run and its children", function()
    assert.is_true(swarm.call("bounded", 1))
    assert.equal(1, ran)
    assert.equal("timeout", swarm.call("bounded", 100))
    assert.equal(1, ran)
  end)
end)

-- What hooks may do -------------------------------------------------------------------------------

swarm.role "bare" {}
swarm.role "only speaks" { allow = { "post_result", "emit_output" } }
swarm.role "mute" { allow = { "fetch_prompt" } }

worker("busy hooks", {
  before = function(_, n)
    swarm.sleep(1)
    return n + swarm.call(echo, 1)
  end,
  after = function(_, result)
    swarm.yield()
    local h = swarm.spawn(echo, 10)
    swarm.join(h)
    return { value = result.value + h:result() }
  end,
})
worker("after's child", {
  after = function()
    swarm.spawn(function()
      swarm.sleep(3)
      say "the child settled"
    end)
    return { value = "changed" }
  end,
})
worker("after's failing child", {
  after = function()
    swarm.spawn(function()
      error "the child of a hook"
    end)
  end,
})
worker("no rights", {
  after = function(ctx)
    say(ctx.role)
    return { value = swarm.call(echo, "as operator") }
  end,
}, {
  role = "only speaks",
  run = function()
    local ok, err = pcall(swarm.spawn, echo)
    return { ok, err.code, err.role, err.verb }
  end,
})
worker("no rights after a hook", {
  around = function(_, next)
    swarm.call(echo, 1)
    return next()
  end,
}, {
  role = "only speaks",
  run = function()
    return (pcall(swarm.spawn, echo))
  end,
})
swarm.layer "bare layer" {
  role = "bare",
  after = function(_, result)
    local ok, err = pcall(swarm.spawn, echo)
    return { value = { ok, err.code, result.value } }
  end,
}
worker("with a bare layer", nil, { layers = { "bare layer" } })
worker("mute", {
  after = function()
    say "after saw it"
  end,
}, { role = "mute" })
worker("mute, answered for", {
  around = function()
    return { value = "the hook's" }
  end,
}, { role = "mute" })
worker("with meta", {
  before = function(ctx)
    ctx.meta.trace = ctx.meta.trace .. ">before"
  end,
  after = function(ctx, result)
    return { value = { result.value, ctx.meta.trace } }
  end,
}, {
  run = function()
    return swarm.call(function(ctx)
      return ctx.meta.trace
    end)
  end,
})

describe("hooks", function()
  it("may yield, spawn and join", function()
    assert.equal(12, swarm.call("busy hooks", 1))
  end)

  it("have children, which settle before the changed final and the status", function()
    local h = swarm.spawn("after's child", 1)
    for event in h:follow() do
      if event.type == "final" and event.content.value == "changed" then
        assert.same({ "the child settled" }, only "the child")
      end
    end
    assert.equal("changed", h:result())
  end)

  it("own their children's failures: nothing is swallowed", function()
    local status, err = end_of("after's failing child", 1)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
  end)

  it("run as operator, whatever the worker may; the worker does not", function()
    local h = swarm.spawn "no rights"
    assert.equal("as operator", h:result())
    assert.same(
      { false, "role_violation", "only speaks", "start_task" },
      finals_of(h)[1].content.value
    )
    assert.same({ "only speaks" }, only "^only")
    assert.is_false(swarm.call "no rights after a hook")
  end)

  it("run under the role of their layer where it has one", function()
    assert.same({ false, "role_violation", 5 }, swarm.call("with a bare layer", 5))
  end)

  it("see nothing of a result that the worker may not post", function()
    local status, err, h = end_of("mute", "secret")
    assert.equal("failed", status)
    assert.equal("role_violation", err.code)
    assert.equal("post_result", err.verb)
    assert.same({}, h:output_tail())
    assert.same({}, only "after saw it")
    assert.equal("the hook's", swarm.call "mute, answered for")
  end)

  it("share ctx.meta with the worker and its children", function()
    local h = swarm.spawn("with meta", nil, { meta = { trace = "start" } })
    assert.same({ "start>before", "start>before" }, h:result())
  end)
end)

-- Layers ------------------------------------------------------------------------------------------

swarm.layer "add" {
  before = function(_, n, options)
    return n + (options and options.n or 1)
  end,
}
worker("added", nil, { layers = { "add", { "add", n = 10 }, { "add", n = 100 } } })

describe("layers", function()
  it("have options, which each hook gets last", function()
    assert.equal(111, swarm.call("added", 0))
  end)
end)

-- event -------------------------------------------------------------------------------------------

local SECRET = "hunter2"
local function redacted(value)
  if type(value) == "string" then
    return (value:gsub(SECRET, "***"))
  elseif type(value) == "table" then
    local copy = {}
    for key, item in pairs(value) do
      copy[key] = redacted(item)
    end
    return copy
  end
  return value
end
swarm.layer "redact" {
  event = function(_, event)
    return redacted(event)
  end,
}
worker("leaky", {
  after = function(_, result)
    say(result.value[1], tostring(result.reason))
    return { value = { result.value[1], "again " .. SECRET }, ok = false, reason = "by " .. SECRET }
  end,
}, {
  layers = { "redact" },
  run = function(ctx)
    ctx:progress(SECRET, SECRET)
    ctx:partial { deep = { SECRET } }
    ctx:artifact("file", SECRET)
    ctx:usage { tokens = 5, who = SECRET }
    return { SECRET }, "because of " .. SECRET
  end,
})
swarm.layer "quiet" {
  event = function(_, event)
    if event.type == "progress" then
      return false
    end
  end,
}
worker("talks", nil, {
  layers = { "quiet" },
  run = function(ctx)
    ctx:progress "one"
    ctx:progress "two"
    ctx:partial "kept"
    ctx:progress "three"
    return "done"
  end,
})
swarm.layer "drops all" {
  event = function()
    return false
  end,
}
worker("drops its final", nil, { layers = { "drops all" } })
swarm.layer "odd" {
  event = function(ctx, event)
    local odd = ctx.input.odd
    if event.type ~= ctx.input.of then
      return nil
    elseif odd == "number" then
      return 5
    elseif odd == "type" then
      return { type = "usage" }
    elseif odd == "content" then
      event.content, event.chunk = 5, 5
    elseif odd == "kind" then
      event.content, event.chunk = { kind = "other" }, { kind = "other" }
    elseif odd == "stage" then
      event.stage = {}
    elseif odd == "reason" then
      event.ok, event.reason = false, {}
    elseif odd == "ok" then
      event.ok = nil
    elseif odd == "function" then
      event.fn = print
    elseif odd == "raises" then
      error "the event function went wrong"
    elseif odd == "numbers" then
      event.seq, event.at, event.dropped = 99, -1, 5
    elseif odd == "extra" then
      event.note = "from the layer"
    elseif odd == "yields" then
      swarm.sleep(1)
      event.note = "after a while"
    elseif odd == "itself" then
      ctx:progress "again"
    elseif odd == "file" then
      event.content = { kind = "file_ref", path = "b.txt" }
    elseif odd == "blocks" then
      event.ok, event.reason = false, "by the layer"
    end
    return event
  end,
}
worker("odd events", nil, {
  layers = { "odd" },
  run = function(ctx)
    ctx:progress "stage"
    ctx:partial "chunk"
    return "value"
  end,
})
local function odd(of, what)
  return end_of("odd events", { of = of, odd = what })
end

---Every string in a value.
local function strings(value, list)
  list = list or {}
  if type(value) == "table" then
    for key, item in pairs(value) do
      strings(key, list)
      strings(item, list)
    end
  else
    list[#list + 1] = tostring(value)
  end
  return list
end

describe("event", function()
  it("redacts before anybody has seen anything: tail, followers, hooks, result", function()
    local h = swarm.spawn "leaky"
    local followed = {}
    for event in h:follow() do
      followed[#followed + 1] = event
    end
    local value, err = h:result()
    local all = { followed, h:output_tail(), value, err.message, err.reason, err.value, said }
    all[#all + 1] = { h:artifact "file", tostring(err), swarm.json.encode(h:output_tail()) }
    assert.equal(6, #followed)
    for _, text in ipairs(strings(all)) do
      assert.is_nil(text:find(SECRET, 1, true), text)
    end
    assert.same({ "***", "again ***" }, value)
    assert.equal("by ***", err.reason)
  end)

  it("drops an event by returning false: the next one counts it", function()
    local h = swarm.spawn "talks"
    h:join()
    local tail = h:output_tail()
    assert.equal(2, #tail)
    assert.same({ "partial", 2, 1 }, { tail[1].type, tail[1].dropped, tail[1].seq })
    assert.same({ "final", 1, 2 }, { tail[2].type, tail[2].dropped, tail[2].seq })
  end)

  it("cannot drop a final", function()
    local status, err = end_of("drops its final", 1)
    assert.equal("failed", status)
    assert.matches('layer "drops all" %(event%) returned false for the final', err.message)
  end)

  it("that raises or returns nonsense fails the worker", function()
    for _, case in ipairs {
      { "progress", "number" },
      { "progress", "type" },
      { "progress", "stage" },
      { "partial", "content" },
      { "partial", "kind" },
      { "final", "content" },
      { "final", "kind" },
      { "final", "reason" },
      { "final", "ok" },
      { "final", "function" },
      { "progress", "raises" },
    } do
      local label = table.concat(case, ", ")
      local status, err, h = odd(case[1], case[2])
      assert.equal("failed", status, label)
      assert.equal(case[2] == "raises" and "failed" or "invalid_value", err.code, label)
      assert.has_no_error(function()
        h:output_tail()
      end, label)
    end
  end)

  it("that speaks of what it speaks fails the worker, and not the host", function()
    assert.equal("failed", (odd("progress", "itself")))
  end)

  it("does not number events, nor date them, nor count what was dropped", function()
    local _, _, h = odd("progress", "numbers")
    local event = h:output_tail()[1]
    assert.equal(1, event.seq)
    assert.is_nil(event.dropped)
    assert.truthy(event.at > 0)
  end)

  it("may add a field, and may wait", function()
    local _, _, h = odd("progress", "extra")
    assert.equal("from the layer", h:output_tail()[1].note)
    _, _, h = odd("progress", "yields")
    assert.equal("after a while", h:output_tail()[1].note)
  end)

  it("may make another result of the final", function()
    local _, _, h = odd("final", "file")
    assert.equal("b.txt", h:result().path)
    _, _, h = odd("final", "blocks")
    assert.equal("blocked", h.status)
    assert.equal("by the layer", select(2, h:result()).reason)
  end)
end)

-- settled -----------------------------------------------------------------------------------------

local outcomes = {}
worker("seen", {
  settled = function(ctx, outcome)
    outcomes[#outcomes + 1] = outcome
    say("seen", ctx.agent, outcome.status)
  end,
}, {
  timeout = 10,
  run = function(_, input)
    if input == "fail" then
      error "on purpose"
    elseif input == "block" then
      return 1, "why"
    elseif type(input) == "number" then
      swarm.sleep(input)
    end
    return { 1 }
  end,
})
worker("seen refused", {
  before = function()
    error "no"
  end,
  settled = function(_, outcome)
    outcomes[#outcomes + 1] = outcome
  end,
})
worker("one at a time", {
  settled = function(_, outcome)
    say("one", outcome.status)
  end,
}, {
  concurrency = 1,
  run = function()
    swarm.sleep(10)
  end,
})
worker("meddled with", {
  settled = function(_, outcome)
    outcome.status, outcome.err = "failed", {}
    outcome.value.list[1] = "changed"
  end,
})
local finished, cancelled_late -- that it is bounded by 5 s fails a run: tests/test_middleware.py
worker("slow to settle", {
  settled = function(ctx)
    local started = swarm.monotonic()
    swarm.sleep(ctx.input)
    finished = swarm.monotonic() - started
  end,
}, {
  run = function() end,
})
worker("cancelled while settling", {
  settled = function(ctx)
    cancelled_late = swarm.cancel(ctx, "too late")
    swarm.sleep(1)
    say "not disturbed"
  end,
})

describe("settled", function()
  it("runs after every end, with its outcome", function()
    local statuses = { pass = 0, fail = "fail", block = "block" }
    for _, input in pairs(statuses) do
      end_of("seen", input)
    end
    end_of("seen", 100)
    local h = swarm.spawn("seen", 100)
    swarm.yield()
    h:cancel("enough", { wait = true })
    local got = {}
    for _, outcome in ipairs(outcomes) do
      got[outcome.status] = outcome
      assert.truthy(outcome.ended >= outcome.started)
    end
    assert.same({ 1 }, got.pass.value)
    assert.is_nil(got.pass.err)
    assert.equal("failed", got.failed.err.code)
    assert.equal("why", got.blocked.err.reason)
    assert.equal(1, got.blocked.value)
    assert.equal("timeout", got.timeout.err.code)
    assert.equal("enough", got.cancelled.err.reason)
    assert.equal(5, #outcomes)
  end)

  it("runs after a refusal", function()
    end_of "seen refused"
    assert.equal("rejected_by_middleware", outcomes[1].err.code)
  end)

  it("runs for a worker that was cancelled before it began, also with a timeout", function()
    local h = swarm.spawn("seen", 1)
    assert.is_true(swarm.cancel(h, "never mind"))
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("cancelled", outcomes[1].status)
    assert.is_nil(outcomes[1].started)
  end)

  it("runs for one that waits for a slot, and gives no slot away", function()
    local first, second = swarm.spawn "one at a time", swarm.spawn "one at a time"
    local third = swarm.spawn "one at a time"
    swarm.yield()
    second:cancel()
    second:join()
    third:join()
    first:join()
    assert.same({ "one cancelled", "one pass", "one pass" }, only "^one")
    assert.near(20, swarm.monotonic(), 1)
  end)

  it("cannot change the end", function()
    local h = swarm.spawn("meddled with", { list = { "mine" } })
    assert.same({ list = { "mine" } }, h:result())
    assert.equal("pass", h.status)
  end)

  it("runs before joiners go on", function()
    swarm.call("seen", 0)
    assert.same({ "seen seen pass" }, only "^seen")
  end)

  it("is shielded from a cancel of the worker and of those above", function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn("slow to settle", 3)
      swarm.sleep(100)
    end)
    swarm.sleep(1)
    parent:cancel("as Ctrl-C does", { wait = true })
    assert.near(3, finished, 0.1)
    assert.equal("pass", child.status)
  end)

  it("comes after the end is decided: a cancel then is too late, and says so", function()
    local h = swarm.spawn("cancelled while settling", 1)
    h:join()
    assert.is_false(cancelled_late)
    assert.equal("pass", h.status)
    assert.is_false(h.cancel_token.cancelled)
    assert.same({ "not disturbed" }, only "^not")
  end)
end)

-- Cancel and timeout ------------------------------------------------------------------------------

local function sleeps()
  swarm.sleep(100)
end
worker("slow before", { before = sleeps }, { timeout = 5, run = counted })
worker("slow after", { after = sleeps }, { timeout = 5 })
worker("slow around", {
  around = function(_, next)
    local result = next()
    pcall(swarm.sleep, 100)
    return result
  end,
}, { timeout = 5 })

describe("a worker's time", function()
  it("counts its hooks", function()
    for _, name in ipairs { "slow before", "slow after", "slow around" } do
      local status, err = end_of(name, 1)
      assert.equal("timeout", status, name)
      assert.equal("timeout", err.code, name)
    end
    assert.equal(0, ran)
  end)

  it("ends in a hook when it is cancelled, and is cancelled, not rejected", function()
    for _, name in ipairs { "slow before", "slow after", "slow around" } do
      local h = swarm.spawn(name, 1)
      swarm.sleep(1)
      assert.is_true(h:cancel("enough", { wait = true }))
      assert.equal("cancelled", h.status, name)
      assert.equal("enough", select(2, h:join()).reason)
    end
  end)
end)

-- What counts as another result -------------------------------------------------------------------

swarm.worker("swapped", {
  run = function(ctx, kind)
    ctx:progress "begun"
    return { kind = kind, it = kind == "file" and swarm.file "a.txt" or swarm.spawn("idle") }
  end,
})

swarm.worker("idle", { run = function() end })

swarm.after("swapped", function(_, result)
  local kind = result.value.kind
  result.value.it = kind == "file" and swarm.file "b.txt" or swarm.spawn("idle")
  return result
end)

describe("a result that a hook changed", function()
  local function finals(h)
    local n = 0
    h:join()
    for _, event in ipairs(h:output_tail()) do
      n = n + (event.type == "final" and 1 or 0)
    end
    return n
  end

  it("has a further final where one file stands for another", function()
    assert.equal(2, finals(swarm.spawn("swapped", "file")))
  end)

  it("has a further final where one handle stands for another", function()
    assert.equal(2, finals(swarm.spawn("swapped", "handle")))
  end)
end)
