-- Proves retries.md, "The policy".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "retries_stock"

local noted = notes.noted
local code_of = outcomes.code_of
local hooks_seen, try, fail, pass = stock.hooks_seen, stock.try, stock.fail, stock.pass
local block, wait = stock.block, stock.wait

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
  ---@diagnostic disable-next-line: redundant-parameter
  local ok, err = pcall(swarm.worker, "wrong_" .. name, { run = function() end, retries = policy })
  wrong[name] = { policy = policy, ok = ok, err = err }
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
    assert.matches("policy_spec.lua:%d+: the policy broke", err.others[1].message)
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
      assert.matches("policy_spec.lua:%d+$", err.others[1].where)
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
      assert.matches("policy_spec.lua:%d+$", case.err.where)
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
