-- Proves structure.md, "Detached".
local outcomes = require "outcomes"
local swarm = require "swarm"
require "stock_workers"

local seconds_of = outcomes.seconds_of

describe("detached", function()
  it("children are not waited for by who spawned them", function()
    local child ---@type swarm.Handle
    local taken = seconds_of(function()
      swarm.join(swarm.spawn(function()
        child = swarm.spawn("sleeper", 20, { detached = true })
      end))
    end)
    assert.equal(0, taken)
    assert.equal("slept", swarm.result(child))
  end)

  it("children outlive a block that fails or runs out of time", function()
    local child ---@type swarm.Handle
    pcall(swarm.timeout, 1, function()
      child = swarm.spawn("sleeper", 20, { detached = true })
      swarm.sleep(50)
    end)
    assert.equal("slept", swarm.result(child))
  end)

  it("failures are not those of who spawned them nor of its scope", function()
    local child ---@type swarm.Handle
    local h = swarm.spawn(function()
      swarm.scope(function(scope)
        child = scope:spawn("fail_after", 1, { detached = true })
        swarm.sleep(5)
      end)
      return "well"
    end)
    assert.equal("well", swarm.result(h))
    assert.equal("failed", child.status)
    assert.is_nil((swarm.join(child))) -- else it would fail the run
  end)

  it("workers may join who spawned them", function()
    local child ---@type swarm.Handle
    local h = swarm.spawn(function(ctx)
      child = swarm.spawn(function()
        return swarm.result(ctx)
      end, nil, { detached = true })
      swarm.sleep(3)
      return "mine"
    end)
    swarm.join(h)
    assert.equal("mine", swarm.result(child))
  end)

  it("workers spawn their successors for ever: nobody is above them", function()
    local ticks, done = 0, swarm.event()
    local function tick(ctx)
      assert(ctx.depth == 0)
      ticks = ticks + 1
      if ticks == 200 then
        return done:set()
      end
      swarm.sleep(1)
      swarm.spawn(tick, nil, { detached = true })
    end
    swarm.spawn(tick, nil, { detached = true })
    done:wait()
    assert.equal(199, swarm.monotonic())
  end)

  it("is said with true or false, and nothing else", function()
    for _, wrong in ipairs { "yes", 1, {} } do
      ---@diagnostic disable-next-line: param-type-mismatch
      local ok, err = pcall(swarm.spawn, "sleeper", 1, { detached = wrong })
      assert.is_false(ok)
      assert.matches("spawn's option detached is true or false", err.message)
    end
    local owned = swarm.spawn(function()
      swarm.spawn("sleeper", 20, { detached = false })
    end)
    owned:join()
    assert.equal(20, swarm.monotonic())
  end)
end)
