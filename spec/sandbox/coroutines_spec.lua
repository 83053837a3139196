-- Proves coroutines.md, "Calls that wait", "Cancel" and "Errors".
local stages = require "stages"
local swarm = require "swarm"
require "sandbox_stock"

local started, end_of = stages.started, stages.end_of

swarm.worker "boom" {
  run = function()
    error("boom")
  end,
}

describe("calls that wait", function()
  it("pass through wrap, and the author's yields stay the author's", function()
    local next_double = coroutine.wrap(function()
      for i = 1, 3 do
        coroutine.yield(swarm.call("double", i))
      end
      return "end"
    end)
    assert.same({ 2, 4, 6 }, { next_double(), next_double(), next_double() })
    assert.equal("end", next_double())
  end)

  it("pass through create and resume, with all values both ways", function()
    local co = coroutine.create(function(a, b)
      swarm.sleep(1)
      local c, d = coroutine.yield(a, b, nil)
      swarm.sleep(1)
      return c, d, nil
    end)
    local function packed(...)
      return { n = select("#", ...), ... }
    end
    assert.same({ n = 4, true, 1, 2 }, packed(coroutine.resume(co, 1, 2)))
    assert.same({ n = 4, true, 3, 4 }, packed(coroutine.resume(co, 3, 4)))
    assert.equal("dead", coroutine.status(co))
  end)

  it("pass through coroutines in coroutines", function()
    local function level(n)
      return coroutine.wrap(function()
        swarm.sleep(1)
        if n > 0 then
          local inner = level(n - 1)
          coroutine.yield(inner())
          coroutine.yield(inner())
        else
          coroutine.yield "first"
          coroutine.yield(swarm.call("double", 21))
        end
      end)
    end
    local top = level(20)
    assert.equal("first", top())
    assert.equal(42, top())
  end)

  it("are 200 inside one another at most: C stack overflow, whatever resumes them", function()
    local ways = {}
    function ways.wrap(n)
      return coroutine.wrap(ways.wrap)(n + 1)
    end
    function ways.resume(n)
      local _, message = coroutine.resume(coroutine.create(ways.resume), n + 1)
      error(message, 0)
    end
    function ways.gsub(n)
      return (string.gsub("x", "x", function()
        return coroutine.wrap(ways.gsub)(n + 1)
      end))
    end
    function ways.sort(n)
      table.sort({ 2, 1 }, function()
        return coroutine.wrap(ways.sort)(n + 1)
      end)
    end
    function ways.waits(n)
      swarm.yield()
      return coroutine.wrap(ways.waits)(n + 1)
    end
    for name, way in pairs(ways) do
      local status, err = end_of(function()
        way(1)
      end)
      assert.equal("failed", status, name)
      assert.matches("C stack overflow", err.message)
    end
    local function down(n)
      if n == 0 then
        swarm.sleep(1)
        return "the bottom"
      end
      return coroutine.wrap(down)(n - 1)
    end
    for _ = 1, 3 do
      local deep = swarm.spawn(function(_, n)
        return down(n)
      end, 200)
      assert.equal("the bottom", down(200))
      assert.equal("the bottom", deep:result())
    end
    assert.is_false((pcall(down, 201)))
  end)

  it("let others run meanwhile", function()
    local ticks = 0
    local ticker = swarm.spawn(function()
      for _ = 1, 5 do
        swarm.sleep(1)
        ticks = ticks + 1
      end
    end)
    coroutine.wrap(function()
      swarm.sleep(3.5)
    end)()
    assert.equal(3, ticks)
    ticker:join()
  end)

  it("pass through iterators of a for loop", function()
    local function doubles(n)
      return coroutine.wrap(function()
        for i = 1, n do
          coroutine.yield(i, swarm.call("double", i))
        end
      end)
    end
    local sum = 0
    for _, double in doubles(4) do
      swarm.sleep(1)
      sum = sum + double
    end
    assert.equal(20, sum)
    local count = 0
    for i in function(_, last)
      swarm.sleep(1)
      return last < 3 and last + 1 or nil
    end, nil, 0 do
      count = count + i
    end
    assert.equal(6, count)
  end)

  it("pass through pcall and xpcall, inside a coroutine and outside", function()
    local ok, value = pcall(coroutine.wrap(function()
      local inner_ok, n = pcall(swarm.call, "double", 2)
      assert.is_true(inner_ok)
      local _, m = xpcall(function()
        return swarm.call("double", n)
      end, tostring)
      coroutine.yield(m)
    end))
    assert.is_true(ok)
    assert.equal(8, value)
  end)

  it("pass through metamethods", function()
    local lazy = setmetatable({}, {
      __index = function(_, n)
        return (swarm.call("double", n))
      end,
      __newindex = function(t, k, v)
        rawset(t, k, swarm.call("double", v))
      end,
      __add = function(_, n)
        return (swarm.call("double", n))
      end,
      __call = function(_, n)
        return swarm.call("double", n)
      end,
      __lt = function()
        return swarm.call("double", 0) == 0
      end,
      __concat = function(_, text)
        swarm.sleep(1)
        return "lazy" .. text
      end,
      __tostring = function()
        swarm.sleep(1)
        return "lazy"
      end,
    })
    local got = coroutine.wrap(function()
      lazy.x = 5
      return { lazy[4], lazy + 3, lazy(2), lazy < lazy, lazy .. "!", tostring(lazy), lazy.x }
    end)()
    assert.same({ 8, 6, 4, true, "lazy!", "lazy", 10 }, got)
  end)

  it("may be a coroutine's own function, or its tail call", function()
    assert.equal(6, coroutine.wrap(swarm.call)("double", 3))
    assert.equal(6, coroutine.wrap(function()
      return swarm.call("double", 3)
    end)())
    local h = coroutine.wrap(swarm.spawn)("double", 4)
    assert.equal(8, coroutine.wrap(h.result)(h))
    assert.equal(2, swarm.scope(function(scope)
      return coroutine.wrap(function()
        return scope:spawn("double", 1)
      end)():result()
    end))
  end)

  it("work for follow, tokens and joins with a timeout, too", function()
    local h = swarm.spawn(function(ctx)
      ctx:partial(1)
      swarm.sleep(2)
      ctx:partial(2)
    end)
    local events = coroutine.wrap(function()
      for event in h:follow() do
        coroutine.yield(event.type)
      end
    end)
    assert.equal("partial", events())
    assert.equal("partial", events())
    assert.equal("final", events())
    local other = swarm.spawn("double", 1)
    assert.is_false(coroutine.wrap(function()
      local _, err = swarm.join(other, { timeout = 0.5 })
      assert.equal("poll_timeout", err.code)
      return other.cancel_token:wait()
    end)())
  end)

  it("work with requests to the host", function()
    local stat = coroutine.wrap(function()
      coroutine.yield(swarm.fs.stat "no such file at all")
      coroutine.yield "after"
    end)
    assert.is_nil(stat())
    assert.equal("after", stat())
  end)

  it("work with timeout, shield and scope opened inside", function()
    local co = coroutine.wrap(function()
      local ok, err = pcall(swarm.timeout, 2, function()
        swarm.sleep(5)
      end)
      assert.is_false(ok)
      coroutine.yield(err.code)
      coroutine.yield(swarm.shield(function()
        return swarm.call("double", 1)
      end))
      coroutine.yield(swarm.scope(function(scope)
        return scope:spawn("double", 2):result()
      end))
    end)
    assert.same({ "timeout", 2, 4 }, { co(), co(), co() })
  end)
end)

describe("cancel", function()
  it("reaches a call inside a coroutine and leaves through it", function()
    local inside
    local h = started(function()
      coroutine.wrap(function()
        local ok, err = pcall(swarm.sleep, 100)
        inside = { ok, err.code }
        error(err, 0)
      end)()
      error("not reached")
    end)
    h:cancel("enough")
    local _, err = h:join()
    assert.same({ false, "cancelled" }, inside)
    assert.equal("cancelled", h.status)
    assert.equal("enough", err.reason)
  end)

  it("is not swallowed by resume: the next call raises again", function()
    local codes = {}
    local h = started(function()
      local ok, err = coroutine.resume(coroutine.create(function()
        swarm.sleep(100)
      end))
      codes[1] = not ok and err.code
      ok, err = pcall(swarm.sleep, 1)
      codes[2] = not ok and err.code
    end)
    h:cancel()
    h:join()
    assert.same({ "cancelled", "cancelled" }, codes)
    assert.equal("cancelled", h.status)
  end)

  it("reaches a coroutine that is only resumed after it", function()
    local h = started(function()
      local co = coroutine.wrap(function()
        coroutine.yield()
        swarm.checkpoint()
        error("not reached")
      end)
      co()
      pcall(swarm.sleep, 100)
      co()
    end)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
  end)

  it("of a worker with an abandoned coroutine is like any other", function()
    local h = started(function()
      local co = coroutine.wrap(function()
        coroutine.yield(1)
      end)
      co()
      swarm.sleep(100)
    end)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
  end)
end)

describe("errors", function()
  it("leave a coroutine as they were raised", function()
    local object = { code = "mine" }
    local ok, err = pcall(coroutine.wrap(function()
      swarm.sleep(1)
      error(object)
    end))
    assert.is_false(ok)
    assert.is_true(rawequal(object, err))
    ok, err = coroutine.resume(coroutine.create(function()
      swarm.sleep(1)
      error("text", 0)
    end))
    assert.is_false(ok)
    assert.equal("text", err)
  end)

  it("keep the frames inside wrap and those around it", function()
    local function innermost()
      swarm.sleep(1)
      error("deep")
    end
    local function outermost()
      coroutine.wrap(function()
        innermost()
        return 1
      end)()
      return 1
    end
    local _, err = end_of(function()
      outermost()
    end)
    assert.matches("innermost.*outermost", err.traceback)
    assert.falsy(assert(err.traceback):find("swarm/", 1, true))
  end)

  it("keep the frames of nested wraps, each once", function()
    local function level_a()
      error { code = "deep" }
    end
    local function level_b()
      coroutine.wrap(function()
        level_a()
      end)()
      return 1
    end
    local function level_c()
      coroutine.wrap(function()
        level_b()
      end)()
      return 1
    end
    local _, err = end_of(function()
      level_c()
    end)
    assert.equal("deep", err.code)
    assert.matches("level_a.*level_b.*level_c", err.traceback)
    for _, name in ipairs { "level_a", "level_b", "level_c" } do
      assert.equal(1, select(2, assert(err.traceback):gsub(name, "")), name)
    end
  end)

  it("keep the frames through a block around the coroutine", function()
    local function innermost()
      error("deep")
    end
    local _, err = end_of(function()
      swarm.timeout(5, function()
        coroutine.wrap(function()
          innermost()
        end)()
      end)
    end)
    assert.matches("innermost", err.traceback)
  end)

  it("that were caught lend no frames to a later error of the same text", function()
    local function caught()
      error("same text", 0)
    end
    pcall(coroutine.wrap(function()
      caught()
    end))
    local _, err = end_of(function()
      error("same text", 0)
    end)
    assert.falsy(assert(err.traceback):find("caught", 1, true))
    assert.matches("coroutines_spec", err.traceback)
  end)

  it("of another worker stay what they are", function()
    local ok, err = pcall(coroutine.wrap(function()
      return swarm.call "boom"
    end))
    assert.is_false(ok)
    assert.equal("boom", err.name)
    assert.equal("failed", err.code)
  end)

  it("of dead coroutines and wrong arguments are Lua's or say what was wrong", function()
    local co = coroutine.create(function() end)
    coroutine.resume(co)
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("dead", err)
    for _, name in ipairs { "create", "wrap", "resume", "status" } do
      for _, wrong in ipairs { 5, "x", {} } do
        assert.has_error(function()
          ---@diagnostic disable-next-line: param-type-mismatch
          coroutine[name](wrong)
        end, { code = "invalid_argument" }, name)
      end
    end
  end)
end)
