-- What agents say in other forms, or at other lengths, than they should (agents.md, "What it
-- tells", "What goes wrong"): no answer is lost for it, no amount is less than nothing, and no
-- text, however long, holds others up.
local swarm = require "swarm"

local NAMES = { "claude", "codex", "gemini", "opencode" }
local SCHEMA = { type = "object", properties = { n = { type = "integer" } }, required = { "n" } }

for _, name in ipairs(NAMES) do
  swarm.worker(name) { agent = name }
end
swarm.agent "plain" {
  command = { "plain" },
  options = { "session" },
  on = {
    hello = function(turn, item)
      turn:in_session(item.session)
    end,
    words = function(turn, item)
      turn:text(item.text)
    end,
    oops = function(turn, item)
      turn:failed(item.why)
    end,
    done = function(turn, item)
      turn:answer(item.text)
    end,
    tokens = function(turn, item)
      turn:used { input = item.read, output = item.written }
    end,
  },
}
swarm.worker "plain" { agent = "plain" }
swarm.worker "fitting" { agent = "plain", output_schema = SCHEMA, repairs = 0 }
local LONG = { type = "object", properties = { n = { type = "integer" } } }
for i = 1, 10000 do
  LONG.properties["field" .. i] = { type = "string" }
end
swarm.worker "short" { agent = "claude", output_schema = SCHEMA }
swarm.worker "long" { agent = "claude", output_schema = LONG }
swarm.worker "resumed" { agent = "plain", retries = { max = 1, backoff = 0, on = { "failed" } } }

---Runs a worker whose program writes these items.
local function said(name, ...)
  local lines = {}
  for i, item in ipairs { ... } do
    lines[i] = type(item) == "string" and item or swarm.json.encode(item)
  end
  mock.port("process", function(_, _, emit)
    emit({ out = true }, table.concat(lines, "\n") .. "\n")
    return { exit_code = 0 }, ""
  end)
  local h = swarm.spawn(name, "look")
  local ok, err = swarm.join(h)
  return h, not ok and err or nil
end

local ODD = { "null", "7", "-7", "true", '"x"', "[]", '{"a":1}', "1e300" }

describe("an answer", function()
  it("is not lost for amounts of another form", function()
    for _, odd in ipairs(ODD) do
      local result = '{"type":"result","status":"success","subtype":"success","result":"so",'
      local stats = '{"input_tokens":%s,"output_tokens":%s,"total_tokens":%s,"cached":%s}'
      stats = stats:gsub("%%s", odd)
      assert.equal("so", said("claude", result .. '"usage":' .. stats .. "}"):result())
      local models = '"modelUsage":{"a":{"inputTokens":' .. odd .. ',"costUSD":' .. odd .. "}}}"
      assert.equal("so", said("claude", result .. models):result())
      local message = '{"type":"message","role":"assistant","content":"so"}'
      assert.equal("so", said("gemini", message, result .. '"stats":' .. stats .. "}"):result())
      local tokens = '{"input":%s,"output":%s,"reasoning":%s,"cache":{"read":%s}}'
      tokens = tokens:gsub("%%s", odd)
      local finish = '{"type":"step_finish","part":{"reason":"stop","cost":%s,"tokens":%s}}'
      finish = finish:format(odd, tokens)
      local text = '{"type":"text","part":{"text":"so"}}'
      assert.equal("so", said("opencode", text, finish):result(), odd)
      message = '{"type":"item.completed","item":{"id":"0","type":"agent_message","text":"so"}}'
      local done = '{"type":"turn.completed","usage":{"input_tokens":%s,"output_tokens":%s}}'
      assert.equal("so", said("codex", message, (done:gsub("%%s", odd))):result())
    end
  end)

  it("is not lost for a piece of text that is none", function()
    for _, odd in ipairs { "null", "true", "[]", '{"a":1}' } do
      local piece = '{"type":"message","role":"assistant","content":%s}'
      local done = '{"type":"result","status":"success"}'
      local h = said("gemini", piece:format '"so"', piece:format(odd), done)
      assert.equal("so", h:result(), odd)
      piece = '{"type":"text","part":{"text":%s}}'
      done = '{"type":"step_finish","part":{"reason":"stop"}}'
      assert.equal("so", said("opencode", piece:format '"so"', piece:format(odd), done):result())
    end
  end)

  it("is found behind a brace that is never closed", function()
    local h = said("fitting", { type = "done", text = 'I take { first: {"n": 7} is it' })
    assert.same({ n = 7 }, h:result())
  end)
end)

describe("a schema of any length", function()
  it("goes into the prompt where it is too long for an option", function()
    local orders = {}
    mock.port("process", function(_, data, emit)
      orders[#orders + 1] = data
      emit({ out = true }, '{"type":"result","subtype":"success","result":"{\\"n\\":7}"}\n')
      return { exit_code = 0 }, ""
    end)
    for _, name in ipairs { "short", "long" } do
      assert.same({ n = 7 }, swarm.call(name, "look"))
    end
    assert.matches("%-%-json%-schema", orders[1])
    assert.is_nil(orders[2]:match "%-%-json%-schema")
    assert.matches("fit this JSON Schema", orders[2])
  end)
end)

describe("what was used", function()
  it("is never less than nothing", function()
    local finish = '{"type":"step_finish","part":{"reason":"stop","cost":-5,"tokens":{"input":-9}}}'
    local h = said("opencode", '{"type":"text","part":{"text":"so"}}', finish)
    assert.equal("so", h:result())
    assert.equal(0, h.usage and h.usage.cost or 0)
    assert.equal(0, h.usage and h.usage.tokens or 0)
  end)
end)

describe("what was told in very many pieces", function()
  it("is added up", function()
    local piece = '{"type":"tokens","read":1,"written":1}\n'
    mock.port("process", function(_, _, emit)
      for _ = 1, 120 do
        emit({ out = true }, piece:rep(10000))
      end
      emit({ out = true }, '{"type":"done","text":"so"}\n')
      return { exit_code = 0 }, ""
    end)
    local h = swarm.spawn("plain", "look")
    assert.equal("so", h:result())
    assert.equal(2400000, h.usage.tokens)
  end)
end)

describe("what was used by a message", function()
  it("counts no less where it is told again with less", function()
    local usage = '"usage":{"input_tokens":%d}'
    local message = '{"type":"assistant","message":{"id":"m","content":[],' .. usage .. "}}"
    local done = '{"type":"result","subtype":"success","result":"so"}'
    local h = said("claude", message:format(9), message:format(4), done)
    assert.equal(9, h.usage.input)
  end)

  it("is none where sums could not hold it", function()
    local done = '{"type":"result","subtype":"success","result":"so","total_cost_usd":1e300}'
    assert.equal(nil, said("claude", done).usage.cost)
  end)
end)

describe("a text of any length", function()
  local MANY = 2000000

  it("holds nobody up where it speaks of a limit, a session or an object", function()
    local _, err = said("plain", { type = "oops", why = "quota: retry in " .. ("1"):rep(MANY) })
    assert.equal("limited", err.code)
    _, err = said(
      "resumed",
      { type = "hello", session = "s" },
      { type = "oops", why = ("session"):rep(math.floor(MANY / 7)) }
    )
    assert.equal("agent_failed", err.code)
    _, err = said("fitting", { type = "done", text = ("{"):rep(MANY) })
    assert.equal("invalid_value", err.code)
  end)

  it("is no reason to fail, in a line that is too long and in one that is not", function()
    local long = ("x"):rep(16 * 1024 * 1024)
    local h = said("plain", { type = "words", text = long }, long, { type = "done", text = "so" })
    assert.equal("so", h:result())
  end)

  it("is shortened in an error", function()
    local words = { type = "words", text = ("ä"):rep(MANY / 2) }
    local _, err = said("plain", words, { type = "oops", why = ("ü"):rep(MANY / 2) })
    assert.equal(true, #err.message < 5000)
    assert.matches("%(2000000 bytes%)", err.message)
    assert.equal(true, #err.last <= 2000)
    _, err = said("fitting", words, { type = "done", text = "no" })
    assert.equal(true, #err.last <= 2000)
  end)
end)
