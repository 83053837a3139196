-- Proves layers.md, "senior_escalation".
local stages = require "stages"
local swarm = require "swarm"

local end_of = stages.end_of
local seen = {}

swarm.operator("senior", function(request)
  seen[#seen + 1] = request
  return { verdict = "go on" }
end)
swarm.operator("broken", function()
  error "it fell apart"
end)

local function run(_, input)
  if input == "fail" then
    error("on purpose", 0)
  elseif input == "handle" then
    return { worker = swarm.spawn(function() end) }, "whose is it?"
  elseif input == "wait" then
    swarm.sleep(100)
  elseif input == "pass" then
    return "all well"
  end
  return { half = input }, "who decides?"
end

local function worker(name, options, fields)
  fields = fields or {}
  options[1] = "senior_escalation"
  fields.layers, fields.run = { options }, run
  swarm.worker(name, fields)
end

worker("escalated", {}, { label = "of {input}" })
worker("escalated always", { on = { "pass", "blocked", "failed" } })
worker("put to a colleague", { to = "colleague" })
worker("put for a while", { to = "nobody", timeout = 10 })
worker("put for a while when it fails", { to = "nobody", timeout = 10, on = { "failed" } })
worker("put to who cannot", { to = "broken", on = { "blocked", "failed" } })
worker("short of time", { on = { "failed" } }, { timeout = 5 })
worker("tried again", {}, { retries = { max = 2, on = { "blocked" } } })

describe("senior_escalation", function()
  it("puts a blocked result to the senior, whose answer makes a further final", function()
    local h = swarm.spawn("escalated", 1)
    local value, err = h:result()
    assert.is_nil(err)
    assert.same({ original = { half = 1 }, senior_answer = { verdict = "go on" } }, value)
    assert.equal("pass", h.status)
    local finals = {}
    for _, event in ipairs(h:output_tail()) do
      finals[#finals + 1] = event.type == "final" and event or nil
    end
    assert.equal(2, #finals)
    assert.is_false(finals[1].ok)
    assert.is_true(finals[2].ok)
  end)

  it("shows the reason and the value, and whose they are", function()
    swarm.call("escalated", 1)
    local request = seen[1]
    assert.equal("senior", request.to)
    assert.equal('worker "escalated" [of 1] ended blocked: who decides?', request.question)
    assert.equal('{"reason":"who decides?","value":{"half":1}}', request.show)
    assert.same({ reason = "who decides?", value = { half = 1 } }, request.details)
    assert.equal("escalated", request.name)
  end)

  it("leaves alone what ends otherwise", function()
    assert.equal("all well", swarm.call("escalated", "pass"))
    assert.equal("failed", (end_of("escalated", "fail")))
    assert.same({}, seen)
  end)

  it("asks of the statuses that it is told, a failed one too", function()
    local passed = swarm.call("escalated always", "pass")
    assert.equal("all well", passed.original)
    local failed = swarm.call("escalated always", "fail")
    assert.is_nil(failed.original)
    assert.same({ verdict = "go on" }, failed.senior_answer)
    assert.equal("on purpose", seen[2].details.reason)
  end)

  it("is suspended meanwhile, and asks whom it is told", function()
    local h = swarm.spawn("put to a colleague", 1)
    swarm.sleep(1)
    assert.equal("suspended", h.status)
    local question = swarm.pending()[1]
    assert.equal("colleague", question.to)
    swarm.answer(question.key, 5)
    assert.equal(5, h:result().senior_answer)
  end)

  it("lets the result stand where nobody answers in time", function()
    local value, err = swarm.call("put for a while", 1)
    assert.same({ half = 1 }, value)
    assert.equal("who decides?", assert(err).reason)
    assert.equal(10, swarm.monotonic())
    local status, failed = end_of("put for a while when it fails", "fail")
    assert.equal("failed", status)
    assert.equal("on purpose", assert(failed).message)
  end)

  it("fails with the senior's error, which has the attempt's beside it", function()
    local _, err = end_of("put to who cannot", 1)
    assert.equal("operator_failed", assert(err).code)
    local _, both = end_of("put to who cannot", "fail")
    assert.equal("operator_failed", assert(both).code)
    assert.equal("on purpose", assert(both).others[1].message)
  end)

  it("asks nobody of an attempt that is out of time, or cancelled", function()
    assert.equal("timeout", (end_of("short of time", "wait")))
    local h = swarm.spawn("short of time", "wait")
    swarm.sleep(1)
    h:cancel("enough", { wait = true })
    assert.equal("cancelled", h.status)
    assert.same({}, seen)
  end)

  it("comes before retries: what a senior has settled is not tried again", function()
    local h = swarm.spawn("tried again", 1)
    assert.equal(1, h:result().original.half)
    assert.equal(1, h.attempt)
  end)

  it("shows what cannot leave the run as what stands for it", function()
    swarm.call("escalated", "handle")
    assert.truthy(seen[1].show:find '"worker":"T%-%d+"')
  end)

  it("ends with a cancel while it asks", function()
    local h = swarm.spawn("put to a colleague", 1)
    swarm.sleep(1)
    h:cancel("enough", { wait = true })
    assert.equal("cancelled", h.status)
    assert.same({}, swarm.pending())
  end)
end)
