-- Proves layers.md, "operator_delegate".
local stages = require "stages"
local swarm = require "swarm"

local end_of = stages.end_of
local seen = {}
local ran = false

swarm.operator("desk", function(request)
  seen[#seen + 1] = request
  if request.input == "no" then
    return nil, "I will not"
  end
  return { answer = request.prompt }
end)

local function run()
  ran = true
end

swarm.role "clerk" { extends = "worker", deny = { "ask_operator" } }
local DESK = { "operator_delegate", to = "desk" }
swarm.worker("delegated", { role = "clerk", label = "for the desk", layers = { DESK }, run = run })
swarm.worker("to main", { layers = { "operator_delegate" }, run = run })
swarm.worker("changed before", { layers = { DESK }, run = run })
swarm.before("changed before", function(_, input)
  return input .. " and more"
end)
swarm.worker("a program", { layers = { DESK }, command = { "false" } })
swarm.worker("masked", {
  layers = { DESK, { "redact", patterns = { "sk%-%w+" } } },
  run = run,
})

describe("operator_delegate", function()
  it("gives the whole attempt to the operator, and nothing of the worker runs", function()
    local h = swarm.spawn("delegated", "do it")
    assert.same({ answer = "do it" }, h:result())
    assert.equal("pass", h.status)
    assert.is_false(ran)
  end)

  it("tells who asks, and for what", function()
    swarm.call("delegated", "do it")
    local request = seen[1]
    assert.equal("attempt", request.kind)
    assert.equal("desk", request.to)
    assert.equal("delegated", request.name)
    assert.equal("for the desk", request.label)
    assert.equal("clerk", request.role)
    assert.equal("do it", request.input)
    assert.equal("do it", request.prompt)
    assert.equal("do it", request.show)
    assert.same({ role = "clerk", input = "do it", prompt = "do it" }, request.details)
    assert.equal('What is the result of worker "delegated" [for the desk]?', request.question)
  end)

  it("asks main where nothing is said; whoever answers gives the result", function()
    local h = swarm.spawn("to main", 1)
    swarm.sleep(1)
    assert.equal("suspended", h.status)
    local question = swarm.pending()[1]
    assert.equal("main", question.to)
    swarm.answer(question.key, 42)
    assert.equal(42, h:result())
  end)

  it("gives the input as hooks outside of it have made it", function()
    assert.same({ answer = "do it and more" }, swarm.call("changed before", "do it"))
    assert.equal("do it and more", seen[1].input)
  end)

  it("stands around a worker of any kind", function()
    assert.same({ answer = "do it" }, swarm.call("a program", "do it"))
  end)

  it("is blocked where the operator says why not, as what runs says it", function()
    local status = end_of("delegated", "no")
    assert.equal("blocked", status)
  end)

  it("is inside of the layers that come after it", function()
    assert.same({ answer = "[redacted]" }, swarm.call("masked", "sk-1"))
    assert.equal("sk-1", seen[1].prompt)
  end)
end)
