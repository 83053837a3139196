local swarm = require "swarm"

local asked = {} ---@type swarm.Request[]

swarm.operator("reviewer", function(request)
  asked[#asked + 1] = request
  if request.input == "bad" then
    return { line = 3 }, "there is a fault"
  elseif request.input == "own" then
    return swarm.blocked("half", "see the log")
  elseif request.input == "no" then
    return nil, "not today"
  elseif request.input == "later" then
    return nil
  end
  return { good = request.input }
end)

swarm.operator("numbers", function()
  return "seven"
end)

swarm.role "silent" { extends = "worker", deny = { "ask_operator" } }

swarm.worker "review" { operator = "reviewer", description = "Look at it." }
swarm.worker "told" { operator = "reviewer", prompt = "Look at {input.path}, {name}." }
swarm.worker "approve" { operator = "boss", choices = { "yes", "no" } }
swarm.worker "count" {
  operator = "boss",
  output_schema = { type = "object", properties = { n = { type = "integer" } } },
}
swarm.worker "numbers" {
  operator = "numbers",
  output_schema = { type = "integer" },
}
swarm.worker "mute" { operator = "boss", role = "silent" }
swarm.worker "brief" { operator = "boss", timeout = 2 }

swarm.before("hooked", function(_, input)
  return input .. "!"
end)
swarm.after("hooked", function(_, result)
  result.value = { result.ok, result.value, result.reason }
  return result
end)
swarm.worker "hooked" { operator = "boss" }

local function question()
  while not swarm.pending()[1] do
    swarm.sleep(0.01)
  end
  return swarm.pending()[1]
end

describe("an attempt that is an operator's", function()
  before_each(function()
    asked = {}
  end)

  it("is a question, whose answer is the result", function()
    assert.same({ good = "a" }, swarm.call("review", "a"))
    local request = asked[1]
    assert.equal("attempt", request.kind)
    assert.equal("a", request.question)
    assert.equal("a", request.prompt)
    assert.equal("a", request.input)
    assert.equal("worker", request.role)
    assert.equal("review", request.name)
    assert.same({ input = "a", prompt = "a", role = "worker" }, request.details)
  end)

  it("asks with its prompt, its input, or what it is for", function()
    swarm.call("told", { path = "x.lua" })
    assert.equal("Look at x.lua, told.", asked[1].question)
    swarm.call("review", { prompt = "This." })
    assert.equal("This.", asked[2].question)
    swarm.call "review"
    assert.equal("Look at it.", asked[3].question)
    local long = ("é"):rep(40000)
    swarm.call("review", long)
    assert.is_true(#asked[4].question <= 65536)
    assert.matches("é %.%.%. %(80000 bytes%)$", asked[4].question)
    assert.equal(long, asked[4].prompt)
  end)

  it("has nothing of an input that cannot leave the VM", function()
    swarm.call("told", { path = "x", channel = swarm.channel() })
    assert.is_nil(asked[1].details.input)
    assert.equal("x", asked[1].input.path)
  end)

  it("is blocked where a second value says why", function()
    local h = swarm.spawn("review", "bad")
    local value, err = swarm.result(h)
    assert.same({ line = 3 }, value)
    assert.equal("there is a fault", err.reason)
    assert.equal("blocked", h.status)
    value, err = swarm.call("review", "own")
    assert.equal("half", value)
    assert.equal("see the log", err.reason)
    value, err = swarm.call("review", "no")
    assert.is_nil(value)
    assert.equal("not today", err.reason)
  end)

  it("passes its hooks, blocked too", function()
    local h = swarm.spawn("hooked", "x")
    local one = question()
    assert.equal("x!", one.question)
    swarm.answer(one.key, "fine")
    assert.same({ true, "fine" }, swarm.result(h))
  end)

  it("is answered by anybody where its operator leaves it", function()
    local h = swarm.spawn("review", "later")
    swarm.answer(question().key, { any = { "value" } })
    assert.same({ any = { "value" } }, swarm.result(h))
  end)

  it("takes one of its choices", function()
    local h = swarm.spawn("approve", "Go?")
    local one = question()
    assert.same({ "yes", "no" }, one.choices)
    assert.equal("boss", one.to)
    assert.has_error(function()
      swarm.answer(one.key, "perhaps")
    end, 'the answer is one of yes, no, and not "perhaps"')
    swarm.answer(one.key, "yes")
    assert.equal("yes", swarm.result(h))
  end)

  it("takes what fits its output_schema, and says so to who answers", function()
    local h = swarm.spawn("count", "How many?")
    local one = question()
    assert.equal("object", one.schema.type)
    local _, err = pcall(swarm.answer, one.key, { n = "many" })
    assert.equal("invalid_value", err.code)
    assert.equal("result.n", err.path)
    swarm.answer(one.key, { n = 3 })
    assert.same({ n = 3 }, swarm.result(h))
    local _, failed = swarm.join(swarm.spawn("numbers", "?"))
    assert.equal("operator_failed", failed.code)
    assert.matches("gave an answer that does not fit", failed.message)
  end)

  it("is ended by a mark", function()
    local h = swarm.spawn("approve", "Go?")
    question()
    assert.equal("suspended", h.status)
    swarm.mark(h, "blocked", "half", "nobody is there")
    local value, err = swarm.result(h)
    assert.equal("half", value)
    assert.equal("nobody is there", err.reason)
    local passed = swarm.spawn("approve", "Go?")
    question()
    swarm.mark(passed, "pass", { as = "good" })
    assert.same({ as = "good" }, swarm.result(passed))
    assert.same({}, swarm.pending())
  end)

  it("has a clock that stands still", function()
    local h = swarm.spawn("brief", "Go?")
    local one = question()
    clock.advance(100)
    swarm.answer(one.key, "yes")
    assert.equal("yes", swarm.result(h))
  end)

  it("has its final once", function()
    local h = swarm.spawn("review", "a")
    swarm.join(h)
    local tail = swarm.output_tail(h)
    assert.equal(1, #tail)
    assert.equal("final", tail[1].type)
  end)

  it("is asked anew by a further attempt", function()
    local retries = { max = 1, backoff = 0, on = { "blocked" } }
    local h = swarm.spawn("review", "bad", { retries = retries })
    swarm.join(h)
    assert.equal(2, #asked)
    assert.equal(h.task_id .. ".1", asked[1].key)
    assert.equal(h.task_id .. ".2", asked[2].key)
  end)

  it("needs ask_operator", function()
    local _, err = swarm.join(swarm.spawn("mute", "Go?"))
    assert.equal("role_violation", err.code)
    assert.equal("ask_operator", err.verb)
  end)
end)
