-- Proves gather.md, "Cost".
local swarm = require "swarm"
local stock = require "gather_stock"

local gives = stock.gives

describe("cost", function()
  it("is the same for each end of a long list", function()
    local list = {}
    for i = 1, 100000 do
      list[i] = gives(i)
    end
    local values = swarm.all(list)
    assert.equal(100000, values[100000])
    local count = 0
    for _ in swarm.each(list) do
      count = count + 1
    end
    assert.equal(100000, count)
    local _, i = swarm.race(list)
    assert.equal(1, i)
  end)

  it("gives others a turn for each turn of the members", function()
    local list, turns = {}, 0
    for i = 1, 50000 do
      list[i] = function()
        for _ = 1, 5 do
          swarm.yield()
        end
      end
    end
    local other = swarm.spawn(function()
      while true do
        turns = turns + 1
        swarm.yield()
      end
    end)
    swarm.all(list)
    swarm.cancel(other)
    assert.truthy(turns >= 5, turns)
  end)
end)
