-- Proves gather.md, "Deadlock".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"

local raised, code_of = outcomes.raised, outcomes.code_of
local CALLS, gives = stock.CALLS, stock.gives

describe("deadlock", function()
  it("is raised at once for a list that holds the caller", function()
    for _, call in ipairs(CALLS) do
      local h = swarm.spawn(function(ctx)
        return raised(swarm[call], { gives(1), ctx }).message
      end)
      assert.matches("swarm." .. call .. ": list%[2%] is the caller", h:result(), call)
    end
  end)

  it("is raised at once for a list that holds a worker above", function()
    for _, call in ipairs(CALLS) do
      local h = swarm.spawn(function(ctx)
        return swarm.call(function()
          local err = raised(swarm[call], { ctx })
          return err.code .. ": " .. err.message
        end)
      end)
      assert.matches("deadlock: .*list%[1%].*waits for those below it", h:result(), call)
    end
  end)

  it("is raised at once for a list that holds who joins the caller", function()
    for _, call in ipairs { "all", "settle" } do
      local caller ---@type swarm.Handle
      local joiner = swarm.spawn(function()
        swarm.join(caller)
      end)
      caller = swarm.spawn(function()
        swarm.sleep(1)
        local err = raised(swarm[call], { gives(1), joiner })
        return err.code .. ": " .. err.message
      end)
      assert.matches("deadlock: .*list%[2%].*waits for the caller already", caller:result(), call)
      swarm.join(joiner)
    end
  end)

  it("is raised at once for who joins one that waits for it in a group", function()
    for _, call in ipairs { "all", "settle" } do
      local waiter
      local member = swarm.spawn(function()
        swarm.sleep(1)
        return code_of(swarm.join, waiter)
      end)
      waiter = swarm.spawn(function()
        swarm[call] { gives(1), member }
      end)
      assert.equal("deadlock", member:result(), call)
      swarm.join(waiter)
    end
  end)

  it("is raised at once for two groups that wait for each other", function()
    local a, b
    a = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.settle({ b })[1].status
    end)
    b = swarm.spawn(function()
      swarm.sleep(2)
      return code_of(swarm.all, { gives(1), a })
    end)
    assert.equal("deadlock", b:result())
    assert.equal("pass", a:result())
  end)

  it("is raised at once for a function that joins who waits for the group", function()
    local outer
    outer = swarm.spawn(function()
      return swarm.all({
        function()
          return code_of(swarm.join, outer)
        end,
      })[1]
    end)
    assert.equal("deadlock", outer:result())
  end)

  it("is raised at once where the workers above hold all slots that members need", function()
    for _, call in ipairs { "all", "settle" } do
      assert.equal("deadlock", swarm.call("single", call), call)
    end
    assert.equal("deadlock", code_of(swarm.call, "single", "map"))
  end)

  it("is none where a member that waits for the caller loses", function()
    local caller ---@type swarm.Handle
    local joiner = swarm.spawn(function()
      swarm.join(caller)
    end)
    caller = swarm.spawn(function()
      swarm.sleep(1)
      local _, i = swarm.race { joiner, gives("x", 1) }
      local value = swarm.any { gives("y", 1), joiner }
      return i .. value
    end)
    assert.equal("2y", caller:result())
    assert.equal("cancelled", joiner.status)
  end)

  it("is none for a join with a timeout", function()
    local caller ---@type swarm.Handle
    local joiner = swarm.spawn(function()
      local _, err = swarm.join(caller, { timeout = 3 })
      return err.code
    end)
    caller = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.all({ joiner })[1]
    end)
    assert.equal("poll_timeout", caller:result())
  end)
end)
