-- Proves sync.md, "swarm.channel", further: its close, loops over it, and what it costs.
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
local stock = require "sharing_stock"

local raised = outcomes.raised
local started, join_all = stages.started, stages.join_all
local packed, crowd, memory = stock.packed, stock.crowd, stock.memory

describe("swarm.channel", function()
  it("close lets out what is held, then ends", function()
    local channel = swarm.channel(3)
    channel:send "a"
    channel:send(nil)
    channel:close()
    assert.same({ n = 2, "a", true }, packed(channel:recv()))
    assert.same({ n = 2, nil, true }, packed(channel:recv()))
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
  end)

  it("close ends every receiver that waits, in their order", function()
    local channel, order = swarm.channel(), {}
    local list = crowd(3, function(i)
      local got = packed(channel:recv())
      order[#order + 1] = { i, got }
    end)
    channel:close()
    join_all(list)
    local over = { n = 2, nil, false }
    assert.same({ { 1, over }, { 2, over }, { 3, over } }, order)
  end)

  it("close fails every sender that waits, and their values are not received", function()
    local channel = swarm.channel(1)
    channel:send "held"
    local list = crowd(3, function(i)
      channel:send(i)
    end)
    channel:close()
    for _, h in ipairs(list) do
      local _, err = swarm.join(h)
      assert.equal("closed", err.code)
      assert.matches("while this value waited", err.message)
      assert.matches("channel_close_spec%.lua:%d+$", err.where)
    end
    assert.same({ n = 2, "held", true }, packed(channel:recv()))
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
  end)

  it("close again does nothing", function()
    local channel = swarm.channel(1)
    channel:send "held"
    channel:close()
    channel:close()
    assert.equal("held", (channel:recv()))
    channel:close()
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
  end)

  it("send on a closed one raises closed, and says where it was made", function()
    local channel = swarm.channel(1)
    channel:close()
    local err = raised(channel.send, channel, 1)
    assert.equal("closed", err.code)
    assert.matches("the channel made at .*channel_close_spec%.lua:%d+ is closed", err.message)
  end)

  it("a value given before the close is received", function()
    local channel = swarm.channel()
    local receiver = started(function()
      return (channel:recv())
    end)
    channel:send "value"
    channel:close()
    assert.equal("value", swarm.result(receiver))
  end)

  it("a worker that is cancelled as its channel is closed ends cancelled", function()
    local channel = swarm.channel()
    local h = started(function()
      channel:send "value"
    end)
    channel:close()
    swarm.cancel(h)
    swarm.join(h)
    assert.equal("cancelled", h.status)
    local other = swarm.channel()
    h = started(function()
      other:send "value"
    end)
    swarm.cancel(h)
    other:close()
    swarm.join(h)
    assert.equal("cancelled", h.status)
  end)

  it("iter ends where it is closed and drained, and again at once", function()
    local channel = swarm.channel(3)
    channel:send(1)
    channel:send(2)
    channel:close()
    local step = channel:iter()
    assert.same({ 1, 2 }, { step(), step() })
    assert.is_nil(step())
    assert.is_nil(step())
    for _ in channel:iter() do
      error "there is nothing left"
    end
  end)

  it("iter can be left, and another goes on with the next value", function()
    local channel, got = swarm.channel(5), {}
    for i = 1, 5 do
      channel:send(i)
    end
    channel:close()
    for value in channel:iter() do
      got[#got + 1] = value
      if value == 2 then
        break
      end
    end
    for value in channel:iter() do
      got[#got + 1] = value
    end
    assert.same({ 1, 2, 3, 4, 5 }, got)
  end)

  it("iter gives a nil as swarm.null, and a false as it is", function()
    local channel, got = swarm.channel(4), {}
    channel:send(nil)
    channel:send(false)
    channel:send "last"
    channel:close()
    for value in channel:iter() do
      got[#got + 1] = value
    end
    assert.equal(3, #got)
    assert.equal(swarm.null, got[1])
    assert.is_false(got[2])
  end)

  it("several loops share the values, each once", function()
    local channel, seen = swarm.channel(), {}
    local list = {}
    for i = 1, 3 do
      list[i] = swarm.spawn(function()
        for value in channel:iter() do
          assert.is_nil(seen[value])
          seen[value] = i
          swarm.sleep(i)
        end
      end)
    end
    for value = 1, 30 do
      channel:send(value)
    end
    channel:close()
    join_all(list)
    assert.equal(30, #seen)
  end)

  it("iter is left by an error or a cancel like any loop", function()
    local channel = swarm.channel(2)
    channel:send(1)
    channel:send(2)
    assert.has_error(function()
      for _ in channel:iter() do
        error "stop"
      end
    end, "stop")
    assert.equal(2, (channel:recv()))
    local h = started(function()
      for _ in channel:iter() do
        error "there is nothing"
      end
    end)
    swarm.cancel(h, "enough", { wait = true })
    assert.equal("cancelled", h.status)
  end)

  it("a million sends do not grow memory", function()
    local channel = swarm.channel(10)
    local function run(n)
      local h = swarm.spawn(function()
        for i = 1, n do
          channel:send(i)
        end
      end)
      for _ = 1, n do
        channel:recv()
      end
      swarm.join(h)
    end
    run(1000)
    local before = memory()
    run(1000000)
    assert(memory() - before < 50, "it grew")
  end)

  it("gives back the room of what it held", function()
    local channel = swarm.channel(1000000)
    local before = memory()
    for i = 1, 200000 do
      channel:send(i)
    end
    assert(memory() - before > 1000, "it holds them")
    for _ = 1, 199990 do
      channel:recv()
    end
    assert(memory() - before < 50, "ten are left")
  end)

  it("does not hold on to a value that was received", function()
    local channel, received = swarm.channel(4), setmetatable({}, { __mode = "k" })
    assert(swarm.join(swarm.spawn(function()
      channel:send { "held" }
      received[channel:recv()] = true
      swarm.spawn(function()
        received[channel:recv()] = true
      end)
      swarm.yield()
      channel:send { "handed over" }
    end)) == true)
    memory()
    assert.is_nil(next(received))
  end)

  it("room is promised, not taken: a large n costs nothing", function()
    local before = memory()
    local channel = swarm.channel(1000000000)
    channel:send(1)
    assert(memory() - before < 10)
    assert.equal(1, (channel:recv()))
  end)

  it("forgets ten thousand waiters that were cancelled", function()
    local channel = swarm.channel()
    local group = started(function()
      for _ = 1, 10000 do
        swarm.spawn(function()
          channel:recv()
        end)
      end
    end)
    swarm.sleep(1)
    swarm.cancel(group, "enough", { wait = true })
    local h = swarm.spawn("receive_from", { from = channel })
    swarm.yield()
    channel:send "value"
    assert.equal("value", swarm.result(h))
  end)
end)
