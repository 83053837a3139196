-- Proves supervision.md, "A supervisor".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted = notes.note, notes.noted
local seconds_of = outcomes.seconds_of
local supervised, unit, ids, FAIL = stock.supervised, stock.unit, stock.ids, stock.FAIL

swarm.role "only_units" { extends = "worker", allow = { start_task = { "unit" } } }

swarm.worker "restricted" {
  role = "only_units",
  run = function(_, name)
    local sup = swarm.supervise { children = { { name, { name = "a" } } } }
    swarm.cancel(sup)
    return "allowed"
  end,
}

swarm.worker "supervises_a_reader" {
  role = "no_files",
  run = function()
    swarm.supervise { intensity = 0, children = { { "reader" } } }
  end,
}

describe("a supervisor", function()
  it("is a worker with an id, a name and a status, and starts its children in order", function()
    supervised({ name = "house", children = { unit "a", unit "b", unit "c" } }, function(sup)
      assert.equal("house", sup.name)
      assert.matches("^T%-%d+$", sup.task_id)
      assert.equal("pending", sup.status)
      swarm.sleep(1)
      assert.equal("running", sup.status)
      assert.equal("+a +b +c", noted())
      assert.equal("supervisor", swarm.supervise({}).name)
    end)
  end)

  it("does not yield as it is made, and has its children's handles at once", function()
    local turns = 0
    swarm.spawn(function()
      turns = turns + 1
    end)
    supervised({ children = { unit "a" } }, function(sup)
      assert.equal(0, turns)
      local one = sup:children()[1]
      assert.equal("pending", one.status)
      assert.equal("unit", one.handle.name)
    end)
  end)

  it("has the defaults one_for_one, one restart in five seconds, permanent", function()
    local sup = swarm.supervise {
      children = { unit("a", { ends = { FAIL, { 4.5, "fail" } } }), unit "b" },
    }
    assert.equal("permanent", sup:children()[1].restart)
    local _, err = swarm.join(sup)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal(5, err.period)
    assert.equal("+a +b +a -b", noted())
  end)

  it("gives its children no more rights than who called supervise has", function()
    local ok, err = swarm.join(swarm.spawn "supervises_a_reader")
    assert.is_nil(ok)
    local failure = err.errors[1]
    assert.equal("restart_limit_exceeded", failure.code)
    assert.equal("role_violation", failure.cause.code)
    assert.equal("read_files", failure.cause.verb)
  end)

  it("gives its children the meta of who called supervise", function()
    local found
    swarm.result(swarm.spawn(function()
      supervised({
        children = {
          {
            function(ctx)
              found = ctx.meta.tenant
            end,
            restart = "temporary",
          },
        },
      }, function()
        swarm.sleep(1)
      end)
    end, nil, { meta = { tenant = "t1" } }))
    assert.equal("t1", found)
  end)

  it("belongs to the innermost block where it was made, which waits for it", function()
    local took = seconds_of(swarm.scope, function()
      swarm.supervise {
        children = { unit("a", { restart = "transient", ends = { { 7, "pass" } } }) },
      }
    end)
    assert.equal(7, took)
  end)

  it("runs functions as children, in the role of who named them", function()
    supervised({
      children = {
        {
          function(ctx, input)
            note(ctx.role .. " " .. input)
            swarm.sleep(100)
          end,
          "in",
          id = "f",
        },
      },
    }, function(sup)
      swarm.sleep(1)
      assert.equal("f", ids(sup))
      assert.equal("operator in", noted())
    end)
  end)

  it("needs start_task, also bounded to the names of its children", function()
    local _, err = swarm.join(swarm.spawn("powerless", { call = "supervise" }))
    assert.equal("role_violation", err.code)
    assert.equal("start_task", err.verb)
    assert.equal("allowed", swarm.call("restricted", "unit"))
    local _, out_of_bounds = swarm.join(swarm.spawn("restricted", "crash"))
    assert.equal("role_violation", out_of_bounds.code)
  end)

  it("takes no children in a block that is cancelled", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.supervise { children = { unit "a" } }
    end)
    swarm.sleep(1)
    swarm.cancel(h)
    swarm.join(h)
    assert.equal("", noted())
    assert.equal("cancelled", h.status)
  end)

  it("refuses a tree that is too deep before anything starts", function()
    local function deeper(ctx)
      if ctx.depth == 63 then
        local ok, err = pcall(swarm.supervise, { children = { unit "a" } })
        assert(not ok and err.code == "spawn_depth_exceeded")
        swarm.supervise {} -- it alone fits
        return "refused"
      end
      return swarm.call(deeper)
    end
    assert.equal("refused", swarm.call(deeper))
    assert.equal("", noted())
  end)
end)
