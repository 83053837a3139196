-- Proves scheduling.md, "Fairness".
local stages = require "stages"
local swarm = require "swarm"
require "scheduler_stock"

local join_all = stages.join_all

-- More calls than a looper needs where turns are fair: reaching it means that others starved.
local BOUND = 2000000

describe("fairness", function()
  it("gives everybody turns beside a worker that joins new children for ever", function()
    local done, calls = 0, 0
    local looper = swarm.spawn(function()
      while done < 5 and calls < BOUND do
        calls = calls + 1
        swarm.call "nothing"
      end
    end)
    for _ = 1, 5 do
      swarm.spawn(function()
        for _ = 1, 3 do
          swarm.yield()
        end
        done = done + 1
      end)
    end
    swarm.join(looper)
    assert.equal(5, done)
    assert.truthy(calls < BOUND)
  end)

  it("does not let one such looper starve another", function()
    local counts, enough = { 0, 0, 0 }, 30000 ---@type integer[], integer
    local function looper(i)
      return function()
        while counts[i] < BOUND do
          counts[i] = counts[i] + 1
          swarm.call "nothing"
          if counts[1] >= enough and counts[2] >= enough and counts[3] >= enough then
            return
          end
        end
      end
    end
    join_all { swarm.spawn(looper(1)), swarm.spawn(looper(2)), swarm.spawn(looper(3)) }
    for i = 1, 3 do
      assert.truthy(counts[i] >= enough and counts[i] < BOUND, i)
    end
  end)

  it("gives a child that nobody joins its turn beside a looper", function()
    local ran, calls = false, 0
    swarm.join(swarm.spawn(function()
      swarm.spawn(function()
        ran = true
      end)
      while not ran and calls < BOUND do
        calls = calls + 1
        swarm.call "nothing"
      end
    end))
    assert.is_true(ran)
  end)

  it("gives everybody turns beside workers that only yield or sleep for zero", function()
    for _, pass in ipairs {
      swarm.yield,
      function()
        swarm.sleep(0)
      end,
    } do
      local done, turns = 0, 0
      local looper = swarm.spawn(function()
        while done < 3 and turns < BOUND do
          turns = turns + 1
          pass()
        end
      end)
      for _ = 1, 3 do
        swarm.spawn(function()
          swarm.call "nothing"
          done = done + 1
        end)
      end
      swarm.join(looper)
      assert.equal(3, done)
      assert.truthy(turns < 1000)
    end
  end)

  it("lets a looper be cancelled by somebody who waits for a turn", function()
    local calls = 0
    local looper = swarm.spawn(function()
      while calls < BOUND do
        calls = calls + 1
        swarm.call "nothing"
      end
    end)
    swarm.spawn(function()
      swarm.yield()
      swarm.cancel(looper, "enough")
    end)
    swarm.join(looper)
    assert.equal("cancelled", looper.status)
    assert.truthy(calls < BOUND)
  end)
end)
