-- Proves middleware.md, "event".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local only, said, say, worker = stock.only, stock.said, stock.say, stock.worker

local SECRET = "hunter2"

local function redacted(value)
  if type(value) == "string" then
    return (value:gsub(SECRET, "***"))
  elseif type(value) == "table" then
    local copy = {}
    for key, item in pairs(value) do
      copy[key] = redacted(item)
    end
    return copy
  end
  return value
end

swarm.layer "redact" {
  event = function(_, event)
    return redacted(event)
  end,
}

worker("leaky", {
  after = function(_, result)
    say(result.value[1], tostring(result.reason))
    return { value = { result.value[1], "again " .. SECRET }, ok = false, reason = "by " .. SECRET }
  end,
}, {
  layers = { "redact" },
  run = function(ctx)
    ctx:progress(SECRET, SECRET)
    ctx:partial { deep = { SECRET } }
    ctx:artifact("file", SECRET)
    ctx:usage { tokens = 5, who = SECRET }
    return { SECRET }, "because of " .. SECRET
  end,
})

swarm.layer "quiet" {
  event = function(_, event)
    if event.type == "progress" then
      return false
    end
  end,
}

worker("talks", nil, {
  layers = { "quiet" },
  run = function(ctx)
    ctx:progress "one"
    ctx:progress "two"
    ctx:partial "kept"
    ctx:progress "three"
    return "done"
  end,
})

swarm.layer "drops all" {
  event = function()
    return false
  end,
}

worker("drops its final", nil, { layers = { "drops all" } })

-- Returns, and makes of events, what an event function may not.
local function odd_event(ctx, event)
  local odd = ctx.input.odd
  if event.type ~= ctx.input.of then
    return nil
  elseif odd == "number" then
    return 5
  elseif odd == "type" then
    return { type = "usage" }
  elseif odd == "content" then
    event.content, event.chunk = 5, 5
  elseif odd == "kind" then
    event.content, event.chunk = { kind = "other" }, { kind = "other" }
  elseif odd == "stage" then
    event.stage = {}
  elseif odd == "reason" then
    event.ok, event.reason = false, {}
  elseif odd == "ok" then
    event.ok = nil
  elseif odd == "function" then
    event.fn = print
  elseif odd == "raises" then
    error "the event function went wrong"
  elseif odd == "numbers" then
    event.seq, event.at, event.dropped = 99, -1, 5
  elseif odd == "extra" then
    event.note = "from the layer"
  elseif odd == "yields" then
    swarm.sleep(1)
    event.note = "after a while"
  elseif odd == "itself" then
    ctx:progress "again"
  elseif odd == "file" then
    event.content = { kind = "file_ref", path = "b.txt" }
  elseif odd == "blocks" then
    event.ok, event.reason = false, "by the layer"
  end
  return event
end

swarm.layer "odd" { event = odd_event }

swarm.layer "slow" {
  event = function(_, event)
    swarm.sleep(1)
    if event.type == "progress" then
      say("took", event.note)
    end
    return event
  end,
}

swarm.worker "slow program" {
  layers = { "slow" },
  shell = "echo first >&2; echo second >&2; echo out",
  output = { format = "text" },
}

worker("odd events", nil, {
  layers = { "odd" },
  run = function(ctx)
    ctx:progress "stage"
    ctx:partial "chunk"
    return "value"
  end,
})

local function odd(of, what)
  return end_of("odd events", { of = of, odd = what })
end

---Every string in a value.
local function strings(value, list)
  list = list or {}
  if type(value) == "table" then
    for key, item in pairs(value) do
      strings(key, list)
      strings(item, list)
    end
  else
    list[#list + 1] = tostring(value)
  end
  return list
end

describe("event", function()
  it("redacts before anybody has seen anything: tail, followers, hooks, result", function()
    local h = swarm.spawn "leaky"
    local followed = {}
    for event in h:follow() do
      followed[#followed + 1] = event
    end
    local value, err = h:result()
    local all = { followed, h:output_tail(), value, err.message, err.reason, err.value, said }
    all[#all + 1] = { h:artifact "file", tostring(err), swarm.json.encode(h:output_tail()) }
    assert.equal(6, #followed)
    for _, text in ipairs(strings(all)) do
      assert.is_nil(text:find(SECRET, 1, true), text)
    end
    assert.same({ "***", "again ***" }, value)
    assert.equal("by ***", err.reason)
  end)

  it("drops an event by returning false: the next one counts it", function()
    local h = swarm.spawn "talks"
    h:join()
    local tail = h:output_tail()
    assert.equal(2, #tail)
    assert.same({ "partial", 2, 1 }, { tail[1].type, tail[1].dropped, tail[1].seq })
    assert.same({ "final", 1, 2 }, { tail[2].type, tail[2].dropped, tail[2].seq })
  end)

  it("cannot drop a final", function()
    local status, err = end_of("drops its final", 1)
    assert.equal("failed", status)
    assert.matches('layer "drops all" %(event%) returned false for the final', err.message)
  end)

  it("that raises or returns nonsense fails the worker", function()
    for _, case in ipairs {
      { "progress", "number" },
      { "progress", "type" },
      { "progress", "stage" },
      { "partial", "content" },
      { "partial", "kind" },
      { "final", "content" },
      { "final", "kind" },
      { "final", "reason" },
      { "final", "ok" },
      { "final", "function" },
      { "progress", "raises" },
    } do
      local label = table.concat(case, ", ")
      local status, err, h = odd(case[1], case[2])
      assert.equal("failed", status, label)
      assert.equal(case[2] == "raises" and "failed" or "invalid_value", err.code, label)
      assert.has_no_error(function()
        h:output_tail()
      end, label)
    end
  end)

  it("that speaks of what it speaks fails the worker, and not the host", function()
    assert.equal("failed", (odd("progress", "itself")))
  end)

  it("does not number events, nor date them, nor count what was dropped", function()
    local _, _, h = odd("progress", "numbers")
    local event = h:output_tail()[1]
    assert.equal(1, event.seq)
    assert.is_nil(event.dropped)
    assert.truthy(event.at > 0)
  end)

  it("may add a field, and may wait", function()
    local _, _, h = odd("progress", "extra")
    assert.equal("from the layer", h:output_tail()[1].note)
    local _, _, slow = odd("progress", "yields")
    assert.equal("after a while", slow:output_tail()[1].note)
  end)

  it("may wait around a process worker too", function()
    local status, _, h = end_of("slow program", nil)
    assert.equal("pass", status)
    assert.equal("out", h:result())
    local notes = {}
    for i, event in ipairs(h:output_tail()) do
      notes[i] = event.type == "progress" and event.note or event.type
    end
    assert.same({ "first", "second", "final" }, notes)
    assert.same({ "took first", "took second" }, only "^took")
  end)

  it("may make another result of the final", function()
    local _, _, h = odd("final", "file")
    assert.equal("b.txt", h:result().path)
    local _, _, blocked = odd("final", "blocks")
    assert.equal("blocked", blocked.status)
    assert.equal("by the layer", select(2, blocked:result()).reason)
  end)
end)
