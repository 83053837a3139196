-- Proves coroutines.md in every order: calls that cannot wait, in programs that are counted in the
-- table of exploration.md.
local programs = require "programs"
local swarm = require "swarm"

local program, turns, slow = programs.program, programs.turns, programs.slow

describe("where it cannot wait", function()
  ---What a call raises inside a callback of a C function, which no worker can leave by waiting.
  local function barred(call)
    local code
    table.sort({ 1, 2 }, function()
      local ok, err = pcall(call)
      code = not ok and err.code
      return false
    end)
    assert.equal("invalid_argument", code)
  end

  program("no wait: a join, of a worker that others join", function()
    local target = swarm.spawn(slow)
    local other = swarm.spawn(function()
      return swarm.join(target)
    end)
    swarm.yield()
    if target.status ~= "pass" then
      barred(function()
        swarm.join(target)
      end)
      barred(function()
        swarm.join(target, { timeout = 1 })
      end)
    end
    turns()
    assert.is_true(swarm.join(target))
    assert.is_true(swarm.result(other))
  end)

  program("no wait: sleep, yield and a cancel token", function()
    local target = swarm.spawn(slow)
    barred(function()
      swarm.sleep(1)
    end)
    barred(swarm.yield)
    barred(function()
      target.cancel_token:wait()
    end)
    turns()
    assert.is_true(swarm.join(target))
    assert.equal(0, swarm.monotonic())
  end)

  program("no wait: a channel, a semaphore, a lock and an event", function()
    local channel, semaphore = swarm.channel(), swarm.semaphore(1)
    local lock, event = swarm.lock(), swarm.event()
    swarm.spawn(function()
      lock:with(function()
        semaphore:with(turns)
      end)
      event:set()
      channel:send(1)
    end)
    barred(function()
      channel:recv()
    end)
    barred(function()
      channel:send(2)
    end)
    barred(function()
      event:wait()
    end)
    swarm.yield()
    local got = channel:recv()
    assert.equal(1, got)
    lock:with(turns)
    semaphore:acquire()
    event:wait()
  end)
end)
