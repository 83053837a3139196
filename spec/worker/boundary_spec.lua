-- Proves workers.md, "Values": what crosses the boundary of a worker.
local stages = require "stages"
local swarm = require "swarm"
local stock = require "worker_stock"
require "stock_workers"

local started, end_of = stages.started, stages.end_of
local types_of = stock.types_of

describe("values at the boundary", function()
  it("are copied at spawn: later changes are not seen", function()
    local input = { list = { 1, 2 } } ---@type table
    local h = swarm.spawn(function(_, got)
      return #got.list
    end, input)
    input.list[3] = 3
    assert.equal(2, h:result())
  end)

  it("are the worker's own: what it does to its input nobody else sees", function()
    local input = { n = 1 }
    swarm.call(function(ctx, got)
      got.n = 2
      ctx.input.more = true
    end, input)
    assert.same({ n = 1 }, input)
  end)

  it("cannot be reached through the handle", function()
    local h = swarm.spawn(function(_, input)
      swarm.sleep(1)
      return input.n
    end, { n = 1 })
    swarm.yield()
    h.input.n = 2
    assert.equal(1, h:result())
  end)

  it("are copied at return: a table that the worker keeps is not the result", function()
    local kept = { n = 1 }
    local h = swarm.spawn(function()
      return kept
    end)
    h:join()
    kept.n = 2
    assert.equal(1, h:result().n)
  end)

  it("are each reader's own at result", function()
    local h = swarm.spawn(function()
      return { n = 1 }
    end)
    h:result().n = 2
    assert.equal(1, h:result().n)
    assert.equal(1, h:output_tail()[1].content.value.n)
  end)

  it("are each reader's own where the worker is blocked, in value and err.value", function()
    local h = swarm.spawn(function()
      return { n = 1 }, "no"
    end)
    local value, err = h:result()
    value.n = 2
    err.value.n = 3
    assert.equal(1, (h:result()).n)
    assert.equal(1, h:output_tail()[1].content.value.n)
  end)

  it("are copied at an event, and each reader's own in the tail", function()
    local h = swarm.spawn(function(ctx)
      local chunk = { n = 1 }
      ctx:partial(chunk)
      chunk.n = 2
    end)
    h:join()
    h:output_tail()[1].chunk.value.n = 3
    assert.equal(1, h:output_tail()[1].chunk.value.n)
  end)

  it("may hold handles and cancel tokens, which stay the same object", function()
    local target = started("sleeper")
    local back = swarm.call(function(_, input)
      input.token:cancel("by a friend")
      return { input.h }
    end, { h = target, token = target.cancel_token })
    assert.is_true(rawequal(target, back[1]))
    swarm.join(target)
    assert.equal("cancelled", target.status)
  end)

  it("that cannot cross raise invalid_value with the path, at the place of the spawn", function()
    local err = assert.has_error(function()
      swarm.spawn("double", { items = { 1, 2, { fn = print } } })
    end, { code = "invalid_value", path = "input.items[3].fn" })
    assert.matches("boundary_spec%.lua:%d+", err.where)
  end)

  it("that cannot cross as a result fail the worker", function()
    for _, wrong in ipairs { print, 0 / 0, math.huge, { { coroutine.create(print) } } } do
      local status, err = end_of(function()
        return wrong
      end)
      assert.equal("failed", status)
      assert.equal("invalid_value", err.code)
      assert.matches("^result", err.path)
      assert.matches("boundary_spec%.lua:%d+", err.where)
    end
  end)

  it("that cannot cross in an event raise at the call, and leave no event", function()
    local h = swarm.spawn(function(ctx)
      assert.has_error(function()
        ctx:partial { fn = print }
      end, { code = "invalid_value", path = "partial.fn" })
      assert.has_error(function()
        ctx:artifact("x", 0 / 0)
      end, { code = "invalid_value" })
    end)
    assert.is_true(h:join())
    assert.same({ "final" }, types_of(h:output_tail()))
  end)

  it("as deep as they may be can be read back from result and tail", function()
    local deep = {}
    for _ = 1, 98 do
      deep = { deep }
    end
    local h = swarm.spawn(function(ctx)
      ctx:partial(deep)
      return deep
    end)
    assert.same(deep, h:result())
    local tail = h:output_tail()
    assert.same(deep, tail[1].chunk.value)
    assert.same(deep, tail[2].content.value)
  end)

  it("are whole or refused, however many entries in whatever order", function()
    local function cross(value)
      swarm.set_data("crossing", value)
      return swarm.data "crossing"
    end
    local function refused(value)
      local _, err = pcall(cross, value)
      assert.equal("invalid_value", err.code)
    end
    local forwards, fields = {}, {}
    for n = 1, 40 do
      forwards[n], fields["k" .. n] = { at = n, list = { n } }, { n }
      local backwards = {}
      for i = n, 1, -1 do
        backwards[i] = i
      end
      assert.same({ forwards, fields, backwards }, cross { forwards, fields, backwards })
      assert.same(forwards, cross(forwards))
      assert.same(fields, cross(fields))
      assert.same(backwards, cross(backwards))
      assert.same({ swarm.array(backwards) }, cross { backwards })
      fields[1] = 1
      refused(fields)
      fields[1] = nil
      forwards.name = "both"
      refused(forwards)
      forwards.name = nil
      local last = forwards[n]
      forwards[n] = print
      refused(forwards)
      forwards[n] = last
      forwards[n + 2] = last
      refused(forwards)
      forwards[n + 2] = nil
    end
  end)

  it("take errors along, with all their fields, as errors", function()
    local _, err = swarm.join(swarm.spawn(function()
      error { code = "mine", message = "no good", at = { 1, 2 } }
    end))
    local echo = swarm.result(swarm.spawn(function(_, input)
      return { got = input.err }
    end, { err = err }))
    assert.equal("mine", echo.got.code)
    assert.same({ 1, 2 }, echo.got.at)
    assert.equal(tostring(err), tostring(echo.got))
    assert.matches('"code":"mine"', swarm.json.encode(echo))
    assert.has_error(function()
      error(echo.got, 0)
    end, { code = "mine" })
  end)
end)
