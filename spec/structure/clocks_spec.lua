-- Proves structure.md, "Clocks".
local swarm = require "swarm"
require "stock_workers"

describe("clocks", function()
  it("move together: monotonic, now and os.time", function()
    local monotonic, wall, unix = swarm.monotonic(), swarm.now(), os.time()
    swarm.sleep(3600)
    assert.equal(3600, swarm.monotonic() - monotonic)
    assert.near(3600, swarm.now() - wall, 1e-6)
    assert.equal(3600, os.time() - unix)
    assert.equal(math.floor(swarm.now()), os.time())
  end)

  it("stand still while workers compute or take turns", function()
    local before = swarm.monotonic()
    for _ = 1, 100 do
      swarm.yield()
      swarm.call("double", 1)
    end
    assert.equal(before, swarm.monotonic())
  end)

  it("are moved by clock.advance, and what is due until then runs first", function()
    local woke
    swarm.spawn(function()
      swarm.sleep(5)
      woke = swarm.monotonic()
    end)
    clock.advance(5)
    assert.equal(5, woke)
    assert.equal(5, swarm.monotonic())
  end)

  it("let a sleep of zero give way, and checkpoint not", function()
    local order = {}
    swarm.spawn(function()
      order[#order + 1] = "other"
    end)
    swarm.checkpoint()
    order[#order + 1] = "after checkpoint"
    swarm.sleep(0)
    order[#order + 1] = "after sleep"
    assert.same({ "after checkpoint", "other", "after sleep" }, order)
  end)
end)
