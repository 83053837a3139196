-- Proves middleware.md, "Order".
local swarm = require "swarm"
local stock = require "layers_stock"

local said, say, worker, loud = stock.said, stock.say, stock.worker, stock.loud

swarm.layer "asked"(loud "asked")
swarm.layer "asked too"(loud "asked too")

worker("ordered", nil, {
  layers = { "asked", "asked too" },
  run = function()
    say "run"
  end,
})

swarm.before("ordered", function()
  say "before 1"
end)

swarm.after("ordered", function()
  say "after 1"
end)

swarm.before("ordered", function()
  say "before 2"
end)

swarm.after("ordered", function()
  say "after 2"
end)

swarm.around("ordered", function(_, next)
  say "into around"
  local result = next()
  say "out of around"
  return result
end)

swarm.settled("ordered", function()
  say "settled 1"
end)

swarm.settled("ordered", function()
  say "settled 2"
end)

describe("order", function()
  it("is from the inside out: the worker, use, layers, hooks as registered", function()
    swarm.result(swarm.spawn("ordered"))
    assert.same({
      "into around",
      "before 2",
      "before 1",
      "into asked too",
      "before asked too",
      "into asked",
      "before asked",
      "into used",
      "before used",
      "run",
      "after used",
      "out of used",
      "after asked",
      "out of asked",
      "after asked too",
      "out of asked too",
      "after 1",
      "after 2",
      "out of around",
      "settled used",
      "settled asked",
      "settled asked too",
      "settled 1",
      "settled 2",
    }, said)
  end)

  it("is the same again for the next worker: each hook once an attempt", function()
    swarm.call "ordered"
    local once = #said
    swarm.call "ordered"
    assert.equal(2 * once, #said)
    for i = 1, once do
      assert.equal(said[i], said[once + i])
    end
  end)
end)
