-- Proves layers.md, "Names" and "Write a layer of your own".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local say, only = stock.say, stock.only

local read = {}

swarm.layer "long_hold" {
  options = function(options)
    read[#read + 1] = options
    options.seen = 0
    return options
  end,
  before = function(_, _, options)
    options.seen = options.seen + 1
    say("own", tostring(options.after), tostring(options.seen))
  end,
}

swarm.worker("own", { layers = { { "long_hold", after = "noon" } }, run = stock.echo })
swarm.worker("own too", { layers = { "long_hold" }, run = stock.echo })

swarm.layer "absent" {
  options = function(options)
    return options.on and options or false
  end,
  before = function(_, _, options)
    say("there", tostring(options.on))
  end,
}
swarm.worker("without", { layers = { "absent" }, run = stock.echo })
swarm.worker("with", { layers = { { "absent", on = true } }, run = stock.echo })

swarm.layer "as it is" {
  options = function() end,
  before = function(_, _, options)
    say("nothing", tostring(options))
  end,
}
swarm.worker("as it is", { layers = { { "as it is", given = 1 } }, run = stock.echo })

describe("Names", function()
  it("mean the script's own layer first", function()
    swarm.call("own", 1)
    assert.same({ "own noon 1" }, only "^own")
  end)
end)

describe("Write a layer of your own", function()
  it("has options read once for each place that asks, and hands each its own", function()
    swarm.call("own", 1)
    swarm.call("own", 1)
    swarm.call("own too", 1)
    assert.same({ "own noon 1", "own noon 2", "own nil 1" }, only "^own")
    assert.equal(2, #read)
  end)

  it("is left out where its options say false", function()
    assert.equal("pass", (end_of("without", 1)))
    assert.same({}, only "^there")
    swarm.call("with", 1)
    assert.same({ "there true" }, only "^there")
  end)

  it("hands on nothing where its options give nothing", function()
    swarm.call("as it is", 1)
    assert.same({ "nothing nil" }, only "^nothing")
  end)
end)
