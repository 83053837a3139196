-- Proves structure.md, "Swallowed cancels".
local started = require("stages").started

---The error that a worker ends in.
local function end_of(h)
  return select(2, swarm.join(h))
end

---A worker that never lets its cancel through: it counts what it tries.
local function swallower(count, fn)
  return function()
    while true do
      local ok, err = pcall(fn or swarm.sleep, 1)
      count.tries = count.tries + 1
      count.code = not ok and err.code or nil
    end
  end
end

describe("a worker that swallows its cancel", function()
  it("gives way to all others each time but the first", function()
    local count = { tries = 0 }
    local h = started(swallower(count))
    local turns = 0
    swarm.spawn(function()
      for _ = 1, 50 do
        swarm.yield()
        turns = turns + 1
      end
      assert(count.tries <= 2 * turns + 5, "it had more turns than its own")
    end)
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(50, turns)
    assert.equal("cancelled", h.status)
  end)

  it("is abandoned at last: cancelled, and its error says so", function()
    local count = { tries = 0 } ---@type { tries: integer }
    local h = started(swallower(count))
    swarm.cancel(h, "enough")
    local err = end_of(h)
    assert.equal("cancelled", err.code)
    assert.equal("enough", err.reason)
    assert.is_true(err.abandoned)
    assert(count.tries > 900 and count.tries < 1100, count.tries)
    local before = count.tries
    swarm.sleep(100)
    assert.equal(before, count.tries)
  end)

  it("is abandoned in spawn and in checkpoint too", function()
    for _, fn in ipairs {
      function()
        swarm.spawn(function() end)
      end,
      swarm.checkpoint,
      swarm.yield,
      function()
        swarm.channel():recv()
      end,
      function()
        swarm.call(function() end)
      end,
    } do
      local count = { tries = 0 }
      local h = started(function()
        pcall(swarm.sleep, 60)
        swallower(count, fn)()
      end)
      swarm.cancel(h)
      assert.is_true(end_of(h).abandoned)
      assert.equal("cancelled", count.code)
    end
  end)

  it("ends as timed out where its time was up", function()
    local h = swarm.spawn(swallower { tries = 0 }, nil, { timeout = 2 })
    local err = end_of(h)
    assert.equal("timeout", h.status)
    assert.is_true(err.abandoned)
  end)

  it("fails where only a block of its own was over", function()
    local h = swarm.spawn(function()
      swarm.timeout(2, swallower { tries = 0 })
    end)
    local err = end_of(h)
    assert.equal("failed", h.status)
    assert.is_true(err.abandoned)
  end)

  it("has its children and its blocks closed from outside, the innermost first", function()
    local log = {}
    local function child(name)
      return function()
        pcall(swarm.sleep, 1000)
        swarm.shield(function()
          swarm.sleep(1)
        end)
        log[#log + 1] = name
      end
    end
    local h = started(function()
      swarm.spawn(child "of the worker")
      swarm.scope(function(scope)
        scope:spawn(child "of the scope")
        swarm.timeout(1000, function()
          swarm.spawn(child "of the block")
          swallower { tries = 0 }()
        end)
      end)
    end)
    swarm.sleep(1)
    swarm.cancel(h)
    assert.is_true(end_of(h).abandoned)
    table.sort(log)
    assert.same({ "of the block", "of the scope", "of the worker" }, log)
  end)

  it("gives back the locks and the permits that its `with` blocks hold", function()
    local lock, semaphore = swarm.lock(), swarm.semaphore(1)
    local h = started(function()
      lock:with(function()
        semaphore:with(swallower { tries = 0 })
      end)
    end)
    swarm.sleep(1)
    swarm.cancel(h)
    local got = false
    lock:with(function()
      semaphore:with(function()
        got = true
      end)
    end)
    assert.is_true(got)
    assert.is_true(end_of(h).abandoned)
  end)

  it("gives its slot to the next", function()
    local h = swarm.spawn("alone", "swallow")
    swarm.sleep(1)
    local other = swarm.spawn("alone", "pass")
    swarm.cancel(h)
    assert.equal("passed", swarm.result(other))
  end)

  it("runs its settled hooks, and no after-hook", function()
    local h = swarm.spawn("hooked")
    swarm.sleep(1)
    swarm.cancel(h)
    swarm.join(h)
    assert.same({ "cancelled" }, swarm.state "seen")
  end)

  it("is not tried again", function()
    local h = swarm.spawn(swallower { tries = 0 }, nil, { retries = { max = 3, backoff = 0 } })
    swarm.sleep(1)
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(1, h.attempt)
  end)

  it("stands still while it waits for its children", function()
    local count = { tries = 0 }
    local h = started(function()
      pcall(swarm.sleep, 60)
      for _ = 1, 500 do
        pcall(swarm.sleep, 1)
      end
      pcall(swarm.scope, function(scope)
        scope:spawn(function() end)
      end)
      count.tries = 1
      return "came to its end"
    end)
    swarm.cancel(h)
    assert.is_nil(end_of(h).abandoned)
    assert.equal(1, count.tries)
  end)

  it("only raises inside string.gsub and table.sort, and goes on", function()
    local tries = 0
    local h = started(function()
      pcall(swarm.sleep, 60);
      ("x"):rep(50):gsub(".", function()
        local _, err = pcall(swarm.sleep, 1)
        assert.equal("cancelled", err.code)
        tries = tries + 1
      end)
    end)
    swarm.cancel(h)
    assert.equal("cancelled", end_of(h).code)
    assert.equal(50, tries)
  end)

  it("is nobody who bounds wait after wait: each cancel is over with its block", function()
    local function bounded()
      return pcall(swarm.timeout, 0.01, function()
        swarm.sleep(1)
      end)
    end
    local h = started(function()
      for i = 1, 1100 do
        bounded()
        for _ = 1, i % 9 == 0 and 3 or 7 do
          swarm.sleep(1)
        end
      end
      return "fine"
    end)
    assert.equal("fine", swarm.result(h))
  end)

  it("may do so in a coroutine of its own", function()
    local h = started(function()
      coroutine.wrap(swallower { tries = 0 })()
    end)
    swarm.cancel(h)
    assert.is_true(end_of(h).abandoned)
  end)
end)

swarm.worker "alone" {
  concurrency = 1,
  run = function(_, what)
    if what == "swallow" then
      swallower { tries = 0 }()
    end
    return "passed"
  end,
}

swarm.worker "hooked" { run = swallower { tries = 0 } }
swarm.after("hooked", function(_, result)
  table.insert(swarm.state "seen", "after")
  return result
end)
swarm.settled("hooked", function(_, outcome)
  table.insert(swarm.state "seen", outcome.status)
end)
