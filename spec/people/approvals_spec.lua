local swarm = require "swarm"

swarm.agent "fake" { command = { "acp-agent" }, protocol = "acp" }

swarm.role "unasked" { extends = "worker", deny = { "ask_operator" } }

local function define(name, more)
  local fields = {
    agent = "fake",
    prompt = "{input.prompt}",
    env = { FAKE_AGENT_STATE = "{input.state}", FAKE_AGENT_LOG = "{input.log}" },
    kill_after = 5,
  }
  for key, value in pairs(more or {}) do
    fields[key] = value
  end
  swarm.worker(name)(fields)
end

define("fix", { label = "{input.label}" })
define "always"
define "never"
define("other", { timeout = 3600 })
define("unasked", { role = "unasked" })
define("idle", { idle = 1.5 })
define("tried", { retries = { max = 1, backoff = 0 } })
define("held")

local answer ---@type fun(request: swarm.Request): any, any

swarm.operator("main", function(request)
  return answer(request)
end)

local function input_of(prompt, more)
  local input = { prompt = prompt, state = "", log = "", label = "one" }
  for key, value in pairs(more or {}) do
    input[key] = value
  end
  return input
end

local function spawn(name, prompt, more)
  return swarm.spawn(name, input_of(prompt, more))
end

---Waits until so many questions are open.
local function pending(n)
  while #swarm.pending() < (n or 1) do
    swarm.sleep(0.01)
  end
  return swarm.pending()
end

local function notes(h, stage)
  local list = {}
  for _, event in ipairs(h:output_tail()) do
    if event.type == "progress" and event.stage == stage then
      list[#list + 1] = event.note
    end
  end
  return list
end

before_each(function()
  answer = function() end
end)

describe("what an agent asks for", function()
  it("is a question of its worker's, to main", function()
    local h = spawn("fix", "use shell make")
    local one = pending()[1]
    assert.equal("approval", one.kind)
    assert.equal("main", one.to)
    assert.equal("agent fake asks to use shell", one.question)
    assert.same({ "Allow", "Always allow", "Reject", "Never allow" }, one.choices)
    assert.equal("shell", one.details.tool)
    assert.equal("make", one.details.arguments.command)
    assert.equal("fix", one.name)
    assert.equal("one", one.label)
    assert.equal(h.task_id, one.task_id)
    assert.equal("suspended", h.status)
    swarm.answer(one.key, "Allow", { by = "Ann" })
    assert.equal("id-allow_once\n", swarm.result(h))
    assert.same({ "shell by Ann" }, notes(h, "allowed"))
  end)

  it("shows the change that it would make to a file", function()
    local h = spawn("fix", "change a.txt old new\nchange b.txt - new")
    local one = pending()[1]
    assert.equal("edit", one.details.kind)
    assert.equal("--- a.txt\n+++ a.txt\n@@ -1,1 +1,1 @@\n-old\n+new\n", one.show)
    swarm.answer(one.key, "Reject")
    while swarm.pending()[1] == nil or swarm.pending()[1].key == one.key do
      swarm.sleep(0.01)
    end
    local other = swarm.pending()[1]
    assert.equal("--- /dev/null\n+++ b.txt\n@@ -0,0 +1,1 @@\n+new\n", other.show)
    swarm.answer(other.key, "Allow")
    assert.equal("id-reject_once\nid-allow_once\n", swarm.result(h))
    assert.same({ "Write by (spec)" }, { (notes(h, "denied")[1]:gsub("by .*", "by (spec)")) })
  end)

  it("is known where it names a call that it told of before", function()
    local h = spawn("fix", "announce shell ls")
    local one = pending()[1]
    assert.equal("shell", one.details.tool)
    assert.equal("ls", one.details.arguments.command)
    swarm.answer(one.key, "Allow")
    assert.equal("id-allow_once\n", swarm.result(h))
  end)

  it("is answered by a function of the script, by its kind, id or name", function()
    local told = {
      allow = "allow_once",
      deny = "reject_once",
      reject_always = "reject_always",
      ["id-allow_once"] = "allow_once",
      Reject = "reject_once",
    }
    for said, chosen in pairs(told) do
      answer = function(request)
        return request.details.arguments.command == said and said or nil
      end
      local worker = said == "reject_always" and "never" or "fix"
      assert.equal("id-" .. chosen .. "\n", swarm.call(worker, input_of("use shell " .. said)))
    end
  end)

  it("is denied by a function that says why", function()
    answer = function()
      return nil, "not on a Friday"
    end
    local h = spawn("fix", "use shell make")
    assert.equal("id-reject_once\n", swarm.result(h))
    assert.same({ "shell by main: not on a Friday" }, notes(h, "denied"))
  end)

  it("fails the attempt where the function raises, or says what is no answer", function()
    answer = function()
      error "it fell apart"
    end
    local _, err = swarm.join(spawn("fix", "use shell make"))
    assert.equal("operator_failed", err.code)
    answer = function()
      return "perhaps"
    end
    _, err = swarm.join(spawn("fix", "use shell make"))
    assert.matches("the answer is one of Allow, Always allow, Reject, Never allow", err.message)
  end)

  it("is denied where the role does not allow to ask", function()
    local h = spawn("unasked", "use shell make")
    assert.equal("id-reject_once\n", swarm.result(h))
    assert.same({ "shell" }, notes(h, "denied"))
  end)
end)

describe("an answer", function()
  it("is of one agent, whoever asks at the same time", function()
    local handles = {}
    for i = 1, 4 do
      handles[i] = spawn("fix", "use shell make\nuse shell " .. i, { label = tostring(i) })
    end
    for _ = 1, 8 do
      local one = pending()[1]
      local is_own = one.details.arguments.command == one.label
      assert.equal(handles[tonumber(one.label)].task_id, one.task_id)
      local kind = is_own and one.label == "3" and "Reject" or "Allow"
      swarm.answer(one.key, kind)
    end
    for i = 1, 4 do
      local second = i == 3 and "reject" or "allow"
      assert.equal("id-allow_once\nid-" .. second .. "_once\n", swarm.result(handles[i]))
    end
  end)

  it("is kept for its task, tool and arguments", function()
    local asked = {}
    answer = function(request)
      local command = request.details.arguments.command
      asked[#asked + 1] = command
      return command == "rm" and "deny" or "allow"
    end
    local prompt = "use shell make\nuse shell rm\nuse shell make\nuse shell rm\nuse sh make"
    local h = spawn("fix", prompt)
    assert.equal(
      "id-allow_once\nid-reject_once\nid-allow_once\nid-reject_once\nid-allow_once\n",
      swarm.result(h)
    )
    assert.same({ "make", "rm", "make" }, asked)
    assert.equal("id-allow_once\n", swarm.call("fix", input_of "use shell make"))
    assert.equal(4, #asked)
  end)

  it("is kept for later attempts of its task", function()
    local asked = 0
    answer = function()
      asked = asked + 1
      return "allow"
    end
    local h = spawn("tried", "use shell make\nfail no")
    swarm.join(h)
    assert.equal(2, h.attempt)
    assert.equal(1, asked)
  end)

  it("is not kept where nobody knows what the tool is called with", function()
    local asked = 0
    answer = function()
      asked = asked + 1
      return "allow"
    end
    swarm.call("fix", input_of "bare shell\nbare shell")
    assert.equal(2, asked)
  end)

  it("for always holds for the worker and the tool, and is listed", function()
    assert.same({}, swarm.approvals())
    local asked = {}
    answer = function(request)
      asked[#asked + 1] = request.name
      return request.name == "never" and "Never allow" or "Always allow"
    end
    swarm.call("always", input_of "use shell make\nuse shell ls\nuse shell rm")
    local h = spawn("always", "use shell make\nuse shell ls")
    assert.equal("id-allow_always\nid-allow_always\n", swarm.result(h))
    assert.same({ "shell by main", "shell by main" }, notes(h, "allowed"))
    swarm.call("never", input_of "use shell make\nuse shell ls")
    assert.same({ "always", "never" }, asked)
    swarm.call("always", input_of "use browser make")
    swarm.call("other", input_of "use shell make")
    assert.same({ "always", "never", "always", "other" }, asked)
    local list = swarm.approvals()
    assert.equal(4, #list)
    assert.equal("always", list[1].worker)
    assert.equal("shell", list[1].tool)
    assert.is_true(list[1].allowed)
    assert.equal("main", list[1].by)
    assert.equal("number", type(list[1].since))
    assert.is_false(list[2].allowed)
  end)
end)

describe("while an agent waits", function()
  it("its time limits stand still", function()
    local h = spawn("other", "use shell make")
    local one = pending()[1]
    clock.advance(10000)
    swarm.answer(one.key, "Allow")
    assert.equal("id-allow_once\n", swarm.result(h))
  end)

  it("its silence is none", function()
    local h = spawn("idle", "use shell make")
    local one = pending()[1]
    swarm.exec { "sleep", "2.5" }
    swarm.answer(one.key, "Allow")
    assert.equal("id-allow_once\n", swarm.result(h))
    answer = function()
      return "allow"
    end
    local _, err = swarm.join(spawn("idle", "use shell make\nhang"))
    assert.equal("idle_timeout", err.code)
  end)

  it("a cancel answers it as cancelled, and takes the question back", function()
    swarm.fs.temp_dir(function(folder)
      local log = folder .. "/log"
      local h = spawn("fix", "use shell make\nhang", { log = log })
      pending()
      swarm.cancel(h, "enough", { wait = true })
      assert.equal("cancelled", h.status)
      assert.same({}, swarm.pending())
      assert.matches("make: cancelled\n", swarm.fs.read(log))
      assert.matches("cancel s", swarm.fs.read(log))
    end)
  end)

  it("a mark ends its task", function()
    local h = spawn("fix", "use shell make")
    pending()
    swarm.mark(h, "blocked", nil, "not today")
    local _, err = swarm.result(h)
    assert.equal("not today", err.reason)
    assert.same({}, swarm.pending())
  end)

  it("its end takes the question back", function()
    local busy = swarm.spawn(function() -- else nothing but an answer could move the run
      swarm.exec { "sleep", "600" }
    end)
    local seen ---@type swarm.Request
    answer = function(request)
      seen = request
    end
    local _, err = swarm.join(spawn("fix", "die shell make"))
    swarm.cancel(busy)
    assert.equal("make", seen.details.arguments.command)
    assert.equal("agent_failed", err.code)
    assert.matches("exit code 3", err.message)
    assert.same({}, swarm.pending())
  end)

  it("what it asks for at once is put one after the other", function()
    local asked = {}
    answer = function(request)
      asked[#asked + 1] = request.details.arguments.command
      return asked[#asked] == "a" and "allow" or "deny"
    end
    local said = swarm.call("fix", input_of "both a b")
    assert.equal("id-allow_once id-reject_once\n", said)
    table.sort(asked)
    assert.same({ "a", "b" }, asked)
  end)

  it("an agent that is held open goes on in its session", function()
    local s = swarm.open "held"
    answer = function()
      return "allow"
    end
    assert.equal("id-allow_once\n", s:invoke(input_of "use shell make"))
    assert.equal("2\n", s:invoke(input_of "count"))
    s:close()
    swarm.join(s)
  end)
end)
