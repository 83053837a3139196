-- One more attempt, a pause, a word, the run's events, sessions, keys: in the order of the page.
local mistaken = require("outcomes").mistaken
local swarm = require "swarm"

swarm.role("boss", {
  extends = "operator",
  allow = { "pause_loop", "resume_loop", "inject_directive" },
})
swarm.role("guest", { allow = { "start_task", "poll_task" } })

local todo -- what the next boss does
swarm.worker("boss", {
  role = "boss",
  authority = "own",
  run = function(ctx)
    return todo(ctx)
  end,
})

local function boss(fn)
  todo = fn
  return swarm.call "boss"
end

local tries = 0
swarm.worker("flaky", {
  run = function(ctx, input)
    tries = tries + 1
    ctx:progress("try " .. tries)
    if tries < 3 then
      error("no " .. tries, 0)
    end
    return input * tries
  end,
})

-- One more attempt --------------------------------------------------------------------------------

it("a settled task is tried once more", function()
  tries = 0
  local h = swarm.spawn("flaky", 5)
  h:join()
  assert.equals(h, swarm.retry(h))
  assert.equals("pending", h.status)
  assert.equals(2, h.attempt)
  local _, err = h:join()
  assert.equals("no 2", err.message)
  assert.equals(15, swarm.retry(h):result())
  assert.equals("pass", h.status)
  assert.equals(3, h.attempt)
  assert.equals("try 3", h:output_tail()[1].stage)
  assert.equals("try 1", h:output_tail({ attempt = 1 })[1].stage)
end)

it("what has passed too, and a function", function()
  local n = 0
  local h = swarm.spawn(function(ctx)
    n = n + 1
    return ctx.attempt
  end)
  assert.equals(1, h:result())
  assert.equals(2, swarm.retry(h):result())
  assert.equals(2, n)
end)

it("a failure after it is the one that counts", function()
  local h = swarm.spawn(function(ctx)
    if ctx.attempt == 2 then
      error("second", 0)
    end
  end)
  h:join()
  swarm.retry(h)
  local _, err = h:join()
  assert.equals("second", err.message)
end)

it("it belongs to who asks", function()
  local h ---@type swarm.Handle
  swarm.scope(function()
    h = swarm.spawn(function(ctx)
      if ctx.attempt == 2 then
        swarm.sleep(60)
      end
    end)
    h:join()
  end)
  mistaken("ran out of time", swarm.timeout, 1, function()
    swarm.retry(h)
    swarm.sleep(60)
  end)
  assert.equals("cancelled", h.status)
end)

it("what it takes is told, and no method that handles do not have", function()
  local err = mistaken("swarm.retry takes", swarm.retry, "flaky")
  assert.equals(
    'swarm.retry takes a worker\'s handle (what swarm.spawn returned) or a task_id such as "T-7", '
      .. 'and got "flaky"',
    err.message
  )
  mistaken('got "flaky"; of a handle it is called with a colon: h:join()', swarm.join, "flaky")
end)

it("only what has settled, and is no part of the run's own", function()
  mistaken("has not settled yet", swarm.retry, swarm.spawn(swarm.yield))
  local held = swarm.open "held"
  held:invoke()
  held:close()
  mistaken("is held open", swarm.retry, held)
end)

swarm.worker("held", { run = function() end })

it("who may not, does not", function()
  local h = swarm.spawn(function() end)
  h:join()
  local err = mistaken("does not allow dispatch_attempt", function()
    swarm.call("as guest", h)
  end)
  assert.equals("role_violation", err.code)
end)

swarm.worker("as guest", {
  role = "guest",
  run = function(_, h)
    swarm.retry(h)
  end,
})

-- A pause -----------------------------------------------------------------------------------------

it("a pause holds back what is pending, and nothing that runs", function()
  boss(function()
    local runs = swarm.spawn(function()
      swarm.sleep(1)
      return "went on"
    end)
    swarm.yield()
    assert.equals(true, swarm.pause())
    assert.equals(false, swarm.pause())
    local waits = swarm.spawn(function()
      return "began"
    end)
    assert.equals("went on", runs:result())
    assert.equals("pending", waits.status)
    assert.equals(true, swarm.unpause())
    assert.equals(false, swarm.unpause())
    assert.equals("began", waits:result())
  end)
end)

it("they begin in their order, and one that is cancelled does not", function()
  boss(function()
    swarm.pause()
    local said, handles = {}, {}
    for i = 1, 4 do
      handles[i] = swarm.spawn(function()
        said[#said + 1] = i
      end)
    end
    swarm.sleep(1)
    handles[2]:cancel "no more"
    assert.equals("cancelled", handles[2].status)
    swarm.unpause()
    swarm.sleep(1)
    assert.same({ 1, 3, 4 }, said)
  end)
end)

it("who waits for one that is held back, waits", function()
  boss(function()
    swarm.pause()
    local h = swarm.spawn(function()
      return 7
    end)
    local ok, err = h:join { timeout = 1 }
    assert.equals(nil, ok)
    assert.equals("poll_timeout", err.code)
    swarm.unpause()
    assert.equals(7, h:result())
  end)
end)

it("a senior alone may pause", function()
  assert.equals("role_violation", mistaken("pause_loop", swarm.pause).code)
  assert.equals("role_violation", mistaken("resume_loop", swarm.unpause).code)
end)

-- A word ------------------------------------------------------------------------------------------

it("a worker reads what it was told, once", function()
  boss(function()
    local h = swarm.spawn(function(ctx)
      swarm.sleep(1)
      local first = ctx:directives()
      swarm.sleep(1)
      return { first, ctx:directives(), ctx:directives() }
    end)
    swarm.yield()
    swarm.direct(h, "left")
    swarm.direct(h, "right")
    swarm.sleep(1.5)
    swarm.direct(h, "stop")
    assert.same({ { "left", "right" }, { "stop" }, {} }, h:result())
    mistaken("has settled", swarm.direct, h, "too late")
    mistaken("takes a text, and got 5", swarm.direct, h, 5)
    ---@diagnostic disable-next-line: undefined-field
    mistaken("use your own ctx", h.directives, h)
  end)
end)

it("so much that nobody reads is refused", function()
  boss(function()
    local h = swarm.spawn(function()
      swarm.sleep(60)
    end)
    for _ = 1, 1000 do
      swarm.direct(h, "x")
    end
    assert.equals("budget_exceeded", mistaken("has not read 1000", swarm.direct, h, "x").code)
    h:cancel()
  end)
end)

-- The run's events --------------------------------------------------------------------------------

it("a subscriber hears what is selected, and ends by itself", function()
  local heard, h = {}, nil
  local watcher = swarm.spawn(function()
    for event in swarm.subscribe { "task_*", "session_*" } do
      if event.task_id == h.task_id then
        heard[#heard + 1] = event.type
      end
    end
    return "over"
  end)
  swarm.yield()
  h = swarm.spawn(function(ctx)
    ctx:progress "not selected"
  end)
  h:join()
  assert.equals("over", watcher:result())
  local all = { "task_created", "task_attempt_started", "task_attempt_completed", "task_pass" }
  assert.same(all, heard)
end)

it("a function selects, and changes nobody's event", function()
  local stages = {}
  local function watch()
    local events = swarm.subscribe(function(event)
      return event.type == "worker_output" and event.event.stage ~= nil
    end)
    for event in events do
      stages[#stages + 1] = event.event.stage
      event.event.stage = "changed"
    end
  end
  local one, other = swarm.spawn(watch), swarm.spawn(watch)
  swarm.yield()
  swarm.spawn(function(ctx)
    ctx:progress "here"
  end)
  one:join()
  other:join()
  assert.same({ "here", "here" }, stages)
end)

it("who reads too slowly is told how much is lost", function()
  local watcher = swarm.spawn(function()
    local events = swarm.subscribe "worker_output"
    swarm.sleep(1)
    return events()
  end)
  swarm.yield()
  swarm
    .spawn(function(ctx)
      for i = 1, 12000 do
        ctx:progress("stage " .. i)
      end
    end)
    :join()
  local first = watcher:result()
  assert.truthy(first.dropped > 1999)
  assert.equals("stage " .. first.dropped + 1, first.event.stage)
end)

it("a wrong selection is told", function()
  mistaken("takes a type of events", swarm.subscribe, 5)
  mistaken("a type of events is a text", swarm.subscribe, { 5 })
  mistaken('"tsk_pass"; did you mean task_pass?', swarm.subscribe, { "task_*", "tsk_pass" })
  mistaken('no event is of the type "tsk_*"; there are abandoned, ', swarm.subscribe, "tsk_*")
end)

it("a trace has each attempt", function()
  local h = swarm.spawn(function(ctx)
    ctx:progress("try " .. ctx.attempt)
    assert(ctx.attempt == 2, "not yet")
  end, nil, { retries = { max = 1, backoff = 0 } })
  h:join()
  local trace = swarm.trace(h)
  assert.equals(2, #trace)
  assert.equals("failed", trace[1].status)
  assert.truthy(tostring(trace[1].error):find("not yet", 1, true))
  assert.equals("try 1", trace[1].events[1].stage)
  assert.equals("pass", trace[2].status)
  assert.equals(nil, trace[2].error)
end)

-- A session ---------------------------------------------------------------------------------------

it("a session has the rights of its role, and its token speaks for it", function()
  local s = swarm.attach { role = "guest", ttl = 60 }
  assert.equals(s.task_id, swarm.token.verify(s.token, "start_task").task_id)
  mistaken("does not allow run_process", swarm.token.verify, s.token, "run_process")
  swarm.token.verify(s.token, "heartbeat")
  s:detach()
  assert.equals(true, s.handle:join())
  assert.equals("session_not_found", mistaken("no such session", s.heartbeat, s).code)
  assert.equals("session_not_found", mistaken("no such session", s.detach, s).code)
end)

it("it allows at most what its maker may", function()
  boss(function()
    local s = swarm.attach { role = "boss", caveats = { verbs = { "start_task" } } }
    mistaken("a caveat of it leaves that out", swarm.token.verify, s.token, "cancel_task")
    s:detach()
  end)
  local s = swarm.attach { role = "boss" }
  mistaken("pause_loop", swarm.token.verify, s.token, "pause_loop")
  s:detach()
end)

it("without a heartbeat nobody is attached until the next: what was started goes on", function()
  local seen = {}
  swarm.spawn(function()
    for event in swarm.subscribe "session_*" do
      seen[#seen + 1] = event.type .. " " .. (event.role or event.reason or "")
    end
  end, nil, { detached = true })
  swarm.sleep(0)
  local s = swarm.attach { role = "guest", ttl = 10, name = "Ann" }
  swarm.sleep(9)
  s:heartbeat()
  swarm.sleep(9)
  assert.is_true(s.attached)
  swarm.sleep(2)
  assert.is_false(s.attached)
  assert.equals("running", s.handle.status)
  swarm.sleep(100)
  s:heartbeat()
  assert.is_true(s.attached)
  s:detach()
  s.handle:join()
  assert.equals("pass", s.handle.status)
  assert.is_false(s.attached)
  swarm.sleep(0)
  assert.same({
    "session_attached guest",
    "session_detached no heartbeat came for 10 s",
    "session_attached guest",
    "session_detached ",
  }, seen)
end)

it("it ends with the worker that made it", function()
  local handle
  swarm
    .spawn(function()
      handle = swarm.attach({ role = "guest" }).handle
    end)
    :join()
  assert.equals("pass", handle.status)
end)

it("what makes no sense is told", function()
  mistaken("needs a role", swarm.attach, {})
  mistaken('there is no role "gest"; did you mean guest?', swarm.attach, { role = "gest" })
  mistaken('has no option "rol"', swarm.attach, { rol = "guest" })
  mistaken('there is no caveat "verb"', swarm.attach, { role = "guest", caveats = { verb = 1 } })
  local s = swarm.attach { role = "guest" }
  mistaken('a session has no "tokn"', function()
    ---@diagnostic disable-next-line: undefined-field
    return s.tokn
  end)
  s:detach()
end)

-- Keys --------------------------------------------------------------------------------------------

it("a key is given once among siblings", function()
  swarm
    .spawn(function()
      local h = swarm.spawn(swarm.yield, nil, { key = "one" })
      assert.equals("one", h.label)
      mistaken('the key "one" here already', swarm.spawn, swarm.yield, nil, { key = "one" })
      h:join()
      mistaken('the key "one" here already', swarm.spawn, swarm.yield, nil, { key = "one" })
      swarm.spawn(swarm.yield, nil, { key = "two" })
      mistaken("key is a text", swarm.spawn, swarm.yield, nil, { key = 5 })
    end)
    :result()
  swarm.spawn(swarm.yield, nil, { key = "one" })
end)
