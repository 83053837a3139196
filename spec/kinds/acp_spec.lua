-- The executable side of agents.md, "Over ACP", against a fake that the agent's side of the
-- protocol's own package makes (tests/fakes/acp_agent.py): a prompt is a list of orders.
local swarm = require "swarm"

local ALL = "allow_once allow_always reject_once reject_always"

swarm.agent "fake" { command = { "acp-agent" }, protocol = "acp", start_timeout = 30 }
swarm.agent "hasty" { command = { "acp-agent" }, protocol = "acp", start_timeout = 0.5 }

swarm.role "nothing" {
  extends = "worker",
  deny = { "read_files", "write_files" },
  allow = { run_process = { "acp-agent" } },
}
swarm.role "bounded" {
  extends = "worker",
  allow = {
    read_files = { "/tmp/**" },
    write_files = { "/tmp/**" },
    run_process = { "acp-agent", "echo" },
  },
}

swarm.role "unasked" { extends = "worker", deny = { "ask_operator" } }

local function define(name, more)
  local fields = {
    agent = "fake",
    prompt = "{input.prompt}",
    env = { FAKE_AGENT_STATE = "{input.state}", FAKE_AGENT_LOG = "{input.log}" },
    kill_after = 0.3,
  }
  for key, value in pairs(more or {}) do
    fields[key] = value
  end
  swarm.worker(name)(fields)
end

define "plain"
define("nothing", { role = "nothing" })
define("bounded", { role = "bounded" })
define("telling", { session = "{input.session}" })
define("gemini", { agent = "gemini", protocol = "acp", model = "x" })
define("opencode", { agent = "opencode", protocol = "acp" })
define("again", { retries = { max = 1, backoff = 0 } })
define("brief", { timeout = 3600 })
for _, mode in ipairs { "ask", "read", "edit", "all" } do
  define(mode, { permissions = mode, role = "unasked" }) -- people: spec/people/approvals_spec.lua
end
local ANSWERS = { "allow", "deny", "allow_always", "reject_always", "id-allow_once", "no" }
for _, answer in ipairs(ANSWERS) do
  define("function " .. answer, {
    permissions = function(ctx, request)
      ctx:progress("asked", request.tool .. " " .. request.kind .. " " .. request.arguments.path)
      return answer
    end,
  })
end
define("raising", {
  permissions = function()
    error "no permission today"
  end,
})
define("schema", {
  output_schema = {
    type = "object",
    properties = { n = { type = "integer" } },
    required = { "n" },
    additionalProperties = false,
  },
})
for _, mode in ipairs {
  "no_json",
  "wrong_id",
  "text_id",
  "wrong_shape",
  "no_rpc",
  "huge",
  "cut",
  "twice",
  "version",
  "mute",
  "closed",
  "slow_reader",
} do
  define("broken " .. mode, { args = { "--break", mode }, limits = { line = 10000 } })
end
define("broken deaf", { agent = "hasty", args = { "--break", "deaf" } })
define("broken silent", { agent = "hasty", args = { "--break", "silent" } })
define("broken late", { agent = "hasty", args = { "--break", "late" } })
define("idle", { idle = 0.5 })

local function input_of(prompt, more)
  local input = { prompt = prompt, state = "", log = "" }
  for key, value in pairs(more or {}) do
    input[key] = value
  end
  return input
end

local function run(name, prompt, more)
  local h = swarm.spawn(name, input_of(prompt, more), { detached = true })
  local _, err = swarm.join(h)
  return h, err
end

local function call(name, prompt, more)
  return (swarm.call(name, input_of(prompt, more)))
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

local function used(h)
  local sums = { tokens = 0, cost = 0 }
  for _, event in ipairs(h:output_tail()) do
    if event.type == "usage" then
      sums.tokens = sums.tokens + event.tokens
      sums.cost = sums.cost + (event.cost or 0)
    end
  end
  return sums
end

describe("over ACP", function()
  it("an agent gives its answer, and says its text, tools and plan as they come", function()
    local h = run("plain", "say First,\ntools\nsay Then\nsay  this.")
    assert.equal("Then this.", h:result())
    assert.same({ "Reading", "Reading done", "Running", "Running failed" }, notes(h, "tool"))
    assert.same({ "0 of 1 done: look" }, notes(h, "plan"))
    assert.same({ "session/update of_tomorrow" }, notes(h, "skipped"))
    local texts = {}
    for _, event in ipairs(h:output_tail()) do
      texts[#texts + 1] = event.type == "partial" and event.chunk.value or nil
    end
    assert.same({ "First,", "Then", " this." }, texts)
    assert.same({ tokens = 120, cost = 0.01 }, used(h))
    assert.truthy(h.session)
  end)

  it("a text that ends within a character is taken", function()
    assert.equal("half ?", call("plain", "half"))
  end)

  it("those that come with the host are started by their own command", function()
    assert.equal("you said: look", call("gemini", "look"))
    assert.equal("you said: look", call("opencode", "look"))
  end)

  it("an answer that does not fit is asked for again in the same session", function()
    swarm.fs.temp_dir(function(folder)
      local h, err = run("schema", 'say {"n": "no"}', { log = folder .. "/log" })
      assert.equal("invalid_value", err.code)
      assert.equal(2, #notes(h, "repair"))
      local _, begun = swarm.fs.read(folder .. "/log"):gsub("new ", "")
      assert.equal(1, begun)
      assert.same({ n = 7 }, call("schema", 'say {"n": 7}\nstop end_turn'))
    end)
  end)

  it("an agent that says that it failed, or stops before its end, fails the attempt", function()
    local _, err = run("plain", "fail it broke")
    assert.equal("agent_failed", err.code)
    assert.equal("Internal error: it broke", err.reason)
    for reason, says in pairs {
      max_tokens = "its limit of tokens",
      max_turn_requests = "its turn limit",
      refusal = "it refused",
      cancelled = "it was cancelled",
    } do
      _, err = run("plain", "say so far\nstop " .. reason)
      assert.equal("agent_failed", err.code)
      assert.matches(says, err.reason)
      assert.equal("so far", err.last)
    end
    _, err = run("plain", "fail Too many requests: retry in 90 s")
    assert.equal("limited", err.code)
  end)
end)

describe("a session over ACP", function()
  it("takes twenty prompts where it is held open", function()
    swarm.fs.temp_dir(function(folder)
      local log = folder .. "/log"
      local s = swarm.open "plain"
      for n = 1, 20 do
        assert.equal(n .. "\n", s:invoke(input_of("count", { log = log })))
      end
      s:close()
      swarm.join(s)
      local _, starts = swarm.fs.read(log):gsub("initialize", "")
      local _, sessions = swarm.fs.read(log):gsub("new ", "")
      assert.same({ 1, 1 }, { starts, sessions })
      assert.matches("ended\n$", swarm.fs.read(log)) -- by the end of its input, not by a signal
    end)
  end)

  it("is gone on in, and what is told again of it is no event", function()
    swarm.fs.temp_dir(function(folder)
      local first = run("plain", "tools\ncount", { state = folder })
      assert.equal("1\n", first:result())
      local second = run("telling", "tools\ncount", { state = folder, session = first.session })
      assert.equal("2\n", second:result())
      assert.equal(first.session, second.session)
      assert.near(0.01, used(second).cost, 1e-9) -- what is new of the session's 0.02
      for _, event in ipairs(second:output_tail()) do
        assert.is_false(event.type == "partial" and event.chunk.value == "told again")
      end
    end)
  end)

  it("is begun anew where the agent has not kept it", function()
    local h, err = run("again", "stop refusal")
    assert.equal(2, h.attempt)
    assert.equal("it refused", err.reason)
    err = select(2, run("telling", "count", { session = "s-none" }))
    assert.matches("session not found", err.reason)
  end)

  it("of a program that has ended is gone on in with the next prompt", function()
    swarm.fs.temp_dir(function(folder)
      local s = swarm.open "plain"
      local function invoke(prompt)
        return s:invoke(input_of(prompt, { state = folder }))
      end
      assert.equal("1\n", invoke "count")
      assert.is_false(pcall(invoke, "exit"))
      assert.equal("3\n", invoke "count")
    end)
  end)
end)

describe("what an agent may ask for", function()
  it("is offered where the role has it", function()
    assert.equal("True True True\n", call("plain", "offered"))
    assert.equal("False False True\n", call("nothing", "offered"))
  end)

  it("reads and writes files, and runs programs", function()
    swarm.fs.temp_dir(function(folder)
      local path = folder .. "/a"
      assert.equal("written\n", call("bounded", "write " .. path .. " one"))
      assert.equal("one", swarm.fs.read(path))
      assert.equal("one\n", call("bounded", "read " .. path))
      swarm.fs.write(path, "1\n2\n3\n4")
      assert.equal("2\n3\n\n", call("bounded", "read " .. path .. " 2 2"))
      assert.equal("4\n", call("bounded", "read " .. path .. " 4 9"))
      assert.equal("\n", call("bounded", "read " .. path .. " 9 1"))
      assert.equal("hello there (0)\n", call("bounded", "run echo hello there"))
      assert.matches("%(3%)", call("plain", "run sh -c exit${IFS}3"))
      assert.matches("GIVEN=given", call("plain", "run env"))
      assert.equal("SIGTERM\n", call("plain", "kill sleep 1000"))
    end)
  end)

  it("is refused where it is out of bounds, and that is told", function()
    local h = run("bounded", "read /etc/passwd\nwrite /etc/x y\nrun ls\nsay .")
    assert.equal("pass", h.status)
    local refused = notes(h, "refused")
    assert.equal(3, #refused)
    assert.matches("passwd is out of bounds", refused[1])
    assert.matches("/etc/x is out of bounds", refused[2])
    assert.matches("bounds run_process, and .*ls", refused[3])
    local _, times = h:result():gsub("refused %-32001", "")
    assert.equal(3, times)
    h = run("nothing", "read /tmp/a\nwrite /tmp/a b")
    refused = notes(h, "refused")
    assert.matches("does not allow read_files", refused[1])
    assert.matches("does not allow write_files", refused[2])
  end)

  it("is answered with an error where it is wrong or nobody knows it", function()
    assert.matches("refused %-32602", call("plain", "read a/relative"))
    assert.matches("refused %-32603", call("plain", "read /tmp/there-is-none"))
    assert.matches("refused %-32603.*no program", call("plain", "run no-such-program"))
    local h = run("plain", "lost")
    assert.equal("-32002 -32601\n", h:result())
    assert.same({ "_mine/ask" }, notes(h, "skipped"))
  end)
end)

describe("permissions over ACP", function()
  it("are what the mode allows, once", function()
    local kinds = { "read", "edit", "execute" }
    for mode, chosen in pairs {
      ask = { "reject_once", "reject_once", "reject_once" },
      read = { "allow_once", "reject_once", "reject_once" },
      edit = { "allow_once", "allow_once", "reject_once" },
      all = { "allow_once", "allow_once", "allow_once" },
    } do
      for i, kind in ipairs(kinds) do
        local h = run(mode, ("permit %s %s"):format(kind, ALL))
        assert.equal("id-" .. chosen[i] .. "\n", h:result())
        local denied = chosen[i] == "reject_once" and { "Some " .. kind } or {}
        assert.same(denied, notes(h, "denied"))
      end
    end
  end)

  it("take what there is", function()
    assert.equal("id-allow_always\n", call("all", "permit edit allow_always reject_always"))
    assert.equal("id-reject_always\n", call("read", "permit read allow_always reject_always"))
    assert.equal("cancelled\n", call("ask", "permit read allow_once"))
  end)

  it("are what a function answers", function()
    for answer, chosen in pairs {
      allow = "allow_once",
      deny = "reject_once",
      allow_always = "allow_always",
      reject_always = "reject_always",
      ["id-allow_once"] = "allow_once",
    } do
      local h = run("function " .. answer, "permit edit " .. ALL)
      assert.equal("id-" .. chosen .. "\n", h:result())
      assert.same({ "Some edit edit a" }, notes(h, "asked"))
    end
    local _, err = run("function no", "permit edit " .. ALL)
    assert.equal("invalid_value", err.code)
    assert.matches('returned "no", which is no option: there are "allow", "deny"', err.message)
    _, err = run("raising", "permit edit " .. ALL)
    assert.matches("acp_spec.lua:%d+: no permission today", err.message)
  end)
end)

describe("an agent that does not read", function()
  it("is not listened to meanwhile, and gets all once it does", function()
    assert.equal("30000000", run("broken slow_reader", "look"):result())
  end)
end)

describe("the end of an agent over ACP", function()
  ---Waits until an agent is in the middle of a tool call.
  local function hanging(name, prompt, more)
    local h = swarm.spawn(name, input_of(prompt, more), { detached = true })
    for event in h:follow() do
      if event.type == "progress" and event.note == "Hanging" then
        return h
      end
    end
  end

  it("is session/cancel in the middle of a tool call, and it ends its turn", function()
    swarm.fs.temp_dir(function(folder)
      local log = folder .. "/log"
      local h = hanging("plain", "hang", { log = log })
      swarm.cancel(h, "enough", { wait = true })
      assert.equal("cancelled", h.status)
      assert.matches("cancel s.*\nstopped\n", swarm.fs.read(log))
    end)
  end)

  it("is the same where it runs out of time", function()
    swarm.fs.temp_dir(function(folder)
      local h = hanging("brief", "hang", { log = folder .. "/log" })
      clock.advance(3600)
      local _, err = swarm.join(h)
      assert.equal("timeout", err.code)
      assert.matches("cancel s.*\nstopped\n", swarm.fs.read(folder .. "/log"))
    end)
  end)

  it("is SIGKILL where it ignores that", function()
    swarm.fs.temp_dir(function(folder)
      local log = folder .. "/log"
      local h = hanging("plain", "hang stubborn", { log = log })
      swarm.cancel(h, "enough", { wait = true })
      assert.equal("cancelled", h.status)
      assert.is_nil(swarm.fs.read(log):match "stopped")
    end)
  end)

  it("comes with silence, where that is bounded", function()
    local h, err = run("idle", "say hm\nhang")
    assert.equal("failed", h.status)
    assert.equal("idle_timeout", err.code)
    assert.equal(h.session, err.session)
  end)

  for mode, says in pairs {
    no_json = "no JSON.*Loading",
    wrong_id = "answered 99, which nobody has asked",
    text_id = "which nobody has asked",
    wrong_shape = "answer to session/prompt has another form: stopReason",
    no_rpc = "no message of JSON%-RPC 2.0",
    huge = "a longer line than limits.*%(%d+ bytes%)",
    cut = "no JSON.*resu",
    version = "it speaks version 2 of ACP",
    silent = "did not answer initialize within 0.5 s",
    late = "did not answer session/new within 0.5 s",
    mute = "exit code 3",
    closed = "closed its standard output",
    deaf = "does not read what it is told: %d+ bytes",
  } do
    it("is a failure where it breaks the protocol: " .. mode, function()
      local h, err = run("broken " .. mode, "look")
      assert.equal("failed", h.status)
      assert.equal("agent_failed", err.code)
      assert.matches(says, err.reason)
      assert.is_true(#err.message < 1000)
    end)
  end

  it("is a failure where it answers twice", function()
    local s = swarm.open "broken twice"
    local ok, err = pcall(s.invoke, s, input_of "look")
    while ok or err.message:match "without an answer" do -- the second one may come later
      ok, err = pcall(s.invoke, s, input_of "look")
    end
    assert.equal("agent_failed", err.code)
    assert.matches("which nobody has asked, or twice", err.reason)
  end)
end)
