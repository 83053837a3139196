-- Proves structure.md in every order: programs that `explore` runs, counted in the table of
-- exploration.md.
local programs = require "programs"
local swarm = require "swarm"

local program, turns, slow = programs.program, programs.turns, programs.slow
local sleeper, join_all, status_of = programs.sleeper, programs.join_all, programs.status_of

describe("shield", function()
  program("shield: holds a cancel back", { "whole", "nothing" }, function()
    local began, ended = false, false
    local child = swarm.spawn(function()
      swarm.shield(function()
        began = true
        turns(2)
        ended = true
      end)
      swarm.yield()
    end)
    swarm.spawn(function()
      swarm.cancel(child)
    end)
    swarm.join(child)
    assert.equal(began, ended)
    return ended and "whole" or "nothing"
  end)

  program("shield: for the clean-up of a cancelled worker", function()
    local clean = false
    local child = swarm.spawn(function()
      pcall(swarm.sleep, 9)
      swarm.shield(function()
        swarm.join(swarm.spawn(slow))
        clean = true
      end)
    end)
    swarm.yield()
    local began = child.status == "running"
    swarm.cancel(child)
    assert.equal("cancelled", status_of(child))
    assert.equal(began, clean)
  end)

  program("shield: its children are shielded with it", { "pass", "cancelled", "nil" }, function()
    local inner ---@type swarm.Handle?
    local child = swarm.spawn(function()
      swarm.shield(function()
        inner = swarm.spawn(slow)
      end)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(child)
    end)
    local status = status_of(child)
    assert.is_true(inner == nil or inner.status == "pass")
    return inner and status or nil
  end)

  program("shield: what ends with its time ends too late", { "timeout" }, function()
    local child = swarm.spawn(sleeper, 1)
    swarm.yield()
    local ok, err = pcall(swarm.shield, function()
      swarm.join(child)
    end, { timeout = 1 })
    return ok and "in time" or err.code
  end)

  program("shield: a deadline outside waits until it is over", function()
    local whole = false
    local ok, err = pcall(swarm.timeout, 1, function()
      swarm.shield(function()
        swarm.join(swarm.spawn(sleeper, 1))
        swarm.join(swarm.spawn(sleeper, 1))
        whole = true
      end)
      swarm.yield()
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.code)
    assert.is_true(whole)
  end)
end)

describe("timeout", function()
  program("timeout: a child that ends with it ends too late", { "pass", "cancelled" }, function()
    local other = swarm.spawn(sleeper, 1)
    swarm.yield()
    local child
    local ok, err = pcall(swarm.timeout, 1, function()
      child = swarm.spawn(function()
        swarm.join(other)
      end)
      swarm.join(child)
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.code)
    assert.is_true(swarm.join(other))
    return child.status
  end)

  program("timeout: two that end together, one in the other", function()
    local ok, err = pcall(swarm.timeout, 1, function()
      local _, inner = pcall(swarm.timeout, 1, function()
        swarm.spawn(sleeper, 2)
        swarm.sleep(2)
      end)
      assert.is_not_nil(inner)
      swarm.yield()
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.code)
    assert.equal(1, swarm.monotonic())
  end)

  program("timeout: of no time at all", function()
    local child
    local ok, err = pcall(swarm.timeout, 0, function()
      child = swarm.spawn(slow)
      swarm.join(child)
    end)
    assert.is_true(ok and child.status == "pass" or err.code == "timeout")
  end)

  program("timeout: a return that comes with it comes too late", { "timeout" }, function()
    local other = swarm.spawn(sleeper, 1)
    local child = swarm.spawn(function()
      swarm.join(other)
    end, nil, { timeout = 1 })
    local status = status_of(child)
    assert.is_true(swarm.join(other))
    return status
  end)

  program("timeout: it races a cancel", { "timeout", "cancelled" }, function()
    local child = swarm.spawn(sleeper, 5, { timeout = 1 })
    local by = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.cancel(child)
    end)
    assert.equal(swarm.result(by) and "cancelled" or "timeout", status_of(child))
    return child.status
  end)

  program("timeout: of a parent with children that time out", function()
    local parent = swarm.spawn(function()
      for _ = 1, 2 do
        swarm.spawn(sleeper, 2, { timeout = 1 })
      end
      swarm.sleep(2)
    end, nil, { timeout = 1 })
    local _, err = swarm.join(parent)
    assert.is_true(parent.status == "timeout" or parent.status == "failed")
    assert.is_not_nil(err)
  end)
end)

describe("scope", function()
  program("scope: the first failure cancels the rest", function()
    local other
    local ok, err = pcall(swarm.scope, function(scope)
      scope:spawn(function()
        turns()
        error { code = "broke" }
      end)
      other = scope:spawn(function()
        turns(2)
      end)
    end)
    assert.is_false(ok)
    assert.equal("broke", err.code)
    assert.is_true(other.status == "cancelled" or other.status == "pass")
  end)

  program("scope: two failures", { "1", "2" }, function()
    local workers = {}
    local ok, err = pcall(swarm.scope, function(scope)
      for i = 1, 2 do
        workers[i] = scope:spawn(function()
          turns()
          error { code = "broke", i = i }
        end)
      end
    end)
    assert.is_false(ok)
    local other = workers[3 - err.i]
    assert.equal(other.status == "failed" and 1 or 0, err.others and #err.others or 0)
    return err.i
  end)

  program("scope: spawned into by another worker", { "in", "too late" }, function()
    local inside, status
    local face ---@type swarm.Scope?
    local by = swarm.spawn(function()
      turns()
      if face then
        local ok, child = pcall(face.spawn, face, slow)
        inside = ok and child
      end
    end)
    swarm.scope(function(scope)
      face = scope
      turns()
    end)
    status = inside and inside.status
    swarm.join(by)
    assert.is_true(not status or status == "pass")
    return inside and "in" or "too late"
  end)

  program("scope: its function fails", function()
    local child
    local ok, err = pcall(swarm.scope, function(scope)
      child = scope:spawn(slow)
      turns()
      error { code = "mine" }
    end)
    assert.is_false(ok)
    assert.equal("mine", err.code)
    assert.is_true(child.status == "cancelled" or child.status == "pass")
  end)

  program("scope: one in another, both with workers", function()
    local outer_child, inner_child
    local ok, err = pcall(swarm.scope, function(outer)
      outer_child = outer:spawn(slow)
      swarm.scope(function(inner)
        inner_child = inner:spawn(function()
          error { code = "broke" }
        end)
      end)
    end)
    assert.is_false(ok)
    assert.equal("broke", err.code)
    assert.equal("failed", inner_child.status)
    assert.is_true(outer_child.status == "cancelled" or outer_child.status == "pass")
  end)

  program("scope: a cancel from outside races a failure", { "failed", "cancelled" }, function()
    local worker = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn(function()
          turns()
          error { code = "broke" }
        end)
      end)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(worker)
    end)
    return status_of(worker)
  end)
end)

describe("detached", function()
  program("detached: outlives its spawner", function()
    local child ---@type swarm.Handle
    local parent = swarm.spawn(function()
      child = swarm.spawn(function()
        turns(2)
        return 7
      end, nil, { detached = true })
    end)
    swarm.join(parent)
    assert.equal(7, swarm.result(child))
  end)

  program("detached: its spawner's cancel is not its own", function()
    local child ---@type swarm.Handle?
    local parent = swarm.spawn(function()
      child = swarm.spawn(slow, nil, { detached = true })
      turns()
    end)
    swarm.spawn(function()
      swarm.cancel(parent)
    end)
    swarm.join(parent)
    assert.is_true(child == nil or swarm.join(child))
  end)

  program("detached: two, and one cancels the other", { "cancelled", "pass" }, function()
    local first = swarm.spawn(slow, nil, { detached = true })
    swarm.spawn(function()
      swarm.cancel(first)
    end, nil, { detached = true })
    return status_of(first)
  end)
end)

describe("concurrency", function()
  local function one_at_a_time()
    local seen = { inside = 0, most = 0, ended = 0 }
    function seen.work()
      seen.inside = seen.inside + 1
      seen.most = math.max(seen.most, seen.inside)
      local ok, err = pcall(swarm.yield)
      seen.inside = seen.inside - 1
      if not ok then
        error(err, 0)
      end
      seen.ended = seen.ended + 1
    end
    return seen
  end

  -- A definition's workers share no closure: one program at a time has its own.
  local seen ---@type table

  swarm.worker "one" {
    concurrency = 1,
    run = function()
      seen.work()
    end,
  }
  swarm.worker "two" {
    concurrency = 2,
    run = function()
      seen.work()
    end,
  }

  program("concurrency: one slot, three workers", function()
    seen = one_at_a_time()
    local workers = {}
    for i = 1, 3 do
      workers[i] = swarm.spawn "one"
    end
    join_all(workers)
    assert.equal(1, seen.most)
    assert.equal(3, seen.ended)
  end)

  program("concurrency: two slots, three workers", function()
    seen = one_at_a_time()
    for _ = 1, 3 do
      swarm.spawn "two"
    end
    swarm.sleep(1)
    assert.equal(3, seen.ended)
    assert.is_true(seen.most <= 2)
  end)

  program("concurrency: a cancel in the queue", { "0", "1" }, function()
    seen = one_at_a_time()
    swarm.spawn "one"
    local second = swarm.spawn "one"
    swarm.spawn(function()
      swarm.cancel(second)
    end)
    swarm.join(second)
    swarm.sleep(1)
    assert.equal(1, seen.most)
    local ran = swarm.spawn "one"
    assert.is_true(swarm.join(ran)) -- the slot is free again
    return seen.ended - 2
  end)

  program("concurrency: a cancel as the slot changes hands", function()
    seen = one_at_a_time()
    local first, second, third = swarm.spawn "one", swarm.spawn "one", swarm.spawn "one"
    swarm.join(first)
    swarm.cancel(second)
    swarm.join(second)
    assert.is_true(swarm.join(third))
    assert.equal(1, seen.most)
  end)

  program("concurrency: a cancel of the one who holds the slot", function()
    seen = one_at_a_time()
    local first, second = swarm.spawn "one", swarm.spawn "one"
    swarm.spawn(function()
      swarm.cancel(first)
    end)
    assert.is_true(swarm.join(second))
    swarm.join(first)
    assert.equal(1, seen.most)
  end)
end)

describe("join and cancel, further", function()
  program("join: of one that joined me, and was cancelled", function(ctx)
    local joiner = swarm.spawn(function()
      swarm.join(ctx, { timeout = 9 })
    end)
    local other ---@type swarm.Handle
    local first = swarm.spawn(function()
      swarm.yield()
      swarm.cancel(other)
      return swarm.join(other) -- it waits no longer, though it has not gone on yet
    end)
    other = swarm.spawn(function()
      swarm.join(first)
    end)
    swarm.cancel(joiner)
    swarm.join(first)
    assert.is_true(other.status == "cancelled" or first.status == "pass")
    assert.not_equal("failed", first.status)
  end)

  program("cancel: reaches the children that a parent waits for, at once", function()
    local parent = swarm.spawn(function()
      swarm.spawn(sleeper, 100)
      swarm.spawn(sleeper, 100)
    end)
    swarm.spawn(function()
      turns(2)
      swarm.cancel(parent)
    end)
    assert.equal("cancelled", status_of(parent))
    assert.equal(0, swarm.monotonic())
  end)

  program("cancel: of the children of a worker that fails, at once", function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(sleeper, 100)
      turns()
      error { code = "broke" }
    end)
    local _, err = swarm.join(parent)
    assert.equal("broke", err.code)
    assert.equal("cancelled", child.status)
    assert.equal(0, swarm.monotonic())
  end)

  program("scope: the children of a block that fails are cancelled at once", function()
    ---@type function[]
    local blocks = {
      swarm.scope,
      swarm.shield,
      function(fn)
        swarm.timeout(5, fn)
      end,
    }
    for _, block in ipairs(blocks) do
      local child
      local ok, err = pcall(block, function()
        child = swarm.spawn(sleeper, 4)
        turns()
        error { code = "broke" }
      end)
      assert.is_false(ok)
      assert.equal("broke", err.code)
      assert.equal("cancelled", child.status)
    end
    assert.equal(0, swarm.monotonic())
  end)

  program("timeout: a failure that nobody joined in it is raised after it", function()
    local ok, err = pcall(swarm.timeout, 5, function()
      swarm.spawn(function()
        turns()
        error { code = "broke" }
      end)
      swarm.spawn(slow)
    end)
    assert.is_false(ok)
    assert.equal("children_failed", err.code)
    assert.equal("broke", err.errors[1].code)
  end)

  program("cancel token: tells of the cancel before the clean-up ends", { "0" }, function()
    local target = swarm.spawn(function()
      pcall(swarm.sleep, 9)
      swarm.shield(function()
        swarm.sleep(5)
      end)
    end)
    local waiter = swarm.spawn(function()
      local cancelled = target.cancel_token:wait()
      return cancelled and swarm.monotonic()
    end)
    swarm.yield()
    swarm.cancel(target)
    local at = swarm.result(waiter)
    swarm.join(target)
    return at
  end)

  program("scope: of two failures the first in time is raised", { "1", "2" }, function()
    local order = {}
    local ok, err = pcall(swarm.scope, function(scope)
      for i = 1, 2 do
        scope:spawn(function()
          pcall(turns, 2)
          order[#order + 1] = i
          error { code = "broke", i = i }
        end)
      end
    end)
    assert.is_false(ok)
    assert.equal(order[1], err.i)
    assert.equal(#order - 1, err.others and #err.others or 0)
    return err.i
  end)

  program("together: three that join, cancel and time out", function()
    local first = swarm.spawn(function()
      turns(2)
    end)
    local second = swarm.spawn(function()
      swarm.join(first, { timeout = 0 })
      turns()
    end, nil, { timeout = 1 })
    swarm.spawn(function()
      turns()
      swarm.cancel(first)
      swarm.join(second)
    end)
    swarm.join(first)
    assert.equal("pass", status_of(second))
  end)

  program("together: a shield, a deadline and a cancel", { "timeout", "cancelled" }, function()
    local whole = false
    local child = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(1)
        turns()
        whole = true
      end)
    end, nil, { timeout = 1 })
    local by = swarm.spawn(function()
      swarm.sleep(1)
      swarm.cancel(child)
    end)
    local status = status_of(child)
    swarm.join(by)
    assert.is_true(whole)
    return status
  end)

  program("together: four workers of two turns, joined by two", function()
    local workers, n = {}, 0
    for i = 1, 3 do
      workers[i] = swarm.spawn(function()
        turns()
        n = n + 1
      end)
    end
    local other = swarm.spawn(function()
      join_all(workers)
      return n
    end)
    join_all(workers)
    assert.equal(3, swarm.result(other))
  end)
end)
