-- Proves sync.md, "swarm.channel": what crosses it, in which order, and cancels.
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
local stock = require "sharing_stock"

local raised, code_of = outcomes.raised, outcomes.code_of
local started, join_all = stages.started, stages.join_all
local must_wait, packed, crowd = stock.must_wait, stock.packed, stock.crowd

describe("swarm.channel", function()
  it("takes a whole number of values, zero or more", function()
    for _, n in ipairs { -1, 1.5, 0 / 0, 1 / 0, -1 / 0, 1e300, 2 ^ 53, "3", true, {}, print } do
      local err = raised(swarm.channel, n)
      assert.equal("invalid_argument", err.code)
      assert.matches("whole number", err.message)
    end
    swarm.channel(nil)
    swarm.channel(0)
    swarm.channel(1000000000)
  end)

  it("holds n values before a send waits", function()
    local channel, sent = swarm.channel(2), 0
    local h = started(function()
      for i = 1, 4 do
        channel:send(i)
        sent = i
      end
    end)
    assert.equal(2, sent)
    assert.equal(1, channel:recv())
    swarm.yield()
    assert.equal(3, sent)
    assert.same({ 2, 3, 4 }, { (channel:recv()), (channel:recv()), (channel:recv()) })
    assert.is_true(swarm.join(h))
  end)

  it("without n, makes a sender wait for a receiver", function()
    local channel, sent = swarm.channel(), false
    local h = started(function()
      channel:send "value"
      sent = true
    end)
    assert.is_false(sent)
    assert.same({ n = 2, "value", true }, packed(channel:recv()))
    swarm.join(h)
    assert.is_true(sent)
  end)

  it("gives to a receiver that waits, and the sender goes on", function()
    local channel, order = swarm.channel(), {}
    local h = started(function()
      local value = channel:recv() -- before the #order, which must be the length after the wait
      order[#order + 1] = value
    end)
    channel:send "value"
    order[#order + 1] = "sent"
    swarm.join(h)
    assert.same({ "sent", "value" }, order)
  end)

  it("send returns nothing", function()
    local channel = swarm.channel(1)
    assert.equal(0, select("#", channel:send(1)))
    local h = swarm.spawn(function()
      return select("#", channel:send(2))
    end)
    swarm.yield()
    channel:recv()
    assert.equal(0, swarm.result(h))
  end)

  it("sends on what recv returned", function()
    local a, b = swarm.channel(1), swarm.channel(1)
    a:send "value"
    b:send(a:recv())
    assert.equal("value", b:recv())
  end)

  it("carries every kind of value, nil and false too", function()
    local channel = swarm.channel(1)
    local function through(...)
      channel:send(...)
      return packed(channel:recv())
    end
    assert.same({ n = 2, nil, true }, through(nil))
    assert.same({ n = 2, nil, true }, through())
    assert.same({ n = 2, false, true }, through(false))
    assert.same({ n = 2, "", true }, through "")
    assert.same({ n = 2, 0.5, true }, through(0.5))
    assert.same({ n = 2, { a = { 1, 2 } }, true }, through { a = { 1, 2 } })
    assert.equal(swarm.null, through(swarm.null)[1])
  end)

  it("hands nil to a receiver that waits, and takes it from a sender that does", function()
    local channel = swarm.channel()
    local h = started(function()
      local value, open = channel:recv()
      return { type(value), open }
    end)
    channel:send(nil)
    assert.same({ "nil", true }, swarm.result(h))
    swarm.spawn(function()
      channel:send(nil)
    end)
    swarm.yield()
    assert.same({ n = 2, nil, true }, packed(channel:recv()))
  end)

  it("copies what crosses, whichever way it crosses", function()
    for capacity = 0, 1 do
      local channel, sent = swarm.channel(capacity), { list = { 1 } }
      local h = started(function()
        local got = channel:recv()
        swarm.sleep(1)
        return got
      end)
      channel:send(sent) -- to one that waits
      sent.list[1] = 2
      assert.same({ list = { 1 } }, swarm.result(h))

      local other = { list = { 1 } }
      swarm.spawn(function()
        channel:send(other) -- held, or by one that waits
      end)
      swarm.yield()
      other.list[1] = 2
      local got = channel:recv()
      assert.same({ list = { 1 } }, got)
      assert.not_equal(other, got)
    end
  end)

  it("refuses what cannot cross, with the path, and sends nothing", function()
    local channel = swarm.channel(1)
    local err = raised(channel.send, channel, { items = { print } })
    assert.equal("invalid_value", err.code)
    assert.equal("value.items[1]", err.path)
    assert.equal("invalid_value", code_of(channel.send, channel, print))
    assert.equal("invalid_value", code_of(channel.send, channel, 0 / 0))
    assert.equal("invalid_value", code_of(channel.send, channel, coroutine.create(print)))
    channel:send "first"
    assert.equal("first", channel:recv())
  end)

  it("is first in, first out, held or not", function()
    for capacity = 0, 5 do
      local channel, got = swarm.channel(capacity), {}
      local h = swarm.spawn(function()
        for i = 1, 100 do
          channel:send(i)
        end
        channel:close()
      end)
      for value in channel:iter() do
        got[#got + 1] = value
        if value % 7 == 0 then
          swarm.yield()
        end
      end
      swarm.join(h)
      assert.equal(100, #got)
      for i = 1, 100 do
        assert.equal(i, got[i])
      end
    end
  end)

  it("keeps the order while what it holds grows and shrinks", function()
    local channel, sent, got = swarm.channel(100000), 0, 0
    local function send(n)
      for _ = 1, n do
        sent = sent + 1
        channel:send(sent)
      end
    end
    local function recv(n)
      for _ = 1, n do
        got = got + 1
        assert.equal(got, (channel:recv()))
      end
    end
    for _ = 1, 3 do
      send(10)
      recv(3)
      send(1000)
      recv(900)
      send(33)
      recv(140)
      assert.equal(sent, got)
      send(16)
      recv(16)
      send(17)
      recv(17)
    end
  end)

  it("serves its receivers in the order in which they wait", function()
    local channel, order = swarm.channel(), {}
    local list = crowd(5, function(i)
      local value = channel:recv()
      order[#order + 1] = i .. "=" .. value
    end)
    for value = 1, 5 do
      channel:send(value)
    end
    join_all(list)
    assert.same({ "1=1", "2=2", "3=3", "4=4", "5=5" }, order)
  end)

  it("serves its senders in the order in which they wait", function()
    for capacity = 0, 2 do
      local channel, order, got = swarm.channel(capacity), {}, {}
      for i = 1, capacity do
        channel:send("held " .. i)
      end
      local list = crowd(5, function(i)
        channel:send(i)
        order[#order + 1] = i
      end)
      for i = 1, capacity do
        assert.equal("held " .. i, (channel:recv()))
      end
      for i = 1, 5 do
        got[i] = channel:recv()
      end
      join_all(list)
      assert.same({ 1, 2, 3, 4, 5 }, got)
      assert.same({ 1, 2, 3, 4, 5 }, order)
    end
  end)

  it("lets nobody pass a sender that waits", function()
    local channel = swarm.channel(1)
    channel:send "held"
    local h = started(function()
      channel:send "waited"
    end)
    assert.equal("held", (channel:recv()))
    local late = swarm.spawn(function()
      channel:send "late"
    end)
    assert.same({ "waited", "late" }, { (channel:recv()), (channel:recv()) })
    join_all { h, late }
  end)

  it("keeps the order of those that go on where one in the middle is cancelled", function()
    local channel, order = swarm.channel(), {}
    local list = crowd(5, function(i)
      local value = channel:recv()
      order[#order + 1] = i .. "=" .. value
    end)
    swarm.cancel(list[3])
    for value = 1, 4 do
      channel:send(value)
    end
    for _, h in ipairs(list) do
      swarm.join(h)
    end
    assert.same({ "1=1", "2=2", "4=3", "5=4" }, order)
  end)

  it("shares work evenly among receivers that never wait for anything else", function()
    local channel, counts = swarm.channel(), { 0, 0, 0, 0 }
    local list = {}
    for i = 1, 4 do
      list[i] = swarm.spawn(function()
        for _ in channel:iter() do
          counts[i] = counts[i] + 1
        end
      end)
    end
    for n = 1, 4000 do
      channel:send(n)
    end
    channel:close()
    join_all(list)
    for i = 1, 4 do
      assert(counts[i] > 500, i .. " received " .. counts[i])
    end
  end)

  it("two that talk without end do not keep others from their turn", function()
    local ping, pong, turns = swarm.channel(), swarm.channel(), 0
    local a = swarm.spawn(function()
      while true do
        ping:send(pong:recv())
      end
    end)
    local b = swarm.spawn(function()
      pong:send(0)
      while turns < 100 do
        pong:send((ping:recv()) + 1)
      end
      return (ping:recv())
    end)
    for _ = 1, 100 do
      swarm.yield()
      turns = turns + 1
    end
    assert.equal(3200, swarm.result(b)) -- others have a turn once in 64 hand-overs
    swarm.cancel(a)
  end)

  it("loses nobody who is spawned or woken beside it", function()
    local channel, begun, received = swarm.channel(), 0, 0
    for _ = 1, 200 do
      crowd(3, function()
        channel:recv()
        received = received + 1
      end)
      for value = 1, 3 do
        channel:send(value)
        if value > 1 then
          swarm.spawn(function()
            begun = begun + 1
          end)
        end
      end
      swarm.sleep(1)
    end
    assert.equal(400, begun)
    assert.equal(600, received)
  end)

  it("loses no value and doubles none, whoever is cancelled and whenever", function()
    local seed = 1
    local function random(n) -- the same numbers every time
      seed = (seed * 16807) % 2147483647
      return seed % n
    end
    for round = 1, 60 do
      local channel = swarm.channel(random(4))
      local sent, received, list = {}, {}, {}
      local function note(value)
        assert.is_nil(received[value])
        received[value] = true
      end
      for i = 1, 6 do
        local pause = random(3)
        list[#list + 1] = swarm.spawn(function()
          for n = 1, 10 do
            local value = i * 100 + n
            local ok, err = pcall(swarm.timeout, 1 + pause, function()
              channel:send(value)
              sent[value] = true
            end)
            if pause > 0 or not ok and err.code == "cancelled" then
              swarm.sleep(pause)
            end
          end
        end)
        list[#list + 1] = swarm.spawn(function()
          for _ = 1, 10 do
            local value, open = channel:recv()
            if not open then
              return
            end
            note(value)
            if pause < 2 then
              swarm.sleep(pause)
            end
          end
        end)
      end
      for i = 1, #list do
        if random(3) == 0 then
          if random(2) == 0 then
            swarm.sleep(random(3))
          end
          swarm.cancel(list[i])
        end
      end
      swarm.sleep(100)
      channel:close()
      for value in channel:iter() do
        note(value)
      end
      for i = 1, #list do
        swarm.join(list[i])
      end
      assert.same(sent, received, round)
    end
  end)

  it("never sends what a cancelled sender waited with", function()
    for capacity = 0, 1 do
      local channel = swarm.channel(capacity)
      for _ = 1, capacity do
        channel:send "held"
      end
      local list = crowd(3, function(i)
        channel:send(i)
      end)
      swarm.cancel(list[1])
      swarm.cancel(list[3])
      for _ = 1, capacity do
        assert.equal("held", (channel:recv()))
      end
      assert.equal(2, (channel:recv()))
      must_wait(channel, "recv")
    end
  end)

  it("gives a value to the second where the first was cancelled in the same turn", function()
    local channel = swarm.channel()
    local list = crowd(2, function()
      return (channel:recv())
    end)
    swarm.cancel(list[1])
    channel:send "value"
    assert.equal("value", swarm.result(list[2]))
    swarm.join(list[1])
    assert.equal("cancelled", list[1].status)
  end)

  it("keeps a value where the only receiver was cancelled in the same turn", function()
    local channel = swarm.channel(1)
    local h = started(function()
      channel:recv()
    end)
    swarm.cancel(h)
    channel:send "value"
    swarm.join(h)
    assert.equal("value", (channel:recv()))
  end)

  it("is not disturbed by timeouts that come with the value", function()
    -- The values and the deadlines are due at the same instants, in both orders.
    for first = 0, 1 do
      local channel, got, given = swarm.channel(), 0, 0
      local function receiver()
        for _ = 1, 50 do
          pcall(swarm.timeout, 1, function()
            local value = channel:recv()
            got = got + (value and 1 or 0)
          end)
        end
      end
      local function sender()
        for _ = 1, 50 do
          swarm.sleep(1)
          local ok = pcall(swarm.timeout, 0.5, function()
            channel:send(1)
            given = given + 1
          end)
          swarm.sleep(ok and 0 or 0.5)
        end
      end
      local a = swarm.spawn(first == 0 and receiver or sender)
      local b = swarm.spawn(first == 0 and sender or receiver)
      join_all { a, b }
      assert.equal(given, got)
      assert(given > 0)
    end
  end)

  it("is a matter of one worker, too", function()
    local channel = swarm.channel(1)
    for i = 1, 10 do
      channel:send(i)
      assert.equal(i, (channel:recv()))
    end
    must_wait(swarm.channel(), "send", "to myself")
  end)
end)
