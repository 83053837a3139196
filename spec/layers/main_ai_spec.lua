-- Proves layers.md, "Spawn hooks".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local say, only = stock.say, stock.only

swarm.spawn_hook {
  before = function(ctx)
    say("spawned", ctx.name, ctx.operator_kind)
    if ctx.input == "refuse" then
      error("not this one", 0)
    end
    ---@diagnostic disable-next-line: return-type-mismatch, redundant-return-value
    return "no input"
  end,
  after = function(ctx, value_or_error, ok)
    if ctx.input == "fail after" then
      error "after is out of order"
    end
    say("ended", ctx.name, tostring(ok), tostring(ok and value_or_error or value_or_error.message))
    ---@diagnostic disable-next-line: return-type-mismatch, redundant-return-value
    return "no result"
  end,
}

local function run(_, input)
  if input == "fail" then
    error("on purpose", 0)
  elseif input == "block" then
    return "so far", "why"
  elseif input == "wait" then
    swarm.sleep(100)
  end
  return input
end

swarm.worker("watched", { operator_kind = "main_ai", run = run })
swarm.worker("composite", { operator_kind = "composite", run = run })
swarm.worker("alone", { run = run })
swarm.worker("named", { layers = { "main_ai" }, run = run })
swarm.worker(
  "tried again",
  { operator_kind = "main_ai", retries = { max = 1, backoff = 0 }, run = run }
)

local function loud(name)
  return {
    around = function(_, next)
      say("spawned into", name)
      return next()
    end,
  }
end
swarm.layer "one"(loud "one")
swarm.layer "two"(loud "two")
swarm.worker("inside layers", { operator_kind = "main_ai", layers = { "one" }, run = run })
swarm.worker("in its place", { layers = { "one", "main_ai", "two" }, run = run })

describe("Spawn hooks", function()
  it("stand around an attempt; what they return counts for nothing", function()
    assert.equal("input", swarm.call("watched", "input"))
    assert.same({ "spawned watched main_ai", "ended watched true input" }, only "^%a+ed ")
    assert.equal("input", swarm.call("composite", "input"))
    assert.equal(4, #only "^%a+ed ")
  end)

  it("do not stand around one whose operator is of another kind", function()
    assert.equal("input", swarm.call("alone", "input"))
    assert.same({}, only "^%a+ed ")
  end)

  it("refuse an attempt by raising in before: after is not called", function()
    local status, err = end_of("watched", "refuse")
    assert.equal("failed", status)
    assert.equal("rejected_by_middleware", assert(err).code)
    assert.equal("not this one", assert(err).reason)
    assert.same({ "spawned watched main_ai" }, only "^%a+ed ")
  end)

  it("are told of a block and of an error", function()
    assert.equal("blocked", (end_of("watched", "block")))
    assert.equal("failed", (end_of("watched", "fail")))
    assert.same({ "ended watched true so far", "ended watched false on purpose" }, only "^ended")
  end)

  it("are told of a cancel", function()
    local h = swarm.spawn("watched", "wait")
    swarm.sleep(1)
    h:cancel("enough", { wait = true })
    assert.equal("cancelled", h.status)
    assert.same({ "ended watched false cancelled: enough" }, only "^ended")
  end)

  it("fail the attempt where after raises, whatever it came to", function()
    local status, err = end_of("watched", "fail after")
    assert.equal("failed", status)
    assert.truthy(assert(err).message:find "after is out of order")
    assert.truthy(assert(err).traceback:find "main_ai_spec.lua")
  end)

  it("keep the error of a failed attempt whole", function()
    local _, err = end_of("watched", "fail")
    assert.equal("on purpose", assert(err).message)
    assert.truthy(assert(err).traceback:find "main_ai_spec.lua:%d+: in function")
  end)

  it("stand around each attempt of a task", function()
    end_of("tried again", "fail")
    assert.equal(2, #only "^spawned")
    assert.equal(2, #only "^ended")
  end)

  it("stand where the layer is named, else inside of the worker's layers", function()
    swarm.call("inside layers", 1)
    assert.same({ "spawned into one", "spawned inside layers main_ai" }, only "^spawned")
    swarm.call("in its place", 1)
    assert.same({
      "spawned into one",
      "spawned inside layers main_ai",
      "spawned into two",
      "spawned in its place main_ai",
      "spawned into one",
    }, only "^spawned")
  end)

  it("stand around a function that is spawned, where it is said", function()
    local h = swarm.spawn(run, "input", { operator_kind = "main_ai" })
    assert.equal("input", h:result())
    assert.equal(1, #only "^ended")
  end)
end)
