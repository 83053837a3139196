-- Proves middleware.md, and of layers.md long_hold, in every order: programs that `explore` runs,
-- counted in the table of exploration.md.
local programs = require "programs"
local swarm = require "swarm"

local program, turns, slow = programs.program, programs.turns, programs.slow
local join_all, status_of = programs.join_all, programs.status_of

describe("hooks", function()
  -- Each program runs these with a list of its own.
  local ended ---@type string[]

  swarm.worker "told" {
    run = slow,
  }
  swarm.worker "told_one" {
    concurrency = 1,
    run = slow,
  }
  for _, name in ipairs { "told", "told_one" } do
    swarm.settled(name, function(_, outcome)
      turns()
      ended[#ended + 1] = outcome.status
    end)
  end

  program("hooks: settled runs once, however a cancel comes", { "pass", "cancelled" }, function()
    ended = {}
    local worker = swarm.spawn "told"
    swarm.spawn(function()
      swarm.cancel(worker)
    end)
    local status = status_of(worker)
    assert.same({ status }, ended)
    return status
  end)

  program("hooks: settled of who waits for a slot in vain", function()
    ended = {}
    local first, second = swarm.spawn "told_one", swarm.spawn "told_one"
    swarm.spawn(function()
      turns()
      swarm.cancel(second)
    end)
    join_all { first, second }
    assert.equal(2, #ended)
    assert.is_true(swarm.join(swarm.spawn "told_one"))
  end)

  swarm.worker("held", { layers = { { "long_hold", after = 1 } }, run = slow })

  program("layers: long_hold leaves no timer", { "pass", "cancelled" }, function()
    local worker = swarm.spawn "held"
    swarm.spawn(function()
      swarm.cancel(worker)
    end)
    return status_of(worker)
  end)
end)
