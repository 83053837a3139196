-- Proves middleware.md, "Hooks" and "Layers".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local say, echo, worker, finals_of = stock.say, stock.echo, stock.worker, stock.finals_of
local only = stock.only

swarm.role "bare" {}
swarm.role "only speaks" { allow = { "post_result", "emit_output" } }
swarm.role "mute" { allow = { "fetch_prompt" } }

worker("busy hooks", {
  before = function(_, n)
    swarm.sleep(1)
    return n + swarm.call(echo, 1)
  end,
  after = function(_, result)
    swarm.yield()
    local h = swarm.spawn(echo, 10)
    swarm.join(h)
    return { value = result.value + h:result() }
  end,
})

worker("after's child", {
  after = function()
    swarm.spawn(function()
      swarm.sleep(3)
      say "the child settled"
    end)
    return { value = "changed" }
  end,
})

worker("after's failing child", {
  after = function()
    swarm.spawn(function()
      error "the child of a hook"
    end)
  end,
})

worker("no rights", {
  after = function(ctx)
    say(ctx.role)
    return { value = swarm.call(echo, "as operator") }
  end,
}, {
  role = "only speaks",
  run = function()
    local ok, err = pcall(swarm.spawn, echo)
    return { ok, err.code, err.role, err.verb }
  end,
})

worker("no rights after a hook", {
  around = function(_, next)
    swarm.call(echo, 1)
    return next()
  end,
}, {
  role = "only speaks",
  run = function()
    return (pcall(swarm.spawn, echo))
  end,
})

swarm.layer "bare layer" {
  role = "bare",
  after = function(_, result)
    local ok, err = pcall(swarm.spawn, echo)
    return { value = { ok, err.code, result.value } }
  end,
}

worker("with a bare layer", nil, { layers = { "bare layer" } })

worker("mute", {
  after = function()
    say "after saw it"
  end,
}, { role = "mute" })

worker("mute, answered for", {
  around = function()
    return { value = "the hook's" }
  end,
}, { role = "mute" })

worker("with meta", {
  before = function(ctx)
    ctx.meta.trace = ctx.meta.trace .. ">before"
  end,
  after = function(ctx, result)
    return { value = { result.value, ctx.meta.trace } }
  end,
}, {
  run = function()
    return swarm.call(function(ctx)
      return ctx.meta.trace
    end)
  end,
})

describe("hooks", function()
  it("may yield, spawn and join", function()
    assert.equal(12, swarm.call("busy hooks", 1))
  end)

  it("have children, which settle before the changed final and the status", function()
    local h = swarm.spawn("after's child", 1)
    for event in h:follow() do
      if event.type == "final" and event.content.value == "changed" then
        assert.same({ "the child settled" }, only "the child")
      end
    end
    assert.equal("changed", h:result())
  end)

  it("own their children's failures: nothing is swallowed", function()
    local status, err = end_of("after's failing child", 1)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
  end)

  it("run as operator, whatever the worker may; the worker does not", function()
    local h = swarm.spawn "no rights"
    assert.equal("as operator", h:result())
    assert.same(
      { false, "role_violation", "only speaks", "start_task" },
      finals_of(h)[1].content.value
    )
    assert.same({ "only speaks" }, only "^only")
    assert.is_false(swarm.call "no rights after a hook")
  end)

  it("run under the role of their layer where it has one", function()
    assert.same({ false, "role_violation", 5 }, swarm.call("with a bare layer", 5))
  end)

  it("see nothing of a result that the worker may not post", function()
    local status, err, h = end_of("mute", "secret")
    assert.equal("failed", status)
    assert.equal("role_violation", err.code)
    assert.equal("post_result", err.verb)
    assert.same({}, h:output_tail())
    assert.same({}, only "after saw it")
    assert.equal("the hook's", swarm.call "mute, answered for")
  end)

  it("share ctx.meta with the worker and its children", function()
    local h = swarm.spawn("with meta", nil, { meta = { trace = "start" } })
    assert.same({ "start>before", "start>before" }, h:result())
  end)
end)

swarm.layer "add" {
  before = function(_, n, options)
    return n + (options and options.n or 1)
  end,
}

worker("added", nil, { layers = { "add", { "add", n = 10 }, { "add", n = 100 } } })

describe("layers", function()
  it("have options, which each hook gets last", function()
    assert.equal(111, swarm.call("added", 0))
  end)
end)
