-- Proves structure.md, "Deadlock".
local outcomes = require "outcomes"
local swarm = require "swarm"
require "stock_workers"

local raised, code_of = outcomes.raised, outcomes.code_of

describe("deadlock", function()
  it("is raised where one joins oneself", function(ctx)
    local err = raised(swarm.join, ctx)
    assert.equal("deadlock", err.code)
    assert.matches("itself", err.message)
    assert.equal("deadlock", code_of(swarm.result, ctx))
  end)

  it("is raised where one joins a worker above", function(ctx)
    local h = swarm.spawn(function(parent)
      local first = code_of(swarm.join, parent)
      local grandchild = swarm.spawn(function()
        return code_of(swarm.join, ctx)
      end)
      return first .. " " .. swarm.result(grandchild)
    end)
    assert.equal("deadlock deadlock", swarm.result(h))
    local child = swarm.spawn(function()
      return code_of(swarm.join, ctx)
    end)
    assert.equal("deadlock", swarm.result(child))
  end)

  it("is raised where two workers join each other", function()
    local a, b
    a = swarm.spawn(function()
      swarm.yield()
      return code_of(swarm.join, b)
    end)
    b = swarm.spawn(function()
      local ok, err = pcall(swarm.join, a)
      return ok and "joined" or err.code
    end)
    assert.same({ "joined", "deadlock" }, { swarm.result(b), swarm.result(a) })
  end)

  it("is raised where three workers join in a ring, for the one that closes it", function()
    local ring, codes = {}, {}
    for i = 1, 3 do
      ring[i] = swarm.spawn(function()
        swarm.sleep(i)
        local ok, err = pcall(swarm.join, ring[i % 3 + 1])
        codes[i] = ok and "joined" or err.code
      end)
    end
    for i = 1, 3 do
      swarm.join(ring[i])
    end
    assert.same({ "joined", "joined", "deadlock" }, codes)
    assert.equal(3, swarm.monotonic())
  end)

  it("is raised where one joins who waits for a worker above", function()
    local other ---@type swarm.Handle
    local h = swarm.spawn(function(ctx)
      other = swarm.spawn(function()
        swarm.join(ctx)
      end, nil, { detached = true })
      swarm.sleep(1)
      local child = swarm.spawn(function()
        return code_of(swarm.join, other)
      end)
      return swarm.result(child)
    end)
    assert.equal("deadlock", swarm.result(h))
    assert.is_true(swarm.join(other))
  end)

  it("is not raised where a join in the ring has a timeout", function()
    local a, b, timed ---@type swarm.Handle, swarm.Handle, string
    a = swarm.spawn(function()
      local _, err = swarm.join(b, { timeout = 5 })
      timed = err.code
      return "a"
    end)
    b = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.result(a)
    end)
    assert.equal("a", swarm.result(b))
    assert.equal("poll_timeout", timed)
  end)

  it("is not raised where the ring has been cut by a cancel", function()
    local a, b ---@type swarm.Handle, swarm.Handle
    b = swarm.spawn(function()
      swarm.sleep(1)
      swarm.cancel(a)
      return select(2, swarm.join(a)).code
    end)
    a = swarm.spawn(function()
      swarm.join(b)
    end)
    assert.equal("cancelled", swarm.result(b))
  end)

  it("is not raised where many join one", function()
    local target = swarm.spawn("sleeper", 5)
    local list = {}
    for i = 1, 20 do
      list[i] = swarm.spawn(function()
        return swarm.result(target)
      end)
    end
    for i = 1, 20 do
      assert.equal("slept", swarm.result(list[i]))
    end
  end)

  -- A worker that waits in `wrap` for a child, who joins another, who joins it.
  local function ring(wrap)
    local third ---@type swarm.Handle
    local first = swarm.spawn(function()
      return wrap(function()
        swarm.spawn(function()
          swarm.join(third)
        end)
        swarm.yield()
      end)
    end)
    swarm.yield()
    third = swarm.spawn(function()
      return swarm.join(first)
    end)
    return first, third
  end

  for name, wrap in pairs {
    ["a worker"] = function(fn)
      fn()
    end,
    ["a timeout"] = function(fn)
      swarm.timeout(5, fn)
    end,
    ["a scope"] = function(fn)
      swarm.scope(fn)
    end,
    ["a shield"] = function(fn)
      swarm.shield(fn)
    end,
  } do
    it("is raised at the end of " .. name .. " whose child waits for it", function()
      local first, third = ring(wrap)
      local _, err = swarm.join(first)
      assert.equal("deadlock", err.code)
      assert.matches("waits for its child", err.message)
      assert.equal(0, swarm.monotonic())
      assert.is_true(swarm.join(third))
    end)
  end

  it("is none where the child's join has a timeout", function()
    local first ---@type swarm.Handle
    first = swarm.spawn(function()
      local third ---@type swarm.Handle
      swarm.spawn(function()
        swarm.join(third, { timeout = 1 })
      end)
      third = swarm.spawn(function()
        swarm.join(first, { timeout = 3 })
      end, nil, { detached = true })
      swarm.yield()
    end)
    assert.is_true(swarm.join(first))
    assert.equal(1, swarm.monotonic())
  end)

  it("is an error like others: who catches it goes on", function(ctx)
    local err = raised(function()
      swarm.join(ctx)
    end)
    assert.equal("deadlock", err.code)
    assert.matches("deadlock_spec%.lua:%d+", err.where)
    assert.equal(4, swarm.call("double", 2))
  end)
end)
