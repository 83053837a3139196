-- Proves workers.md in every order: programs that `explore` runs, counted in the table of
-- exploration.md.
local programs = require "programs"
local swarm = require "swarm"

local program, turns, slow = programs.program, programs.turns, programs.slow
local sleeper, join_all, status_of = programs.sleeper, programs.join_all, programs.status_of

describe("join", function()
  program("join: a parent and its child", function()
    local child = swarm.spawn(function()
      turns()
      return 7
    end)
    assert.equal(7, swarm.result(child))
    assert.equal("pass", child.status)
  end)

  program("join: two joiners of one worker", function()
    local target = swarm.spawn(function()
      turns()
      return 7
    end)
    local joiners = {}
    for i = 1, 2 do
      joiners[i] = swarm.spawn(function()
        assert.is_true(swarm.join(target))
        return swarm.result(target)
      end)
    end
    assert.equal(7, swarm.result(joiners[1]))
    assert.equal(7, swarm.result(joiners[2]))
  end)

  program("join: three joiners of a failure", function()
    local target = swarm.spawn(function()
      turns()
      error { code = "broke" }
    end)
    local function joiner()
      local ok, err = swarm.join(target)
      assert.is_nil(ok)
      return err.code
    end
    local first, second = swarm.spawn(joiner), swarm.spawn(joiner)
    assert.equal("broke", joiner())
    assert.equal("broke", swarm.result(first))
    assert.equal("broke", swarm.result(second))
  end)

  program("join: a chain of four", function()
    local before ---@type swarm.Handle
    for i = 1, 4 do
      local joined = before
      before = swarm.spawn(function()
        return joined and swarm.result(joined) .. i or tostring(i)
      end)
    end
    assert.equal("1234", swarm.result(before))
  end)

  program("join: four workers, joined in reverse", function()
    local workers = {}
    for i = 1, 4 do
      workers[i] = swarm.spawn(function()
        return i
      end)
    end
    for i = 4, 1, -1 do
      assert.equal(i, swarm.result(workers[i]))
    end
  end)

  program("join: its time races the end", { "true", "poll_timeout" }, function()
    local child = swarm.spawn(sleeper, 1)
    local ok, err = swarm.join(child, { timeout = 1 })
    assert.is_true(swarm.join(child))
    return ok or err.code
  end)

  program("join: of no time at all", { "true", "poll_timeout" }, function()
    local child = swarm.spawn(slow)
    local ok, err = swarm.join(child, { timeout = 0 })
    assert.equal(ok == true, child.status == "pass")
    return ok or err.code
  end)

  program("join: two with a time, and one without", function()
    local child = swarm.spawn(sleeper, 1)
    for _ = 1, 2 do
      swarm.spawn(function()
        local ok, err = swarm.join(child, { timeout = 1 })
        assert.equal(ok and "pass" or "running", child.status)
        assert.equal(not ok, err ~= nil)
      end)
    end
    assert.is_true(swarm.join(child))
  end)

  program("join: a ring of three", function()
    local workers, deadlocks = {}, 0
    for i = 1, 3 do
      workers[i] = swarm.spawn(function()
        local ok, err = pcall(swarm.join, workers[i % 3 + 1])
        if not ok then
          assert.equal("deadlock", err.code)
          deadlocks = deadlocks + 1
        end
      end)
    end
    join_all(workers)
    assert.equal(1, deadlocks)
  end)

  program("join: of each other, with a way out by time", function()
    local workers = {}
    for i = 1, 2 do
      workers[i] = swarm.spawn(function()
        return (swarm.join(workers[3 - i], { timeout = i }))
      end)
    end
    assert.is_nil(swarm.result(workers[1]))
    assert.is_true(swarm.result(workers[2]))
  end)

  program("join: of one's own parent", function(ctx)
    local child = swarm.spawn(function()
      turns()
      local ok, err = pcall(swarm.join, ctx)
      assert.is_false(ok)
      return err.code
    end)
    assert.equal("deadlock", swarm.result(child))
  end)

  program("join: a nephew that joins its uncle", { "deadlock" }, function()
    local uncle, code ---@type swarm.Handle, string|false
    local parent = swarm.spawn(function()
      swarm.spawn(function()
        local ok, err = pcall(swarm.join, uncle)
        code = not ok and err.code
      end)
    end)
    uncle = swarm.spawn(function()
      local ok, err = pcall(swarm.join, parent)
      return not ok and err.code
    end)
    local other = swarm.result(uncle)
    swarm.join(parent)
    assert.is_true(not (code and other)) -- one of the two at the most
    return code or other
  end)

  program("join: a child that nobody joins settles first", function()
    local ended = false
    local parent = swarm.spawn(function()
      swarm.spawn(function()
        turns(2)
        ended = true
      end)
    end)
    swarm.join(parent)
    assert.is_true(ended)
  end)

  program("join: a failure that nobody joins fails its parent", function()
    local parent = swarm.spawn(function()
      for i = 1, 2 do
        swarm.spawn(function()
          turns()
          error { code = "broke", i = i }
        end)
      end
    end)
    local _, err = swarm.join(parent)
    assert.equal("children_failed", err.code)
    assert.equal(2, #err.errors)
    assert.equal(3, err.errors[1].i + err.errors[2].i)
  end)

  program("join: who owns a failure last", { "cousin", "parent" }, function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(function()
        error "broke"
      end)
      turns()
    end)
    swarm.yield()
    local cousin = swarm.spawn(function()
      return child and not swarm.join(child)
    end)
    local joined = swarm.result(cousin)
    local ok, err = swarm.join(parent)
    -- The failure is handed over once, or it fails the parent; never is it lost.
    assert.is_true(joined or not ok)
    assert.is_true(ok or err.code == "children_failed")
    return ok and "cousin" or "parent"
  end)
end)

describe("cancel", function()
  program("cancel: before it begins", function()
    local child = swarm.spawn(function()
      error "it began"
    end)
    assert.is_true(swarm.cancel(child, "no need"))
    assert.equal("cancelled", status_of(child))
  end)

  program("cancel: one that may have begun", { "cancelled", "pass" }, function()
    local child = swarm.spawn(slow)
    swarm.spawn(function()
      local will_end = swarm.cancel(child)
      assert.equal(will_end, child.status ~= "pass")
    end)
    return status_of(child)
  end)

  program("cancel: it races the end", { "cancelled", "pass" }, function()
    local child = swarm.spawn(function()
      turns(2)
    end)
    local by = swarm.spawn(function()
      turns()
      return swarm.cancel(child)
    end)
    assert.equal(swarm.result(by) and "cancelled" or "pass", status_of(child))
    return child.status
  end)

  program("cancel: two at once", { "one", "two", "pass" }, function()
    local child = swarm.spawn(slow)
    local told = {}
    for _, reason in ipairs { "one", "two" } do
      swarm.spawn(function()
        turns()
        told[reason] = swarm.cancel(child, reason)
      end)
    end
    local _, err = swarm.join(child)
    swarm.sleep(1)
    assert.equal(err ~= nil, (told.one or told.two) == true)
    return err and err.reason or "pass"
  end)

  program("cancel: of one that sleeps", { "cancelled", "pass" }, function()
    local child = swarm.spawn(sleeper, 1)
    local by = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.cancel(child)
    end)
    local was = swarm.result(by)
    assert.equal(was and "cancelled" or "pass", status_of(child))
    assert.equal(1, swarm.monotonic())
    return child.status
  end)

  program("cancel: of a parent with two children", { "cancelled", "pass" }, function()
    local children = {}
    local parent = swarm.spawn(function()
      for i = 1, 2 do
        children[i] = swarm.spawn(slow)
      end
    end)
    swarm.yield()
    swarm.cancel(parent)
    local status = status_of(parent)
    for i = 1, #children do
      assert.is_true(children[i].status == "pass" or children[i].status == status)
    end
    return status
  end)

  program("cancel: of a joiner leaves what it joins", function()
    local target = swarm.spawn(function()
      turns(2)
      return 7
    end)
    local joiner = swarm.spawn(function()
      swarm.join(target)
      turns()
    end)
    swarm.spawn(function()
      swarm.cancel(joiner)
    end)
    assert.equal(7, swarm.result(target))
    assert.is_true(status_of(joiner) == "cancelled" or joiner.status == "pass")
  end)

  program("cancel: of one of two joiners", function()
    local target = swarm.spawn(function()
      turns()
      return 7
    end)
    local joiners = {}
    for i = 1, 2 do
      joiners[i] = swarm.spawn(function()
        return swarm.result(target)
      end)
    end
    swarm.yield()
    swarm.cancel(joiners[1])
    assert.equal(7, swarm.result(joiners[2]))
    swarm.join(joiners[1])
  end)

  program("cancel: and wait, twice", { "true false", "false true", "true true" }, function()
    local child = swarm.spawn(function()
      pcall(swarm.sleep, 9)
      swarm.shield(turns)
    end)
    swarm.yield()
    local told = {}
    for i = 1, 2 do
      told[i] = swarm.spawn(function()
        return swarm.cancel(child, "enough", { wait = true })
      end)
    end
    local one, two = swarm.result(told[1]), swarm.result(told[2])
    assert.equal("cancelled", child.status)
    return tostring(one) .. " " .. tostring(two)
  end)

  program("cancel: of oneself", function()
    local child = swarm.spawn(function(ctx)
      swarm.spawn(slow)
      swarm.cancel(ctx)
      local ok, err = pcall(swarm.yield)
      assert.is_false(ok)
      assert.equal("cancelled", err.code)
    end)
    assert.equal("cancelled", status_of(child))
  end)

  program("cancel: of each other", function()
    local workers = {}
    for i = 1, 2 do
      workers[i] = swarm.spawn(function()
        swarm.cancel(workers[3 - i])
        turns()
      end)
    end
    local first, second = status_of(workers[1]), status_of(workers[2])
    assert.is_true(first == "cancelled" or second == "cancelled")
  end)

  program("cancel: a clean-up that fails", { "failed", "cancelled", "pass" }, function()
    local child = swarm.spawn(function()
      local ok = pcall(turns)
      if not ok then
        error { code = "unclean" }
      end
    end)
    local by = swarm.spawn(function()
      swarm.cancel(child, "enough")
    end)
    local _, err = swarm.join(child)
    swarm.join(by)
    if child.status == "failed" then
      assert.equal("enough", err.cancel_reason)
    end
    return child.status
  end)

  program("cancel: no pcall swallows it", function()
    local child = swarm.spawn(function()
      for _ = 1, 3 do
        pcall(swarm.yield)
      end
      return "gone on"
    end)
    swarm.yield()
    local was = swarm.cancel(child)
    assert.equal(was and "cancelled" or "pass", status_of(child))
  end)

  program("cancel: of a parent that waits for its children", { "cancelled", "pass" }, function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(function()
        turns(2)
      end)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(parent)
    end)
    local status = status_of(parent)
    assert.is_true(not child or child.status == "pass" or child.status == "cancelled")
    return status
  end)
end)

describe("output", function()
  ---Progress of a worker as a follower sees it.
  local function followed(target)
    local stages = {}
    for event in swarm.follow(target) do
      stages[#stages + 1] = event.stage or event.type
    end
    return table.concat(stages, " ")
  end
  local function teller(ctx)
    ctx:progress "one"
    turns()
    ctx:progress "two"
  end

  program("output: a follower sees everything, in order", function()
    local target = swarm.spawn(teller)
    assert.equal("one two final", followed(target))
  end)

  program("output: two followers see the same", function()
    local target = swarm.spawn(teller)
    local other = swarm.spawn(function()
      return followed(target)
    end)
    assert.equal("one two final", followed(target))
    assert.equal("one two final", swarm.result(other))
  end)

  program("output: a cancelled follower", function()
    local target = swarm.spawn(teller)
    local other = swarm.spawn(function()
      followed(target)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(other)
    end)
    assert.equal("one two final", followed(target))
    swarm.join(other)
  end)

  program("output: a follower of one that is cancelled comes to an end", function()
    local target = swarm.spawn(teller)
    local other = swarm.spawn(function()
      return followed(target)
    end)
    swarm.spawn(function()
      swarm.cancel(target)
    end)
    assert.equal(0, select(2, followed(target):gsub("two one", "")))
    assert.equal(followed(target), swarm.result(other))
  end)

  program("output: a tail only ever grows", function()
    local target = swarm.spawn(teller)
    local seen = 0
    for _ = 1, 3 do
      local now = #swarm.output_tail(target)
      assert.is_true(now >= seen)
      seen = now
      swarm.yield()
    end
    swarm.join(target)
    assert.equal(3, #swarm.output_tail(target))
  end)

  program("output: partial output survives a cancel", { "0", "1", "3" }, function()
    local target = swarm.spawn(teller)
    swarm.spawn(function()
      swarm.cancel(target)
    end)
    swarm.join(target)
    return #swarm.output_tail(target)
  end)
end)

describe("cancel token", function()
  program("cancel token: two wait for it, and it is cancelled", { "true", "false" }, function()
    local target = swarm.spawn(slow)
    local waiters = {}
    for i = 1, 2 do
      waiters[i] = swarm.spawn(function()
        return target.cancel_token:wait()
      end)
    end
    swarm.spawn(function()
      swarm.cancel(target)
    end)
    local one, two = swarm.result(waiters[1]), swarm.result(waiters[2])
    swarm.join(target)
    assert.equal(target.status == "cancelled", one)
    assert.equal(one, two)
    return one
  end)

  program("cancel token: the waiter is cancelled itself", function()
    local target = swarm.spawn(slow)
    local waiter = swarm.spawn(function()
      return target.cancel_token:wait()
    end)
    swarm.spawn(function()
      swarm.cancel(waiter)
    end)
    assert.is_true(swarm.join(target))
    assert.is_true(swarm.join(waiter) or waiter.status == "cancelled")
  end)

  program("cancel token: a wait for one that ends by itself", function()
    local target = swarm.spawn(function()
      turns(2)
    end)
    assert.is_false(target.cancel_token:wait())
    assert.equal("pass", target.status)
  end)
end)
