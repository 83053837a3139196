-- Proves sync.md in every order: programs that `explore` runs, counted in the table of
-- exploration.md.
local programs = require "programs"
local swarm = require "swarm"

local program, turns, join_all = programs.program, programs.turns, programs.join_all
local status_of = programs.status_of

describe("channel", function()
  ---Values of a channel, sent from a worker of its own.
  local function sender(channel, ...)
    local values = { ... }
    return swarm.spawn(function()
      for i = 1, #values do
        channel:send(values[i])
      end
    end)
  end
  local function receiver(channel)
    return swarm.spawn(function()
      return (channel:recv())
    end)
  end

  program("channel: two senders, two receivers, no room", function()
    local channel = swarm.channel()
    sender(channel, 1)
    sender(channel, 2)
    local one, two = receiver(channel), receiver(channel)
    assert.equal(3, swarm.result(one) + swarm.result(two))
  end)

  program("channel: room for one, three values in order", function()
    local channel = swarm.channel(1)
    swarm.spawn(function()
      for i = 1, 3 do
        channel:send(i)
      end
      channel:close()
    end)
    local got = {}
    for value in channel:iter() do
      got[#got + 1] = value
      swarm.yield()
    end
    assert.same({ 1, 2, 3 }, got)
  end)

  program("channel: a cancelled receiver eats no value", { "first", "second" }, function()
    local channel = swarm.channel()
    local got = {}
    local function receive(who)
      return swarm.spawn(function()
        got[who] = channel:recv()
      end)
    end
    local first = receive "first"
    swarm.spawn(function()
      swarm.cancel(first)
    end)
    local sent = sender(channel, 7)
    swarm.join(first)
    local second = receive "second"
    swarm.sleep(1)
    assert.equal("pass", sent.status)
    assert.equal(7, got.first or got.second)
    assert.is_nil(got.first and got.second)
    swarm.cancel(second)
    return got.first and "first" or "second"
  end)

  program("channel: a cancelled sender sends nothing", { "sent", "not sent" }, function()
    local channel = swarm.channel()
    local sent = sender(channel, 7)
    swarm.spawn(function()
      swarm.cancel(sent)
    end)
    local got = receiver(channel)
    swarm.join(sent)
    swarm.sleep(1)
    local arrived = got.status == "pass"
    if not arrived then
      channel:close()
      assert.is_nil(swarm.result(got))
      assert.equal("cancelled", sent.status)
    end
    return arrived and "sent" or "not sent"
  end)

  program("channel: a close races a sender and a receiver", { "both", "neither" }, function()
    local channel = swarm.channel()
    local sent, got = sender(channel, 7), receiver(channel)
    swarm.spawn(function()
      channel:close()
    end)
    local ok, err = swarm.join(sent)
    assert.equal(ok == true, swarm.result(got) == 7)
    assert.is_true(ok or err.code == "closed")
    return ok and "both" or "neither"
  end)

  program("channel: a receiver's time races the value", { "sent", "not sent" }, function()
    local channel = swarm.channel()
    local sent, got = false, nil
    local first = swarm.spawn(function()
      swarm.sleep(1)
      channel:send(7)
      sent = true
    end)
    swarm.yield()
    local second = swarm.spawn(function()
      got = channel:recv()
    end, nil, { timeout = 1 })
    swarm.join(second)
    swarm.sleep(1)
    swarm.cancel(first)
    assert.equal(sent, got == 7)
    return sent and "sent" or "not sent"
  end)

  program("channel: three workers in a pipeline", function()
    local first, second = swarm.channel(), swarm.channel()
    sender(first, 1, 2)
    swarm.spawn(function()
      for _ = 1, 2 do
        second:send(first:recv() * 10)
      end
    end)
    assert.equal(10, (second:recv()))
    assert.equal(20, (second:recv()))
  end)

  program("channel: a full one, and two senders in the order of coming", function()
    local channel = swarm.channel(1)
    channel:send(0)
    local order, sent = {}, 0
    for i = 1, 2 do
      swarm.spawn(function()
        order[#order + 1] = i
        channel:send(i)
        sent = sent + 1
      end)
    end
    swarm.sleep(1)
    assert.equal(0, (channel:recv()))
    swarm.sleep(1)
    assert.equal(1, sent) -- there was room for one more
    assert.equal(order[1], (channel:recv()))
    assert.equal(order[2], (channel:recv()))
  end)
end)

describe("semaphore", function()
  program("semaphore: one permit, three workers", function()
    local semaphore = swarm.semaphore(1)
    local inside, ended = 0, 0
    for _ = 1, 3 do
      swarm.spawn(function()
        semaphore:with(function()
          inside = inside + 1
          assert.equal(1, inside)
          swarm.yield()
          inside = inside - 1
          ended = ended + 1
        end)
      end)
    end
    swarm.sleep(1)
    assert.equal(3, ended)
  end)

  program("semaphore: a cancelled waiter eats no permit", function()
    local semaphore = swarm.semaphore(1)
    semaphore:acquire()
    local waiter = swarm.spawn(function()
      semaphore:with(turns)
    end)
    local by = swarm.spawn(function()
      swarm.cancel(waiter)
    end)
    swarm.yield()
    semaphore:release()
    swarm.join(by)
    swarm.join(waiter)
    semaphore:acquire() -- would wait for ever, where the permit was lost
    semaphore:release()
    local ok = pcall(semaphore.release, semaphore)
    assert.is_false(ok) -- and there is no second one
  end)

  program("semaphore: a waiter whose time is up as the permit comes", { "2", "1" }, function()
    local semaphore = swarm.semaphore(1)
    local had = 0
    swarm.spawn(function()
      semaphore:with(function()
        had = had + 1
        swarm.sleep(1)
      end)
    end)
    swarm.yield()
    local waiter = swarm.spawn(function()
      semaphore:with(function()
        had = had + 1
      end)
    end, nil, { timeout = 1 })
    swarm.join(waiter)
    swarm.sleep(1)
    semaphore:acquire()
    semaphore:release()
    return had
  end)

  program("semaphore: two permits, three workers", function()
    local semaphore = swarm.semaphore(2)
    local inside = 0
    for _ = 1, 3 do
      swarm.spawn(function()
        semaphore:acquire()
        inside = inside + 1
        assert.is_true(inside <= 2)
        swarm.yield()
        inside = inside - 1
        semaphore:release()
      end)
    end
  end)
end)

describe("event", function()
  program("event: three wait, one sets", function()
    local event = swarm.event()
    local gone_on = 0
    for _ = 1, 3 do
      swarm.spawn(function()
        event:wait()
        gone_on = gone_on + 1
      end)
    end
    swarm.yield()
    event:set()
    swarm.sleep(1)
    assert.equal(3, gone_on)
  end)

  program("event: set and cleared at once wakes who waits", { "1", "0" }, function()
    local event = swarm.event()
    local waiting, gone_on = false, 0
    local waiter = swarm.spawn(function()
      waiting = true
      event:wait()
      gone_on = 1
    end)
    local was_waiting
    swarm.spawn(function()
      was_waiting = waiting
      event:set()
      event:clear()
    end)
    swarm.sleep(1)
    assert.equal(was_waiting and 1 or 0, gone_on)
    swarm.cancel(waiter)
    return gone_on
  end)

  program("event: a cancel races the set", { "pass", "cancelled" }, function()
    local event = swarm.event()
    local waiter = swarm.spawn(function()
      event:wait()
    end)
    swarm.spawn(function()
      event:set()
    end)
    swarm.spawn(function()
      swarm.cancel(waiter)
    end)
    return status_of(waiter)
  end)
end)

describe("lock", function()
  program("lock: three updates, none lost", function()
    local lock, balance = swarm.lock(), 0
    for _ = 1, 3 do
      swarm.spawn(function()
        lock:with(function()
          local seen = balance
          swarm.yield()
          balance = seen + 1
        end)
      end)
    end
    swarm.sleep(1)
    assert.equal(3, balance)
  end)

  program("lock: two locks, always in the same order", function()
    local left, right = swarm.lock(), swarm.lock()
    for _ = 1, 2 do
      swarm.spawn(function()
        left:with(function()
          swarm.yield()
          right:with(turns)
        end)
      end)
    end
  end)

  program("lock: a cancelled holder, a cancelled waiter", function()
    local lock = swarm.lock()
    local workers = {}
    for i = 1, 2 do
      workers[i] = swarm.spawn(function()
        lock:with(turns)
      end)
    end
    swarm.spawn(function()
      swarm.cancel(workers[1])
    end)
    swarm.yield()
    swarm.cancel(workers[2])
    join_all(workers)
    lock:with(turns)
  end)
end)
