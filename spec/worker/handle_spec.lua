-- Proves workers.md, "Handles".
local stages = require "stages"
local swarm = require "swarm"
require "worker_stock"
require "stock_workers"

local started = stages.started

swarm.worker "reacher" {
  run = function(ctx, outside)
    local child = swarm.spawn "sleeper"
    local id = child.task_id
    child:cancel()
    local _, err = pcall(swarm.join, outside)
    return {
      itself = (pcall(swarm.output_tail, ctx.task_id)),
      below = (pcall(swarm.join, id)),
      err = err.code,
    }
  end,
}

describe("a handle", function()
  it("tells worker, task, attempt, name, generation and status", function()
    local h = swarm.spawn("double", 1)
    assert.matches("^W%-%d+$", h.id)
    assert.matches("^T%-%d+$", h.task_id)
    assert.equal(1, h.attempt)
    assert.equal("double", h.name)
    assert.equal(1, h.generation)
    assert.equal("pending", h.status)
    assert.equal(h.id, h.worker_id)
  end)

  it("has ids of its own, and no name where it is a function's", function()
    local a = swarm.spawn(function() end)
    local b = swarm.spawn(function() end)
    assert.not_equal(a.id, b.id)
    assert.not_equal(a.task_id, b.task_id)
    assert.is_nil(a.name)
  end)

  it("has the calls as methods", function()
    local h = swarm.spawn("double", 4)
    assert.is_true(h:join())
    assert.equal(8, h:result())
    assert.equal(1, #h:output_tail())
    assert.equal("final", h:follow()().type)
    assert.is_false(h:cancel())
  end)

  it("says the right name where one does not exist", function()
    local h = swarm.spawn("double", 1)
    local function hint(name)
      return assert.has_error(function()
        return h[name]
      end, { code = "unknown_name" }).message
    end
    assert.matches("join", hint "wait")
    assert.matches("join", hint "await")
    assert.matches("result", hint "value")
    assert.matches("cancel", hint "kill")
    assert.matches("output_tail", hint "tail")
    assert.matches("partial", hint "emit")
    assert.matches("did you mean status%?", hint "staus")
  end)

  it("raises unknown_name for keys that are no strings", function()
    local h = swarm.spawn("double", 1)
    for _, key in ipairs { 1, true, print } do
      assert.has_error(function()
        ---@diagnostic disable-next-line: undefined-field
        return h[key]
      end, { code = "unknown_name" })
    end
  end)

  it("cannot be written to, by rawset neither", function()
    local h = swarm.spawn("double", 1)
    assert.has_error(function()
      h.status = "pass"
    end)
    assert.has_error(function()
      ---@diagnostic disable-next-line: inject-field
      h.mine = 1
    end)
    assert.has_error(function()
      rawset(h, "status", "pass")
    end)
    assert.equal("pending", h.status)
  end)

  it("shows nothing of what is behind it", function()
    local h = swarm.spawn("double", 1)
    assert.is_nil(next(h))
    assert.is_nil(rawget(h, "status"))
    assert.equal("string", type(getmetatable(h)))
    assert.is_false((pcall(setmetatable, h, {})))
  end)

  it("is ctx inside the worker, the same object", function()
    local inside
    local h = swarm.spawn(function(ctx)
      inside = ctx
    end)
    h:join()
    assert.is_true(rawequal(h, inside))
  end)

  it("may be replaced by its task_id in every call", function()
    local h = started("sleeper")
    local id = h.task_id
    assert.same({}, swarm.output_tail(id))
    assert.is_true(swarm.cancel(id, "by id"))
    local ok, err = swarm.join(id)
    assert.is_nil(ok)
    assert.equal("by id", err.reason)
    assert.has_error(function()
      swarm.result(id)
    end, { code = "cancelled" })
    assert.is_nil(swarm.follow(id)())
  end)

  it("is found by the task_id that an error carries", function()
    local _, err = swarm.join(swarm.spawn("boom"))
    local ok, again = swarm.join(assert(err.task_id))
    assert.is_nil(ok)
    assert.is_true(rawequal(err, again))
  end)

  it("names tasks that exist: else task_not_found", function()
    assert.has_error(function()
      swarm.join("T-999999")
    end, { code = "task_not_found", task_id = "T-999999" })
  end)

  it("is found by its task_id among the last 10,000 settled, and not much longer", function()
    local ids = {}
    for i = 1, 10050 do
      local h = swarm.spawn("double", i)
      ids[i] = h.task_id
    end
    swarm.sleep(2)
    assert.is_true(swarm.join(ids[10050]))
    assert.is_true(swarm.join(ids[51]))
    assert.has_error(function()
      swarm.join(ids[1])
    end, { code = "task_not_found" })
  end)

  it("is found so where the others were cancelled, whoever reads how they ended", function()
    local first, crowd = swarm.spawn("double", 1).task_id, {}
    swarm.sleep(0.01)
    for i = 1, 9000 do
      crowd[i] = swarm.spawn("sleeper")
    end
    swarm.spawn(function()
      for i = 1, #crowd do
        swarm.cancel(crowd[i])
      end
    end)
    for _, outcome in ipairs(swarm.settle(crowd)) do
      assert.equal("cancelled", outcome.status)
    end
    assert.is_true(swarm.join(first))
  end)

  it("is the only thing besides a task_id that the calls take", function()
    local calls = { "join", "result", "cancel", "output_tail", "follow" }
    for _, name in ipairs(calls) do
      for _, wrong in ipairs { 5, true, {}, "double", print, swarm.null, swarm } do
        local err = assert.has_error(function()
          ---@diagnostic disable-next-line: param-type-mismatch
          swarm[name](wrong)
        end, { code = "invalid_argument" }, name)
        assert.matches("handle", err.message)
      end
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        swarm[name](nil)
      end, { code = "invalid_argument" }, name)
    end
  end)

  it("reach with a bare task_id only itself and its descendants", function()
    local other = swarm.spawn("sleeper")
    local outside = other.task_id
    local reached = swarm.call("reacher", outside)
    other:cancel()
    assert.same({ itself = true, below = true, err = "token_task_mismatch" }, reached)
  end)
end)
