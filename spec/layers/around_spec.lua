-- Proves middleware.md, "around"; and a worker's time.
local stages = require "stages"
local swarm = require "swarm"
local stock = require "layers_stock"

local end_of = stages.end_of
local say, worker, finals_of, only = stock.say, stock.worker, stock.finals_of, stock.only

local ran = 0

local function counted(_, input)
  ran = ran + 1
  return input
end

local kept

local function around(name, fn, run)
  worker(name, { around = fn }, { run = run or counted })
end

around("twice", function(_, next)
  local first = next()
  local second = next(first.value + 1)
  return { value = { first.value, second.value } }
end)

around("never", function()
  return { value = "from the hook" }
end)

around("never, blocked", function()
  return { ok = false, reason = "not today" }
end)

around("forgets to return", function(_, next)
  next()
end)

around("without input", function(_, next)
  return next(nil)
end, function(_, input)
  return input == nil
end)

around("retries", function(_, next)
  local ok, result = pcall(next)
  return ok and result or next()
end, function()
  ran = ran + 1
  if ran == 1 then
    swarm.spawn(function()
      error "a child of the first run"
    end)
    swarm.yield()
    error "the first run"
  end
  return "the second run"
end)

around("catches", function(_, next)
  local ok, err = pcall(next)
  return { value = { ok, type(err), tostring(err) } }
end, function()
  error "inside"
end)

around("passes on", function(_, next)
  return next()
end, function()
  error { code = "mine", detail = 5 }
end)

around("keeps next", function(_, next)
  kept = next
  return next()
end)

around("hands next on", function(_, next)
  swarm.call(function()
    next()
  end)
end)

around("nests next", function(_, next)
  kept = next
  return next()
end, function()
  kept()
end)

around("raises late", function(_, next)
  next()
  error "after next"
end)

around("watchdog", function(_, next)
  local dog = swarm.spawn(function(_, worker_of)
    swarm.sleep(1000)
    say(worker_of)
  end, "watchdog ran")
  local result = next()
  dog:cancel()
  return result
end, function()
  swarm.spawn(function()
    swarm.sleep(1)
    ran = ran + 1
  end)
end)

around("bounded", function(_, next)
  local ok, err = pcall(swarm.timeout, 5, next)
  return { value = ok or err.code }
end, function(_, seconds)
  swarm.spawn(function()
    swarm.sleep(seconds)
    ran = ran + 1
  end)
end)

describe("around", function()
  it("may run the inside again, with another input", function()
    local h = swarm.spawn("twice", 1)
    assert.same({ 1, 2 }, h:result())
    assert.equal(2, ran)
    assert.equal(3, #finals_of(h))
  end)

  it("may answer itself: nothing runs", function()
    local h = swarm.spawn("never", 1)
    assert.equal("from the hook", h:result())
    assert.equal(0, ran)
    assert.equal(1, #finals_of(h))
    local _, err = swarm.call "never, blocked"
    assert.equal("not today", err.reason)
  end)

  it("must return a result", function()
    local _, err = end_of "forgets to return"
    assert.equal("invalid_value", err.code)
    assert.matches("the around hook at .* must return a result .*, and returned nil", err.message)
  end)

  it("hands on nil where it says so", function()
    assert.is_true(swarm.call("without input", 5))
  end)

  it("runs the inside again after it failed: the first run's errors are its own", function()
    local h = swarm.spawn "retries"
    assert.equal("the second run", h:result())
    assert.equal(2, ran)
  end)

  it("sees what the inside raised, and passes it on whole", function()
    local caught = swarm.call "catches"
    assert.is_false(caught[1])
    assert.matches("inside", caught[3])
    local _, err = end_of "passes on"
    assert.equal("mine", err.code)
    assert.equal(5, err.detail)
    assert.matches("around_spec%.lua", err.traceback)
  end)

  it("that raises after next fails the worker", function()
    local status, err = end_of "raises late"
    assert.equal("failed", status)
    assert.matches("after next", err.message)
  end)

  it("owns next alone, while it runs, and one at a time", function()
    swarm.call "keeps next"
    assert.matches("kept beyond its hook", assert.has_error(kept).message)
    local _, err = end_of "hands next on"
    assert.matches("called by another worker", err.message)
    _, err = end_of "nests next"
    assert.matches("called within itself", err.message)
    assert.equal(1, ran)
  end)

  it("waits for the children of the run, not for its own, before next returns", function()
    local started = swarm.monotonic()
    swarm.call "watchdog"
    assert.equal(1, ran)
    assert.near(1, swarm.monotonic() - started, 0.1)
    assert.same({}, only "watchdog")
  end)

  it("may put a block around next: it bounds the run and its children", function()
    assert.is_true(swarm.call("bounded", 1))
    assert.equal(1, ran)
    assert.equal("timeout", swarm.call("bounded", 100))
    assert.equal(1, ran)
  end)
end)

local function sleeps()
  swarm.sleep(100)
end

worker("slow before", { before = sleeps }, { timeout = 5, run = counted })
worker("slow after", { after = sleeps }, { timeout = 5 })

worker("slow around", {
  around = function(_, next)
    local result = next()
    pcall(swarm.sleep, 100)
    return result
  end,
}, { timeout = 5 })

describe("a worker's time", function()
  it("counts its hooks", function()
    for _, name in ipairs { "slow before", "slow after", "slow around" } do
      local status, err = end_of(name, 1)
      assert.equal("timeout", status, name)
      assert.equal("timeout", err.code, name)
    end
    assert.equal(0, ran)
  end)

  it("ends in a hook when it is cancelled, and is cancelled, not rejected", function()
    for _, name in ipairs { "slow before", "slow after", "slow around" } do
      local h = swarm.spawn(name, 1)
      swarm.sleep(1)
      assert.is_true(h:cancel("enough", { wait = true }))
      assert.equal("cancelled", h.status, name)
      assert.equal("enough", select(2, h:join()).reason)
    end
  end)
end)
