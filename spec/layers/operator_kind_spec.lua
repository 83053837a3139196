-- Proves layers.md, "Operator kinds"; what the run says of it: tests/host/test_layers.py.
local swarm = require "swarm"

swarm.operator_kind = "composite"

local function kind_of(ctx)
  return ctx.operator_kind
end

swarm.worker("says nothing", { run = kind_of })
swarm.worker("says automate", { operator_kind = "automate", run = kind_of })
swarm.worker("names the layer", { layers = { "main_ai" }, run = kind_of })
swarm.worker("names the layer and a kind", {
  layers = { "main_ai" },
  operator_kind = "automate",
  run = kind_of,
})
swarm.worker("spawns", {
  run = function(ctx)
    return { ctx.operator_kind, swarm.call "says nothing" }
  end,
})
swarm.worker("tries again", {
  retries = { max = 1, backoff = 0 },
  run = function(ctx)
    assert(ctx.attempt == 2)
    return ctx.operator_kind
  end,
})

describe("Operator kinds", function()
  it("come from the script where nobody else says one", function()
    assert.equal("composite", swarm.operator_kind)
    assert.equal("composite", swarm.call "says nothing")
    assert.equal("composite", swarm.call(kind_of))
  end)

  it("come from the worker before the script, an explicit automate too", function()
    assert.equal("automate", swarm.call "says automate")
  end)

  it("come from the layer last of all", function()
    assert.equal("composite", swarm.call "names the layer")
    assert.equal("automate", swarm.call "names the layer and a kind")
  end)

  it("come from the spawn first", function()
    local main_ai = { operator_kind = "main_ai" }
    assert.equal("main_ai", swarm.call("says automate", nil, main_ai))
    assert.equal("automate", swarm.call("says nothing", nil, { operator_kind = "automate" }))
    assert.equal("main_ai", swarm.spawn("says automate", nil, main_ai).operator_kind)
  end)

  it("hold for further attempts, and not for what a task spawns", function()
    local main_ai = { operator_kind = "main_ai" }
    assert.equal("main_ai", swarm.call("tries again", nil, main_ai))
    assert.same({ "main_ai", "composite" }, swarm.call("spawns", nil, main_ai))
  end)

  it("are one of three", function()
    ---@diagnostic disable-next-line: param-type-mismatch
    local ok, err = pcall(swarm.spawn, "says nothing", nil, { operator_kind = "mainai" })
    assert.is_false(ok)
    assert.equal("invalid_argument", err.code)
    assert.truthy(err.message:find('must be "main_ai", "automate" or "composite"', 1, true))
  end)

  it("cannot be said once a script has loaded", function()
    local ok, err = pcall(function()
      swarm.operator_kind = "automate"
    end)
    assert.is_false(ok)
    assert.truthy(err.message:find("while it loads", 1, true))
    assert.equal("composite", swarm.operator_kind)
  end)
end)
