-- Proves workers.md, "Label".
local swarm = require "swarm"

swarm.worker "review" {
  label = "review {input.path} of {name}, attempt {attempt}",
  retries = { max = 1, backoff = 0 },
  run = function(ctx, input)
    if input.fails then
      error "no"
    end
    return ctx.label, input.reason
  end,
}

swarm.worker "plain" {
  run = function(ctx, input)
    if type(input) == "table" and input.fails then
      error "no"
    end
    return ctx.label
  end,
}

swarm.worker "hidden" {
  label = false,
  run = function(ctx)
    return ctx.label
  end,
}

swarm.worker "asks" {
  label = "{prompt}|{input}|{input.list.2}|{task_id}|{other}|{{prompt}}",
  run = function(ctx)
    return ctx.label
  end,
}

swarm.worker "waits" {
  run = function(ctx)
    ctx.cancel_token:wait()
  end,
}

---The label of a worker with an input.
local function label_of(input, opts)
  return swarm.spawn("plain", input, opts).label
end

describe("a label in a definition", function()
  it("says which of many a worker is, outside and inside", function()
    local h = swarm.spawn("review", { path = "a.md" })
    assert.equal("review a.md of review, attempt 1", h.label)
    assert.equal(h.label, h:result())
  end)

  it("shows what has no value as ?", function()
    assert.equal("review ? of review, attempt 1", swarm.spawn("review", {}).label)
    assert.matches("^%?|%?|%?|T%-", swarm.spawn("asks").label)
    local null = { path = swarm.null }
    assert.equal("review ? of review, attempt 1", swarm.spawn("review", null).label)
  end)

  it("knows the attempt", function()
    local h = swarm.spawn("review", { path = "a.md", fails = true })
    h:join()
    assert.equal("review a.md of review, attempt 2", h.label)
  end)

  it("takes the placeholders of process workers, and leaves other braces alone", function()
    local h = swarm.spawn("asks", { prompt = "go", list = { 1, { x = true } } })
    local json = '{"list":[1,{"x":true}],"prompt":"go"}'
    assert.equal("go|" .. json .. '|{"x":true}|' .. h.task_id .. "|{other}|{prompt}", h.label)
    assert.equal('hi|"hi"|?|', (assert(swarm.spawn("asks", "hi").label):match "^[^T]*"))
  end)

  it("is one line, however long the input", function()
    local label = assert(swarm.spawn("review", { path = ("a\n"):rep(1000) }).label)
    assert.equal(200, #label)
    assert.equal("review a a a", label:sub(1, 12))
    assert.equal("...", label:sub(-3))
  end)

  it("is read where a worker has put anything into its input", function()
    local h = swarm.spawn("review", { path = "a.md" })
    local odd = swarm.spawn(function(ctx, input)
      input.self, input.fn = input, print
      setmetatable(input, { __index = error, __tostring = error, __len = error })
      return ctx.label
    end, { a = 1 })
    assert.equal('{"a":1,"fn":function,"self":{"a":1,"f...', odd:result())
    h:join()
  end)
end)

describe("a label of a spawn", function()
  it("stands as it is, and goes before the definition's", function()
    local opts = { label = "mine {input.path}" }
    assert.equal("mine {input.path}", swarm.spawn("review", { path = "a.md" }, opts).label)
    assert.equal("mine {input.path}", swarm.call("review", { path = "a.md" }, opts))
    assert.equal("one line", label_of(1, { label = "one\nline" }))
  end)

  it("may be false", function()
    assert.is_nil(swarm.spawn("review", { path = "a.md" }, { label = false }).label)
  end)

  it("is a text or false", function()
    ---@diagnostic disable-next-line: param-type-mismatch
    local ok, err = pcall(swarm.spawn, "plain", 1, { label = 1 })
    assert.is_false(ok)
    assert.equal("invalid_argument", err.code)
    assert.equal("spawn's option label is a text or false, not 1", err.message)
  end)
end)

describe("without a label", function()
  it("the input stands there in short", function()
    assert.equal("a.md", label_of "a.md")
    assert.equal("7", label_of(7))
    assert.equal("false", label_of(false))
    assert.equal(
      '{"b":[1,{"c":null}],"path":"a.md"}',
      label_of {
        path = "a.md",
        b = { 1, { c = swarm.null } },
      }
    )
    assert.equal("[]", label_of(swarm.array {}))
    assert.equal('{"file":"x.txt"}', label_of { file = swarm.file "x.txt" })
    local h = swarm.spawn("plain", 1)
    assert.equal('["' .. h.task_id .. '"]', label_of { h })
  end)

  it("a table that says it were a handle is none", function()
    local shown = swarm.spawn(function(ctx, input)
      setmetatable(input, { __metatable = "swarm.worker", id = 1, handle = input })
      return ctx.label
    end, { a = 1 })
    assert.equal('{"a":1}', shown:result())
  end)

  it("looks at so many keys and no more", function()
    local input = {}
    for i = 1, 100000 do
      input["k" .. i] = i
    end
    local before = os.clock()
    local h = swarm.spawn("plain", input)
    local spawned = os.clock()
    assert.matches('^{"k%d+":%d+,"k.*%.%.%.$', h.label)
    assert.is_true(os.clock() - spawned < (spawned - before) / 4)
    local odd = swarm.spawn(function(ctx, own)
      for i = 1, 300 do
        own[print], own[i % 2 == 0] = true, true
        own[{}] = i
      end
      return ctx.label
    end, {})
    assert.equal("{...}", odd:result())
  end)

  it("at most 40 characters of it, on one line", function()
    assert.equal(("x"):rep(40), label_of(("x"):rep(40)))
    assert.equal(("x"):rep(37) .. "...", label_of(("x"):rep(41)))
    assert.equal(("ä"):rep(37) .. "...", label_of(("ä"):rep(41)))
    assert.equal(("ä"):rep(40), label_of(("ä"):rep(40)))
    assert.equal("Look at this file", label_of "Look at\n\n  this\27 file")
    assert.equal('{"text":"' .. ("y"):rep(28) .. "...", label_of { text = ("y"):rep(1000000) })
  end)

  it("there is none without an input, and none where it is false", function()
    assert.is_nil(label_of(nil))
    assert.is_nil(label_of " ")
    assert.is_nil(swarm.spawn("hidden", "seen by nobody").label)
    assert.is_nil(swarm.call("hidden", "seen by nobody"))
    assert.equal("mine", swarm.spawn("hidden", "seen by nobody", { label = "mine" }).label)
  end)

  it("map puts the item's number there", function()
    assert.same({ "#1 a.md", '#2 {"x":1}' }, swarm.map("plain", { "a.md", { x = 1 } }))
    assert.same({ "review a of review, attempt 1" }, swarm.map("review", { { path = "a" } }))
    assert.same({}, swarm.map("hidden", { 1, 2 }))
  end)
end)

describe("secrets", function()
  it("are masked under names that people give them", function()
    assert.equal('{"api_key":"***","user":"me"}', label_of { api_key = "s3", user = "me" })
    assert.equal(
      '{"Password":"***","max_tokens":500}',
      label_of {
        Password = { "s3" },
        max_tokens = 500,
      }
    )
  end)

  it("are masked where the script has read the variable and calls it a secret", function()
    mock.port("env", function(request)
      return nil, request.name .. "-s3cret"
    end)
    local value = swarm.env "LABEL_KEY"
    assert.equal("use " .. value, label_of("use " .. value))
    swarm.secret "LABEL_KEY"
    assert.equal("use ***, ***", label_of("use " .. value .. ", " .. value))
    assert.equal('{"' .. ("z"):rep(20) .. '":"***"}', label_of { [("z"):rep(20)] = value })
    assert.equal("mine ***", label_of(1, { label = "mine " .. value }))
  end)
end)

describe("a label stands beside the name", function()
  it("in the text of a handle", function()
    local h = swarm.spawn("plain", "a.md")
    assert.equal('worker "plain" [a.md] (' .. h.task_id .. ", pending)", tostring(h))
  end)

  it("in errors", function()
    local _, err = swarm.join(swarm.spawn("plain", { fails = true, n = 1 }))
    assert.equal('{"fails":true,"n":1}', err.label)
    local _, blocked = swarm.call("review", { path = "a.md", reason = "why" })
    assert.equal("review a.md of review, attempt 1", blocked.label)
  end)

  it("in a cancel's message as it was at the end, whatever becomes of the input", function()
    local given ---@type table
    local h = swarm.spawn(function(ctx)
      given = ctx.input
      swarm.sleep(10)
    end, { path = "a.md" })
    swarm.sleep(0)
    swarm.cancel(h, "enough", { wait = true })
    given.path = "b.md"
    assert.equal('{"path":"a.md"}', select(2, swarm.join(h)).label)
  end)

  it("in the messages of cancels and timeouts", function()
    local h = swarm.spawn("waits", "a.md")
    swarm.sleep(0)
    swarm.cancel(h, "enough", { wait = true })
    local _, err = swarm.join(h)
    assert.equal('worker "waits" [a.md] was cancelled: enough', err.message)
    _, err = swarm.join(swarm.spawn("waits", "b.md", { timeout = 1 }))
    assert.matches('^worker "waits" %[b.md%] ', err.message)
  end)

  it("in reports of deadlocks", function()
    local ok, err = swarm.join(swarm.spawn(function(ctx)
      swarm.join(ctx)
    end, "me"))
    assert.is_nil(ok)
    assert.equal("deadlock", err.code)
    assert.matches("%[me%] joins itself", err.message)
  end)

  it("and leaves a script's own field alone where there is none", function()
    local _, err = swarm.join(swarm.spawn(function()
      error { code = "mine", label = "theirs" }
    end))
    assert.equal("theirs", err.label)
  end)
end)
