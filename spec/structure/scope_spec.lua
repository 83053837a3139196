-- Proves structure.md, "swarm.scope".
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
local stock = require "structure_stock"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local all_wait, cancelled_in_wait = stages.all_wait, stages.cancelled_in_wait
local noting = stock.noting

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
    local h ---@type swarm.Handle
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
    local h ---@type swarm.Handle
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
    local kept ---@type swarm.Scope
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

describe("a scope", function()
  it("stays closed after it ended with an error", function()
    local kept ---@type swarm.Scope
    pcall(swarm.scope, function(scope)
      kept = scope
      error { code = "mine" }
    end)
    local err = raised(function()
      kept:spawn("sleeper", 1)
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("closed", err.message)
    assert.matches("scope_spec%.lua:%d+", err.where)
  end)

  it("is closed for everybody: other workers, functions and names that do not exist", function()
    local kept ---@type swarm.Scope
    swarm.scope(function(scope)
      kept = scope
    end)
    local h = swarm.spawn(function()
      local function spawned(what)
        return code_of(kept.spawn, kept, what)
      end
      return { spawned "sleeper", spawned(function() end), spawned "no such worker" }
    end)
    assert.same({ "invalid_argument", "invalid_argument", "invalid_argument" }, swarm.result(h))
  end)

  it("of a worker that was cancelled is closed too", function()
    local kept ---@type swarm.Scope
    cancelled_in_wait(function()
      swarm.scope(function(scope)
        kept = scope
        swarm.sleep(100)
      end)
    end)
    assert.matches("closed", raised(kept.spawn, kept, "sleeper", 1).message)
  end)

  it("takes a worker from the last of its children, its function having returned", function()
    local late
    swarm.scope(function(scope)
      scope:spawn(function()
        swarm.sleep(1)
        late = scope:spawn("sleeper", 3)
      end)
    end)
    assert.equal("pass", late.status)
  end)

  it("that takes workers for ever ends with the first that fails", function()
    local n = 0
    local err = raised(swarm.scope, function(scope)
      local function again()
        n = n + 1
        if n == 50 then
          error { code = "enough" }
        end
        scope:spawn(again)
      end
      scope:spawn(again)
    end)
    assert.equal("enough", err.code)
    assert.equal(50, n)
  end)

  it("cannot be read beyond its methods, nor written to, nor called", function()
    swarm.scope(function(scope)
      local err = raised(function()
        ---@diagnostic disable-next-line: undefined-field
        return scope.spwan
      end)
      assert.equal("unknown_name", err.code)
      assert.matches("spawn", err.message)
      assert.equal(
        "unknown_name",
        code_of(function()
          scope.spawn = nil
        end)
      )
      assert.falsy(pcall(setmetatable, scope, {}))
      assert.is_nil(next(scope))
    end)
  end)

  it("refuses what is no worker without harm", function()
    swarm.scope(function(scope)
      for _, what in ipairs { 5, true, {}, "no such worker" } do
        local err = raised(scope.spawn, scope, what)
        assert.truthy(err.code == "invalid_argument" or err.code == "not_registered")
      end
      assert.equal("invalid_argument", code_of(scope.spawn, scope, nil))
      assert.equal("slept", swarm.result(scope:spawn("sleeper", 1)))
    end)
  end)

  it("hands a detached child to the run all the same", function()
    local free ---@type swarm.Handle
    assert.truthy(seconds_of(function()
      swarm.scope(function(scope)
        free = scope:spawn("sleeper", 5, { detached = true })
        all_wait()
      end)
    end) < 1)
    assert.equal("running", free.status)
    swarm.join(free)
  end)

  it("counts the depth of its children from itself, whoever spawned them", function()
    local pages, deepest = 0, 0
    swarm.scope(function(scope)
      local function page(ctx)
        pages, deepest = pages + 1, math.max(deepest, ctx.depth)
        if pages < 200 then
          scope:spawn(page)
        end
      end
      scope:spawn(page)
    end)
    assert.equal(200, pages)
    assert.equal(1, deepest)
  end)

  it("wakes its function whatever that waits for", function()
    local waits = {
      sleep = function()
        swarm.sleep(100)
      end,
      join = function()
        swarm.join(swarm.spawn("sleeper", 100))
      end,
      follow = function()
        for _ in swarm.follow(swarm.spawn("sleeper", 100)) do
        end
      end,
      token = function(ctx)
        ctx.cancel_token:wait()
      end,
      scope = function()
        swarm.scope(function(inner)
          inner:spawn("sleeper", 100)
        end)
      end,
    }
    for name, wait in pairs(waits) do
      local h = swarm.spawn(function(ctx)
        local took = seconds_of(function()
          local err = raised(swarm.scope, function(scope)
            scope:spawn("fail_after", 2)
            wait(ctx)
          end)
          assert.equal("broke", err.code, name)
        end)
        assert.equal(2, took, name)
      end)
      assert(swarm.join(h))
    end
  end)

  it("inside a coroutine ends the same way", function()
    local err
    local co = coroutine.wrap(function()
      err = raised(swarm.scope, function(scope)
        scope:spawn("fail_after", 1)
        swarm.sleep(100)
      end)
      coroutine.yield "still here"
    end)
    assert.equal("still here", co())
    assert.equal("broke", err.code)
  end)

  it("may be opened in each turn of an iterator", function()
    local function zip(n)
      return coroutine.wrap(function()
        for i = 1, n do
          local pair = {}
          swarm.scope(function(scope)
            for k = 1, 2 do
              scope:spawn(function()
                swarm.sleep(k)
                pair[k] = i * k
              end)
            end
          end)
          coroutine.yield(pair)
        end
      end)
    end
    local seen = {}
    for pair in zip(2) do
      seen[#seen + 1] = pair
    end
    assert.same({ { 1, 2 }, { 2, 4 } }, seen)
  end)

  it("is cancelled, not left, by a generator that yields out of a timeout in it", function()
    local child
    local err = raised(function()
      local next_item = coroutine.wrap(function()
        swarm.timeout(5, function()
          child = swarm.spawn("sleeper", 100)
          ---@diagnostic disable-next-line: await-in-sync
          coroutine.yield "out of the block"
        end)
      end)
      next_item()
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("leave the block first", err.message)
    assert.equal("cancelled", child.status)
    swarm.sleep(10) -- the deadline went with the block
  end)

  it("opened around a generator's loop lets it yield in a timeout of the loop's", function()
    local function items()
      return coroutine.wrap(function()
        for i = 1, 3 do
          swarm.sleep(1)
          coroutine.yield(i)
        end
      end)
    end
    local seen = {}
    local err = raised(swarm.timeout, 2.5, function()
      for i in items() do
        seen[#seen + 1] = i
      end
    end)
    assert.equal("timeout", err.code)
    assert.same({ 1, 2 }, seen)
  end)

  it("inner to one that fails keeps its own function's value from nobody", function()
    local log = {}
    pcall(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      log.inner = swarm.scope(function()
        pcall(swarm.sleep, 100)
        return "caught it"
      end)
      log.after = code_of(swarm.checkpoint)
    end)
    assert.same({ inner = "caught it", after = "cancelled" }, log)
  end)
end)
