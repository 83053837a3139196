-- Proves pools.md in every order of small programs.
local swarm = require "swarm"

local active, most = 0, 0

local function run()
  active = active + 1
  most = math.max(most, active)
  swarm.yield()
  active = active - 1
end

swarm.pool "one" { slots = 1 }
swarm.pool "two" { slots = 2 }
swarm.pool "plan" { slots = 1, park = true }
swarm.worker "a" { pool = "one", run = run }
swarm.worker "b" { pool = { "one", "two" }, run = run }
swarm.worker "c" { pool = "two", concurrency = 1, run = run }
swarm.worker "limited" {
  pool = "plan",
  run = function(ctx)
    if ctx.attempt == 1 then
      error { code = "limited", retry_at = swarm.now() + 60 }
    end
  end,
}

swarm.worker "free" { pool = "plan", run = function() end }

describe("in every order", function()
  it("a slot is held by one, and everybody has it once", function()
    local report = explore(function()
      active, most = 0, 0
      local list = { swarm.spawn("a"), swarm.spawn("b"), swarm.spawn("a") }
      for _, h in ipairs(list) do
        assert(swarm.join(h))
      end
      assert.equal(1, most)
    end, { max = 3000 })
    assert.is_true(report.schedules > 10, tostring(report))
  end)

  it("who needs two pools, and who waits for its concurrency, have their turn", function()
    local report = explore(function()
      local list = { swarm.spawn("b"), swarm.spawn("c"), swarm.spawn("c") }
      swarm.cancel(list[2])
      swarm.settle(list)
      assert.equal("pass", list[3].status)
    end, { max = 3000 })
    assert.is_true(report.complete, tostring(report))
  end)

  it("a cancel at every moment of a limited task leaves nothing behind", function()
    local ends = {}
    local report = explore(function()
      local h = swarm.spawn("limited")
      local other = swarm.spawn(function()
        swarm.yield()
        h:cancel()
        swarm.unpark "plan"
      end)
      swarm.join(h)
      swarm.join(other)
      ends[h.status .. h.attempt] = true
      swarm.unpark "plan"
      assert(swarm.join(swarm.spawn("free")))
    end, { max = 3000 })
    assert.is_true(report.schedules > 3, tostring(report))
    assert.is_true(ends.cancelled1)
    assert.is_true(ends.cancelled2 or ends.pass2)
  end)
end)
