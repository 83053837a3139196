-- Proves layers.md, "redact".
local stages = require "stages"
local swarm = require "swarm"

local end_of = stages.end_of
local SECRET = "sk-live1234"
local REDACT = { "redact", patterns = { "sk%-%w+", "pin=%d+" } }

local Refusal = {}
Refusal.__index = Refusal
function Refusal.__tostring(err)
  return "refused with " .. err.token
end

local RAISED = {
  text = function()
    error("401 for " .. SECRET)
  end,
  object = function()
    error { code = "mine", message = "no " .. SECRET, deep = { { SECRET } }, port = 80 }
  end,
  class = function()
    error(setmetatable({ token = SECRET }, Refusal))
  end,
  child = function()
    swarm.call "leaks alone"
  end,
  unowned = function()
    swarm.spawn "leaks alone"
  end,
}

swarm.worker("leaks alone", {
  run = function()
    error("alone " .. SECRET)
  end,
})

swarm.worker("says", {
  layers = { REDACT },
  run = function(ctx)
    ctx:progress(SECRET, "pin=1234 of " .. SECRET)
    ctx:partial { deep = { SECRET }, [SECRET] = 1, ["sk-other"] = 2 }
    ctx:artifact("file " .. SECRET, SECRET)
    ctx:usage { tokens = 5, who = SECRET }
    return { SECRET }, "because of " .. SECRET
  end,
})

swarm.worker("raises", {
  layers = { REDACT },
  run = function(_, how)
    RAISED[how]()
  end,
})

swarm.worker("passes on", {
  layers = { REDACT },
  run = function(_, value)
    return value
  end,
})

local heard = {}
swarm.worker("heard inside", {
  layers = { "hears", REDACT },
  run = function(ctx)
    ctx:progress(SECRET)
    return SECRET
  end,
})
swarm.worker("heard outside", {
  layers = { REDACT, "hears" },
  run = function(ctx)
    ctx:progress(SECRET)
    return SECRET
  end,
})
swarm.layer "hears" {
  after = function(_, result)
    heard[#heard + 1] = result.value
  end,
  event = function(_, event)
    heard[#heard + 1] = event.stage
  end,
}

swarm.worker("changed outside", { layers = { REDACT }, run = function() end })
swarm.after("changed outside", function()
  return { value = SECRET }
end)

swarm.worker("cancelled", {
  layers = { REDACT },
  timeout = 5,
  run = function()
    swarm.sleep(100)
  end,
})

---@param h swarm.Handle
local function tail_of(h)
  local list = {}
  for _, event in ipairs(h:output_tail()) do
    list[event.type] = event
  end
  return list
end

describe("redact", function()
  it("masks what an attempt says, in whatever it stands", function()
    local h = swarm.spawn "says"
    local value, err = h:result()
    local tail = tail_of(h)
    assert.equal("[redacted]", tail.progress.stage)
    assert.equal("[redacted] of [redacted]", tail.progress.note)
    assert.same(
      { deep = { "[redacted]" }, ["[redacted]"] = 1, ["[redacted] 2"] = 2 },
      tail.partial.chunk.value
    )
    assert.equal("file [redacted]", tail.artifact.name)
    assert.equal("[redacted]", tail.artifact.content.value)
    assert.equal("[redacted]", tail.usage.who)
    assert.equal(5, tail.usage.tokens)
    assert.same({ "[redacted]" }, value)
    assert.equal("because of [redacted]", assert(err).reason)
    assert.equal("because of [redacted]", tail.final.reason)
  end)

  it("masks what an error is told by, and its traceback", function()
    local status, err = end_of("raises", "text")
    assert.equal("failed", status)
    err = assert(err)
    assert.truthy(err.message:find("redact_spec.lua:%d+: 401 for %[redacted%]$"))
    assert.truthy(err.traceback:find "redact_spec")
    assert.is_nil(swarm.inspect(err):find(SECRET, 1, true))
  end)

  it("masks an error object's fields, and keeps its code and what is no text", function()
    local _, err = end_of("raises", "object")
    err = assert(err)
    assert.equal("mine", err.code)
    assert.equal("no [redacted]", err.message)
    assert.same({ { "[redacted]" } }, err.deep)
    assert.equal(80, err.port)
  end)

  it("masks the text of an author's class", function()
    local _, err = end_of("raises", "class")
    assert.equal("refused with [redacted]", tostring(err))
    assert.equal("[redacted]", assert(err).token)
  end)

  it("masks errors in errors: of a child that was called, and of one that nobody joined", function()
    for _, how in ipairs { "child", "unowned" } do
      local _, err = end_of("raises", how)
      assert.is_nil(swarm.inspect(err):find(SECRET, 1, true), how)
      assert.is_nil(tostring(err):find(SECRET, 1, true), how)
      assert.truthy(swarm.inspect(err):find("alone [redacted]", 1, true), how)
    end
  end)

  it("leaves numbers, handles, files and empty lists as they are", function()
    local h = swarm.spawn("passes on", 5)
    local given = {
      number = 5,
      handle = h,
      list = swarm.array {},
      null = swarm.null,
      file = swarm.file("a/b.txt"),
    }
    local value = swarm.call("passes on", given)
    assert.equal(5, value.number)
    assert.equal(h, value.handle)
    assert.equal("[]", swarm.json.encode(value.list))
    assert.equal(swarm.null, value.null)
    assert.equal("a/b.txt", value.file.path)
  end)

  it("keeps from layers outside of it what it masks, and not from those inside", function()
    swarm.call "heard outside"
    assert.same({ "[redacted]", "[redacted]" }, heard)
    swarm.call "heard inside"
    assert.equal(SECRET, heard[3])
  end)

  it("masks a result that a hook outside of it has made", function()
    assert.equal("[redacted]", swarm.call "changed outside")
  end)

  it("changes nothing of a timeout and a cancel", function()
    assert.equal("timeout", (end_of "cancelled"))
    local h = swarm.spawn "cancelled"
    swarm.sleep(1)
    h:cancel("enough", { wait = true })
    assert.equal("cancelled", h.status)
  end)
end)
