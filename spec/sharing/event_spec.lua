-- Proves sync.md, "swarm.event".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "sharing_stock"

local started, join_all = stages.started, stages.join_all
local must_wait, crowd = stock.must_wait, stock.crowd

describe("swarm.event", function()
  it("is not set at first, and wakes all when it is, in their order", function()
    local event, order = swarm.event(), {}
    local list = crowd(4, function(i)
      event:wait()
      order[#order + 1] = i
    end)
    assert.same({}, order)
    event:set()
    join_all(list)
    assert.same({ 1, 2, 3, 4 }, order)
  end)

  it("lets through who comes while it is set", function()
    local event = swarm.event()
    event:set()
    event:set()
    local turns = 0
    local other = swarm.spawn(function()
      turns = turns + 1
    end)
    event:wait()
    event:wait()
    assert.equal(0, turns) -- nobody was waited for, so nobody else had a turn
    swarm.join(other)
  end)

  it("wakes who waited even where clear follows at once; who comes later waits", function()
    local event, order = swarm.event(), {}
    local list = crowd(2, function(i)
      event:wait()
      order[#order + 1] = i
    end)
    event:set()
    event:clear()
    must_wait(event, "wait")
    join_all(list)
    assert.same({ 1, 2 }, order)
  end)

  it("stays set after it has woken those who waited", function()
    local event, through = swarm.event(), 0
    local list = crowd(2, function()
      event:wait()
      event:wait()
      through = through + 1
    end)
    event:set()
    event:wait()
    assert.equal(0, through) -- they are ready; the setter went on
    join_all(list)
    assert.equal(2, through)
  end)

  it("can be set and cleared again and again", function()
    local event, woken = swarm.event(), 0
    local h = swarm.spawn(function()
      for _ = 1, 5 do
        event:wait()
        woken = woken + 1
        event:clear()
      end
    end)
    for i = 1, 5 do
      swarm.sleep(1)
      assert.equal(i - 1, woken)
      event:set()
    end
    swarm.join(h)
    assert.equal(5, woken)
  end)

  it("set while the woken have not run yet changes nothing for them", function()
    local event, runs = swarm.event(), 0
    local h = started(function()
      event:wait()
      runs = runs + 1
    end)
    event:set()
    event:clear()
    event:set()
    swarm.join(h)
    assert.equal(1, runs)
  end)

  it("wait, set and clear return nothing", function()
    local event = swarm.event()
    assert.equal(0, select("#", event:set()))
    assert.equal(0, select("#", event:wait()))
    assert.equal(0, select("#", event:clear()))
  end)
end)
