local seen = {}

swarm.operator("yes", function(request)
  seen[#seen + 1] = request
  return "yes"
end)

swarm.operator("slow", function(request)
  swarm.sleep(5)
  seen[#seen + 1] = request
  return "late"
end)

swarm.operator("nobody", function() end)

swarm.operator("no", function()
  return nil, "I will not"
end)

swarm.operator("broken", function()
  error "it fell apart"
end)

swarm.operator("odd", function()
  return { not_a_text = true }
end)

swarm.worker "asks" {
  label = "somebody",
  run = function(_, to)
    return swarm.ask("Go?", { to = to })
  end,
}

describe("an operator", function()
  before_each(function()
    seen = {}
  end)

  it("answers what is put to its id", function()
    assert.equal("yes", swarm.call("asks", "yes"))
    local request = seen[1]
    assert.equal("Go?", request.question)
    assert.equal("asks", request.name)
    assert.equal("worker", request.role)
    assert.equal("yes", request.input)
    assert.is_nil(request.at_operator)
    assert.equal("somebody", request.label)
  end)

  it("leaves a question to others", function()
    local h = swarm.spawn("asks", "nobody")
    swarm.sleep(1)
    assert.is_nil(swarm.pending()[1].at_operator)
    swarm.answer(swarm.pending()[1].key, "somebody")
    assert.equal("somebody", swarm.result(h))
  end)

  it("is cancelled once somebody else has answered", function()
    local h = swarm.spawn("asks", "slow")
    swarm.sleep(1)
    assert.is_true(swarm.pending()[1].at_operator)
    swarm.answer(swarm.pending()[1].key, "early")
    assert.equal("early", swarm.result(h))
    swarm.sleep(10)
    assert.same({}, seen)
  end)

  it("that refuses fails who asks", function()
    local _, err = swarm.join(swarm.spawn("asks", "no"))
    assert.equal("operator_failed", err.code)
    assert.equal('operator "no" refused: I will not', err.message)
  end)

  it("that raises fails who asks, with its place", function()
    local _, err = swarm.join(swarm.spawn("asks", "broken"))
    assert.equal("operator_failed", err.code)
    assert.truthy(err.message:find('operator "broken" failed: .*it fell apart'))
    assert.truthy(tostring(err.where):find "operators_spec.lua:%d+")
  end)

  it("whose answer does not fit fails who asks", function()
    local _, err = swarm.join(swarm.spawn("asks", "odd"))
    assert.equal("operator_failed", err.code)
    assert.truthy(err.message:find("the answer is a text", 1, true))
  end)

  it("waits for nobody: a task that is cancelled ends at once", function()
    local h = swarm.spawn("asks", "slow")
    swarm.sleep(1)
    swarm.cancel(h, "enough", { wait = true })
    swarm.sleep(10)
    assert.same({}, seen)
  end)
end)
