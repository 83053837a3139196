swarm.worker "stuck" {
  run = function()
    return swarm.blocked("half", "no way on")
  end,
}

swarm.worker "broken" {
  run = function()
    error "it fell apart"
  end,
}

swarm.worker "asks" {
  run = function()
    return swarm.ask "Go?"
  end,
}

swarm.worker "senior" {
  role = "senior",
  authority = "own",
  run = function(_, request)
    return swarm.override(request.target, request.value, request.ok, request.reason)
  end,
}

local function override(target, value, ok, reason)
  swarm.call(
    "senior",
    { target = target, value = value, ok = ok, reason = reason },
    { label = false }
  )
end

describe("swarm.override", function()
  it("puts another result in the place of a blocked one", function()
    local h = swarm.spawn "stuck"
    local value, err = swarm.result(h)
    assert.equal("half", value)
    assert.equal("blocked", err.code)
    override(h, { whole = true }, true)
    value, err = swarm.result(h)
    assert.same({ whole = true }, value)
    assert.is_nil(err)
    assert.is_true(h.overridden)
    assert.equal("blocked", h.status)
    local tail = swarm.output_tail(h)
    assert.equal("final", tail[#tail].type)
    assert.equal("senior", tail[#tail].by)
    assert.is_true(tail[#tail].ok)
  end)

  it("takes a failure over: it is nobody's any more", function()
    local h = swarm.spawn "broken"
    swarm.settle { h }
    override(h, "mended", true)
    assert.is_true(swarm.join(h))
    assert.equal("mended", swarm.result(h))
    assert.equal("failed", h.status)
  end)

  it("can say that something is not right", function()
    local h = swarm.spawn(function()
      return "done"
    end)
    swarm.join(h)
    override(h, "done", false, "the tests are missing")
    local value, err = swarm.result(h)
    assert.equal("done", value)
    assert.equal("blocked", err.code)
    assert.equal("the tests are missing", err.reason)
  end)

  it("is a senior's, and of what has settled", function()
    local h = swarm.spawn "stuck"
    swarm.join(h)
    local _, err = pcall(swarm.override, h, 1)
    assert.equal("role_violation", err.code)
    assert.equal("override_verdict", err.verb)
    local live = swarm.spawn "asks"
    swarm.sleep(0)
    _, err = swarm.join(swarm.spawn("senior", { target = live, value = 1 }))
    assert.equal("invalid_argument", err.code)
    assert.truthy(err.message:find("only what has settled is overridden", 1, true))
    swarm.cancel(live)
  end)
end)

describe("swarm.mark", function()
  it("ends a task that waits for an answer", function()
    local h = swarm.spawn "asks"
    swarm.sleep(0)
    swarm.mark(h, "pass", "as good as done")
    assert.equal("as good as done", swarm.result(h))
    assert.equal("pass", h.status)
    assert.same({}, swarm.pending())
  end)

  it("says why it is blocked", function()
    local h = swarm.spawn "asks"
    swarm.sleep(0)
    swarm.mark(h, "blocked", nil, "nobody is there")
    local value, err = swarm.result(h)
    assert.is_nil(value)
    assert.equal("nobody is there", err.reason)
    assert.equal("blocked", h.status)
  end)

  it("is refused of any other", function()
    local h = swarm.spawn(function()
      swarm.sleep(1)
    end)
    swarm.sleep(0)
    local _, err = pcall(swarm.mark, h, "pass")
    assert.equal("invalid_argument", err.code)
    assert.truthy(err.message:find("only a task that waits for an answer can be marked", 1, true))
    ---@diagnostic disable-next-line: param-type-mismatch
    _, err = pcall(swarm.mark, h, "good")
    assert.equal('mark takes "pass" or "blocked" second, and got "good"', err.message)
  end)
end)
