-- Proves middleware.md, "before".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local worker = stock.worker

local ran = 0

local function counted(_, input)
  ran = ran + 1
  return input
end

worker("doubled", {
  before = function(_, n)
    return n * 2
  end,
}, {
  run = function(ctx, n)
    return { n, ctx.input, ctx.prompt }
  end,
})

worker("rejected", {
  before = function(_, input)
    error(input)
  end,
}, { run = counted })

worker("own copy", {
  before = function(_, input)
    input.list[1] = "changed"
  end,
})

worker("nonsense input", {
  before = function()
    return { print }
  end,
}, { run = counted })

worker("nonsense output", {
  after = function()
    return { value = print }
  end,
})

describe("before", function()
  it("replaces the input with what it returns", function()
    assert.same({ 6, 6, "6" }, swarm.call("doubled", 3))
  end)

  it("rejects the worker by raising: nothing runs", function()
    local status, err = end_of("rejected", { message = "no, thanks" })
    assert.equal("failed", status)
    assert.equal("rejected_by_middleware", err.code)
    assert.equal("no, thanks", err.reason)
    assert.matches(
      "the before hook at .*/lua/layers_stock%.lua:%d+ refused: no, thanks",
      err.message
    )
    assert.equal(0, ran)
  end)

  it("has its own traceback and place in the error", function()
    local _, err = end_of("rejected", "text")
    assert.matches("before_spec%.lua:%d+: text$", err.reason)
    assert.matches("before_spec%.lua:%d+", err.where)
    assert.matches("before_spec%.lua:%d+", err.traceback)
  end)

  it("is named where what it returns cannot be used, as an after hook is", function()
    for _, name in ipairs { "nonsense input", "nonsense output" } do
      local _, err = end_of(name)
      assert.equal("invalid_value", err.code)
      assert.matches("^the %a+ hook at [^ ]* returned what cannot be used: ", err.message)
      assert.truthy(err.message:find(assert(err.where), 1, true), err.where)
    end
  end)

  it("says the place of the error once", function()
    local _, err = end_of("rejected", "text")
    assert.matches("the before hook at [^ ]* refused: text$", err.message)
  end)

  it("may raise anything", function()
    for _, value in ipairs { false, 5, { a = 1 }, setmetatable({}, { __tostring = error }) } do
      local h = swarm.spawn(function(_, raised)
        error(raised)
      end)
      h:join()
      local _, err = end_of("rejected", type(value) == "table" and { a = 1 } or value)
      assert.equal("rejected_by_middleware", err.code)
      assert.equal("string", type(err.reason))
    end
    assert.equal("rejected_by_middleware", select(2, end_of "rejected").code)
  end)

  it("that returns what cannot cross fails the worker, and nothing runs", function()
    local status, err = end_of "nonsense input"
    assert.equal("failed", status)
    assert.equal("invalid_value", err.code)
    assert.equal(0, ran)
  end)

  it("sees the worker's own copy, never the spawner's", function()
    local input = { list = { "mine" } }
    assert.same({ list = { "changed" } }, swarm.call("own copy", input))
    assert.equal("mine", input.list[1])
  end)
end)
