-- Proves supervision.md in every order; the programs of the second part are counted in the table of
-- exploration.md.
local programs = require "programs"
local swarm = require "swarm"
require "supervision_stock"

local program, turns, sleeper = programs.program, programs.turns, programs.sleeper
local status_of = programs.status_of

-- Ready after so many turns.
swarm.worker "service" {
  ready = true,
  start_timeout = 1,
  run = function(ctx, turns_before)
    turns(turns_before)
    ctx:ready()
    swarm.sleep(5)
  end,
}

-- Ready just as its time is up, or a little later.
swarm.worker "tardy" {
  ready = true,
  start_timeout = 1,
  run = function(ctx)
    swarm.sleep(1)
    ctx:ready()
    swarm.sleep(5)
  end,
}

describe("in every order", function()
  ---Runs a program under every order of its ready lists; the ways it can end must be these.
  local function every_order(ways, fn)
    local found, wanted = {}, {}
    local report = explore(function()
      found[fn()] = true
    end)
    for _, way in ipairs(ways) do
      wanted[way] = true
    end
    assert.is_true(report.complete, tostring(report))
    assert.same(wanted, found)
  end

  it("a cancel as the supervisor begins stops whatever was started", function()
    every_order({ "cancelled" }, function()
      local sup = swarm.supervise {
        children = { { sleeper, 5, id = "a" }, { sleeper, 5, id = "b", shutdown = 0 } },
      }
      swarm.yield()
      swarm.cancel(sup)
      local _, err = swarm.join(sup)
      return err.code
    end)
  end)

  it("a restart of all ends in the limit", function()
    every_order({ "restart_limit_exceeded" }, function()
      local sup = swarm.supervise {
        strategy = "one_for_all",
        children = { { sleeper, 5, id = "a" }, { "crash" } },
      }
      local _, err = swarm.join(sup)
      return err.code
    end)
  end)

  it("a start races the supervisor's failure", function()
    every_order({ "started", "invalid_argument" }, function()
      local sup = swarm.supervise { intensity = 0, children = { { "crash" } } }
      swarm.yield()
      local ok, err = pcall(sup.start, sup, { sleeper, 1, id = "b", restart = "temporary" })
      swarm.join(sup)
      return ok and "started" or err.code
    end)
  end)

  it("a stop races the failure of its child", function()
    every_order({ "pass stopped", "restart_limit_exceeded late" }, function()
      local sup = swarm.supervise { intensity = 0, children = { { "crash" } } }
      local stopper = swarm.spawn(function()
        return sup:stop "crash" and "stopped" or "late"
      end)
      local ok, err = swarm.join(sup)
      return (ok and "pass" or err.code) .. " " .. swarm.result(stopper)
    end)
  end)

  it("a join races the end of the last child", function()
    every_order({ "pass" }, function()
      local sup = swarm.supervise { children = { { sleeper, 0, id = "a", restart = "temporary" } } }
      local other = swarm.spawn(function()
        assert(swarm.join(sup))
      end)
      swarm.join(other)
      return sup.status
    end)
  end)

  it("a house without time for clean-up takes none, whenever it is stopped", function()
    local function stubborn()
      pcall(swarm.sleep, 5)
      pcall(swarm.shield, swarm.sleep, { timeout = 2000 })
      pcall(swarm.shield, function()
        swarm.sleep(1000)
      end, { timeout = 2000 })
    end
    local function house()
      swarm.supervise { children = { { stubborn, id = "s", shutdown = math.huge } } }
    end
    every_order({ "0" }, function()
      local start = swarm.monotonic()
      local sup = swarm.supervise { children = { { house, id = "h", shutdown = 0 } } }
      swarm.yield()
      swarm.cancel(sup)
      swarm.join(sup)
      return tostring(swarm.monotonic() - start)
    end)
  end)

  it("a cancel as children start stops what was started", function()
    every_order({ "cancelled true", "cancelled nil" }, function()
      local sup = swarm.supervise {
        children = { { "service", 1, id = "a" }, { "service", 1, id = "b" } },
      }
      local waiter = swarm.spawn(function()
        return tostring((sup:ready()))
      end)
      swarm.yield()
      swarm.cancel(sup)
      swarm.join(sup)
      for _, child in ipairs(sup:children()) do
        assert(not child.handle or child.handle.status == "cancelled")
      end
      return sup.status .. " " .. swarm.result(waiter)
    end)
  end)

  it("a word that it is ready races the end of its time", function()
    every_order({ "true", "timeout" }, function()
      local sup = swarm.supervise { intensity = 0, children = { { "tardy" } } }
      local ok, err = sup:ready()
      swarm.cancel(sup)
      swarm.join(sup)
      return ok and "true" or err.cause.code
    end)
  end)

  it("a stop races a child that starts, and the next one starts once", function()
    every_order({ "b 0" }, function()
      local sup = swarm.supervise {
        children = { { "service", 1, id = "a" }, { "service", 0, id = "b" } },
      }
      swarm.yield()
      sup:stop "a"
      assert(sup:ready())
      local children = sup:children()
      assert.equal("running", children[1].status)
      swarm.cancel(sup)
      return children[1].id .. " " .. children[1].restarts .. (children[2] and " more" or "")
    end)
  end)

  it("a stop races the end of a delay", function()
    every_order({ "0", "1" }, function()
      local runs = 0
      local sup = swarm.supervise {
        backoff = 1,
        children = {
          {
            function()
              runs = runs + 1
              if runs == 1 then
                error "it broke"
              end
              swarm.sleep(5)
            end,
            id = "a",
          },
        },
      }
      swarm.sleep(1)
      sup:stop "a"
      swarm.cancel(sup)
      swarm.join(sup)
      return tostring(runs - 1)
    end)
  end)

  it("a house fails into the next one", function()
    every_order({ "restart_limit_exceeded" }, function()
      local function house()
        swarm.supervise { intensity = 0, children = { { "crash" } } }
      end
      local sup = swarm.supervise { intensity = 0, children = { { house } } }
      local _, err = swarm.join(sup)
      return err.code
    end)
  end)
end)

describe("supervisor", function()
  ---Fails on its first `times` runs, then ends well; counts its runs.
  local function unsteady(times)
    local seen = { runs = 0 }
    function seen.run()
      seen.runs = seen.runs + 1
      swarm.yield()
      if seen.runs <= times then
        error { code = "broke" }
      end
    end
    return seen
  end

  program("supervisor: starts a child again", function()
    local child = unsteady(1)
    local supervisor = swarm.supervise {
      children = { { child.run, id = "child", restart = "transient" } },
    }
    assert.is_true(swarm.join(supervisor))
    assert.equal(2, child.runs)
  end)

  program("supervisor: gives up", function()
    local child, other = unsteady(9), unsteady(0)
    local supervisor = swarm.supervise {
      intensity = 1,
      children = {
        { other.run, id = "other", restart = "temporary" },
        { child.run, id = "child", restart = "transient" },
      },
    }
    local ok, err = swarm.join(supervisor)
    assert.is_nil(ok)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal(2, child.runs)
  end)

  program("supervisor: a cancel races a restart", { "1", "2", "0" }, function()
    local child = unsteady(1)
    local supervisor = swarm.supervise {
      children = { { child.run, id = "child", restart = "transient" } },
    }
    swarm.spawn(function()
      turns()
      swarm.cancel(supervisor)
    end)
    local status = status_of(supervisor)
    assert.is_true(status == "cancelled" or status == "pass")
    return child.runs
  end)

  program("supervisor: one for all, two that fail", function()
    local one, two = unsteady(1), unsteady(1)
    local supervisor = swarm.supervise {
      strategy = "one_for_all",
      intensity = 5,
      children = {
        { one.run, id = "one", restart = "transient" },
        { two.run, id = "two", restart = "transient" },
      },
    }
    assert.is_true(swarm.join(supervisor))
    assert.is_true(one.runs >= 2 and two.runs >= 2)
  end)

  program("supervisor: stopped by two at once", function()
    local supervisor = swarm.supervise {
      children = { { sleeper, 100, id = "child", restart = "permanent" } },
    }
    for _ = 1, 2 do
      swarm.spawn(function()
        pcall(supervisor.stop, supervisor, "child")
      end)
    end
    swarm.sleep(1)
    assert.equal(0, #supervisor:children())
    swarm.cancel(supervisor)
  end)

  program("supervisor: its children stop in reverse, each after its clean-up", function()
    local stopped = {}
    local function child_of(name)
      return function()
        pcall(swarm.sleep, 100)
        swarm.shield(turns)
        stopped[#stopped + 1] = name
      end
    end
    local supervisor = swarm.supervise {
      children = {
        { child_of "one", id = "one", restart = "permanent" },
        { child_of "two", id = "two", restart = "permanent" },
      },
    }
    swarm.sleep(1)
    swarm.cancel(supervisor, "enough", { wait = true })
    assert.same({ "two", "one" }, stopped)
  end)
end)
