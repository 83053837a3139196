-- Proves gather.md, "Losers".
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local gives, breaks, cleans = stock.gives, stock.breaks, stock.cleans

describe("losers", function()
  it("are cancelled and have settled when the call returns", function()
    for _, call in ipairs { "all", "any", "race" } do
      local log = {}
      local handle = swarm.spawn(cleans(log, 3))
      local deciding = call == "all" and breaks("decides", 1) or gives("decides", 1)
      local start = swarm.monotonic()
      local gather = swarm[call] ---@type fun(list: any[]): any...
      pcall(gather, { cleans(log, 5), handle, deciding })
      assert.equal(6, swarm.monotonic() - start, call)
      assert.same({ start + 4, start + 6 }, log, call)
      assert.equal("cancelled", handle.status, call)
    end
  end)

  it("that have not begun never run", function()
    local run = false
    swarm.spawn(function() end)
    local h = swarm.race {
      gives(1),
      function()
        run = true
      end,
    }
    assert.equal("pass", h.status)
    swarm.sleep(1)
    assert.is_false(run)
  end)

  it("settle with their children", function()
    local log = {}
    local parent = swarm.spawn(function()
      swarm.spawn(cleans(log, 4))
      swarm.sleep(100)
    end)
    swarm.any { parent, gives("x", 1) }
    assert.same({ 5 }, log)
  end)

  it("say by whom they were cancelled", function()
    local h = swarm.spawn "sleeper"
    swarm.race { h, gives("x", 1) }
    local _, err = swarm.join(h)
    assert.equal("cancelled", err.code)
    assert.matches("another worker of swarm.race settled first", err.reason)
  end)

  it("are waited for though the caller is cancelled meanwhile", function()
    for _, call in ipairs { "all", "any", "race" } do
      local log = {}
      local loser = swarm.spawn(cleans(log, 6))
      local deciding = call == "all" and breaks("decides", 1) or gives("decides", 1)
      local code
      local caller = swarm.spawn(function()
        local list = { loser, cleans(log, 4), deciding }
        local gather = swarm[call] ---@type fun(list: any[]): any...
        local ok, err = pcall(gather, list)
        code = not ok and err.code
        error(err)
      end)
      swarm.sleep(3)
      swarm.cancel(caller)
      assert.equal("running", caller.status)
      local start = swarm.monotonic()
      local _, err = swarm.join(caller)
      assert.equal(4, swarm.monotonic() - start, call)
      assert.equal("cancelled", loser.status, call)
      assert.equal(call == "all" and "decides" or "cancelled", code, call)
      assert.equal(call == "all" and "failed" or "cancelled", err.code, call)
    end
  end)

  it("that end their own way are left to it", function()
    local ending = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(2)
      end)
      return "done"
    end)
    local h, i = swarm.race { gives("x", 1), ending }
    assert.equal("pass", h.status)
    assert.equal(1, i)
    assert.equal("cancelled", ending.status)
  end)
end)
