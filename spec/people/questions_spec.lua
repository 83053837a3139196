swarm.role "silent" { allow = { "post_result" } }

swarm.worker "mute" {
  role = "silent",
  run = function(_, how)
    local calls = {
      ask = function()
        swarm.ask "Go?"
      end,
      senior = function()
        swarm.ask("Go?", { to = "senior" })
      end,
      answer = function()
        swarm.answer("T-1.1", "x")
      end,
    }
    local _, err = pcall(calls[how])
    return { code = err.code, verb = err.verb }
  end,
}

swarm.worker "boss" {
  role = "operator",
  run = function()
    local below = swarm.spawn(function()
      swarm.sleep(0)
      swarm.answer(swarm.pending()[1].key, "of course")
    end)
    swarm.ask("May I?", { timeout = 1, default = "no" })
    return swarm.result(below)
  end,
}

---A worker that asks, and tells what it was told.
local function asker(question, opts)
  return swarm.spawn(function()
    return swarm.ask(question, opts)
  end)
end

---Notes how questions are answered.
local function heard()
  local list = {}
  swarm.spawn(function()
    for event in swarm.subscribe "question_answered" do
      list[#list + 1] = { event.value, event.by, event.via, event.reason }
    end
  end, nil, { detached = true })
  swarm.sleep(0)
  return list
end

local function open_key()
  swarm.sleep(0)
  return swarm.pending()[1].key
end

describe("a question", function()
  it("suspends its worker until it is answered", function()
    local list, h = heard(), asker "Which?"
    local key = open_key()
    assert.equal("suspended", h.status)
    assert.equal(h.task_id .. ".1", key)
    swarm.answer(key, "this", { by = "Ann", reason = "it is better" })
    assert.equal("this", swarm.result(h))
    swarm.sleep(0)
    assert.same({ { "this", "Ann", "lua", "it is better" } }, list)
    assert.same({}, swarm.pending())
  end)

  it("is listed with what it says", function()
    local h = swarm.spawn(function()
      return swarm.ask("Go?", { to = "ops", choices = { "yes", "no" }, show = "a diff" })
    end, nil, { label = "one" })
    swarm.sleep(0)
    local one = swarm.pending()[1]
    assert.equal("Go?", one.question)
    assert.equal("ops", one.to)
    assert.same({ "yes", "no" }, one.choices)
    assert.equal("a diff", one.show)
    assert.equal("one", one.label)
    assert.equal(h.task_id, one.task_id)
    swarm.answer(one.key, "yes")
    assert.equal("yes", swarm.result(h))
  end)

  it("takes one of its choices", function()
    local h = asker("Go?", { choices = { "yes", "no" } })
    local key = open_key()
    local _, err = pcall(swarm.answer, key, "perhaps")
    assert.equal("invalid_argument", err.code)
    assert.equal('the answer is one of yes, no, and not "perhaps"', err.message)
    swarm.answer(key, "no")
    assert.equal("no", swarm.result(h))
  end)

  it("is readable, whatever bytes it has", function()
    local h = asker("odd \255\0 bytes", { show = "\255" })
    swarm.sleep(0)
    local one = swarm.pending()[1]
    assert.equal("odd \239\191\189\0 bytes", one.question)
    assert.equal("\239\191\189", one.show)
    swarm.answer(one.key, "\255")
    assert.equal("\255", swarm.result(h))
    assert.has_error(function()
      swarm.ask("?", { choices = { "a\255" } })
    end, { code = "invalid_argument" })
  end)

  it("takes a text where nothing else is said", function()
    local h = asker "Name?"
    local key = open_key()
    local _, err = pcall(swarm.answer, key, 7)
    assert.equal("the answer is a text, and not 7", err.message)
    swarm.answer(key, "")
    assert.equal("", swarm.result(h))
  end)

  it("takes what fits its schema", function()
    local h = asker("How many?", { schema = { type = "integer", minimum = 1 } })
    swarm.sleep(0.1)
    local key = open_key()
    local _, err = pcall(swarm.answer, key, 0)
    assert.equal("invalid_value", err.code)
    assert.truthy(err.message:find("answer does not fit: 0 is less than the minimum of 1", 1, true))
    swarm.answer(key, 3)
    assert.equal(3, swarm.result(h))
  end)

  it("is answered once", function()
    local h = asker "Which?"
    local key = open_key()
    swarm.answer(key, "first", { by = "Ann" })
    local _, err = pcall(swarm.answer, key, "second")
    assert.equal("already_answered", err.code)
    assert.equal("Ann", err.by)
    assert.equal("first", swarm.result(h))
  end)

  it("that is not there says which are", function()
    local h = asker "Which?"
    local key = open_key()
    local _, err = pcall(swarm.answer, "T-999.1", "x")
    assert.equal("question_not_found", err.code)
    assert.truthy(err.message:find(key, 1, true))
    swarm.answer(key, "x")
    swarm.join(h)
  end)

  it("has a number of its own, in each further attempt too", function()
    local keys = {}
    local h = swarm.spawn(function()
      local answer = swarm.ask "Once?"
      if answer == "no" then
        error "not yet"
      end
      return answer
    end, nil, { retries = { max = 1, backoff = 0 } })
    for _, answer in ipairs { "no", "yes" } do
      while not swarm.pending()[1] do
        swarm.sleep(0.01)
      end
      keys[#keys + 1] = swarm.pending()[1].key
      swarm.answer(keys[#keys], answer)
    end
    assert.equal("yes", swarm.result(h))
    assert.same({ h.task_id .. ".1", h.task_id .. ".2" }, keys)
  end)
end)

describe("time", function()
  it("runs out to the default", function()
    local list, h = heard(), asker("Go?", { default = "no", timeout = 5 })
    assert.equal("no", swarm.result(h))
    swarm.sleep(0)
    assert.same({ { "no", nil, "default" } }, list)
  end)

  it("runs out to an error where there is none", function()
    local h = asker("Go?", { timeout = 5 })
    local _, err = swarm.join(h)
    assert.equal("timeout", err.code)
    assert.equal(("nobody answered %s.1 within 5 s: Go?"):format(h.task_id), err.message)
    assert.equal("failed", h.status)
  end)

  it("of a worker, and of those above it, stands still", function()
    local h = swarm.spawn(function()
      return swarm.call(function()
        return swarm.ask "Go?"
      end, nil, { timeout = 2 })
    end, nil, { timeout = 3 })
    local key = open_key()
    swarm.sleep(100)
    swarm.answer(key, "yes")
    assert.equal("yes", swarm.result(h))
  end)

  it("goes on afterwards", function()
    local h = swarm.spawn(function()
      swarm.sleep(1)
      swarm.ask "Go?"
      swarm.sleep(1.5)
    end, nil, { timeout = 2 })
    swarm.sleep(2)
    swarm.answer(open_key(), "yes")
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("of a block goes on", function()
    local h = swarm.spawn(function()
      return swarm.timeout(1, function()
        return swarm.ask "Go?"
      end)
    end)
    local _, err = swarm.join(h)
    assert.equal("timeout", err.code)
    assert.same({}, swarm.pending())
  end)
end)

describe("a cancel", function()
  it("takes the question back", function()
    local h = asker "Go?"
    local key = open_key()
    swarm.cancel(h, "enough", { wait = true })
    assert.same({}, swarm.pending())
    local _, err = pcall(swarm.answer, key, "x")
    assert.equal("question_not_found", err.code)
  end)

  it("at the same moment as the answer loses nothing else", function()
    local a, b = asker "A?", asker "B?"
    swarm.sleep(0)
    local list = swarm.pending()
    swarm.answer(list[1].key, "x")
    swarm.cancel(a, "enough")
    swarm.answer(list[2].key, "y")
    swarm.join(a)
    assert.equal("y", swarm.result(b))
  end)
end)

describe("what cannot be asked", function()
  local function fails(message, ...)
    local _, err = pcall(swarm.ask, ...)
    assert.equal("invalid_argument", err.code)
    assert.equal(message, err.message)
  end

  it("is told", function()
    fails('swarm.ask takes a question, such as "Go on?", and got nil')
    fails(
      'swarm.ask\'s choices are a list of texts, such as { "yes", "no" }',
      "?",
      { choices = {} }
    )
    fails("swarm.ask's choices[2] is a text, and not 2", "?", { choices = { "1", 2 } })
    fails('swarm.ask\'s choices have "a" twice', "?", { choices = { "a", "a" } })
    fails(
      "swarm.ask takes choices or a schema, and not both",
      "?",
      { choices = { "a" }, schema = {} }
    )
    fails('the answer is one of a, and not "b"', "?", { choices = { "a" }, default = "b" })
  end)

  it("may not be asked by who has no right to", function()
    local err = swarm.call("mute", "ask")
    assert.equal("role_violation", err.code)
    assert.equal("ask_operator", err.verb)
    assert.equal("query_senior", swarm.call("mute", "senior").verb)
    assert.equal("answer_query", swarm.call("mute", "answer").verb)
  end)

  it("is not answered by who asks, or from below", function()
    local h = swarm.spawn "boss"
    local _, err = swarm.join(h)
    assert.equal("role_violation", err.cause.code)
    assert.truthy(err.cause.message:find("nobody answers a question of its own", 1, true))
  end)
end)

describe("many questions", function()
  it("are answered in any order, and none is crossed", function()
    local handles, n = {}, 1000
    for i = 1, n do
      handles[i] = swarm.spawn(function(_, number)
        return number .. ":" .. swarm.ask("Number " .. number .. "?")
      end, i)
    end
    swarm.sleep(0)
    local list = swarm.pending()
    assert.equal(n, #list)
    for i = n, 2, -1 do
      local j = swarm.random(1, i)
      list[i], list[j] = list[j], list[i]
    end
    for i = 1, n do
      swarm.answer(list[i].key, list[i].question:match "%d+")
    end
    for i = 1, n do
      assert.equal(i .. ":" .. i, swarm.result(handles[i]))
    end
  end)
end)
