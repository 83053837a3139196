-- Proves sync.md, "with".
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"

local raised, code_of = outcomes.raised, outcomes.code_of
local started = stages.started

describe("with", function()
  ---Runs a spec with a semaphore of one permit, and with a lock.
  local function for_both(fn)
    fn(swarm.semaphore(1), "semaphore")
    fn(swarm.lock(), "lock")
  end

  local function is_free(object)
    return (pcall(swarm.timeout, 0.001, function()
      object:with(function() end)
    end))
  end

  it("takes a function", function()
    for_both(function(object, name)
      for _, value in ipairs { 1, "print", {}, false } do
        local err = raised(object.with, object, value)
        assert.equal("invalid_argument", err.code)
        assert.matches(name .. ":with takes a function", err.message)
      end
      assert.equal("invalid_argument", code_of(object.with, object))
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where the function raises, and the error comes out as it is", function()
    for_both(function(object)
      local mine = { code = "mine" }
      assert.equal(
        mine,
        raised(object.with, object, function()
          error(mine)
        end)
      )
      assert.is_true(is_free(object))
      assert.has_error(function()
        object:with(function()
          error "text"
        end)
      end, "text")
      assert.is_true(is_free(object))
      assert.is_false((pcall(object.with, object, function()
        error(nil)
      end)))
      assert.is_true(is_free(object))
    end)
  end)

  it("keeps the traceback of an error inside", function()
    for_both(function(object)
      local function deep()
        error "inside"
      end
      local h = swarm.spawn(function()
        object:with(function()
          deep()
          return nil
        end)
      end)
      local _, err = swarm.join(h)
      assert.matches("deep", err.traceback)
    end)
  end)

  it("gives back where its worker is cancelled inside, or while it waits", function()
    for_both(function(object)
      local h = started(function()
        object:with(function()
          swarm.sleep(100)
        end)
      end)
      local second = started(function()
        object:with(error)
      end)
      swarm.cancel(second)
      swarm.cancel(h, "stop", { wait = true })
      assert.equal("cancelled", h.status)
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where a timeout around it, or inside it, ends it", function()
    for_both(function(object)
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 1, function()
          object:with(function()
            swarm.sleep(100)
          end)
        end)
      )
      assert.is_true(is_free(object))
      assert.equal(
        "timeout",
        code_of(object.with, object, function()
          swarm.timeout(1, function()
            swarm.sleep(100)
          end)
        end)
      )
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where the function runs out of stack", function()
    for_both(function(object)
      local function endless()
        return 1 + endless()
      end
      assert.is_false((pcall(object.with, object, endless)))
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where the stack has hardly room for it", function()
    for_both(function(object)
      local function at_depth(n)
        if n == 0 then
          object:with(function() end)
          return 0
        end
        return 1 + at_depth(n - 1)
      end
      local low, high = 100, 100000 -- the deepest that has room lies between
      while high - low > 1 do
        local middle = math.floor((low + high) / 2)
        if pcall(at_depth, middle) then
          low = middle
        else
          high = middle
        end
        assert.is_true(is_free(object))
      end
      for depth = low - 60, low + 60 do
        pcall(at_depth, depth)
        assert.is_true(is_free(object), depth)
      end
    end)
  end)

  it("holds during clean-up that waits, and is given back after it", function()
    for_both(function(object)
      local h = started(function()
        object:with(function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            swarm.sleep(5)
          end)
        end)
      end)
      swarm.cancel(h)
      swarm.yield()
      assert.is_false(is_free(object))
      swarm.join(h)
      assert.is_true(is_free(object))
    end)
  end)

  it("is no cancel scope: children spawned inside outlive it", function()
    for_both(function(object)
      local child ---@type swarm.Handle
      local at = swarm.monotonic()
      local h = swarm.spawn(function()
        object:with(function()
          child = swarm.spawn(function()
            swarm.sleep(5)
            return "done"
          end)
        end)
        assert.equal(at, swarm.monotonic())
        pcall(object.with, object, error)
        swarm.yield()
        assert.equal("running", child.status)
      end)
      assert.is_true(swarm.join(h))
      assert.equal("done", swarm.result(child))
      assert.equal(at + 5, swarm.monotonic())
    end)
  end)

  it("inside a coroutine of the author's, it may wait", function()
    for_both(function(object)
      local step = coroutine.wrap(function()
        local value = object:with(function()
          swarm.sleep(1)
          return "inside"
        end)
        coroutine.yield(value)
        return "after"
      end)
      assert.equal("inside", step())
      assert.is_true(is_free(object))
      assert.equal("after", step())
    end)
  end)

  it("cannot be left by a coroutine.yield of the coroutine that opened it", function()
    for_both(function(object)
      local step = coroutine.wrap(function()
        object:with(function()
          ---@diagnostic disable-next-line: await-in-sync
          coroutine.yield "out"
        end)
      end)
      local err = raised(step)
      assert.equal("invalid_argument", err.code)
      assert.matches("coroutine.yield out of a with block", err.message)
      assert.matches("leave the block first", err.message)
      assert.is_true(is_free(object))
    end)
  end)

  it("may be caught there, and the coroutine yields again after it", function()
    for_both(function(object)
      local step = coroutine.wrap(function()
        local caught = object:with(function()
          return object ~= nil and code_of(coroutine.yield, "out")
        end)
        coroutine.yield(caught)
        coroutine.yield "later"
      end)
      assert.equal("invalid_argument", step())
      assert.equal("later", step())
    end)
  end)

  it("of two nested, the outer one still bars the yield", function()
    local lock, semaphore = swarm.lock(), swarm.semaphore(1)
    local step = coroutine.wrap(function()
      lock:with(function()
        semaphore:with(function() end)
        pcall(semaphore.with, semaphore, error)
        ---@diagnostic disable-next-line: await-in-sync
        coroutine.yield "out"
      end)
    end)
    assert.equal("invalid_argument", code_of(step))
    assert.is_true(is_free(lock) and is_free(semaphore))
  end)

  it("lets coroutines that are resumed inside it yield freely", function()
    for_both(function(object)
      local outer = coroutine.wrap(function()
        for n = 1, 3 do
          coroutine.yield(n)
        end
      end)
      assert.equal(1, outer())
      local inside = object:with(function()
        local inner = coroutine.wrap(function()
          coroutine.yield "inner"
        end)
        return { outer(), inner() }
      end)
      assert.same({ 2, "inner" }, inside)
      assert.equal(3, outer())
      assert.same(
        { 2 },
        coroutine.wrap(function()
          return object:with(function()
            local deep = coroutine.wrap(function()
              coroutine.yield(2)
            end)
            return { deep() }
          end)
        end)()
      )
    end)
  end)

  it("at the top of a worker does not bar the yields of coroutines around", function()
    for_both(function(object)
      local h = swarm.spawn(function()
        local step = coroutine.wrap(function()
          coroutine.yield(1)
          coroutine.yield(2)
        end)
        return { object:with(step), object:with(step) }
      end)
      assert.same({ 1, 2 }, swarm.result(h))
    end)
  end)
end)
