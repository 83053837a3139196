-- Proves layers.md, "long_hold".
local stages = require "stages"
local swarm = require "swarm"

local end_of = stages.end_of
local HOLD = { "long_hold", after = 10 }

local function sleep(_, seconds)
  swarm.sleep(seconds)
end

swarm.worker("held", { layers = { HOLD }, run = sleep })
swarm.worker("held by default", { layers = { "long_hold" }, run = sleep })
swarm.worker("held twice", { layers = { HOLD, { "long_hold", after = 20 } }, run = sleep })

swarm.worker("tried again", {
  layers = { HOLD },
  retries = { max = 1, backoff = 0 },
  run = function(ctx)
    swarm.sleep(15)
    assert(ctx.attempt == 2)
  end,
})

swarm.worker("run twice", { layers = { HOLD }, run = sleep })
swarm.around("run twice", function(_, next)
  next()
  return next()
end)

swarm.worker("late", { layers = { HOLD }, run = sleep })
swarm.before("late", function()
  swarm.sleep(8)
end)

---@type { at: number, event: table }[]
local told = {}

---Notes what the layer tells of while a function runs.
local function listen(fn)
  local events = swarm.subscribe "long_hold"
  local listener = swarm.spawn(function()
    for event in events do
      told[#told + 1] = { at = swarm.monotonic(), event = event }
    end
  end, nil, { detached = true })
  swarm.yield()
  fn()
  swarm.yield()
  listener:cancel("enough", { wait = true })
  return told
end

describe("long_hold", function()
  it("tells of an attempt while it runs, as soon as it has run so long", function()
    listen(function()
      assert.equal("pass", (end_of("held", 100)))
    end)
    assert.equal(1, #told)
    assert.equal(10, told[1].at)
    assert.equal("held", told[1].event.name)
    assert.equal(10, told[1].event.elapsed)
    assert.equal(10, told[1].event.after)
    assert.equal(100, swarm.monotonic())
  end)

  it("says nothing of one that ends before", function()
    listen(function()
      end_of("held", 9)
      swarm.sleep(100)
    end)
    assert.equal(0, #told)
  end)

  it("says nothing of one that was cancelled before", function()
    listen(function()
      local h = swarm.spawn("held", 100)
      swarm.sleep(5)
      h:cancel("enough", { wait = true })
      swarm.sleep(100)
    end)
    assert.equal(0, #told)
  end)

  it("counts 60 s where nothing is said", function()
    listen(function()
      end_of("held by default", 61)
    end)
    assert.equal(60, told[1].at)
  end)

  it("tells once for each place that asks for it", function()
    listen(function()
      end_of("held twice", 30)
    end)
    assert.equal(2, #told)
    assert.equal(10, told[1].event.after)
    assert.equal(20, told[2].event.after)
  end)

  it("tells of each attempt", function()
    listen(function()
      assert.equal("pass", (end_of "tried again"))
    end)
    assert.equal(2, #told)
    assert.equal(1, told[1].event.attempt)
    assert.equal(2, told[2].event.attempt)
    assert.equal(25, told[2].at)
  end)

  it("tells once of an attempt that a hook around it runs twice", function()
    listen(function()
      end_of("run twice", 15)
    end)
    assert.equal(1, #told)
  end)

  it("counts what hooks outside of it wait for", function()
    listen(function()
      end_of("late", 5)
    end)
    assert.equal(1, #told)
    assert.equal(10, told[1].at)
  end)
end)
