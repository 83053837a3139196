-- Proves scheduling.md, "yield".
local swarm = require "swarm"
local stock = require "scheduler_stock"

local recorder = stock.recorder

describe("yield", function()
  it("goes behind all that are ready", function()
    local order, write = recorder()
    for i = 1, 3 do
      swarm.spawn(write(i))
    end
    swarm.yield()
    order[#order + 1] = "yielder"
    assert.same({ 1, 2, 3, "yielder" }, order)
  end)

  it("lets workers take turns", function()
    local order = {}
    for i = 1, 3 do
      swarm.spawn(function()
        for _ = 1, 3 do
          order[#order + 1] = i
          swarm.yield()
        end
      end)
    end
    swarm.sleep(1)
    assert.same({ 1, 2, 3, 1, 2, 3, 1, 2, 3 }, order)
  end)

  it("does not lose its place to those spawned after it", function()
    local order, write = recorder()
    swarm.spawn(function()
      swarm.spawn(write "spawned later")
    end)
    swarm.yield()
    order[#order + 1] = "yielder"
    swarm.sleep(1)
    assert.same({ "yielder", "spawned later" }, order)
  end)
end)
