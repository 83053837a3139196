-- Proves gather.md in every order: programs that `explore` runs, counted in the table of
-- exploration.md.
local programs = require "programs"
local swarm = require "swarm"

local program, turns, slow = programs.program, programs.turns, programs.slow
local status_of = programs.status_of

describe("gather", function()
  local function value_of(value)
    return function()
      turns()
      return value
    end
  end
  local function failing(code)
    return function()
      turns()
      error { code = code }
    end
  end

  program("all: three values, in order", function()
    assert.same({ 1, 2, 3 }, swarm.all { value_of(1), value_of(2), value_of(3) })
  end)

  program("all: the first failure cancels the rest", { "one", "two" }, function()
    local other = swarm.spawn(slow)
    local ok, err = pcall(swarm.all, { failing "one", failing "two", other })
    assert.is_false(ok)
    assert.is_true(other.status == "cancelled" or other.status == "pass")
    return err.code
  end)

  program("all: a cancel races the ends", { "cancelled", "pass" }, function()
    local worker = swarm.spawn(function()
      assert.same({ 1, 2 }, swarm.all { value_of(1), value_of(2) })
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(worker)
    end)
    return status_of(worker)
  end)

  program("any: the first that passes", { "2", "3" }, function()
    local value, i = swarm.any { failing "one", value_of(2), value_of(3) }
    assert.equal(value, i)
    return value
  end)

  program("any: none passes", function()
    local ok, err = pcall(swarm.any, { failing "one", failing "two" })
    assert.is_false(ok)
    assert.equal("none_passed", err.code)
    assert.equal(2, #err.errors)
  end)

  program("race: the first of three, and the others have settled", { "1", "2", "3" }, function()
    local workers = {}
    for i = 1, 3 do
      workers[i] = swarm.spawn(slow)
    end
    local winner, i = swarm.race(workers)
    assert.equal("pass", winner.status)
    for j = 1, 3 do
      assert.is_true(workers[j].status == "cancelled" or workers[j].status == "pass")
    end
    return i
  end)

  program("race: two races over the same workers", function()
    local workers = { swarm.spawn(slow), swarm.spawn(slow) }
    local other = swarm.spawn(function()
      swarm.race(workers)
    end)
    swarm.race(workers)
    swarm.join(other)
    for i = 1, 2 do
      assert.is_true(workers[i].status == "cancelled" or workers[i].status == "pass")
    end
  end)

  program("settle: all ends, whatever they are", function()
    local ends = swarm.settle { value_of(1), failing "broke", value_of(3) }
    assert.equal("pass", ends[1].status)
    assert.equal("broke", ends[2].err.code)
    assert.equal(3, ends[3].value)
  end)

  program("each: in the order of their ends", function()
    local ended, seen = {}, {}
    local workers = {}
    for i = 1, 3 do
      workers[i] = swarm.spawn(function()
        ended[#ended + 1] = i
      end)
    end
    for i in swarm.each(workers) do
      seen[#seen + 1] = i
      swarm.yield()
    end
    assert.same(ended, seen)
  end)

  program("map: two at a time", function()
    local inside = 0
    local values = swarm.map(function(_, item)
      inside = inside + 1
      assert.is_true(inside <= 2)
      swarm.yield()
      inside = inside - 1
      return item * 2
    end, { 1, 2, 3 }, { concurrency = 2 })
    assert.same({ 2, 4, 6 }, values)
  end)
end)
