-- The executable side of agents.md, in its order, against the fakes of tests/fakes, which write the
-- streams of the real ones.
local swarm = require "swarm"

local NAMES = { "claude", "codex", "gemini", "opencode" }
local SCHEMA = {
  type = "object",
  properties = { n = { type = "integer" } },
  required = { "n" },
  additionalProperties = false,
}

local function variables(more)
  local env = {
    FAKE_AGENT = "{input.mode}",
    FAKE_AGENT_STATE = "{input.state}",
    FAKE_AGENT_ANSWER = '{"n": 7}',
    FAKE_AGENT_LIMIT = "{input.limit}",
    FAKE_AGENT_NOW = "{input.now}",
  }
  for name, value in pairs(more or {}) do
    env[name] = value
  end
  return env
end

for _, name in ipairs(NAMES) do
  local function define(suffix, more)
    local fields = { agent = name, env = variables(), kill_after = 0.1, linger = 0.2 }
    for key, value in pairs(more or {}) do
      fields[key] = value
    end
    swarm.worker(name .. suffix)(fields)
  end
  define ""
  define(", idle", { idle = 0.5 })
  define(", schema", { output_schema = SCHEMA })
  define(", once", { output_schema = SCHEMA, repairs = 0 })
  define(", patient", { retries = { max = 2, on = { "limited" } } })
  define(", stubborn", { retries = { max = 1, backoff = 0 } })
  define(", anew", { session = "new", retries = { max = 1, on = { "limited" } } })
  define(", forgetful", {
    env = variables { FAKE_AGENT_STATE = "{input.state}/{attempt}" },
    retries = { max = 1, backoff = 0 },
  })
  define(", told", { session = "{input.session}" })
end

---What a fake is told.
local function with(mode, more)
  local input = { prompt = "look", mode = mode, state = "", limit = "7200", now = "" }
  input.now = tostring(swarm.now())
  for key, value in pairs(more or {}) do
    input[key] = value
  end
  return input
end

local function run(name, mode, more)
  -- A folder of its own is a scope, which fails with what fails in it.
  local h = swarm.spawn(name, with(mode, more), { detached = true })
  local _, err = swarm.join(h)
  return h, err
end

---The notes of one stage, in order.
local function notes(h, stage)
  local list = {}
  for _, event in ipairs(h:output_tail()) do
    if event.type == "progress" and event.stage == stage then
      list[#list + 1] = event.note
    end
  end
  return list
end

local function texts(h)
  local list = {}
  for _, event in ipairs(h:output_tail()) do
    if event.type == "partial" then
      list[#list + 1] = event.chunk.value
    end
  end
  return list
end

---What its attempts have used.
local function used(h, attempt)
  local sums = { tokens = 0, input = 0, output = 0, cached = 0, cost = 0 }
  for _, event in ipairs(h:output_tail(attempt and { attempt = attempt })) do
    if event.type == "usage" then
      for key in pairs(sums) do
        sums[key] = sums[key] + (event[key] or 0)
      end
    end
  end
  return sums
end

---In a folder of its own the fakes keep their sessions.
local function in_state(fn)
  return swarm.fs.temp_dir(fn)
end

---How many prompts each session in a folder was given.
local function prompts(folder)
  local list = {}
  for _, path in ipairs(swarm.fs.glob(folder .. "/*.jsonl")) do
    local lines = {}
    for line in swarm.fs.read(path):gmatch "[^\n]+" do
      lines[#lines + 1] = swarm.json.decode(line)
    end
    list[#list + 1] = lines
  end
  return list
end

local TOOLS = {
  claude = { "Bash", "Bash done", "Task", "Read", "Read failed", "Task done" },
  codex = { "shell", "shell done", "file_change", "file_change failed", "look", "look done" },
  gemini = { "ls", "ls done", "cat", "cat failed" },
  opencode = { "bash", "bash done", "read", "read failed" },
}
local COST = { claude = 0.0125, codex = 0, gemini = 0, opencode = 0.0125 }

for _, name in ipairs(NAMES) do
  describe("agent " .. name, function()
    it("gives its answer, and says its text as it comes", function()
      local h = run(name, "slow")
      assert.equal("pass", h.status)
      assert.equal('{"n": 7}', h:result())
      assert.equal('{"n": 7}', table.concat(texts(h)):match '{"n": 7}$')
    end)

    it("tells its tools, and not the text of its subagents", function()
      local h = run(name, "tools")
      assert.same(TOOLS[name], notes(h, "tool"))
      assert.equal(nil, table.concat(texts(h)):match "subagent")
    end)

    it("tells what it has used, as increments that add up", function()
      local sums = used((run(name, "tools")))
      assert.equal(120, sums.tokens)
      assert.equal(100, sums.input)
      assert.equal(20, sums.output)
      assert.equal(40, sums.cached)
      assert.equal(COST[name] * 1e6, math.floor(sums.cost * 1e6 + 0.5))
    end)

    it("has a session, and goes on in one that it is told", function()
      in_state(function(folder)
        local h = run(name, "", { state = folder })
        local again = run(name .. ", told", "", { state = folder, session = h.session })
        assert.equal("pass", again.status)
        assert.equal(h.session, again.session)
        assert.same({ { "look", "look" } }, prompts(folder))
        assert.equal(120, used(again).tokens) -- not again what the first has used
      end)
    end)

    it("fails with its own error", function()
      local h, err = run(name, "fail")
      assert.equal("failed", h.status)
      assert.equal("agent_failed", err.code)
      assert.equal("it broke", err.reason)
      assert.equal(h.session, err.session)
    end)

    it("fails at its turn limit, whatever its result says", function()
      local _, err = run(name, "turns")
      assert.equal("agent_failed", err.code)
    end)

    it("fails where it ends without an answer", function()
      local _, err = run(name, "silent")
      assert.equal("agent_failed", err.code)
      assert.matches("ended without an answer", err.reason)
      _, err = run(name, "cut")
      assert.matches("ended without an answer", err.reason)
      _, err = run(name, "crash")
      assert.equal("agent_failed", err.code)
      assert.equal("exit code 1: it crashed", err.reason)
      _, err = run(name, "exit")
      assert.matches("^exit code 3", err.reason)
    end)

    it("says how one logs in", function()
      local _, err = run(name, "login")
      assert.equal("agent_failed", err.code)
      assert.matches("%(to log in: ", err.message)
    end)

    it("passes where it never exits after its answer", function()
      local h = run(name, "linger")
      assert.equal('{"n": 7}', h:result())
    end)

    it("fails where it falls silent", function()
      local h, err = run(name .. ", idle", "hang")
      assert.equal("idle_timeout", err.code)
      assert.equal(h.session, err.session)
    end)

    it("is cancelled, and keeps what it has said and used", function()
      local h = swarm.spawn(name, with "hang")
      for event in h:follow() do
        if event.type == "partial" then
          break
        end
      end
      h:cancel("enough", { wait = true })
      assert.equal("cancelled", h.status)
      assert.equal("Well.", texts(h)[1])
    end)

    it("skips what it does not know, counts it, and goes on", function()
      local h = run(name, "unknown")
      assert.equal("pass", h.status)
      assert.matches("of_tomorrow %(2%)", notes(h, "skipped")[1])
    end)

    it("skips what has another form", function()
      local h = run(name, "odd")
      assert.equal("pass", h.status)
    end)

    it("tells what it was not allowed", function()
      local h = run(name, "denied")
      assert.equal("pass", h.status)
      if name == "claude" or name == "opencode" then
        assert.equal(1, #notes(h, "denied"))
      end
    end)

    it("gives the value that its schema asks for", function()
      assert.same({ n = 7 }, swarm.call(name .. ", schema", with ""))
    end)

    it("is asked again in its session where its answer does not fit", function()
      in_state(function(folder)
        local h = run(name .. ", schema", "misfit", { state = folder })
        assert.same({ n = 7 }, h:result())
        assert.equal(1, #notes(h, "repair"))
        local given = prompts(folder)
        assert.equal(1, #given)
        assert.equal(2, #given[1])
        assert.matches("cannot be taken: .*result", given[1][2])
        assert.equal(240, used(h).tokens)
      end)
    end)

    it("fails where no answer fits, and gives no placeholder", function()
      in_state(function(folder)
        local h, err = run(name .. ", schema", "never_fits", { state = folder })
        assert.equal("failed", h.status)
        assert.equal("invalid_value", err.code)
        assert.matches("^result", err.path)
        assert.equal(h.session, err.session)
        assert.equal(3, #prompts(folder)[1])
        _, err = run(name .. ", once", "never_fits", { state = folder })
        assert.equal("invalid_value", err.code)
      end)
    end)

    it("fails at a usage limit, which says until when", function()
      local h, err = run(name, "limit")
      assert.equal("failed", h.status)
      assert.equal("limited", err.code)
      local wait = err.retry_at - swarm.now()
      assert.equal(true, wait > 7100 and wait <= 7201)
    end)

    it("is taken up again in its session once a limit is over", function()
      in_state(function(folder)
        local before = swarm.now()
        local h = run(name .. ", patient", "limit", { state = folder })
        assert.equal('{"n": 7}', h:result())
        assert.equal(2, h.attempt)
        assert.equal(true, swarm.now() - before >= 7190)
        local given = prompts(folder)
        assert.equal(1, #given)
        assert.matches("Go on from where you were", given[1][2])
      end)
    end)

    it("begins a new session in each attempt with session = new", function()
      in_state(function(folder)
        run(name .. ", anew", "always_limit", { state = folder })
        assert.equal(2, #prompts(folder))
      end)
    end)

    it("waits for no limit unasked, and for none that is too far", function()
      local h = run(name .. ", stubborn", "limit")
      assert.equal(1, h.attempt)
      h = run(name .. ", patient", "limit", { limit = "100000" })
      assert.equal(1, h.attempt)
    end)

    it("begins a session where the one to go on in was not kept", function()
      in_state(function(folder)
        local h, err = run(name .. ", forgetful", "fail", { state = folder })
        assert.equal(2, h.attempt)
        assert.equal("it broke", err.reason, err.message)
        local given = prompts(folder .. "/2")
        assert.same({ { "look" } }, given)
      end)
    end)

    it("goes on in its session in a later attempt", function()
      in_state(function(folder)
        local h = run(name .. ", stubborn", "fail", { state = folder })
        assert.equal(2, h.attempt)
        assert.equal(1, #prompts(folder))
      end)
    end)
  end)
end

---What a fake writes, as text.
local function recorded(name, mode)
  local env = { FAKE_AGENT = mode, FAKE_AGENT_ANSWER = "an answer" }
  return swarm.exec({ name, stdin = "look", env = env, timeout = 30 }).stdout
end

-- What is the last word of an agent's.
local LAST = {
  claude = '"type": "result", "subtype"',
  codex = '"turn%.completed"',
  gemini = '"type": "result", "status"',
  opencode = '"reason": "stop", "cost"',
}

---Where the line with the last word ends.
local function end_of_answer(name, text)
  return text:find("\n", text:find(LAST[name]), true) - 1
end

describe("a stream that is cut", function()
  for _, name in ipairs(NAMES) do
    it("at every byte ends with the right status: " .. name, function()
      local text = recorded(name, "tools,unknown")
      local whole, upto = end_of_answer(name, text), 0
      mock.port("process", function(_, _, emit)
        if upto > 0 then
          emit({ out = true }, text:sub(1, upto))
        end
        return { exit_code = 0 }, ""
      end)
      for n = 0, #text do
        upto = n
        local h = swarm.spawn(name, with "")
        local _, err = swarm.join(h)
        if n >= whole then
          assert.equal("pass", h.status, n)
          assert.equal("an answer", h:result(), n)
        else
          assert.equal("failed", h.status, n)
          assert.equal("agent_failed", err.code, n)
          assert.matches("^it ended without an answer", err.reason, n)
        end
      end
    end)
  end
end)

swarm.worker "asked" {
  agent = "codex",
  model = "{input.model}",
  permissions = "edit",
  args = { "-c", "x={input.model}" },
  prompt = "do it",
}
swarm.worker "bounded" { agent = "claude", max_turns = 3, permissions = "all", model = "opus" }
swarm.worker "allowed" { agent = "opencode", permissions = "all" }
swarm.worker "read only" { agent = "gemini", permissions = "edit", model = "flash" }
swarm.worker "shaped" { agent = "gemini", output_schema = SCHEMA }
swarm.worker "shaped codex" { agent = "codex", output_schema = SCHEMA }

---The arguments and the texts beside a request for a process.
local function asked_with(worker, input)
  local seen = {}
  mock.port("process", function(payload, data)
    local from = 1
    for i, size in ipairs(payload.sizes) do
      seen[i], from = assert(data):sub(from, from + size - 1), from + size
    end
    seen.arguments, seen.inherit = payload.arguments, payload.inherit
    return { exit_code = 1 }, ""
  end)
  swarm.join(swarm.spawn(worker, input))
  local list = {}
  for i = 1, seen.arguments do
    list[i] = seen[i]
  end
  return table.concat(list, " "), seen
end

describe("what an agent is asked with", function()
  it("is its options, and the worker's arguments", function()
    assert.equal(
      "codex exec --json --sandbox workspace-write --model o9 -c x=o9",
      (asked_with("asked", { model = "o9" }))
    )
    assert.equal(
      "claude -p --output-format stream-json --verbose --model opus "
        .. "--permission-mode bypassPermissions --max-turns 3",
      (asked_with("bounded", "x"))
    )
    assert.equal("opencode run --format json --auto", (asked_with("allowed", "x")))
    assert.equal(
      "gemini --output-format stream-json --model flash --approval-mode auto_edit",
      (asked_with("read only", "x"))
    )
  end)

  it("has its prompt as input, and the schema where there is no option for it", function()
    local _, seen = asked_with("shaped", "look at it")
    assert.matches("look at it.*JSON Schema:\n{.*additionalProperties", table.concat(seen))
    local arguments, of_codex = asked_with("shaped codex", "look at it")
    assert.equal("codex exec --json --sandbox read-only --output-schema \0", arguments)
    assert.equal("look at it", of_codex[#of_codex - 1])
    assert.matches('^{"additionalProperties"', of_codex[#of_codex])
  end)

  it("has the variables that its login needs", function()
    local _, seen = asked_with("bounded", "x")
    assert.equal("ANTHROPIC_*", seen.inherit[1])
  end)

  it("needs a prompt", function()
    local _, err = swarm.join(swarm.spawn "bounded")
    assert.equal("invalid_value", err.code)
    assert.matches("needs a prompt", err.message)
  end)
end)

-- An agent of one's own, as the chapter has it.
local MINE = {
  command = function(turn)
    local list = { "sh", "-c", "cat >/dev/null; " .. turn.model }
    if turn.session then
      list[#list + 1] = "--resume=" .. turn.session
    end
    return list
  end,
  options = { "session", "model" },
  on = {
    hello = function(turn, item)
      turn:in_session(item.session)
    end,
    words = function(turn, item)
      turn:text(item.text)
    end,
    tokens = function(turn, item)
      turn:used { input = item.read, output = item.written }
    end,
    wait = function(turn, item)
      turn:limited(item.seconds)
    end,
    oops = function(turn, item)
      turn:failed(item.why)
    end,
    done = function(turn, item)
      turn:answer(item.text)
    end,
    broken = function(_, item)
      return item.no.such
    end,
    ping = false,
  },
}
swarm.agent "mine"(MINE)
swarm.worker "my own" { agent = "mine", model = "{input.text}", prompt = "x" }

describe("an agent of one's own", function()
  local function own(...)
    local text = ""
    for _, item in ipairs { ... } do
      text = text .. "echo '" .. swarm.json.encode(item) .. "';"
    end
    local h = swarm.spawn("my own", { text = text })
    local _, err = swarm.join(h)
    return h, err
  end

  it("has a session, text, usage and an answer", function()
    local h = own(
      { type = "hello", session = "s1" },
      { type = "words", text = "hm" },
      { type = "ping" },
      { type = "tokens", read = 3, written = 4 },
      { type = "done", text = "so" }
    )
    assert.equal("so", h:result())
    assert.equal("s1", h.session)
    assert.same({ "hm" }, texts(h))
    assert.equal(7, used(h).tokens)
    assert.same({}, notes(h, "skipped"))
  end)

  it("adds up however often it tells what it has used", function()
    local items = {}
    for i = 1, 25000 do
      items[i] = '{"type":"tokens","read":2,"written":1}\n'
    end
    items[25001] = '{"type":"done","text":"so"}\n'
    mock.port("process", function(_, _, emit)
      emit({ out = true }, table.concat(items))
      return { exit_code = 0 }, ""
    end)
    local h = swarm.spawn("my own", { text = "" })
    assert.equal("so", h:result())
    assert.equal(75000, used(h).tokens)
    assert.equal(true, #h:output_tail() < 2000)
  end)

  it("meets limits, and fails", function()
    local _, err = own({ type = "wait", seconds = 50 }, { type = "oops", why = "no more" })
    assert.equal("limited", err.code)
    assert.near(swarm.now() + 50, err.retry_at, 1)
    _, err = own { type = "oops", why = "no luck" }
    assert.equal("agent_failed", err.code)
    assert.equal("no luck", err.reason)
    _, err = own { type = "oops", why = "usage limit reached, try again in 2 minutes" }
    assert.equal("limited", err.code)
    assert.near(swarm.now() + 120, err.retry_at, 1)
    for _, why in ipairs { "no session 1a429b0c-4290-a429", "it ran into its turn limit" } do
      _, err = own { type = "oops", why = why }
      assert.equal("agent_failed", err.code, why)
    end
    _, err = own { type = "oops", why = "status 429" }
    assert.equal("limited", err.code)
  end)

  it("fails at its own line where its mapper raises", function()
    local h, err = own { type = "broken" }
    assert.equal("failed", h.status)
    assert.matches("agents_spec.lua:%d+", err.message .. (err.where or "") .. err.traceback)
    assert.matches("index field 'no'", err.message)
  end)
end)

local function load_error(text)
  return swarm.fs.temp_dir(function(folder)
    swarm.fs.write(folder .. "/wrong.lua", text)
    local _, err = pcall(swarm.script, folder .. "/wrong.lua")
    return tostring(err.message)
  end)
end

describe("a wrong definition", function()
  it("that is seen once all is defined is told at its line", function()
    swarm.fs.temp_dir(function(folder)
      swarm.fs.write(folder .. "/x.lua", 'swarm.worker "x" {\nagent = "codex",\nmax_turns = 3 }')
      local _, err = pcall(swarm.script, folder .. "/x.lua")
      assert.matches("/x.lua:3$", err.where)
    end)
  end)

  it("is told with the field and the nearest name", function()
    local function check(of, wrong)
      for text, message in pairs(wrong) do
        text = "swarm." .. of .. " " .. text
        assert.matches(message, load_error(text), text)
      end
    end
    check('worker "x"', {
      ['{ agent = "cloude" }'] = 'no agent "cloude"; did you mean claude%?',
      ["{ agent = 5 }"] = "takes a table of fields, and got 5",
      ['{ agent = "claude", modle = "y" }'] = 'no field "modle"; did you mean model',
      ['{ agent = "claude", stdin = "y" }'] = 'no field "stdin"',
      ['{ agent = "codex", max_turns = 3 }'] = "agent codex has no max_turns: leave it out",
      ['{ agent = "claude", max_turns = 0 }'] = "max_turns takes a whole number",
      ['{ agent = "claude", permissions = "no" }'] = 'must be "read", "edit"',
      ['{ agent = "claude", permissions = print }'] = "needs an agent over ACP",
      ['{ agent = "claude", protocol = "acp" }'] = "agent claude is not run with protocol",
      ['{ agent = "gemini", protocol = "grpc" }'] = 'must be "stream" or "acp"',
      ['{ agent = "gemini", protocol = "acp", max_turns = 1 }'] = "agent gemini has no max_turns",
      ['{ agent = "claude", repairs = -1 }'] = "repairs takes a whole number",
      ['{ agent = "claude", args = "-v" }'] = "args must be a list",
      ['{ agent = "claude", model = "{inptu.a}" }'] = "did you mean {input.a}",
      ['{ agent = "claude", command = { "y" } }'] = "of kind process and of kind agent",
      ['{ agent = "claude", output_schema = { type = "objekt" } }'] = "output_schema",
    })
    check("agent", {
      ['"claude" { command = { "x" }, on = {} }'] = "comes with the host",
      ['"x" { command = { "x" } }'] = "on must be a table",
      ['"x" { on = {} }'] = "command must be a list",
      ['"x" { command = { "x" }, on = { a = 1 } }'] = 'on%["a"%] must be a function',
      ['"x" { command = { "x" }, on = {}, protocol = "acp" }'] = "on is for streams",
      ['"x" { command = { "x" }, protocol = "mcp" }'] = 'must be "stream" or "acp"',
      ['"x" { command = { "x" }, protocol = "acp", start_timeout = "1" }'] = "number of seconds",
      ['"x" { command = { "x" }, on = {}, start_timeout = 1 }'] = "start_timeout is for agents",
      ['"x" { command = { "x" }, on = {}, acp = "y" }'] = "acp takes a table",
      ['"x" { command = { "x" }, on = {}, optoins = {} }'] = "did you mean options%?",
      ['"x" { command = { "x" }, on = {}, options = { "y" } }'] = 'cannot have "y"',
    })
  end)
end)
