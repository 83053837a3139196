-- The conformance suite of kinds.md: one set of specs that every kind of worker passes. A new
-- kind is proved by adding its name and the workers that behave as asked.
local swarm = require "swarm"

-- What each kind has to offer. `echo` passes with its input, a string. `block` ends blocked. `fail`
-- fails. `wait` says one event and never ends by itself. `slow` is `wait` with a timeout of 5 s.
-- `two` says two events, then passes with "done". `third` says one event in each attempt, fails in
-- the first two and passes with "done" in the third; it has no retries of its own. `talk` is held
-- open: it answers with how many it has answered and what it was asked, fails at "fail", and never
-- answers "wait".
local FINAL = '{"type":"final","ok":%s,"content":{"kind":"inline","value":%s}}'
local PROGRESS = 'echo \'{"type":"progress","stage":"%s"}\''

local function saying(event, ...)
  return "echo '" .. event:format(...) .. "'"
end

-- An agent of one's own that does what a shell's text writes.
local function agent(text)
  return {
    agent = {
      command = { "sh", "-c", text },
      on = {
        say = function(turn, item)
          turn:progress(item.note)
        end,
        answer = function(turn, item)
          turn:answer(item.value, item.reason)
        end,
      },
    },
    prompt = "{name}",
  }
end
local SAY = 'echo \'{"type":"say","note":"%s"}\''
local ANSWER = 'echo \'{"type":"answer","value":"%s"%s}\''

-- What is put to an operator is answered by its function; what an attempt says is said by a hook.
swarm.operator("echo", function(request)
  return request.input
end)
swarm.operator("block", function()
  return "half", "not enough"
end)
swarm.operator("fail", function()
  error "it broke"
end)
swarm.operator("nobody", function() end)
swarm.operator("third", function(request)
  if request.prompt == "3" then
    return "done"
  end
  error "not yet"
end)
swarm.operator("done", function()
  return "done"
end)
swarm.before("operator-*wait", function(ctx)
  ctx:progress "begun"
end)
swarm.before("operator-*third", function(ctx)
  ctx:progress("try " .. ctx.attempt)
end)
swarm.before("operator-*two", function(ctx)
  ctx:progress "one"
  ctx:progress "two"
end)

local KINDS = {
  agent = {
    echo = {
      agent = agent([[read -r line; echo "{\"type\":\"answer\",\"value\":\"$line\"}"]]).agent,
    },
    block = agent(ANSWER:format("half", ',"reason":"not enough"')),
    fail = agent "exit 3",
    wait = agent(SAY:format "begun" .. "; exec sleep 600"),
    third = agent(
      SAY:format "try '$SWARM_ATTEMPT'"
        .. '; test "$SWARM_ATTEMPT" = 3 && '
        .. ANSWER:format("done", "")
    ),
    two = agent(SAY:format "one" .. ";" .. SAY:format "two" .. ";" .. ANSWER:format("done", "")),
  },
  lua = {
    talk = {
      run = function(ctx, input)
        ctx.state.n = (ctx.state.n or 0) + 1
        if input == "fail" then
          error "it was asked to"
        elseif input == "wait" then
          swarm.sleep(1e6)
        end
        return ctx.state.n .. " " .. input
      end,
    },
    echo = {
      run = function(_, input)
        return input
      end,
    },
    block = {
      run = function()
        return "half", "not enough"
      end,
    },
    fail = {
      run = function()
        error "it broke"
      end,
    },
    wait = {
      run = function(ctx)
        ctx:progress "begun"
        swarm.sleep(1e6)
      end,
    },
    third = {
      run = function(ctx)
        ctx:progress("try " .. ctx.attempt)
        if ctx.attempt < 3 then
          error "not yet"
        end
        return "done"
      end,
    },
    two = {
      run = function(ctx)
        ctx:progress "one"
        ctx:progress "two"
        return "done"
      end,
    },
  },
  python = {
    echo = { python = "python_workers:echo" },
    block = { python = "python_workers:block" },
    fail = { python = "python_workers:fail" },
    wait = { python = "python_workers:wait" },
    third = { python = "python_workers:third" },
    two = { python = "python_workers:two" },
  },
  operator = {
    echo = { operator = "echo" },
    block = { operator = "block" },
    fail = { operator = "fail" },
    wait = { operator = "nobody" },
    third = { operator = "third", prompt = "{attempt}" },
    two = { operator = "done" },
  },
  process = {
    talk = {
      shell = [[n=0
        while read -r line; do
          case $line in fail) exit 3;; wait) exec sleep 600;; esac
          n=$((n + 1)); echo "$n $line"
        done]],
      output = { format = "lines" },
    },
    echo = { command = { "cat" }, output = { format = "text" } },
    block = { shell = "echo half; exit 3", exit = "blocked", output = { format = "text" } },
    fail = { command = { "/no/such/program" } },
    wait = { shell = "echo begun >&2; exec sleep 600" },
    third = {
      shell = 'echo "try $SWARM_ATTEMPT" >&2; test "$SWARM_ATTEMPT" = 3 && echo done',
      output = { format = "text" },
    },
    two = {
      shell = "echo one >&2; echo two >&2; echo done",
      output = { format = "text" },
    },
  },
  stream = {
    talk = {
      shell = [[n=0
        while read -r line; do
          case $line in *fail*) exit 3;; *wait*) exec sleep 600;; esac
          line=${line#?}; n=$((n + 1)); echo "\"$n ${line%?}\""
        done]],
      output = { format = "ndjson" },
    },
    echo = {
      command = { "cat" },
      stdin = FINAL:format("true", "{input}") .. "\n",
      output = { format = "ndjson" },
    },
    block = { shell = saying(FINAL, "false", '"half"'), output = { format = "ndjson" } },
    fail = { command = { "/no/such/program" }, output = { format = "ndjson" } },
    wait = {
      shell = PROGRESS:format "begun" .. "; exec sleep 600",
      output = { format = "ndjson" },
    },
    third = {
      shell = PROGRESS:format "try '$SWARM_ATTEMPT'"
        .. '; test "$SWARM_ATTEMPT" = 3 && '
        .. saying(FINAL, "true", '"done"'),
      output = { format = "ndjson" },
    },
    two = {
      shell = PROGRESS:format "one" .. ";" .. PROGRESS:format "two" .. ";" .. saying(
        FINAL,
        "true",
        '"done"'
      ),
      output = { format = "ndjson" },
    },
  },
}

swarm.role "locked" {}

-- Kinds whose workers are not running while they wait; their clocks stand still then.
local STATUS = { operator = "suspended" } ---@type table<string, string?>

for kind, workers in pairs(KINDS) do
  for name, fields in pairs(workers) do
    swarm.worker(kind .. "-" .. name, fields)
    local locked = { role = "locked" }
    local limited = { concurrency = 1 }
    local slow = { timeout = 5 }
    for key, value in pairs(fields) do
      locked[key], limited[key], slow[key] = value, value, value
    end
    swarm.worker(kind .. "-locked-" .. name, locked)
    swarm.worker(kind .. "-limited-" .. name, limited)
    swarm.worker(kind .. "-slow-" .. name, slow)
    swarm.worker(kind .. "-hooked-" .. name, fields)
  end
end

local log = {}

swarm.before("*-hooked-*", function(ctx, input)
  log[#log + 1] = "before"
  if ctx.meta.refuse then
    error "refused by the hook"
  end
  return type(input) == "string" and input .. "!" or nil
end)

swarm.after("*-hooked-*", function(_, result)
  log[#log + 1] = "after"
  if type(result.value) == "string" then
    result.value = result.value .. "?"
  end
  return result
end)

swarm.settled("*-hooked-*", function(_, outcome)
  log[#log + 1] = "settled " .. outcome.status
end)

---Waits for the first event of a worker: it runs, and has said so.
local function begun(h)
  local events = h:follow()
  return events()
end

for kind in pairs(KINDS) do
  local status = STATUS[kind] or "running"
  local function worker(name)
    return kind .. "-" .. name
  end

  ---Waits for the first event of a worker, and until it waits.
  local function until_it_waits(h)
    local event = begun(h)
    swarm.sleep(0)
    assert.equal(status, h.status)
    return event
  end

  describe("a " .. kind .. " worker", function()
    before_each(function()
      log = {}
    end)

    it("is spawned pending, joined true, and passes with its value", function()
      local h = swarm.spawn(worker "echo", "hello")
      assert.equal("pending", h.status)
      assert.is_true(swarm.join(h))
      assert.equal("pass", h.status)
      assert.equal("hello", h:result())
      assert.equal("hello", swarm.call(worker "echo", "hello"))
    end)

    it("tells every joiner the same, before and after its end", function()
      local h = swarm.spawn(worker "echo", "x")
      local seen = {}
      for i = 1, 3 do
        swarm.spawn(function()
          seen[i] = h:result()
        end)
      end
      h:join()
      swarm.yield()
      assert.same({ "x", "x", "x" }, seen)
      assert.is_true(h:join())
    end)

    it("ends blocked: a completion, with a value, a reason and an error of code blocked", function()
      local h = swarm.spawn(worker "block")
      assert.is_true(swarm.join(h))
      assert.equal("blocked", h.status)
      local value, err = h:result()
      assert.is_not_nil(value)
      assert.equal("blocked", err.code)
      assert.equal("string", type(err.reason))
    end)

    it("fails with an error that names it, its task and where it was spawned", function()
      local h = swarm.spawn(worker "fail")
      local ok, err = swarm.join(h)
      assert.is_nil(ok)
      assert.equal("failed", h.status)
      assert.equal(worker "fail", err.name)
      assert.equal(h.task_id, err.task_id)
      assert.equal("string", type(err.code))
      assert.equal("string", type(err.message))
      assert.equal("string", type(err.traceback))
      assert.matches("kinds_spec.lua:%d+$", err.spawned_at)
      assert.has_error(function()
        h:result()
      end)
    end)

    it("is cancelled while pending: nothing of it ever runs", function()
      local h = swarm.spawn(worker "wait")
      assert.is_true(swarm.cancel(h, "enough"))
      local _, err = swarm.join(h)
      assert.equal("cancelled", h.status)
      assert.equal("enough", err.reason)
      assert.same({}, h:output_tail())
    end)

    it("is cancelled while running, and keeps the output that it gave", function()
      local h = swarm.spawn(worker "wait")
      assert.equal("progress", until_it_waits(h).type)
      assert.is_true(swarm.cancel(h, "enough"))
      local _, err = swarm.join(h)
      assert.equal("cancelled", h.status)
      assert.equal("cancelled", err.code)
      assert.equal("enough", err.reason)
      assert.equal(1, #h:output_tail())
    end)

    it("is not cancelled once it has settled", function()
      local h = swarm.spawn(worker "echo", "x")
      h:join()
      assert.is_false(swarm.cancel(h))
      assert.equal("pass", h.status)
    end)

    if STATUS[kind] then
      it("does not run out of its own time while it waits", function()
        local h = swarm.spawn(worker "slow-wait")
        until_it_waits(h)
        clock.advance(100)
        assert.equal(status, h.status)
        h:cancel "enough"
      end)
    else
      it("runs out of its own time", function()
        local h = swarm.spawn(worker "slow-wait")
        begun(h)
        clock.advance(4)
        assert.equal("running", h.status)
        clock.advance(2)
        local _, err = swarm.join(h)
        assert.equal("timeout", h.status)
        assert.equal("timeout", err.code)
      end)
    end

    it("ends with the block that it belongs to", function()
      local h
      pcall(swarm.scope, function(scope)
        h = scope:spawn(worker "wait")
        begun(h)
        error "the block failed"
      end)
      assert.equal("cancelled", h.status)
    end)

    it("has its events in order, the final last", function()
      local h = swarm.spawn(worker "two")
      h:join()
      local stages = {}
      for i, event in ipairs(h:output_tail()) do
        assert.equal(i, event.seq)
        stages[i] = event.note or event.stage or event.content and event.content.value
      end
      assert.equal(3, #stages)
      assert.matches("one", stages[1])
      assert.matches("two", stages[2])
      assert.equal("done", stages[3])
      assert.equal("final", h:output_tail()[3].type)
    end)

    it("is followed from its first event to its final", function()
      local types = {}
      for event in swarm.follow(swarm.spawn(worker "two")) do
        types[#types + 1] = event.type
      end
      assert.same({ "progress", "progress", "final" }, types)
    end)

    it("runs no more at once than its concurrency", function()
      local first = swarm.spawn(worker "limited-wait")
      local second = swarm.spawn(worker "limited-wait")
      begun(first)
      assert.equal("pending", second.status)
      first:cancel "next"
      until_it_waits(second)
      assert.equal("cancelled", first.status)
      second:cancel "enough"
    end)

    it("passes its hooks: before, after, settled", function()
      local h = swarm.spawn(worker "hooked-echo", "x")
      assert.equal("x!?", h:result())
      assert.same({ "before", "after", "settled pass" }, log)
    end)

    it("is refused by a hook before anything runs", function()
      local h = swarm.spawn(worker "hooked-wait", nil, { meta = { refuse = true } })
      local _, err = h:join()
      assert.equal("failed", h.status)
      assert.equal("rejected_by_middleware", err.code)
      assert.same({}, h:output_tail())
      assert.same({ "before", "settled failed" }, log)
    end)

    it("settles its hooks however it ends", function()
      local h = swarm.spawn(worker "hooked-fail")
      h:join()
      local cancelled = swarm.spawn(worker "hooked-wait")
      begun(cancelled)
      cancelled:cancel "enough"
      cancelled:join()
      assert.same({ "before", "settled failed", "before", "settled cancelled" }, log)
    end)

    it("does nothing that its role does not allow", function()
      local h = swarm.spawn(worker "locked-echo", "x")
      local _, err = h:join()
      assert.equal("failed", h.status)
      assert.equal("role_violation", err.code)
      assert.equal("locked", err.role)
    end)

    local policy = { max = 2, backoff = 10, factor = 1, jitter = false }

    it("is tried again as its retries say, each attempt with a tail of its own", function()
      local h = swarm.spawn(worker "third", nil, { retries = policy })
      local told = {}
      for event in h:follow { attempt = "all" } do
        told[#told + 1] = event.attempt .. " " .. (event.note or event.stage or event.type)
      end
      assert.same({ "1 try 1", "2 try 2", "3 try 3", "3 final" }, told)
      assert.equal("done", h:result())
      assert.equal(3, h.attempt)
      assert.equal(1, #h:output_tail { attempt = 1 })
      assert.equal(2, #h:output_tail())
    end)

    it("fails with the error of its last attempt, and how many there were", function()
      local h = swarm.spawn(worker "third", nil, { retries = { max = 1, backoff = 0 } })
      local _, err = h:join()
      assert.equal("failed", h.status)
      assert.equal(2, err.attempts)
      assert.equal(2, h.attempt)
    end)

    it(
      "is tried again where it is blocked, if `on` says so, and hands the last block on",
      function()
        local retries = { max = 2, backoff = 0, on = { "blocked" } }
        local h = swarm.spawn(worker "block", nil, { retries = retries })
        assert.is_true(h:join())
        assert.equal("blocked", h.status)
        assert.equal(3, h.attempt)
      end
    )

    if not STATUS[kind] then
      it("is tried again where its own time was over", function()
        local h = swarm.spawn(worker "slow-wait", nil, { retries = policy })
        begun(h)
        clock.advance(6)
        for _ in h:follow { attempt = 1 } do
        end
        assert.equal("pending", h.status)
        assert.equal(2, h.attempt)
        h:cancel "enough"
        assert.equal("cancelled", h.status)
      end)
    end

    it("is cancelled between two attempts: nothing more of it runs", function()
      local h = swarm.spawn(worker "third", nil, { retries = policy })
      for _ in h:follow() do
      end
      assert.equal("pending", h.status)
      assert.is_true(h:cancel "enough")
      assert.equal("cancelled", h.status)
      assert.same({}, h:output_tail())
      local _, err = h:join()
      assert.equal(2, err.attempts)
      assert.equal("string", type(err.cause.code))
    end)

    it("gives its slot to others between two attempts", function()
      local h = swarm.spawn(worker "limited-third", nil, { retries = policy })
      for _ in h:follow() do
      end
      local other = swarm.spawn(worker "limited-third", nil, { retries = policy })
      for _ in other:follow() do
      end
      assert.equal(2, other.attempt)
      assert.equal("pending", h.status)
      assert.equal(2, h.attempt)
      assert.equal("done", h:result())
      assert.equal("done", other:result())
    end)

    it("passes its hooks in each attempt", function()
      local h = swarm.spawn(worker "hooked-third", nil, { retries = { max = 2, backoff = 0 } })
      assert.equal("done?", h:result())
      assert.same({
        "before",
        "settled failed",
        "before",
        "settled failed",
        "before",
        "after",
        "settled pass",
      }, log)
    end)

    it("is not tried again where it is refused", function()
      local retries = { max = 2, backoff = 0, on = { "failed", "role_violation" } }
      local h = swarm.spawn(worker "locked-echo", "x", { retries = retries })
      h:join()
      assert.equal(1, h.attempt)
      local opts = { meta = { refuse = true }, retries = retries }
      local refused = swarm.spawn(worker "hooked-echo", "x", opts)
      refused:join()
      assert.equal(1, refused.attempt)
    end)

    it("refuses an input that cannot cross", function()
      assert.has_error(function()
        swarm.spawn(worker "echo", { f = print })
      end, { code = "invalid_value", path = "input.f" })
    end)

    if not KINDS[kind].talk then
      it("says that it cannot be held open", function()
        assert.has_error(function()
          swarm.open(worker "echo")
        end, "cannot be held open")
      end)
      return
    end

    it("is held open: one worker answers one invocation after the other", function()
      local s = swarm.open(worker "talk")
      assert.equal("1 a", s:invoke "a")
      assert.equal("2 b", s:invoke "b")
      s:close()
      assert.is_true(swarm.join(s))
      assert.equal("pass", s.status)
    end)

    it("is held open: an error ends the invocation, a cancel the worker", function()
      local s = swarm.open(worker "talk")
      assert.has_error(function()
        s:invoke "fail"
      end)
      assert.matches("^%d a$", s:invoke "a")
      local waits = swarm.spawn(function()
        return s:invoke "wait"
      end)
      swarm.yield()
      swarm.cancel(waits, "enough", { wait = true })
      assert.has_error(function()
        s:invoke "b"
      end, "not held open any more")
      swarm.join(s)
    end)
  end)
end
