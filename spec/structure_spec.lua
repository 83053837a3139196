-- Proves structure.md, in its order.
local swarm = require "swarm"
local outcomes = require "outcomes"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of

-- Workers of this file ------------------------------------------------------------------------

swarm.worker "brief" {
  timeout = 5,
  run = function(_, seconds)
    swarm.sleep(seconds)
    return "in time"
  end,
}

-- The order in which the workers below began: every spec has a host, and so a list, of its own.
local began = {}

swarm.worker "one_at_a_time" {
  concurrency = 1,
  run = function(_, job)
    began[#began + 1] = job.name
    swarm.sleep(job.seconds or 0)
    if job.child then
      swarm.spawn("sleeper", job.child)
    end
    if job.fail then
      error("it failed")
    elseif job.block then
      return nil, "it is blocked"
    end
    return job.name
  end,
}

swarm.worker "two_at_a_time" {
  concurrency = 2,
  run = function(_, seconds)
    began[#began + 1] = swarm.monotonic()
    swarm.sleep(seconds)
  end,
}

swarm.worker "nested_single" {
  concurrency = 1,
  run = function(_, how)
    local inner = swarm.spawn("nested_single", "leaf")
    if how == "leaf" then
      swarm.cancel(inner)
      return "leaf"
    elseif how == "join" then
      local ok, err = pcall(swarm.join, inner)
      swarm.cancel(inner)
      return not ok and err.code
    elseif how == "deep" then
      local between = swarm.spawn(function()
        local ok, err = pcall(swarm.join, inner)
        return not ok and err.code
      end)
      local code = swarm.result(between)
      swarm.cancel(inner)
      return code
    end
    local _, err = swarm.join(inner, { timeout = 3 })
    swarm.cancel(inner)
    return err.code
  end,
}

-- Words of this file --------------------------------------------------------------------------

---A worker that notes, in `log`, when and why it was cancelled; clean-up takes `seconds`.
local function noting(log, name, seconds)
  return function()
    local ok, err = pcall(swarm.sleep, 100)
    if not ok then
      log[#log + 1] = { name = name, code = err.code, reason = err.reason, at = swarm.monotonic() }
      if seconds then
        swarm.shield(function()
          swarm.sleep(seconds)
        end)
        log[#log + 1] = { name = name .. " cleaned up", at = swarm.monotonic() }
      end
    end
  end
end

describe("a block and its children", function()
  it("ends a worker only when its children have settled", function()
    local h = swarm.spawn(function()
      swarm.spawn("sleeper", 7)
      return "early"
    end)
    assert.equal(
      7,
      seconds_of(function()
        assert.equal("early", swarm.result(h))
      end)
    )
  end)

  it("keeps a worker running while its children settle", function()
    local h = swarm.spawn(function()
      swarm.spawn("sleeper", 7)
    end)
    swarm.sleep(3)
    assert.equal("running", h.status)
    swarm.sleep(5)
    assert.equal("pass", h.status)
  end)

  it("waits for grandchildren too", function()
    local h = swarm.spawn(function()
      swarm.spawn(function()
        swarm.spawn("sleeper", 9)
      end)
    end)
    assert.equal(9, seconds_of(swarm.join, h))
  end)

  it("gives a child to the innermost block open at its spawn", function()
    local inner
    local taken = seconds_of(function()
      swarm.timeout(50, function()
        swarm.scope(function()
          inner = swarm.spawn("sleeper", 4)
        end)
        assert.equal("pass", inner.status)
      end)
    end)
    assert.equal(4, taken)
  end)

  it("ends a scope, a timeout and a shield only when their children have settled", function()
    for _, block in ipairs { "scope", "timeout", "shield" } do
      local child
      local function body()
        child = swarm.spawn("sleeper", 6)
      end
      local taken = seconds_of(function()
        if block == "timeout" then
          swarm.timeout(20, body)
        else
          swarm[block](body)
        end
      end)
      assert.equal(6, taken, block)
      assert.equal("pass", child.status, block)
    end
  end)

  it("lets the block around go on with its own children meanwhile", function()
    local outer = swarm.spawn("sleeper", 30)
    local inner
    swarm.scope(function()
      inner = swarm.spawn("sleeper", 2)
    end)
    assert.equal("pass", inner.status)
    assert.equal("running", outer.status)
  end)

  it("hands on all that the function returned, nils too", function()
    local function several()
      return 1, nil, "three", nil
    end
    for _, call in ipairs { swarm.scope, swarm.shield } do
      assert.equal(4, select("#", call(several)))
    end
    local a, b, c = swarm.timeout(1, several)
    assert.same({ 1, "three" }, { a, c })
    assert.is_nil(b)
    assert.equal(4, select("#", swarm.timeout(1, several)))
  end)

  it("hands on the very error that the function raised", function()
    local mine = { code = "mine" }
    for _, call in ipairs { swarm.scope, swarm.shield } do
      local err = raised(call, function()
        error(mine)
      end)
      assert.is_true(rawequal(mine, err))
    end
    assert.is_true(rawequal(
      mine,
      raised(swarm.timeout, 1, function()
        error(mine)
      end)
    ))
  end)

  it("cancels the children left when it raises, and waits for their clean-up", function()
    local log = {}
    local taken = seconds_of(function()
      local err = raised(swarm.timeout, 50, function()
        swarm.spawn(noting(log, "child", 3))
        swarm.sleep(1)
        error { code = "mine" }
      end)
      assert.equal("mine", err.code)
    end)
    assert.equal(4, taken)
    assert.equal("cancelled", log[1].code)
    assert.equal("child cleaned up", log[2].name)
  end)

  it("cancels the children of a worker that fails, and waits for them", function()
    local log = {}
    local h = swarm.spawn(function()
      swarm.spawn(noting(log, "child", 3))
      swarm.sleep(1)
      error("no more")
    end)
    local taken = seconds_of(function()
      assert.is_nil((swarm.join(h)))
    end)
    assert.equal(4, taken)
    assert.matches("its parent failed", log[1].reason)
  end)

  it("takes no more workers once its function has raised", function()
    local refused
    local taken = seconds_of(function()
      assert.equal(
        "mine",
        code_of(swarm.scope, function(scope)
          scope:spawn(function()
            pcall(swarm.sleep, 10)
            swarm.shield(function()
              refused = raised(scope.spawn, scope, "sleeper", 100)
            end)
          end)
          swarm.yield()
          error { code = "mine" }
        end)
      )
    end)
    assert.equal("invalid_argument", refused.code)
    assert.equal(0, taken)
  end)

  it("settles children before the worker above them when that is cancelled", function()
    local order = {}
    local h = swarm.spawn(function()
      swarm.spawn(noting(order, "child", 1))
      pcall(swarm.sleep, 100)
      order[#order + 1] = { name = "parent" }
    end)
    swarm.sleep(1)
    swarm.cancel(h, "enough", { wait = true })
    local names = {}
    for i, entry in ipairs(order) do
      names[i] = entry.name
    end
    assert.equal("child", names[1])
    assert.equal("child cleaned up", names[3])
    assert.equal("cancelled", h.status)
  end)
end)

describe("failures", function()
  it("are owned by who joins", function()
    local h = swarm.spawn(function()
      local _, err = swarm.join(swarm.spawn("fail_after", 1))
      return err.code
    end)
    assert.equal("broke", swarm.result(h))
  end)

  it("are owned by who joins after they happened", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn("fail_after", 1)
      swarm.sleep(5)
      assert.equal("failed", child.status)
      local ok, err = swarm.join(child)
      assert.is_nil(ok)
      return err.after
    end)
    assert.equal(1, swarm.result(h))
  end)

  it("are owned by who catches what result raised", function()
    local h = swarm.spawn(function()
      return raised(swarm.result, swarm.spawn("fail_after", 1)).after
    end)
    assert.equal(1, swarm.result(h))
  end)

  it("are owned by a joiner that is neither parent nor sibling", function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn("fail_after", 2)
      swarm.sleep(5)
      return "well"
    end)
    swarm.yield()
    swarm.yield()
    assert.is_nil((swarm.join(child)))
    assert.equal("well", swarm.result(parent))
  end)

  it("fail the worker above with children_failed when nobody took them", function()
    local h = swarm.spawn(function()
      swarm.spawn("fail_after", 1)
    end)
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("failed", h.status)
    assert.equal("children_failed", err.code)
    assert.equal("broke", err.errors[1].code)
    assert.equal("fail_after", err.errors[1].agent)
  end)

  it("are all kept, in the order in which they happened", function()
    local h = swarm.spawn(function()
      swarm.spawn("fail_after", 3)
      swarm.spawn("fail_after", 1)
      swarm.spawn("fail_after", 2)
    end)
    local _, err = swarm.join(h)
    assert.equal(3, #err.errors)
    for i = 1, 3 do
      assert.equal(i, err.errors[i].after)
    end
  end)

  it("leave out of children_failed those that somebody took", function()
    local h = swarm.spawn(function()
      local taken = swarm.spawn("fail_after", 2)
      swarm.spawn("fail_after", 1)
      swarm.spawn("fail_after", 3)
      swarm.join(taken)
    end)
    local _, err = swarm.join(h)
    assert.equal(2, #err.errors)
    assert.same({ 1, 3 }, { err.errors[1].after, err.errors[2].after })
  end)

  it("are not owned by a join that timed out", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn("fail_after", 2)
      local ok, err = swarm.join(child, { timeout = 1 })
      assert.is_nil(ok)
      assert.equal("poll_timeout", err.code)
    end)
    local _, err = swarm.join(h)
    assert.equal("children_failed", err.code)
  end)

  it("are not owned by follow, output_tail or a look at the status", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn("fail_after", 2)
      for _ in swarm.follow(child) do
        assert(false, "it says nothing")
      end
      swarm.output_tail(child)
      return child.status
    end)
    local _, err = swarm.join(h)
    assert.equal("children_failed", err.code)
  end)

  it("are not owned by a joiner that was cancelled as they came", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn("fail_after", 2)
      local joiner = swarm.spawn(function()
        swarm.join(child)
      end)
      swarm.yield()
      swarm.cancel(joiner)
      swarm.sleep(5)
    end)
    local _, err = swarm.join(h)
    assert.equal("children_failed", err.code)
  end)

  it("end with the block they belong to, not with the worker", function()
    local h = swarm.spawn(function()
      local err = raised(swarm.timeout, 10, function()
        swarm.spawn("fail_after", 1)
      end)
      assert.equal("children_failed", err.code)
      return "handled"
    end)
    assert.equal("handled", swarm.result(h))
  end)

  it("do not stop the block before its end", function()
    local reached
    local err = raised(swarm.timeout, 10, function()
      swarm.spawn("fail_after", 1)
      swarm.sleep(5)
      reached = true
    end)
    assert.is_true(reached)
    assert.equal("children_failed", err.code)
  end)

  it("hang on the error that ends the block, where it ends with one", function()
    local err = raised(swarm.timeout, 10, function()
      swarm.spawn("fail_after", 1)
      swarm.sleep(5)
      error { code = "mine" }
    end)
    assert.equal("mine", err.code)
    assert.equal("broke", err.others[1].code)
  end)

  it("hang on a string that ends the block too, which becomes an error object", function()
    local err = raised(swarm.timeout, 10, function()
      swarm.spawn("fail_after", 1)
      swarm.sleep(5)
      error("only text")
    end)
    assert.matches("only text", err.message)
    assert.equal("broke", err.others[1].code)
  end)

  it("of several blocks all hang on the error that passes through them", function()
    local h = swarm.spawn(function()
      swarm.spawn("fail_after", 1)
      swarm.timeout(10, function()
        swarm.spawn("fail_after", 2)
        swarm.sleep(5)
        error { code = "mine" }
      end)
    end)
    local _, err = swarm.join(h)
    assert.equal("mine", err.code)
    assert.same({ 2, 1 }, { err.others[1].after, err.others[2].after })
  end)

  it("hang on the timeout of their block and of their worker", function()
    local function body()
      swarm.spawn("fail_after", 1)
      swarm.sleep(100)
    end
    local err = raised(swarm.timeout, 5, body)
    assert.equal("timeout", err.code)
    assert.equal("broke", err.others[1].code)
    local h = swarm.spawn(body, nil, { timeout = 5 })
    local _, worker_error = swarm.join(h)
    assert.equal("timeout", worker_error.code)
    assert.equal("broke", worker_error.others[1].code)
  end)

  it("that came before the cancel, and not in the clean-up, are told as such", function()
    local h = swarm.spawn(function()
      swarm.spawn(function()
        swarm.shield(function()
          swarm.sleep(5)
        end)
      end)
      swarm.sleep(1)
      error "before"
    end)
    swarm.sleep(2)
    h:cancel("too late")
    local _, err = swarm.join(h)
    assert.equal("failed", h.status)
    assert.is_nil(err.cancel_reason)
  end)

  it("hang on the cancelled error of a cancelled worker", function()
    local h = swarm.spawn(function()
      swarm.spawn("fail_after", 1)
      swarm.timeout(50, function()
        swarm.spawn("fail_after", 2)
        swarm.sleep(100)
      end)
    end)
    swarm.sleep(5)
    swarm.cancel(h)
    local _, err = swarm.join(h)
    assert.equal("cancelled", err.code)
    assert.equal(2, #err.others)
  end)

  it("are none where a child is blocked", function()
    local h = swarm.spawn(function()
      swarm.spawn(function()
        return nil, "no"
      end)
      return "well"
    end)
    assert.equal("well", swarm.result(h))
  end)

  it("are none where a child was cancelled", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn("sleeper")
      swarm.yield()
      swarm.cancel(child)
      local pending = swarm.spawn("sleeper")
      swarm.cancel(pending)
      return "well"
    end)
    assert.equal("well", swarm.result(h))
  end)

  it("are there where a child's own time ran out", function()
    local h = swarm.spawn(function()
      swarm.spawn("brief", 6)
    end)
    local _, err = swarm.join(h)
    assert.equal("children_failed", err.code)
    assert.equal("timeout", err.errors[1].code)
  end)
end)

describe("swarm.scope", function()
  it("is named to those who look for it by other libraries' words", function()
    for _, guess in ipairs { "nursery", "task_group" } do
      local _, err = pcall(function()
        return swarm[guess]
      end)
      assert.matches("use swarm%.scope$", err.message)
    end
  end)

  it("returns when all of scope:spawn have settled", function()
    local h
    local taken = seconds_of(function()
      assert.equal(
        "value",
        swarm.scope(function(scope)
          h = scope:spawn("sleeper", 5)
          return "value"
        end)
      )
    end)
    assert.equal(5, taken)
    assert.equal("slept", swarm.result(h))
  end)

  it("cancels the rest at the first failure, waits for them, and raises it", function()
    local log = {}
    local slow
    local taken = seconds_of(function()
      local err = raised(swarm.scope, function(scope)
        slow = scope:spawn(noting(log, "slow", 3))
        scope:spawn("fail_after", 2)
      end)
      assert.equal("broke", err.code)
      assert.is_nil(err.others)
    end)
    assert.equal(5, taken)
    assert.equal("cancelled", slow.status)
    assert.matches("another worker of the scope failed", log[1].reason)
  end)

  it("cancels its own function at the first failure", function()
    local seen
    assert.equal(
      "broke",
      code_of(swarm.scope, function(scope)
        scope:spawn("fail_after", 2)
        seen = raised(swarm.sleep, 50)
        error(seen, 0)
      end)
    )
    assert.equal("cancelled", seen.code)
  end)

  it("counts a failure that was joined", function()
    local survivor
    local err = raised(swarm.scope, function(scope)
      local child = scope:spawn("fail_after", 1)
      survivor = scope:spawn("sleeper", 50)
      pcall(swarm.join, child)
    end)
    assert.equal("broke", err.code)
    assert.equal("cancelled", survivor.status)
  end)

  it("counts a child that was spawned by swarm.spawn inside it", function()
    local survivor
    assert.equal(
      "broke",
      code_of(swarm.scope, function(scope)
        survivor = scope:spawn("sleeper", 50)
        swarm.spawn("fail_after", 1)
      end)
    )
    assert.equal("cancelled", survivor.status)
  end)

  it("counts a worker whose own time ran out", function()
    local survivor
    assert.equal(
      "timeout",
      code_of(swarm.scope, function(scope)
        survivor = scope:spawn("sleeper", 50)
        scope:spawn("brief", 20)
      end)
    )
    assert.equal("cancelled", survivor.status)
  end)

  it("counts neither what is blocked nor what was cancelled", function()
    local taken = seconds_of(function()
      swarm.scope(function(scope)
        scope:spawn("sleeper", 9)
        scope:spawn(function()
          return nil, "no"
        end)
        swarm.cancel(scope:spawn("sleeper"))
        local running = scope:spawn("sleeper")
        swarm.yield()
        swarm.cancel(running)
      end)
    end)
    assert.equal(9, taken)
  end)

  it("attaches failures of the clean-up to the first", function()
    local err = raised(swarm.scope, function(scope)
      for i = 1, 2 do
        scope:spawn(function()
          pcall(swarm.sleep, 50)
          error { code = "clean-up", i = i }
        end)
      end
      scope:spawn("fail_after", 1)
    end)
    assert.equal("broke", err.code)
    assert.same({ 2, 1 }, { err.others[1].i, err.others[2].i }) -- the youngest is cancelled first
    assert.matches("another worker", err.others[1].cancel_reason)
  end)

  it("attaches an error of its function's own clean-up to the first", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      pcall(swarm.sleep, 50)
      error { code = "mine" }
    end)
    assert.equal("broke", err.code)
    assert.equal("mine", err.others[1].code)
  end)

  it("raises its function's error where that came first", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn(function()
        pcall(swarm.sleep, 50)
        error { code = "clean-up" }
      end)
      swarm.yield()
      error { code = "mine" }
    end)
    assert.equal("mine", err.code)
    assert.equal("clean-up", err.others[1].code)
  end)

  it("takes workers from a block further in, which does not wait for them", function()
    local h
    swarm.scope(function(scope)
      local taken = seconds_of(function()
        swarm.timeout(3, function()
          h = scope:spawn("sleeper", 20)
        end)
      end)
      assert.equal(0, taken)
      swarm.sleep(5)
      assert.equal("running", h.status)
    end)
    assert.equal("slept", swarm.result(h))
  end)

  it("takes workers from other workers, and waits for them", function()
    local late
    local taken = seconds_of(function()
      swarm.scope(function(scope)
        scope:spawn(function()
          swarm.sleep(2)
          late = scope:spawn("sleeper", 10)
        end)
      end)
    end)
    assert.equal(12, taken)
    assert.equal("pass", late.status)
  end)

  it("does not make who spawns into it wait, nor fail", function()
    local helper
    assert.equal(
      "broke",
      code_of(swarm.scope, function(scope)
        helper = swarm.spawn(function()
          scope:spawn("fail_after", 3)
          return "done"
        end, nil, { detached = true })
        assert.equal("done", swarm.result(helper))
        swarm.sleep(50)
      end)
    )
    assert.equal("pass", helper.status)
  end)

  it("refuses workers once it is closed", function()
    local kept
    swarm.scope(function(scope)
      kept = scope
    end)
    local err = raised(kept.spawn, kept, "double", 1)
    assert.equal("invalid_argument", err.code)
    assert.matches("closed", err.message)
  end)

  it("refuses workers once it is cancelled, from elsewhere too", function()
    local refused
    pcall(swarm.scope, function(scope)
      scope:spawn(function()
        pcall(swarm.sleep, 50)
        swarm.shield(function()
          refused = raised(scope.spawn, scope, "double", 1)
        end)
      end)
      scope:spawn("fail_after", 1)
    end)
    assert.equal("invalid_argument", refused.code)
  end)

  it("says what to do where the colon is missing or no function was given", function()
    swarm.scope(function(scope)
      assert.matches("colon", raised(scope.spawn, "double").message)
    end)
    assert.equal("invalid_argument", code_of(swarm.scope, "double"))
    assert.equal("invalid_argument", code_of(swarm.scope))
  end)

  it("nests: a failure inside ends the inner one only, where it is caught", function()
    local outer
    swarm.scope(function(scope)
      outer = scope:spawn("sleeper", 10)
      local err = raised(swarm.scope, function(inner)
        inner:spawn("fail_after", 1)
      end)
      assert.equal("broke", err.code)
    end)
    assert.equal("pass", outer.status)
  end)

  it("nests: a failure outside cancels the inner one", function()
    local inner_child
    assert.equal(
      "broke",
      code_of(swarm.scope, function(scope)
        scope:spawn("fail_after", 1)
        swarm.scope(function(inner)
          inner_child = inner:spawn("sleeper", 50)
        end)
      end)
    )
    assert.equal("cancelled", inner_child.status)
    assert.equal(1, swarm.monotonic())
  end)
end)

describe("cancellation", function()
  it("is raised again at every call that may yield, and at spawn", function()
    local codes = {}
    local settled = swarm.spawn("double", 1)
    swarm.join(settled)
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      local calls = {
        { swarm.sleep, 0 },
        { swarm.yield },
        { swarm.checkpoint },
        { swarm.spawn, "double", 1 },
        { swarm.call, "double", 1 },
        { swarm.join, settled },
        { swarm.result, settled },
        { swarm.scope, function() end },
        { swarm.timeout, 1, function() end },
        { swarm.follow(settled) },
      }
      for i, call in ipairs(calls) do
        codes[i] = code_of(unpack(call))
      end
    end)
    swarm.yield()
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(10, #codes)
    for i = 1, 10 do
      assert.equal("cancelled", codes[i], i)
    end
  end)

  it("decides the status, whatever the worker returned", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      return "as if nothing had been"
    end)
    swarm.yield()
    assert.is_true(swarm.cancel(h, "enough"))
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.same({ "cancelled", "enough" }, { err.code, err.reason })
    assert.equal("cancelled", h.status)
  end)

  it("makes an error of the clean-up a failure, with the reason attached", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      error { code = "clean-up" }
    end)
    swarm.yield()
    swarm.cancel(h, "enough")
    local _, err = swarm.join(h)
    assert.same({ "clean-up", "enough" }, { err.code, err.cancel_reason })
    assert.equal("failed", h.status)
  end)

  it("ends a worker that never began at once, without running it", function()
    local ran = false
    local h = swarm.spawn(function()
      ran = true
    end)
    swarm.cancel(h)
    assert.equal("cancelled", h.status)
    swarm.sleep(1)
    assert.is_false(ran)
  end)

  it("of oneself is raised at one's next call", function()
    local reached = false
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx, "by myself")
      reached = true
      swarm.checkpoint()
      reached = "too far"
    end)
    local _, err = swarm.join(h)
    assert.equal("by myself", err.reason)
    assert.is_true(reached)
  end)

  it("says true only where the worker will end cancelled", function()
    local done = swarm.spawn("double", 1)
    swarm.join(done)
    assert.is_false(swarm.cancel(done))
    local late = swarm.spawn(function()
      pcall(swarm.sleep, 50)
      swarm.shield(function()
        swarm.sleep(3)
      end)
    end, nil, { timeout = 2 })
    swarm.sleep(3)
    assert.is_false(swarm.cancel(late))
    swarm.join(late)
    assert.equal("timeout", late.status)
  end)

  it("lets who waits for me be cancelled and joined by me", function()
    local waiter
    local h = swarm.spawn(function()
      swarm.sleep(1)
      swarm.cancel(waiter, "no need", { wait = true })
      return waiter.status
    end)
    waiter = swarm.spawn(function()
      swarm.join(h)
    end)
    assert.equal("cancelled", swarm.result(h))
  end)

  it("does not reach what the block has spawned as detached", function()
    local child
    local h = swarm.spawn(function()
      child = swarm.spawn("sleeper", 5, { detached = true })
      swarm.sleep(50)
    end)
    swarm.sleep(1)
    swarm.cancel(h, "enough", { wait = true })
    assert.equal("slept", swarm.result(child))
  end)
end)

describe("swarm.shield", function()
  it("hides a cancel from its block, and raises it at the next call", function()
    local finished, after
    local h = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(5)
        swarm.checkpoint()
        finished = swarm.monotonic()
      end)
      after = code_of(swarm.checkpoint)
      swarm.sleep(1)
    end)
    swarm.sleep(1)
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(5, finished)
    assert.equal("cancelled", after)
    assert.equal(5, swarm.monotonic())
    assert.equal("cancelled", h.status)
  end)

  it("hides the deadline of a timeout around it", function()
    local value
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 2, function()
          value = swarm.shield(function()
            swarm.sleep(5)
            return "whole"
          end)
        end)
      )
    end)
    assert.equal(5, taken)
    assert.equal("whole", value)
  end)

  it("hides the deadline of its worker, which still ends as timeout", function()
    local reached
    local h = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(5)
        reached = true
      end)
    end, nil, { timeout = 2 })
    swarm.join(h)
    assert.is_true(reached)
    assert.equal("timeout", h.status)
  end)

  it("hides outer cancels from the children spawned in it, and from theirs", function()
    local inside, outside
    local h = swarm.spawn(function()
      outside = swarm.spawn("sleeper", 50)
      swarm.shield(function()
        inside = swarm.spawn(function()
          return swarm.call("double", swarm.call("sleeper", 5) == "slept" and 21 or 0)
        end)
      end)
    end)
    swarm.sleep(1)
    swarm.cancel(h, "enough", { wait = true })
    assert.equal("cancelled", outside.status)
    assert.equal(42, swarm.result(inside))
  end)

  it("can be opened by a worker that is cancelled already, to clean up", function()
    local cleaned
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        cleaned = swarm.call("double", 4)
      end)
    end)
    swarm.yield()
    swarm.cancel(h, "enough", { wait = true })
    assert.equal(8, cleaned)
    assert.equal("cancelled", h.status)
  end)

  it("ends after 30 seconds where nothing else was said", function()
    local err
    local taken = seconds_of(function()
      err = raised(swarm.shield, function()
        swarm.sleep(100)
      end)
    end)
    assert.equal(30, taken)
    assert.equal("timeout", err.code)
    assert.matches("swarm.shield", err.message)
  end)

  it("ends after its own timeout, its children too", function()
    local child
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.shield, function()
          child = swarm.spawn("sleeper", 90)
          swarm.sleep(100)
        end, { timeout = 40 })
      )
    end)
    assert.equal(40, taken)
    assert.equal("cancelled", child.status)
  end)

  it("is always bounded", function()
    for _, seconds in ipairs { math.huge, -1, 0 / 0, "long" } do
      assert.equal("invalid_argument", code_of(swarm.shield, swarm.yield, { timeout = seconds }))
    end
    assert.equal("invalid_argument", code_of(swarm.shield, swarm.yield, 40))
  end)

  it("refuses an option that does not exist, and names the nearest", function()
    local ok, err = pcall(swarm.shield, swarm.yield, { timout = 3 })
    assert.is_false(ok)
    assert.equal("invalid_argument", err.code)
    assert.matches('swarm.shield has no option "timout"; did you mean timeout%?', err.message)
  end)

  it("hides nothing of what is inside it", function()
    local child
    assert.equal(
      "timeout",
      code_of(swarm.shield, function()
        child = swarm.spawn("sleeper", 90)
        swarm.yield()
        swarm.cancel(child)
        assert.is_nil((swarm.join(child)))
        swarm.timeout(3, function()
          swarm.sleep(20)
        end)
      end)
    )
    assert.equal(3, swarm.monotonic())
  end)

  it("lets a failure in the scope around it wait", function()
    local finished
    assert.equal(
      "broke",
      code_of(swarm.scope, function(scope)
        scope:spawn("fail_after", 1)
        swarm.shield(function()
          swarm.sleep(4)
          finished = true
        end)
        swarm.sleep(50)
      end)
    )
    assert.is_true(finished)
    assert.equal(4, swarm.monotonic())
  end)
end)

describe("deadlines", function()
  it("end a timeout's function and raise timeout with the place and the time", function()
    local err
    local taken = seconds_of(function()
      err = raised(function()
        swarm.timeout(2.5, function()
          swarm.sleep(100)
        end)
      end)
    end)
    assert.equal(2.5, taken)
    assert.equal("timeout", err.code)
    assert.matches("2%.5 s", err.message)
    assert.matches("structure_spec%.lua:%d+$", err.where)
  end)

  it("are forgotten when the block ends in time", function()
    assert.equal(
      "value",
      swarm.timeout(2, function()
        swarm.sleep(1)
        return "value"
      end)
    )
    swarm.sleep(10)
    assert.has_no_error(swarm.checkpoint)
  end)

  it("end what is waited for, join included, and the children with it", function()
    local child
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 3, function()
          child = swarm.spawn("sleeper", 50)
          swarm.join(child)
        end)
      )
    end)
    assert.equal(3, taken)
    assert.equal("cancelled", child.status)
  end)

  it("wait for the children's clean-up", function()
    local log = {}
    local taken = seconds_of(function()
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 3, function()
          swarm.spawn(noting(log, "child", 4))
        end)
      )
    end)
    assert.equal(7, taken)
    assert.matches("ran out of time after 3 s", log[1].reason)
  end)

  it("nest: the nearest wins, inner", function()
    local inner_error
    local taken = seconds_of(function()
      swarm.timeout(9, function()
        inner_error = raised(swarm.timeout, 2, function()
          swarm.sleep(50)
        end)
      end)
    end)
    assert.equal(2, taken)
    assert.matches("2 s", inner_error.message)
  end)

  it("nest: the nearest wins, outer; the inner block sees it as a cancel", function()
    local inner_code
    local err = raised(swarm.timeout, 2, function()
      local ok, inner_error = pcall(swarm.timeout, 9, function()
        swarm.sleep(50)
      end)
      inner_code = not ok and inner_error.code
      error(inner_error, 0)
    end)
    assert.equal("cancelled", inner_code)
    assert.equal("timeout", err.code)
    assert.matches("2 s", err.message)
    assert.equal(2, swarm.monotonic())
  end)

  it("nest: where both are equal the outer one ends the block", function()
    local err = raised(swarm.timeout, 5, function()
      swarm.timeout(5, function()
        swarm.sleep(50)
      end)
      assert(false, "the inner one was caught by nobody")
    end)
    assert.equal("timeout", err.code)
  end)

  it("raise timeout though the function caught the cancel and returned", function()
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 1, function()
        pcall(swarm.sleep, 50)
        return "as if nothing had been"
      end)
    )
  end)

  it("leave an error of the clean-up as it is, with the reason attached", function()
    local err = raised(swarm.timeout, 1, function()
      pcall(swarm.sleep, 50)
      error { code = "clean-up" }
    end)
    assert.equal("clean-up", err.code)
    assert.matches("ran out of time", err.cancel_reason)
  end)

  it("leave an error that is nil as it is", function()
    local ok, err = pcall(swarm.timeout, 1, function()
      pcall(swarm.sleep, 50)
      error(nil)
    end)
    assert.is_false(ok)
    assert.is_nil(err)
  end)

  it("that pass while a failed block cleans up do not change its error", function()
    local err
    local taken = seconds_of(function()
      err = raised(swarm.timeout, 2, function()
        swarm.spawn(noting({}, "child", 5))
        swarm.sleep(1)
        error { code = "mine" }
      end)
    end)
    assert.equal(6, taken)
    assert.equal("mine", err.code)
  end)

  it("that pass while the children of a returned block work end them", function()
    local child
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 2, function()
        child = swarm.spawn("sleeper", 5)
        return "early"
      end)
    )
    assert.equal("cancelled", child.status)
    assert.equal(2, swarm.monotonic())
  end)

  it("of zero are over at once, even for a function that only computes", function()
    local ran
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 0, function()
        ran = true
        return 1
      end)
    )
    assert.is_true(ran)
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 0, function()
        swarm.sleep(1)
      end)
    )
    assert.equal(0, swarm.monotonic())
  end)

  it("are seen by checkpoint in a loop that never waits", function()
    local turns = 0
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 0, function()
        while turns < 1000 do
          turns = turns + 1
          swarm.checkpoint()
        end
      end)
    )
    assert.equal(1, turns)
  end)

  it("decide a worker's status though it only computed past them", function()
    local h = swarm.spawn(function()
      return "computed"
    end, nil, { timeout = 0 })
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("are numbers of seconds, zero or more, and finite", function()
    for _, seconds in ipairs { -1, 0 / 0, math.huge, "5", {} } do
      assert.equal("invalid_argument", code_of(swarm.timeout, seconds, function() end))
      assert.equal("invalid_argument", code_of(swarm.sleep, seconds))
      assert.equal("invalid_argument", code_of(swarm.spawn, "double", 1, { timeout = seconds }))
    end
    assert.equal("invalid_argument", code_of(swarm.timeout, nil, function() end))
    assert.equal("invalid_argument", code_of(swarm.timeout, 5))
    assert.equal("invalid_argument", code_of(swarm.sleep))
  end)

  it("bind all below them: children, grandchildren and what they wait for", function()
    local child, grandchild
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 4, function()
        child = swarm.spawn(function()
          grandchild = swarm.spawn("sleeper", 50)
          swarm.timeout(20, function()
            swarm.join(grandchild)
          end)
        end)
        swarm.join(child)
      end)
    )
    assert.equal("cancelled", child.status)
    assert.equal("cancelled", grandchild.status)
    assert.equal(4, swarm.monotonic())
  end)

  it("do not bind what was spawned into a scope around them", function()
    local h
    swarm.scope(function(scope)
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 2, function()
          h = scope:spawn("sleeper", 9)
          swarm.join(h)
        end)
      )
    end)
    assert.equal("slept", swarm.result(h))
  end)

  it("name the worker's function where a tail call has left no place", function()
    local _, err = swarm.join(swarm.spawn(function()
      return swarm.timeout(1, function()
        return swarm.sleep(5)
      end)
    end))
    assert.equal("timeout", err.code)
    assert.matches("structure_spec%.lua:%d+$", err.where)
  end)

  it("show in ctx.deadline: the nearest of one's own and those above", function()
    local function deadline_of(options)
      return swarm.result(swarm.spawn(function(ctx)
        return ctx.deadline
      end, nil, options))
    end
    assert.is_nil(deadline_of())
    assert.equal(7, deadline_of { timeout = 7 })
    swarm.timeout(5, function()
      assert.equal(5, deadline_of())
      assert.equal(5, deadline_of { timeout = 7 })
      assert.equal(3, deadline_of { timeout = 3 })
      assert.is_nil(deadline_of { detached = true })
      swarm.shield(function()
        assert.equal(20, deadline_of())
      end, { timeout = 20 })
    end)
  end)

  it("of a worker end it as timeout, a failure", function()
    local h = swarm.spawn("brief", 6)
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("timeout", err.code)
    assert.equal("timeout", h.status)
    assert.equal(5, swarm.monotonic())
    assert.equal("in time", swarm.call("brief", 4))
  end)

  it("of a spawn win over those of the definition", function()
    assert.equal("in time", swarm.result(swarm.spawn("brief", 6, { timeout = 8 })))
    local h = swarm.spawn("brief", 4, { timeout = 2 })
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("of a worker count from running on, not while it is queued", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 10 })
    local second = swarm.spawn("one_at_a_time", { name = "second", seconds = 3 }, { timeout = 4 })
    swarm.sleep(9)
    assert.equal("pending", second.status)
    assert.is_nil(second.deadline)
    assert.equal("first", swarm.result(first))
    assert.equal("second", swarm.result(second))
    assert.equal(13, swarm.monotonic())
  end)

  it("above bound a queued worker too", function()
    local second
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 10 })
    swarm.yield()
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 4, function()
        second = swarm.spawn("one_at_a_time", { name = "second" })
      end)
    )
    assert.equal("cancelled", second.status)
    assert.equal("first", swarm.result(first))
  end)

  it("that come with a cancel of the whole worker leave it cancelled", function()
    local worker
    swarm.spawn(function()
      swarm.sleep(5)
      swarm.cancel(worker, "at the same time")
    end)
    swarm.yield()
    worker = swarm.spawn(function()
      swarm.timeout(5, function()
        swarm.sleep(50)
      end)
    end)
    swarm.join(worker)
    assert.equal("cancelled", worker.status)
  end)
end)

describe("detached", function()
  it("children are not waited for by who spawned them", function()
    local child
    local taken = seconds_of(function()
      swarm.join(swarm.spawn(function()
        child = swarm.spawn("sleeper", 20, { detached = true })
      end))
    end)
    assert.equal(0, taken)
    assert.equal("slept", swarm.result(child))
  end)

  it("children outlive a block that fails or runs out of time", function()
    local child
    pcall(swarm.timeout, 1, function()
      child = swarm.spawn("sleeper", 20, { detached = true })
      swarm.sleep(50)
    end)
    assert.equal("slept", swarm.result(child))
  end)

  it("failures are not those of who spawned them nor of its scope", function()
    local child
    local h = swarm.spawn(function()
      swarm.scope(function(scope)
        child = scope:spawn("fail_after", 1, { detached = true })
        swarm.sleep(5)
      end)
      return "well"
    end)
    assert.equal("well", swarm.result(h))
    assert.equal("failed", child.status)
    assert.is_nil((swarm.join(child))) -- else it would fail the run
  end)

  it("workers may join who spawned them", function()
    local child
    local h = swarm.spawn(function(ctx)
      child = swarm.spawn(function()
        return swarm.result(ctx)
      end, nil, { detached = true })
      swarm.sleep(3)
      return "mine"
    end)
    swarm.join(h)
    assert.equal("mine", swarm.result(child))
  end)

  it("is said with true or false, and nothing else", function()
    for _, wrong in ipairs { "yes", 1, {} } do
      local ok, err = pcall(swarm.spawn, "sleeper", 1, { detached = wrong })
      assert.is_false(ok)
      assert.matches("spawn's option detached is true or false", err.message)
    end
    local owned = swarm.spawn(function()
      swarm.spawn("sleeper", 20, { detached = false })
    end)
    owned:join()
    assert.equal(20, swarm.monotonic())
  end)
end)

describe("concurrency", function()
  it("lets at most n run, and keeps the others pending", function()
    local list = {}
    for i = 1, 5 do
      list[i] = swarm.spawn("two_at_a_time", 10)
    end
    swarm.sleep(1)
    local counts = { running = 0, pending = 0 }
    for _, h in ipairs(list) do
      counts[h.status] = counts[h.status] + 1
    end
    assert.same({ running = 2, pending = 3 }, counts)
    for _, h in ipairs(list) do
      swarm.join(h)
    end
    assert.same({ 0, 0, 10, 10, 20 }, began)
  end)

  it("serves first come first", function()
    local list = {}
    for i = 1, 6 do
      list[i] = swarm.spawn("one_at_a_time", { name = i, seconds = 1 })
    end
    swarm.yield()
    for i = 6, 1, -1 do
      swarm.join(list[i])
    end
    assert.same({ 1, 2, 3, 4, 5, 6 }, began)
  end)

  it("frees the slot at every kind of end", function()
    local ends = {
      pass = {},
      failed = { fail = true },
      blocked = { block = true },
      cancelled = { seconds = 50 },
      timeout = { seconds = 50 },
    }
    for status, job in pairs(ends) do
      local h = swarm.spawn("one_at_a_time", job, status == "timeout" and { timeout = 2 } or nil)
      local following = swarm.spawn("one_at_a_time", { name = status })
      swarm.sleep(1)
      if status == "cancelled" then
        swarm.cancel(h)
      end
      swarm.join(h)
      assert.equal(status, h.status)
      assert.equal(status, swarm.result(following))
    end
  end)

  it("holds the slot until the children have settled", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", child = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    swarm.sleep(3)
    assert.equal("pending", second.status)
    swarm.join(first)
    assert.equal("second", swarm.result(second))
    assert.equal(5, swarm.monotonic())
  end)

  it("loses nothing when a worker is cancelled while it waits for a slot", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    local third = swarm.spawn("one_at_a_time", { name = "third" })
    swarm.sleep(1)
    swarm.cancel(second)
    assert.equal("cancelled", second.status)
    swarm.join(first)
    assert.equal("third", swarm.result(third))
    assert.same({ "first", "third" }, began)
  end)

  it("passes on a slot whose new holder is cancelled before it began", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    local third = swarm.spawn("one_at_a_time", { name = "third" })
    swarm.yield()
    swarm.sleep(5)
    assert.equal("pass", first.status) -- the slot is second's now, and we run before it
    assert.equal("pending", second.status)
    swarm.cancel(second)
    assert.equal("third", swarm.result(third))
    assert.equal("one more", swarm.call("one_at_a_time", { name = "one more" }))
    assert.same({ "first", "third", "one more" }, began)
  end)

  it("hands a slot to who waits, not to who comes as it is freed", function()
    local first = swarm.spawn("one_at_a_time", { name = "first", seconds = 5 })
    local second = swarm.spawn("one_at_a_time", { name = "second" })
    swarm.yield()
    swarm.sleep(5)
    assert.equal("pass", first.status)
    assert.equal("pending", second.status)
    assert.equal("third", swarm.call("one_at_a_time", { name = "third" }))
    assert.same({ "first", "second", "third" }, began)
    assert.equal("pass", second.status)
  end)

  it("gives back what was never used when a whole queue is cancelled", function()
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 3, function()
        for i = 1, 10 do
          swarm.spawn("one_at_a_time", { name = i, seconds = 2 })
        end
      end)
    )
    assert.same({ 1, 2 }, began)
    assert.equal("after", swarm.call("one_at_a_time", { name = "after" }))
  end)

  it("raises deadlock where one joins a child that needs the slot one holds", function()
    assert.equal("deadlock", swarm.call("nested_single", "join"))
  end)

  it("raises deadlock where an ancestor further up holds the slot", function()
    assert.equal("deadlock", swarm.call("nested_single", "deep"))
  end)

  it("lets a join with a timeout wait for such a child", function()
    assert.equal("poll_timeout", swarm.call("nested_single", "timed"))
    assert.equal(3, swarm.monotonic())
  end)
end)

describe("clocks", function()
  it("move together: monotonic, now and os.time", function()
    local monotonic, wall, unix = swarm.monotonic(), swarm.now(), os.time()
    swarm.sleep(3600)
    assert.equal(3600, swarm.monotonic() - monotonic)
    assert.near(3600, swarm.now() - wall, 1e-6)
    assert.equal(3600, os.time() - unix)
    assert.equal(math.floor(swarm.now()), os.time())
  end)

  it("stand still while workers compute or take turns", function()
    local before = swarm.monotonic()
    for _ = 1, 100 do
      swarm.yield()
      swarm.call("double", 1)
    end
    assert.equal(before, swarm.monotonic())
  end)

  it("are moved by clock.advance, and what is due until then runs first", function()
    local woke
    swarm.spawn(function()
      swarm.sleep(5)
      woke = swarm.monotonic()
    end)
    clock.advance(5)
    assert.equal(5, woke)
    assert.equal(5, swarm.monotonic())
  end)

  it("let a sleep of zero give way, and checkpoint not", function()
    local order = {}
    swarm.spawn(function()
      order[#order + 1] = "other"
    end)
    swarm.checkpoint()
    order[#order + 1] = "after checkpoint"
    swarm.sleep(0)
    order[#order + 1] = "after sleep"
    assert.same({ "after checkpoint", "other", "after sleep" }, order)
  end)
end)

describe("deadlock", function()
  it("is raised where one joins oneself", function(ctx)
    local err = raised(swarm.join, ctx)
    assert.equal("deadlock", err.code)
    assert.matches("itself", err.message)
    assert.equal("deadlock", code_of(swarm.result, ctx))
  end)

  it("is raised where one joins a worker above", function(ctx)
    local h = swarm.spawn(function(parent)
      local first = code_of(swarm.join, parent)
      local grandchild = swarm.spawn(function()
        return code_of(swarm.join, ctx)
      end)
      return first .. " " .. swarm.result(grandchild)
    end)
    assert.equal("deadlock deadlock", swarm.result(h))
    local child = swarm.spawn(function()
      return code_of(swarm.join, ctx)
    end)
    assert.equal("deadlock", swarm.result(child))
  end)

  it("is raised where two workers join each other", function()
    local a, b
    a = swarm.spawn(function()
      swarm.yield()
      return code_of(swarm.join, b)
    end)
    b = swarm.spawn(function()
      local ok, err = pcall(swarm.join, a)
      return ok and "joined" or err.code
    end)
    assert.same({ "joined", "deadlock" }, { swarm.result(b), swarm.result(a) })
  end)

  it("is raised where three workers join in a ring, for the one that closes it", function()
    local ring, codes = {}, {}
    for i = 1, 3 do
      ring[i] = swarm.spawn(function()
        swarm.sleep(i)
        local ok, err = pcall(swarm.join, ring[i % 3 + 1])
        codes[i] = ok and "joined" or err.code
      end)
    end
    for i = 1, 3 do
      swarm.join(ring[i])
    end
    assert.same({ "joined", "joined", "deadlock" }, codes)
    assert.equal(3, swarm.monotonic())
  end)

  it("is raised where one joins who waits for a worker above", function()
    local other
    local h = swarm.spawn(function(ctx)
      other = swarm.spawn(function()
        swarm.join(ctx)
      end, nil, { detached = true })
      swarm.sleep(1)
      local child = swarm.spawn(function()
        return code_of(swarm.join, other)
      end)
      return swarm.result(child)
    end)
    assert.equal("deadlock", swarm.result(h))
    assert.is_true(swarm.join(other))
  end)

  it("is not raised where a join in the ring has a timeout", function()
    local a, b, timed
    a = swarm.spawn(function()
      local _, err = swarm.join(b, { timeout = 5 })
      timed = err.code
      return "a"
    end)
    b = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.result(a)
    end)
    assert.equal("a", swarm.result(b))
    assert.equal("poll_timeout", timed)
  end)

  it("is not raised where the ring has been cut by a cancel", function()
    local a, b
    b = swarm.spawn(function()
      swarm.sleep(1)
      swarm.cancel(a)
      return select(2, swarm.join(a)).code
    end)
    a = swarm.spawn(function()
      swarm.join(b)
    end)
    assert.equal("cancelled", swarm.result(b))
  end)

  it("is not raised where many join one", function()
    local target = swarm.spawn("sleeper", 5)
    local list = {}
    for i = 1, 20 do
      list[i] = swarm.spawn(function()
        return swarm.result(target)
      end)
    end
    for i = 1, 20 do
      assert.equal("slept", swarm.result(list[i]))
    end
  end)

  -- A worker that waits in `wrap` for a child, who joins another, who joins it.
  local function ring(wrap)
    local third
    local first = swarm.spawn(function()
      return wrap(function()
        swarm.spawn(function()
          swarm.join(third)
        end)
        swarm.yield()
      end)
    end)
    swarm.yield()
    third = swarm.spawn(function()
      return swarm.join(first)
    end)
    return first, third
  end

  for name, wrap in pairs {
    ["a worker"] = function(fn)
      fn()
    end,
    ["a timeout"] = function(fn)
      swarm.timeout(5, fn)
    end,
    ["a scope"] = function(fn)
      swarm.scope(fn)
    end,
    ["a shield"] = function(fn)
      swarm.shield(fn)
    end,
  } do
    it("is raised at the end of " .. name .. " whose child waits for it", function()
      local first, third = ring(wrap)
      local _, err = swarm.join(first)
      assert.equal("deadlock", err.code)
      assert.matches("waits for its child", err.message)
      assert.equal(0, swarm.monotonic())
      assert.is_true(swarm.join(third))
    end)
  end

  it("is none where the child's join has a timeout", function()
    local first
    first = swarm.spawn(function()
      local third
      swarm.spawn(function()
        swarm.join(third, { timeout = 1 })
      end)
      third = swarm.spawn(function()
        swarm.join(first, { timeout = 3 })
      end, nil, { detached = true })
      swarm.yield()
    end)
    assert.is_true(swarm.join(first))
    assert.equal(1, swarm.monotonic())
  end)

  it("is an error like others: who catches it goes on", function(ctx)
    local err = raised(function()
      swarm.join(ctx)
    end)
    assert.equal("deadlock", err.code)
    assert.matches("structure_spec%.lua:%d+", err.where)
    assert.equal(4, swarm.call("double", 2))
  end)
end)
