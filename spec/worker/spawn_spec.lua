-- Proves workers.md, "Spawn".
local stages = require "stages"
local swarm = require "swarm"
require "stock_workers"

local end_of = stages.end_of

swarm.worker "brief" {
  timeout = 5,
  run = function(_, seconds)
    swarm.sleep(seconds)
    return "in time"
  end,
}

describe("spawn", function()
  it("returns a handle at once and runs nothing yet", function()
    local ran = false
    local h = swarm.spawn(function()
      ran = true
    end)
    assert.is_false(ran)
    assert.equal("pending", h.status)
    h:join()
    assert.is_true(ran)
  end)

  it("starts workers in the order of their spawns", function()
    local order = {}
    for i = 1, 5 do
      swarm.spawn(function()
        order[#order + 1] = i
      end)
    end
    swarm.sleep(1)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("starts a worker that is joined before those that were spawned earlier", function()
    local order = {}
    local hs = {}
    for i = 1, 3 do
      hs[i] = swarm.spawn(function()
        order[#order + 1] = i
      end)
    end
    swarm.join(hs[3])
    assert.same({ 3 }, order)
    swarm.sleep(1)
    assert.same({ 3, 1, 2 }, order)
  end)

  it("takes a function and hands it its ctx and its input", function()
    local seen
    local h = swarm.spawn(function(ctx, input)
      seen = { same_object = ctx.input.a == input.a, task_id = ctx.task_id }
      return input.a
    end, { a = 7 })
    assert.equal(7, h:result())
    assert.is_true(seen.same_object)
    assert.equal(h.task_id, seen.task_id)
  end)

  it("names the nearest worker where there is none of the name", function()
    local err = assert.has_error(function()
      swarm.spawn("doubel", 1)
    end, { code = "not_registered", unknown = "doubel" })
    assert.matches("did you mean double%?", err.message)
    assert.matches("spawn_spec%.lua:%d+", err.where)
  end)

  it("takes nothing but a name or a function", function()
    for _, wrong in ipairs { 5, true, {}, swarm.null } do
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        swarm.spawn(wrong)
      end, { code = "invalid_argument" })
    end
    assert.has_error(function()
      ---@diagnostic disable-next-line: missing-parameter
      swarm.spawn()
    end, { code = "invalid_argument" })
  end)

  it("refuses an option that does not exist, and says which is meant", function()
    local err = assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      swarm.spawn("double", 1, { timout = 5 })
    end, { code = "invalid_argument", unknown = "timout" })
    assert.matches("did you mean timeout%?", err.message)
  end)

  it("refuses options that are not a table", function()
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      swarm.spawn("double", 1, 5)
    end, { code = "invalid_argument" })
  end)

  it("refuses a timeout that is not a number of seconds", function()
    for _, wrong in ipairs { "5", -1, 0 / 0, math.huge, true } do
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        swarm.spawn("double", 1, { timeout = wrong })
      end, { code = "invalid_argument" })
    end
  end)

  it("leaves nothing behind where it raises", function()
    local ran = false
    pcall(swarm.spawn, function()
      ran = true
    end, { fn = print })
    pcall(swarm.spawn, function()
      ran = true
      ---@diagnostic disable-next-line: param-type-mismatch
    end, nil, { timout = 1 })
    swarm.sleep(1)
    assert.is_false(ran)
  end)

  it("nests workers 64 deep and no deeper", function()
    local function nest(ctx)
      if ctx.depth == 64 then
        local ok, err = pcall(swarm.spawn, nest)
        return { ok = ok, code = err.code, current = err.current, max = err.max }
      end
      return swarm.call(nest)
    end
    local deepest = swarm.call(nest)
    assert.same({ ok = false, code = "spawn_depth_exceeded", current = 64, max = 64 }, deepest)
  end)

  it("bounds one attempt by its timeout, the option before the definition", function()
    assert.equal("timeout", (end_of("brief", 6)))
    assert.equal("pass", (end_of("brief", 6, { timeout = 7 })))
    assert.equal("timeout", (end_of("brief", 2, { timeout = 1 })))
  end)

  it("gives children a copy of meta", function()
    local meta = { trace = { 1 } }
    local parent = swarm.spawn(function(ctx)
      local child = swarm.spawn(function(own)
        own.meta.trace[1] = "changed"
        return own.meta.trace[1]
      end)
      return { child:result(), ctx.meta.trace[1] }
    end, nil, { meta = meta })
    meta.trace[1] = 2
    assert.same({ "changed", 1 }, parent:result())
  end)
end)
