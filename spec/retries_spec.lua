-- Proves retries.md, in its order. What needs the run's log, its events, a reload or much memory is
-- in tests/test_retries.py.
local notes = require "notes"
local swarm = require "swarm"
local note, noted = notes.note, notes.noted

-- Workers of this file ------------------------------------------------------------------------

-- Fails until attempt `works_at`, each attempt after `seconds`.
local function flaky(ctx, plan)
  note("try" .. ctx.attempt .. "@" .. swarm.monotonic())
  ctx:progress("try", tostring(ctx.attempt))
  swarm.sleep(plan.seconds or 0)
  if ctx.attempt < (plan.works_at or 1e9) then
    error { code = plan.code or "broke", attempt = ctx.attempt }
  end
  return "attempt " .. ctx.attempt
end

swarm.worker "flaky" { retries = { max = 3, backoff = 1, jitter = false }, run = flaky }
swarm.worker "stubborn" { run = flaky }
swarm.worker "one_at_a_time" {
  concurrency = 1,
  retries = { max = 2, backoff = 10, jitter = false },
  run = flaky,
}
swarm.worker "brief" {
  timeout = 5,
  retries = { max = 1, backoff = 1, jitter = false },
  run = function(ctx, seconds)
    note("try" .. ctx.attempt)
    swarm.sleep(seconds[ctx.attempt])
    return "in time"
  end,
}
swarm.worker "any_number" {
  retries = 2,
  output_schema = { type = "number" },
  input_schema = { type = "array" },
  run = function(ctx, list)
    note("try" .. ctx.attempt)
    return list[ctx.attempt]
  end,
}

swarm.role "no_files" { extends = "worker", deny = { "read_files" } }
swarm.worker "reads" {
  role = "no_files",
  retries = { max = 2, backoff = 0, on = { "failed", "role_violation" } },
  run = function(ctx)
    note("try" .. ctx.attempt)
    return swarm.fs.read "anything"
  end,
}
swarm.worker "tries_to_read" {
  run = function(ctx)
    note(ctx.attempt .. ":" .. tostring(pcall(swarm.fs.exists, "x")))
    error "again"
  end,
}
swarm.worker "spawns_restricted" {
  role = "no_files",
  run = function(_, opts)
    swarm.join(swarm.spawn("tries_to_read", nil, opts))
  end,
}
swarm.worker "tells_rights" {
  role = "no_files",
  retries = {
    max = 1,
    backoff = 0,
    on = function()
      note("on:" .. tostring(pcall(swarm.fs.exists, "x")))
      return true
    end,
  },
  run = function(ctx)
    note("run" .. ctx.attempt .. ":" .. tostring(pcall(swarm.fs.exists, "x")))
    error "again"
  end,
}

local hooks_seen = {}
swarm.worker "hooked" {
  retries = { max = 2, backoff = 0 },
  run = function(ctx, input)
    note("run " .. input.text .. #input.list)
    input.list[#input.list + 1] = "changed"
    if ctx.attempt < 3 then
      error "again"
    end
    return input.text
  end,
}
swarm.before("hooked", function(_, input)
  input.text = input.text .. "!"
  input.list[#input.list + 1] = "hook"
  return input
end)
swarm.after("hooked", function(_, result)
  result.value = result.value .. "?"
  return result
end)
swarm.settled({ "hooked", "settles", "tells_rights" }, function(ctx, outcome)
  hooks_seen[#hooks_seen + 1] = ctx.attempt .. " " .. outcome.status
  if ctx.meta.cancel_in_hook then
    note(tostring(swarm.cancel(ctx)))
  elseif ctx.meta.seconds then
    swarm.sleep(ctx.meta.seconds)
  end
end)
swarm.worker "settles" { retries = { max = 2, backoff = 10, jitter = false }, run = flaky }
swarm.worker "refused" {
  retries = { max = 2, backoff = 0, on = { "failed", "rejected_by_middleware" } },
  run = function()
    note "ran"
  end,
}
swarm.before("refused", function(ctx)
  note("before" .. ctx.attempt)
  error "no"
end)

swarm.worker "exits" {
  shell = 'echo "$SWARM_ATTEMPT:{"; exit "$CODE"',
  env = { CODE = "{prompt}" },
  output = { format = "text" },
  exit = "failed",
  retries = { max = 2, backoff = 0 },
}
swarm.worker "exits_blocked" {
  shell = 'test "$SWARM_ATTEMPT" = 3 && echo good',
  output = { format = "text" },
  retries = { max = 4, backoff = 1, on = "blocked" },
}
swarm.worker "names_attempt" {
  command = { "sh", "-c", 'test "$1" = 2 && echo "$1"', "sh", "{attempt}" },
  output = { format = "text" },
  retries = { max = 1, backoff = 0, on = "blocked" },
}
swarm.worker "ignores_sigterm" {
  shell = "trap '' TERM; echo begun >&2; while :; do sleep 0.05; done",
  kill_after = 0.1,
  timeout = 5,
  retries = { max = 1, backoff = 1, jitter = false },
}

-- Wrong policies, while the file loads.
local wrong = {}
for name, policy in pairs {
  text = "three",
  negative = -1,
  fraction = 1.5,
  infinite = math.huge,
  nan = 0 / 0,
  no_max = { backoff = 1 },
  unknown = { max = 1, backof = 1 },
  negative_backoff = { max = 1, backoff = -1 },
  infinite_backoff = { max = 1, backoff = math.huge },
  small_factor = { max = 1, factor = 0.5 },
  delay_text = { max = 1, max_delay = "30" },
  jitter_number = { max = 1, jitter = 1 },
  on_empty = { max = 1, on = {} },
  on_number = { max = 1, on = 5 },
  on_map = { max = 1, on = { failed = true } },
  on_mixed = { max = 1, on = { "failed", 5 } },
  on_cancelled = { max = 1, on = { "failed", "cancelled" } },
  on_pass = { max = 1, on = "pass" },
} do
  local ok, err = pcall(swarm.worker, "wrong_" .. name, { run = function() end, retries = policy })
  wrong[name] = { policy = policy, ok = ok, err = err }
end

-- Words of this file --------------------------------------------------------------------------

local function code_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "expected an error, and there was none")
  return type(err) == "table" and err.code or tostring(err)
end

---Spawns a function whose attempt n does what plan[n] says; the last stands for all further ones.
local function try(plan, retries, opts)
  opts = opts or {}
  opts.retries = retries
  return swarm.spawn(function(ctx)
    note("try" .. ctx.attempt)
    return (plan[ctx.attempt] or plan[#plan])(ctx)
  end, nil, opts)
end

local function fail()
  error { code = "broke" }
end
local function pass()
  return "passed"
end
local function block()
  return "half", "not enough"
end
local function wait()
  swarm.sleep(1e6)
end

---When each attempt of a task began, as the delays between them.
local function delays(retries, attempts)
  local times = {}
  local h = swarm.spawn(function(ctx)
    times[#times + 1] = swarm.monotonic()
    return ctx.attempt < attempts and error "again" or nil
  end, nil, { retries = retries })
  h:join()
  local list = {}
  for i = 2, #times do
    list[i - 1] = times[i] - times[i - 1]
  end
  return list
end

---Parks until a task backs off: its attempt has failed, and the next has a timer.
local function until_backoff(h)
  while not (h.status == "pending" and h.attempt > 1) do
    swarm.sleep(0)
  end
end

describe("retries: the policy", function()
  it("tries again after a failure, up to max further times", function()
    local h = swarm.spawn("flaky", { works_at = 4 })
    assert.is_true(swarm.join(h))
    assert.equal("attempt 4", h:result())
    assert.equal("try1@0 try2@1 try3@3 try4@7", noted())
  end)

  it("fails with the error of the last attempt when all are used up", function()
    local h = swarm.spawn("flaky", {})
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("broke", err.code)
    assert.equal(4, err.attempt)
    assert.equal("failed", h.status)
    assert.equal(4, h.attempt)
  end)

  it("takes a number as max, with the defaults", function()
    local list = delays(2, 5)
    assert.equal(2, #list)
    assert.is_true(list[1] >= 0.25 and list[1] <= 0.5, tostring(list[1]))
    assert.is_true(list[2] >= 0.5 and list[2] <= 1, tostring(list[2]))
  end)

  it("tries a worker without retries once", function()
    swarm.join(swarm.spawn("stubborn", {}))
    assert.equal("try1@0", noted())
  end)

  it("takes the option of spawn before the definition's field, also 0", function()
    swarm.join(swarm.spawn("flaky", {}, { retries = 0 }))
    assert.equal("try1@0", noted())
    swarm.join(swarm.spawn("flaky", {}, { retries = { max = 1, backoff = 0 } }))
    assert.equal("try1@0 try2@0", noted())
  end)

  it("waits backoff * factor ^ (k - 1), and never longer than max_delay", function()
    local policy = { max = 6, backoff = 1, factor = 3, max_delay = 20, jitter = false }
    assert.same({ 1, 3, 9, 20, 20, 20 }, delays(policy, 9))
  end)

  it("waits the same each time with a factor of 1", function()
    assert.same({ 2, 2, 2 }, delays({ max = 3, backoff = 2, factor = 1, jitter = false }, 9))
  end)

  it("bounds the first delay by max_delay as well", function()
    assert.same({ 5 }, delays({ max = 1, backoff = 100, max_delay = 5, jitter = false }, 9))
  end)

  it("draws a delay between half of it and the whole, with jitter", function()
    local list = delays({ max = 200, backoff = 8, factor = 1 }, 500)
    local least, most = 100, 0
    for i = 1, #list do
      least, most = math.min(least, list[i]), math.max(most, list[i])
    end
    assert.is_true(least >= 4 and least < 4.5, tostring(least))
    assert.is_true(most <= 8 and most > 7.5, tostring(most))
  end)

  it("draws nothing random where there is no delay", function()
    assert.same({ 0, 0, 0 }, delays({ max = 3, backoff = 0 }, 9))
    assert.same({ 0, 0, 0 }, delays({ max = 3, max_delay = 0 }, 9))
  end)

  it("goes on after so many attempts that the factor has grown beyond all numbers", function()
    local h = swarm.spawn(function(ctx)
      return ctx.attempt < 2000 and error "again" or ctx.attempt
    end, nil, { retries = { max = 5000, backoff = 0 } })
    assert.equal(2000, h:result())
    local list = delays({ max = 1200, backoff = 1, max_delay = 2, jitter = false }, 5000)
    assert.equal(2, list[1200])
  end)

  it("gives everybody else a turn before the next attempt without a delay", function()
    local order = {}
    local function other(name)
      return function()
        order[#order + 1] = name
      end
    end
    local h = swarm.spawn(function(ctx)
      order[#order + 1] = "try" .. ctx.attempt
      swarm.spawn(other("child" .. ctx.attempt), nil, { detached = true })
      return ctx.attempt < 2 and error "again" or nil
    end, nil, { retries = { max = 1, backoff = 0 } })
    h:join()
    assert.equal("try1 child1 try2", table.concat(order, " ", 1, 3))
  end)

  it("tries again what fails and what times out, by default, and no block", function()
    local ends = { fail, wait, pass }
    local h = try(ends, { max = 2, backoff = 0 }, { timeout = 5 })
    assert.equal("passed", h:result())
    local blocked = try({ block, pass }, 2)
    blocked:join()
    assert.equal("blocked", blocked.status)
    assert.equal(1, blocked.attempt)
  end)

  it("tries blocked attempts again where `on` says so, and failures no more", function()
    local policy = { max = 2, backoff = 0, on = { "blocked" } }
    assert.equal("passed", try({ block, pass }, policy):result())
    local failed = try({ fail, pass }, policy)
    failed:join()
    assert.equal("failed", failed.status)
    assert.equal(1, failed.attempt)
  end)

  it("hands the block of the last attempt on", function()
    local h = try({ block }, { max = 1, backoff = 0, on = "blocked" })
    local value, err = h:result()
    assert.equal("half", value)
    assert.equal("not enough", err.reason)
    assert.equal(2, err.attempts)
  end)

  it("takes one word as `on`, and error codes", function()
    local policy = { max = 2, backoff = 0, on = "broke" }
    assert.equal("passed", try({ fail, pass }, policy):result())
    local other = try({
      function()
        error { code = "other" }
      end,
      pass,
    }, policy)
    assert.equal("other", code_of(other.result, other))
    assert.equal(1, other.attempt)
  end)

  it("takes a timeout inside the attempt for one by its code", function()
    local late = function()
      swarm.timeout(1, wait)
    end
    local h = try({ late, pass }, { max = 1, backoff = 0, on = "timeout" })
    assert.equal("passed", h:result())
  end)

  it("asks a function, with the error and the attempt's number", function()
    local asked = {}
    local h = try({ fail, block, fail }, {
      max = 5,
      backoff = 0,
      on = function(err, attempt)
        asked[#asked + 1] = err.code .. attempt
        return attempt < 3
      end,
    })
    h:join()
    assert.same({ "broke1", "blocked2", "broke3" }, asked)
    assert.equal("failed", h.status)
    assert.equal(3, h.attempt)
  end)

  it("does not ask after the last attempt, nor after a pass", function()
    local asked = 0
    local function on()
      asked = asked + 1
      return true
    end
    try({ fail }, { max = 2, backoff = 0, on = on }):join()
    assert.equal(2, asked)
    try({ pass }, { max = 2, backoff = 0, on = on }):join()
    assert.equal(2, asked)
  end)

  it("waits as many seconds as the function says, beyond max_delay too", function()
    local answers = { 7, 0, 100, true }
    local list = delays({
      max = 4,
      backoff = 2,
      factor = 1,
      jitter = false,
      on = function(_, attempt)
        return answers[attempt]
      end,
    }, 9)
    assert.same({ 7, 0, 100, 2 }, list)
  end)

  it("takes nothing for no", function()
    local h = try({ fail, pass }, { max = 2, backoff = 0, on = function() end })
    assert.equal("broke", code_of(h.result, h))
    assert.equal(1, h.attempt)
  end)

  it("lets the function yield", function()
    local h = try({ fail, pass }, {
      max = 2,
      backoff = 0,
      on = function()
        swarm.sleep(3)
        return swarm.call(pass) == "passed"
      end,
    })
    assert.equal("passed", h:result())
    assert.equal(3, swarm.monotonic())
  end)

  it("bounds the function by 5 seconds; that is among the others of the error", function()
    local h = try({ fail, pass }, { max = 2, backoff = 0, on = wait })
    local _, err = h:join()
    assert.equal("broke", err.code)
    assert.equal("timeout", err.others[1].code)
    assert.matches("^retries%.on at .*:%d+ ran out of time after 5 s$", err.others[1].message)
    assert.equal(5, swarm.monotonic())
    assert.equal(1, h.attempt)
  end)

  it("keeps what the function raised beside the attempt's error, and fails", function()
    local h = try({ fail, pass }, {
      max = 2,
      backoff = 0,
      on = function()
        error "the policy broke"
      end,
    })
    local _, err = h:join()
    assert.equal("broke", err.code)
    assert.equal(1, #err.others)
    assert.matches("retries_spec.lua:%d+: the policy broke", err.others[1].message)
    assert.equal(1, h.attempt)
  end)

  it("fails a blocked task whose function raised, with that error", function()
    local h = try({ block }, {
      max = 2,
      on = function()
        error { code = "policy_broke" }
      end,
    })
    local ok, err = h:join()
    assert.is_nil(ok)
    assert.equal("failed", h.status)
    assert.equal("policy_broke", err.code)
    assert.equal("blocked", err.others[1].code)
    assert.equal(h.task_id, err.task_id)
    assert.equal("string", type(err.spawned_at))
  end)

  it("takes the attempt's own error, raised again, for no", function()
    local h = try({ fail, pass }, {
      max = 1,
      on = function(err)
        error(err, 0)
      end,
    })
    local _, err = h:join()
    assert.equal("broke", err.code)
    assert.is_nil(err.others)
    assert.equal(1, h.attempt)
  end)

  it("stops the attempt's clock while the function decides", function()
    local h = try({
      function()
        swarm.sleep(2)
        fail()
      end,
    }, {
      max = 1,
      on = function()
        swarm.sleep(3)
        return false
      end,
    }, { timeout = 3 })
    local token = h.cancel_token
    local _, err = h:join()
    assert.equal("broke", err.code)
    assert.equal("failed", h.status)
    assert.is_false(token.cancelled)
  end)

  it("refuses what is no answer of such a function, and names the function", function()
    for _, answer in ipairs { "yes", -1, 1 / 0, 0 / 0, {} } do
      local h = try({ fail, pass }, {
        max = 1,
        on = function()
          return answer
        end,
      })
      local _, err = h:join()
      assert.equal("broke", err.code)
      assert.equal("invalid_value", err.others[1].code)
      assert.matches("retries_spec.lua:%d+$", err.others[1].where)
      assert.equal(1, h.attempt)
    end
  end)

  it("runs the function with the worker's rights, after the settled hooks", function()
    swarm.join(swarm.spawn "tells_rights")
    assert.equal("run1:false on:false run2:false", noted())
    assert.same({ "1 failed", "2 failed" }, hooks_seen)
  end)

  it("fails with the children of the function that failed", function()
    local h = try({ fail, pass }, {
      max = 1,
      on = function()
        swarm.spawn(fail)
        return true
      end,
    })
    local _, err = h:join()
    assert.equal("broke", err.code)
    assert.equal("children_failed", err.others[1].code)
  end)

  it("says where a definition is wrong: worker and field", function()
    for name, case in pairs(wrong) do
      assert.is_false(case.ok, name)
      assert.equal("load_error", case.err.code, name)
      assert.matches('worker "wrong_' .. name .. '": retries', case.err.message)
      assert.matches("retries_spec.lua:%d+$", case.err.where)
    end
    assert.matches("did you mean backoff", wrong.unknown.err.message)
    assert.matches("cancelled", wrong.on_cancelled.err.message)
  end)

  it("says what is wrong with an option of spawn", function()
    for name, case in pairs(wrong) do
      local err = assert.has_error(function()
        swarm.spawn(pass, nil, { retries = case.policy })
      end, { code = "invalid_argument" }, name)
      assert.matches("retries", err.message)
    end
    assert.equal("invalid_argument", code_of(swarm.spawn, pass, nil, { retries = false }))
  end)
end)

describe("retries: what is never tried again", function()
  it("is a refusal of the gate, whatever `on` says", function()
    local _, err = swarm.join(swarm.spawn "reads")
    assert.equal("role_violation", err.code)
    assert.equal("try1", noted())
    assert.is_nil(err.attempts)
  end)

  it("is a refusal of a before hook", function()
    local _, err = swarm.join(swarm.spawn "refused")
    assert.equal("rejected_by_middleware", err.code)
    assert.equal("before1", noted())
  end)

  it("is an input that does not fit its schema", function()
    local h = swarm.spawn("any_number", { no = "list" })
    assert.equal("invalid_value", code_of(h.result, h))
    assert.equal("", noted())
    assert.equal(1, h.attempt)
  end)

  it("is a result that cannot cross", function()
    local h = try({
      function()
        return { fn = print }
      end,
    }, { max = 2, backoff = 0 })
    assert.equal("invalid_value", code_of(h.result, h))
    assert.equal(1, h.attempt)
  end)

  it("is not an output that does not fit its schema", function()
    local h = swarm.spawn("any_number", swarm.array { "one", "two", 3 })
    assert.equal(3, h:result())
    assert.equal("try1 try2 try3", noted())
  end)

  it("is not a refusal further down that the attempt fails of", function()
    local h = try({
      function()
        swarm.call "reads"
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
  end)

  it("is a task that was cancelled before it began", function()
    local h = try({ fail }, 3)
    assert.is_true(swarm.cancel(h, "enough"))
    local _, err = h:join()
    assert.equal("cancelled", h.status)
    assert.is_nil(err.attempts)
    assert.equal("", noted())
  end)

  it("is an attempt that was cancelled while it ran", function()
    local h = try({ wait }, 3)
    swarm.sleep(1)
    assert.is_true(swarm.cancel(h))
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("try1", noted())
  end)

  it("is one whose clean-up failed after a cancel", function()
    local h = try({
      function()
        pcall(wait)
        error { code = "clean_up_broke" }
      end,
    }, 3)
    swarm.sleep(1)
    h:cancel "enough"
    local _, err = h:join()
    assert.equal("failed", h.status)
    assert.equal("clean_up_broke", err.code)
    assert.equal("enough", err.cancel_reason)
    assert.equal("try1", noted())
  end)

  it("is one that is cancelled while it cleans up after its deadline", function()
    local h = try({
      function()
        pcall(wait)
        swarm.shield(function()
          swarm.sleep(10)
        end)
      end,
    }, 3, { timeout = 5 })
    swarm.sleep(6)
    assert.is_false(swarm.cancel(h), "it ends in timeout already")
    h:join()
    assert.equal("timeout", h.status)
    assert.equal("try1", noted())
  end)

  it(
    "is one that is cancelled by the block around while it cleans up after its deadline",
    function()
      local h
      local ok = pcall(swarm.timeout, 6, function()
        h = try({
          function()
            pcall(wait)
            swarm.shield(function()
              swarm.sleep(10)
            end)
          end,
        }, 3, { timeout = 5 })
        h:join()
      end)
      assert.is_false(ok)
      assert.equal("timeout", h.status)
      assert.equal("try1", noted())
    end
  )

  it("is one that is cancelled while `on` decides: too late for the attempt's end", function()
    local h = try({ fail, pass }, {
      max = 3,
      backoff = 0,
      on = function()
        swarm.sleep(2)
        note "decided"
        return true
      end,
    })
    swarm.sleep(1)
    assert.is_false(swarm.cancel(h))
    local _, err = h:join()
    assert.equal("failed", h.status)
    assert.equal("broke", err.code)
    assert.equal("try1 decided", noted())
  end)

  it("is one whose block is cancelled while `on` decides", function()
    local h
    pcall(swarm.timeout, 1, function()
      h = try({ fail, pass }, {
        max = 3,
        backoff = 0,
        on = function()
          swarm.sleep(2)
          return true
        end,
      })
      h:join()
    end)
    assert.equal("failed", h.status)
    assert.equal(2, swarm.monotonic())
    assert.equal("try1", noted())
  end)

  it("is one that its own settled hook cancels", function()
    local h = swarm.spawn("settles", {}, { meta = { cancel_in_hook = true } })
    h:join()
    assert.equal("failed", h.status)
    assert.equal("try1@0 false", noted())
    assert.same({ "1 failed" }, hooks_seen)
  end)

  it("is one that is cancelled while its settled hooks run", function()
    local h = swarm.spawn("settles", {}, { meta = { seconds = 2 } })
    swarm.sleep(1)
    assert.is_false(swarm.cancel(h))
    h:join()
    assert.equal("failed", h.status)
    assert.equal("try1@0", noted())
  end)

  it("is a loser of a race whose settled hooks run", function()
    local h = swarm.spawn("settles", {}, { meta = { seconds = 2 } })
    local _, i = swarm.race {
      h,
      function()
        swarm.sleep(1)
      end,
    }
    assert.equal(2, i)
    assert.equal("failed", h.status)
    assert.equal(2, swarm.monotonic())
    h:join()
  end)

  it("is a supervisor's child that is stopped while its settled hooks run", function()
    swarm.scope(function()
      local sup = swarm.supervise {
        children = { { "settles", { seconds = 1 }, restart = "temporary", id = "it" } },
      }
      swarm.sleep(0.5)
      assert.equal("it", sup:children()[1].id)
      sup:stop "it"
      swarm.cancel(sup)
    end)
    assert.is_true(swarm.monotonic() < 5)
  end)
end)

describe("retries: between two attempts", function()
  it("the task is pending, with the id and number of the attempt to come", function()
    local h = swarm.spawn("flaky", { seconds = 1 })
    local first = h.id
    swarm.sleep(1.5)
    assert.equal("pending", h.status)
    assert.equal(2, h.attempt)
    assert.not_equal(first, h.id)
    local second = h.id
    swarm.sleep(1)
    assert.equal("running", h.status)
    assert.equal(second, h.id)
    h:join()
    assert.equal("failed", h.status)
    assert.equal("flaky", h.agent)
  end)

  it("keeps its task_id through all", function()
    local h = swarm.spawn("flaky", {})
    local id = h.task_id
    h:join()
    assert.equal(id, h.task_id)
    assert.equal(4, swarm.output_tail(id)[1].note and tonumber(swarm.output_tail(id)[1].note))
  end)

  it("gives its slot to others, and waits for one again", function()
    local first = swarm.spawn("one_at_a_time", { works_at = 2 })
    local second = swarm.spawn("one_at_a_time", { seconds = 15, works_at = 1 })
    first:join()
    assert.equal("pass", second.status)
    assert.equal("try1@0 try1@0 try2@15", noted())
  end)

  it("never runs more at once than its concurrency", function()
    local list = {}
    for i = 1, 6 do
      list[i] = swarm.spawn("one_at_a_time", { seconds = 3, works_at = 3 })
    end
    swarm.settle(list)
    local last, n = nil, 0
    for at in noted():gmatch "@(%d+)" do
      assert.is_true(not last or at - last >= 3, at .. " after " .. tostring(last))
      last, n = tonumber(at), n + 1
    end
    assert.equal(18, n)
  end)

  it("is cancelled at once, with the error before as cause", function()
    local h = swarm.spawn("flaky", {})
    until_backoff(h)
    local at = swarm.monotonic()
    assert.is_true(swarm.cancel(h, "enough"))
    assert.equal("cancelled", h.status)
    local _, err = h:join()
    assert.equal(at, swarm.monotonic())
    assert.equal("enough", err.reason)
    assert.equal(2, err.attempts)
    assert.equal("broke", err.cause.code)
    assert.equal("try1@0", noted())
    assert.same({}, h:output_tail())
  end)

  it("is cancelled at once where it has settled hooks, which run once more", function()
    local h = swarm.spawn("settles", {})
    until_backoff(h)
    assert.is_true(swarm.cancel(h, "enough", { wait = true }))
    assert.equal(0, swarm.monotonic())
    assert.same({ "1 failed", "2 cancelled" }, hooks_seen)
    assert.equal("try1@0", noted())
  end)

  it("is ended at once by a deadline from above", function()
    local h
    local code = code_of(swarm.timeout, 1.5, function()
      h = swarm.spawn("flaky", {})
      return h:result()
    end)
    assert.equal("timeout", code)
    assert.equal("cancelled", h.status)
    assert.equal(1.5, swarm.monotonic())
    assert.equal(3, h.attempt)
  end)

  it("is ended by its parent's failure", function()
    local h
    local parent = swarm.spawn(function()
      h = swarm.spawn("flaky", {})
      until_backoff(h)
      error "parent"
    end)
    parent:join()
    assert.equal("cancelled", h.status)
    assert.equal(0, swarm.monotonic())
  end)

  it("is ended by the first failure of its scope", function()
    local h
    local code = code_of(swarm.scope, function(scope)
      h = scope:spawn("flaky", {})
      scope:spawn("stubborn", { seconds = 2 })
    end)
    assert.equal("broke", code)
    assert.equal("cancelled", h.status)
    assert.equal(2, swarm.monotonic())
  end)

  it("leaves no slot taken when it is cancelled while it waits for one again", function()
    local h = swarm.spawn("one_at_a_time", {})
    local holder = swarm.spawn("one_at_a_time", { seconds = 100, works_at = 1 })
    swarm.sleep(20)
    assert.equal("pending", h.status)
    assert.is_true(h:cancel())
    assert.equal("cancelled", h.status)
    holder:cancel()
    assert.equal("attempt 1", swarm.call("one_at_a_time", { works_at = 1 }))
  end)

  it("leaves its cancel token as if nothing had been when an attempt has timed out", function()
    local h = swarm.spawn("brief", { 10, 1 })
    local token = h.cancel_token
    swarm.sleep(5.5)
    assert.equal("pending", h.status)
    assert.is_false(token.cancelled)
    assert.equal("in time", h:result())
  end)

  it("tells who waits for its cancel", function()
    local h = swarm.spawn("flaky", {})
    local waiter = swarm.spawn(function()
      return h.cancel_token:wait()
    end)
    until_backoff(h)
    h:cancel()
    assert.is_true(waiter:result())
  end)

  it("is no silence: its timer will ring", function()
    swarm.timeout(1e5, function()
      swarm.call("flaky", { works_at = 3 })
    end)
    assert.equal(3, swarm.monotonic())
  end)
end)

describe("retries: an attempt", function()
  it("begins when the children of the one before have ended", function()
    local h = try({
      function()
        swarm.spawn(function()
          swarm.spawn(function()
            pcall(wait)
            swarm.shield(function()
              swarm.sleep(3)
              note "grandchild"
            end)
          end)
          wait()
        end)
        swarm.sleep(0)
        fail()
      end,
      pass,
    }, { max = 1, backoff = 1, jitter = false })
    assert.equal("passed", h:result())
    assert.equal("try1 grandchild try2", noted())
    assert.equal(4, swarm.monotonic())
  end)

  it("fails of children that nobody joined, and the next one is not to blame for them", function()
    local h = try({
      function()
        swarm.spawn(fail)
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
    assert.equal("try1 try2", noted())
  end)

  it("keeps children_failed as the error of a last attempt", function()
    local h = try({
      function()
        swarm.spawn(fail)
      end,
    }, { max = 1, backoff = 0 })
    local _, err = h:join()
    assert.equal("children_failed", err.code)
    assert.equal(1, #err.errors, "those of the last attempt only")
    assert.equal(2, err.attempts)
  end)

  it("gets the input as it was given", function()
    local input = { list = { 1 }, deep = { {} } }
    local h = swarm.spawn(function(_, given)
      note(#given.list .. "/" .. #given.deep)
      given.list[#given.list + 1] = 2
      given.deep[1], given.extra = nil, {}
      error "again"
    end, input, { retries = { max = 2, backoff = 0 } })
    input.list[2] = "changed later"
    h:join()
    assert.equal("1/1 1/1 1/1", noted())
  end)

  it("gets it before hooks that replace it", function()
    local h = swarm.spawn("hooked", { text = "in", list = swarm.array {} })
    assert.equal("in!?", h:result())
    assert.equal("run in!1 run in!1 run in!1", noted())
  end)

  it("passes channels and handles in its input on, the same to each", function()
    local channel = swarm.channel(10)
    local h = swarm.spawn(function(_, input)
      input.to:send "here"
      error "again"
    end, { to = channel }, { retries = { max = 2, backoff = 0 } })
    h:join()
    channel:close()
    local n = 0
    for _ in channel:iter() do
      n = n + 1
    end
    assert.equal(3, n)
  end)

  it("has its own timeout, the definition's or spawn's", function()
    local h = swarm.spawn("brief", { 10, 4 })
    assert.equal("in time", h:result())
    assert.equal(10, swarm.monotonic())
    local late = swarm.spawn("brief", { 4, 4 }, { timeout = 2 })
    late:join()
    assert.equal("timeout", late.status)
    assert.equal(15, swarm.monotonic())
  end)

  it("has no clock while it waits for its slot again", function()
    local h = swarm.spawn("one_at_a_time", { works_at = 2, seconds = 1 }, { timeout = 5 })
    swarm.sleep(2)
    local holder = swarm.spawn("one_at_a_time", { seconds = 50, works_at = 1 })
    assert.equal("attempt 2", h:result())
    assert.equal(53, swarm.monotonic())
    holder:join()
  end)

  it("is bound by the deadlines from above in every attempt", function()
    local h
    swarm.timeout(1000, function()
      h = swarm.spawn(function(ctx)
        note(tostring(ctx.deadline))
        error "again"
      end, nil, { retries = { max = 1, backoff = 10, jitter = false }, timeout = 500 })
      h:join()
    end)
    assert.equal("500 510", noted())
  end)

  it("has the rights of its role, cut by those of who spawned it, each time", function()
    local policy = { max = 1, backoff = 0 }
    swarm.call("spawns_restricted", { retries = policy })
    assert.equal("1:false 2:false", noted())
  end)

  it("runs its hooks each, settled hooks too", function()
    swarm.join(swarm.spawn("hooked", { text = "in", list = swarm.array {} }))
    assert.same({ "1 failed", "2 failed", "3 pass" }, hooks_seen)
  end)

  it("knows its number, and the number of a first attempt is 1", function()
    assert.equal(
      1,
      swarm.call(function(ctx)
        return ctx.attempt
      end)
    )
    assert.equal("attempt 3", swarm.call("flaky", { works_at = 3 }))
  end)

  it("gives a process its number, and tries exit codes again as `exit` says", function()
    local h = swarm.spawn("exits", "3")
    local _, err = h:join()
    assert.equal("process_failed", err.code)
    assert.equal(3, err.exit_code)
    assert.equal(3, err.attempts)
    assert.equal("1:{", swarm.call("exits", "0"))
  end)

  it("tries a process that ends blocked again where `on` says so", function()
    assert.equal("good", swarm.call "exits_blocked")
  end)

  it("fills in {attempt} anew", function()
    assert.equal("2", swarm.call "names_attempt")
  end)

  it("kills a process that outlives its time before the next begins", function()
    local h = swarm.spawn "ignores_sigterm"
    local events = h:follow { attempt = "all" }
    assert.equal(1, events().attempt)
    clock.advance(5.05)
    assert.equal("running", h.status, "it is being killed")
    assert.equal(2, events().attempt)
    h:cancel "enough"
    h:join()
    assert.equal("cancelled", h.status)
  end)

  it("may run in a coroutine of its own, and leave it behind", function()
    local h = try({
      function()
        coroutine.wrap(function()
          swarm.sleep(1)
          fail()
        end)()
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
  end)

  it("may itself spawn what is tried again", function()
    local h = try({
      function()
        swarm.call("flaky", {})
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
    assert.equal(7, swarm.monotonic())
  end)
end)

describe("retries: the task's end", function()
  it("is what every joiner is told, whenever it came", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local told = {}
    for i = 1, 4 do
      swarm.spawn(function()
        swarm.sleep(i * 0.9)
        told[i] = h:result() .. "@" .. swarm.monotonic()
      end)
    end
    h:join()
    swarm.sleep(1)
    local third = "attempt 3@3"
    assert.same({ third, third, third, "attempt 3@3.6" }, told)
  end)

  it("is not reached by a join with a timeout that ends between two attempts", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local ok, err = swarm.join(h, { timeout = 0.5 })
    assert.is_nil(ok)
    assert.equal("poll_timeout", err.code)
    assert.equal("pending", h.status)
    assert.is_true(swarm.join(h, { timeout = 100 }))
  end)

  it("is waited for by a cancelled joiner no more, and by others still", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local first = swarm.spawn(function()
      return h:join()
    end)
    local second = swarm.spawn(function()
      return h:result()
    end)
    until_backoff(h)
    first:cancel()
    assert.equal("attempt 3", second:result())
  end)

  it("counts in all, any, race and settle as the end of one", function()
    local policy = { max = 2, backoff = 1, jitter = false }
    local values = swarm.all { try({ fail, pass }, policy), try({ pass }, policy) }
    assert.same({ "passed", "passed" }, values)
    assert.equal("passed", (swarm.any { try({ fail }, policy), try({ fail, fail, pass }, policy) }))
    local first, i = swarm.race {
      try({ fail, pass }, policy),
      function()
        swarm.sleep(0.5)
      end,
    }
    assert.equal(2, i)
    assert.equal("pass", first.status)
  end)

  it("is one place in the list of map", function()
    local values = swarm.map(
      "flaky",
      { { works_at = 3 }, { works_at = 1 }, { works_at = 2 } },
      { concurrency = 2 }
    )
    assert.same({ "attempt 3", "attempt 1", "attempt 2" }, values)
    assert.equal(3, swarm.monotonic())
  end)

  it("is handed out by each once", function()
    local n = 0
    for _, h in swarm.each { swarm.spawn("flaky", {}), swarm.spawn("flaky", { works_at = 2 }) } do
      n = n + 1
      assert.is_true(h.status == "pass" or h.status == "failed")
      h:join()
    end
    assert.equal(2, n)
  end)

  it("cancels a loser between two attempts", function()
    local h = swarm.spawn("flaky", {})
    local _, i = swarm.race {
      h,
      function()
        swarm.sleep(0.5)
      end,
    }
    assert.equal(2, i)
    assert.equal("cancelled", h.status)
    assert.equal(0.5, swarm.monotonic())
  end)

  it("cancels no scope but by its last failure", function()
    local code = code_of(swarm.scope, function(scope)
      scope:spawn("flaky", {})
      scope:spawn(function()
        local ok, err = pcall(swarm.sleep, 100)
        note((ok and "slept" or err.code) .. swarm.monotonic())
      end)
    end)
    assert.equal("broke", code)
    assert.matches("try4@7 cancelled7$", noted())
  end)

  it("needs no owner until it is the last", function()
    swarm.scope(function()
      swarm.spawn("flaky", { works_at = 4 })
    end)
    local code = code_of(swarm.timeout, 1e3, function()
      swarm.spawn("flaky", {})
    end)
    assert.equal("children_failed", code)
  end)

  it("is what a block waits for, through all attempts", function()
    swarm.scope(function(scope)
      scope:spawn("flaky", { works_at = 4 })
    end)
    assert.equal(7, swarm.monotonic())
  end)

  it("is one end to a supervisor", function()
    local ended = 0
    local sup = swarm.supervise {
      intensity = 0,
      children = { { "flaky", { works_at = 4 }, restart = "transient", id = "it" } },
    }
    swarm.sleep(8)
    for _, child in ipairs(sup:children()) do
      ended = ended + child.restarts
      assert.equal("pass", child.status)
    end
    assert.equal(0, ended)
    sup:cancel()
  end)

  it("carries the number of attempts where there was more than one", function()
    local h = swarm.spawn("flaky", {})
    local _, err = h:join()
    assert.equal(4, err.attempts)
    local _, once = swarm.join(swarm.spawn("stubborn", {}))
    assert.is_nil(once.attempts)
    assert.is_nil(err.cause, "an error of an attempt keeps no other's alive")
  end)

  it("is counted for a timeout too", function()
    local h = swarm.spawn("brief", { 10, 10 })
    local _, err = h:join()
    assert.equal("timeout", err.code)
    assert.equal(2, err.attempts)
  end)

  it("is a deadlock where an attempt joins who waits for it", function()
    local h
    local joiner = swarm.spawn(function()
      return h:result()
    end)
    h = swarm.spawn(function(ctx)
      return ctx.attempt == 1 and error "again" or joiner:join()
    end, nil, { retries = { max = 1, backoff = 1, jitter = false } })
    local _, err = h:join()
    assert.equal("deadlock", err.code)
    joiner:join()
  end)

  it("of a detached task is waited for by the run", function()
    local h = swarm.call(function()
      return swarm.spawn("flaky", { works_at = 3 }, { detached = true })
    end)
    assert.equal(0, swarm.monotonic())
    assert.equal("attempt 3", h:result())
  end)
end)

describe("retries: tails", function()
  it("are the last attempt's, or those of the attempt that is asked for", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    h:join()
    assert.equal("3", h:output_tail()[1].note)
    assert.equal("final", h:output_tail()[2].type)
    for i = 1, 3 do
      local tail = swarm.output_tail(h, { attempt = i })
      assert.equal(tostring(i), tail[1].note)
      assert.equal(1, tail[1].seq)
      assert.equal(i < 3 and 1 or 2, #tail)
    end
  end)

  it("have the final of a blocked attempt that was tried again", function()
    local h = try({ block, pass }, { max = 1, backoff = 0, on = "blocked" })
    h:join()
    local tail = h:output_tail { attempt = 1 }
    assert.equal(1, #tail)
    assert.is_false(tail[1].ok)
    assert.equal("not enough", tail[1].reason)
    assert.equal("half", tail[1].content.value)
  end)

  it("have artifacts of the last attempt only", function()
    local h = try({
      function(ctx)
        ctx:artifact("a", 1)
        fail()
      end,
      function(ctx)
        ctx:artifact("b", 2)
      end,
    }, { max = 1, backoff = 0 })
    h:join()
    assert.is_nil(h:artifact "a")
    assert.equal(2, h:artifact "b")
  end)

  it("are empty between two attempts, and the one before is there", function()
    local h = swarm.spawn("flaky", {})
    until_backoff(h)
    assert.same({}, h:output_tail())
    assert.equal(1, #h:output_tail { attempt = 1 })
    h:cancel()
  end)

  it("of an attempt that is not there are refused", function()
    local h = swarm.spawn("flaky", { works_at = 2 })
    h:join()
    for _, attempt in ipairs { 0, 3, -1, 1.5, "2", "all", {} } do
      assert.equal("invalid_argument", code_of(swarm.output_tail, h, { attempt = attempt }))
    end
    assert.equal("invalid_argument", code_of(swarm.follow, h, { attempt = 3 }))
    local single = swarm.spawn("stubborn", { works_at = 1 })
    single:join()
    assert.equal(2, #single:output_tail { attempt = 1 })
  end)

  it("are kept for the last 100 attempts", function()
    local h = swarm.spawn(function(ctx)
      ctx:progress(tostring(ctx.attempt))
      error "again"
    end, nil, { retries = { max = 149, backoff = 0 } })
    h:join()
    assert.equal("150", h:output_tail()[1].stage)
    assert.equal("51", h:output_tail({ attempt = 51 })[1].stage)
    assert.equal("invalid_argument", code_of(swarm.output_tail, h, { attempt = 50 }))
    local n, first = 0, nil
    for event in h:follow { attempt = "all" } do
      n, first = n + 1, first or event.attempt
    end
    assert.equal(100, n)
    assert.equal(51, first)
  end)

  it("are followed for one attempt, the last by default", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local one = {}
    for event in h:follow() do
      one[#one + 1] = event.note or event.type
      assert.is_nil(event.attempt)
    end
    assert.same({ "1" }, one)
    local two = {}
    for event in h:follow() do
      two[#two + 1] = event.note or event.type
    end
    assert.same({ "2" }, two)
    assert.equal(1, swarm.monotonic())
  end)

  it("are followed across attempts with attempt = all, live and afterwards", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local live = {}
    for event in h:follow { attempt = "all" } do
      live[#live + 1] = event.attempt .. (event.note or event.type) .. "@" .. swarm.monotonic()
    end
    assert.same({ "11@0", "22@1", "33@3", "3final@3" }, live)
    assert.equal("pass", h.status)
    local later = 0
    for _ in h:follow { attempt = "all" } do
      later = later + 1
    end
    assert.equal(4, later)
  end)

  it("are followed by many at once", function()
    local h = swarm.spawn("flaky", { works_at = 4 })
    local counts = {}
    for i = 1, 5 do
      swarm.spawn(function()
        for event in h:follow { attempt = i % 2 == 0 and "all" or nil } do
          counts[i] = (counts[i] or "") .. (event.note or "f")
        end
      end)
    end
    h:join()
    swarm.sleep(1)
    assert.same({ "1", "1234f", "1", "1234f", "1" }, counts)
  end)

  it("end with a cancel between two attempts, for followers of both kinds", function()
    local h = swarm.spawn("flaky", {})
    until_backoff(h)
    local all, one = 0, 0
    local a = swarm.spawn(function()
      for _ in h:follow { attempt = "all" } do
        all = all + 1
      end
    end)
    local b = swarm.spawn(function()
      for _ in h:follow() do
        one = one + 1
      end
    end)
    swarm.sleep(0.1)
    h:cancel()
    a:join()
    b:join()
    assert.equal(1, all)
    assert.equal(0, one)
    assert.equal(0.1, swarm.monotonic())
  end)

  it("of a pending attempt are followed until it has ended", function()
    local h = swarm.spawn("flaky", { works_at = 2 })
    until_backoff(h)
    local list = {}
    for event in h:follow() do
      list[#list + 1] = event.note or event.type
    end
    assert.same({ "2", "final" }, list)
  end)

  it("are closed with their attempt", function()
    local kept
    local h = try({
      function(ctx)
        kept = ctx
        fail()
      end,
      pass,
    }, { max = 1, backoff = 0 })
    h:join()
    assert.equal("invalid_argument", code_of(kept.progress, kept, "late"))
  end)
end)

describe("retries: in every order", function()
  it("a cancel at every moment leaves nothing behind", function()
    local ends = {}
    local report = explore(function()
      local h = swarm.spawn(function(ctx)
        swarm.yield()
        return ctx.attempt < 3 and error "again" or nil
      end, nil, { retries = { max = 2, backoff = 0 } })
      local canceller = swarm.spawn(function()
        swarm.yield()
        swarm.yield()
        h:cancel()
      end)
      h:join()
      canceller:join()
      ends[h.status .. h.attempt] = true
    end)
    assert.is_true(report.complete, tostring(report))
    assert.is_true(ends.cancelled1, "cancelled in the first attempt")
    assert.is_true(ends.cancelled2 or ends.cancelled3, "cancelled in a later one")
  end)

  it("a deadline around a task that backs off leaves nothing behind", function()
    local ends = {}
    local report = explore(function()
      local h
      pcall(swarm.timeout, 1, function()
        h = swarm.spawn(function(ctx)
          return ctx.attempt < 3 and error "again" or nil
        end, nil, { retries = { max = 2, backoff = 0.5, factor = 1, jitter = false } })
        local joiner = swarm.spawn(function()
          return h:join()
        end)
        joiner:join()
      end)
      ends[h.status] = true
    end)
    assert.is_true(report.complete, tostring(report))
    assert.is_true(ends.cancelled, "the deadline may ring before the last attempt")
  end)

  it("a slot is given back and taken again", function()
    local report = explore(function()
      local first = swarm.spawn("one_at_a_time", { works_at = 2 })
      local second = swarm.spawn("one_at_a_time", { works_at = 2 })
      swarm.join(first)
      swarm.join(second)
      assert.equal("pass", first.status)
      assert.equal("pass", second.status)
    end, { max = 3000 })
    assert.is_true(report.schedules > 10, tostring(report))
  end)
end)
