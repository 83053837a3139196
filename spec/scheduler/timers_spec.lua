-- Proves scheduling.md, "Timers".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "scheduler_stock"

local join_all = stages.join_all
local sequence = stock.sequence

describe("timers", function()
  it("wake in the order of their times", function()
    local order = {}
    for i = 1, 5 do
      swarm.spawn(function()
        swarm.sleep(6 - i)
        order[#order + 1] = i
      end)
    end
    swarm.sleep(10)
    assert.same({ 5, 4, 3, 2, 1 }, order)
  end)

  it("of the same time wake in the order of sleeping", function()
    local order = {}
    local list = {}
    for i = 1, 6 do
      list[i] = swarm.spawn(function()
        swarm.sleep(i % 2) -- the even ones first, and one second less far from their time
        swarm.sleep(5 - i % 2)
        order[#order + 1] = i
      end)
    end
    join_all(list)
    assert.same({ 2, 4, 6, 1, 3, 5 }, order)
  end)

  it("wake all that are due before anything else gets a turn", function()
    local order = {}
    local list = {}
    for i = 1, 3 do
      list[i] = swarm.spawn(function()
        swarm.sleep(1)
        order[#order + 1] = "woken " .. i
        swarm.yield()
        order[#order + 1] = "turn " .. i
      end)
    end
    join_all(list)
    assert.same({ "woken 1", "woken 2", "woken 3", "turn 1", "turn 2", "turn 3" }, order)
  end)

  it("let 10,000 sleepers wake in order, each at its time", function()
    local random = sequence(11)
    local late, disorder, woken = 0, 0, 0
    local last_at, last_index = -1, 0 ---@type number, integer
    for i = 1, 10000 do
      local seconds = random(500) / 4
      swarm.spawn(function()
        swarm.sleep(seconds)
        woken = woken + 1
        if swarm.monotonic() ~= seconds then
          late = late + 1
        end
        if seconds < last_at or (seconds == last_at and i < last_index) then
          disorder = disorder + 1
        end
        last_at, last_index = seconds, i
      end)
    end
    swarm.sleep(200)
    assert.same({ 10000, 0, 0 }, { woken, late, disorder })
  end)

  it("stay in order when many are dropped in odd order", function()
    for seed = 1, 20 do
      local random = sequence(seed)
      local start = swarm.monotonic()
      local list, alive, seconds, woken = {}, {}, {}, {}
      for i = 1, 200 do
        seconds[i] = random(60)
        alive[i] = true
        list[i] = swarm.spawn(function()
          swarm.sleep(seconds[i])
          woken[#woken + 1] = { i = i, at = swarm.monotonic() - start }
        end)
      end
      swarm.yield()
      for _ = 1, 120 do
        local i = random(200)
        swarm.cancel(list[i])
        alive[i] = false
        if random(5) == 1 then
          swarm.yield() -- what was cancelled so far drops its timer
        end
      end
      swarm.settle(list)
      local expected = {}
      for i = 1, 200 do
        if alive[i] then
          expected[#expected + 1] = { i = i, at = seconds[i] }
        end
      end
      table.sort(expected, function(a, b)
        return a.at < b.at or (a.at == b.at and a.i < b.i)
      end)
      assert.same(expected, woken, "seed " .. seed)
    end
  end)

  it("of joins that ended in time ring for nobody", function()
    local rang = 0
    for i = 1, 100 do
      local target = swarm.spawn(function()
        swarm.sleep(i % 7)
      end)
      swarm.spawn(function()
        if not swarm.join(target, { timeout = 3.5 }) then
          rang = rang + 1
        end
        swarm.sleep(100) -- a timer left behind would cut this short
        assert.truthy(swarm.monotonic() >= 100)
      end)
    end
    swarm.sleep(300)
    assert.equal(42, rang) -- i % 7 is 4, 5 or 6
  end)

  it("of a stack that overflowed in a sleep are not set", function()
    local function poll()
      swarm.sleep(0)
      local x = poll()
      return x
    end
    for _ = 1, 3 do -- the stack ends elsewhere in code that is compiled by then
      local ok, err = pcall(poll)
      assert.is_false(ok)
      assert.matches("stack overflow", tostring(err))
      local before = swarm.monotonic()
      swarm.sleep(5)
      assert.equal(5, swarm.monotonic() - before)
      swarm.join(swarm.spawn(function()
        pcall(poll)
      end))
      swarm.sleep(5)
      assert.equal(10, swarm.monotonic() - before)
    end
  end)
end)
