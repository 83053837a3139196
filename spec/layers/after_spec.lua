-- Proves middleware.md, "after"; and what counts as another result.
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local said, say, worker, finals_of = stock.said, stock.say, stock.worker, stock.finals_of
local only = stock.only

local function after(name, fn, run)
  worker(name, { after = fn }, { run = run })
end

after("wrapped", function(_, result)
  return { value = { inner = result.value } }
end)

after("untouched", function(_, result)
  result.value.list[1] = "changed"
  result.ok, result.reason = false, "changed"
end)

after("same content", function(_, result)
  return { value = { list = { result.value.list[1] } } }
end)

after("now blocked", function(_, result)
  result.ok, result.reason = false, "suspicious"
  return result
end)

after("now passes", function(_, result)
  say(tostring(result.ok), result.reason)
  result.ok = true
  return result
end, function()
  return 7, "a reason"
end)

after("still blocked", function(_, result)
  result.value = result.value + 1
  return result
end, function()
  return 7, "a reason"
end)

after("after raises", function()
  error "after went wrong"
end)

after("nonsense", function(_, result)
  return result.value.of
end, function(_, kind)
  local nonsense = {
    number = 5,
    string = "x",
    boolean = true,
    unknown = { vaule = 1 },
    list = { 1, 2 },
    ok = { value = 1, ok = "yes" },
    reason = { value = 1, reason = 5 },
  }
  return { of = nonsense[kind] }
end)

after("what cannot cross", function()
  return { value = function() end }
end)

after("not after a failure", function()
  say "after ran"
end, function()
  error "boom"
end)

describe("after", function()
  it("makes the result of what it returns, and appends one further final", function()
    local h = swarm.spawn("wrapped", 1)
    assert.same({ inner = 1 }, h:result())
    local finals = finals_of(h)
    assert.equal(2, #finals)
    assert.equal(1, finals[1].content.value)
    assert.same({ inner = 1 }, finals[2].content.value)
    assert.equal(finals[1].seq + 1, finals[2].seq)
  end)

  it("that changes its copy and returns nothing changes nothing", function()
    local h = swarm.spawn("untouched", { list = { "mine" } })
    assert.same({ list = { "mine" } }, h:result())
    assert.equal("pass", h.status)
    assert.equal(1, #finals_of(h))
  end)

  it("that returns the same content makes no further final", function()
    local h = swarm.spawn("same content", { list = { "mine" } })
    h:join()
    assert.equal(1, #finals_of(h))
  end)

  it("may block a result, and let a blocked one pass", function()
    local status, err, h = end_of("now blocked", 5)
    assert.equal("blocked", status)
    assert.is_nil(err)
    local value, why = h:result()
    assert.equal(5, value)
    assert.equal("suspicious", why.reason)
    assert.same({ true, false }, { finals_of(h)[1].ok, finals_of(h)[2].ok })

    assert.equal(7, swarm.call "now passes")
    assert.equal("false a reason", said[#said - 2 + 1])
  end)

  it("sees a blocked result and keeps its reason where it does not change it", function()
    local value, err = swarm.call "still blocked"
    assert.equal(8, value)
    assert.equal("a reason", err.reason)
  end)

  it("that raises fails the worker with its own traceback; what was said stays", function()
    local status, err, h = end_of("after raises", 5)
    assert.equal("failed", status)
    assert.equal("failed", err.code)
    assert.matches("after went wrong", err.message)
    assert.matches("after_spec%.lua:%d+", err.traceback)
    assert.equal(1, #finals_of(h))
  end)

  it("that returns nonsense fails the worker, and says which hook it was", function()
    for _, kind in ipairs { "number", "string", "boolean", "unknown", "list", "ok", "reason" } do
      local status, err = end_of("nonsense", kind)
      assert.equal("failed", status, kind)
      assert.equal("invalid_value", err.code, kind)
      assert.matches("the after hook at .*layers/lua/layers_stock%.lua:%d+ .*return", err.message)
    end
    assert.equal("invalid_value", select(2, end_of "what cannot cross").code)
  end)

  it("does not run where the worker failed", function()
    assert.equal("failed", (end_of "not after a failure"))
    assert.same({}, only "^after ran")
  end)
end)

swarm.worker("swapped", {
  run = function(ctx, kind)
    ctx:progress "begun"
    return { kind = kind, it = kind == "file" and swarm.file "a.txt" or swarm.spawn("idle") }
  end,
})

swarm.worker("idle", { run = function() end })

swarm.after("swapped", function(_, result)
  local kind = result.value.kind
  result.value.it = kind == "file" and swarm.file "b.txt" or swarm.spawn("idle")
  return result
end)

describe("a result that a hook changed", function()
  local function finals(h)
    local n = 0
    h:join()
    for _, event in ipairs(h:output_tail()) do
      n = n + (event.type == "final" and 1 or 0)
    end
    return n
  end

  it("has a further final where one file stands for another", function()
    assert.equal(2, finals(swarm.spawn("swapped", "file")))
  end)

  it("has a further final where one handle stands for another", function()
    assert.equal(2, finals(swarm.spawn("swapped", "handle")))
  end)
end)
