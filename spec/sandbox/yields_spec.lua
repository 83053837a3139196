-- Proves coroutines.md from "coroutine.yield" on.
local stages = require "stages"
local swarm = require "swarm"
require "sandbox_stock"

local started, end_of = stages.started, stages.end_of

describe("coroutine.yield", function()
  it("outside a coroutine of one's own is an error that names swarm.yield", function()
    local err = assert.has_error(function()
      ---@diagnostic disable-next-line: await-in-sync
      coroutine.yield(1)
    end, { code = "invalid_argument" })
    assert.matches("swarm%.yield", err.message)
    assert.matches("yields_spec%.lua:%d+$", err.where)
  end)

  it("at the top of a worker fails that worker only", function()
    local status, err = end_of(function()
      ---@diagnostic disable-next-line: await-in-sync
      coroutine.yield()
    end)
    assert.equal("failed", status)
    assert.equal("invalid_argument", err.code)
    assert.equal(4, swarm.call("double", 2))
  end)

  it("out of a timeout, shield or scope opened in the coroutine is an error", function()
    local blocks = {
      timeout = function(fn)
        return swarm.timeout(5, fn)
      end,
      shield = swarm.shield,
      scope = swarm.scope,
    }
    for name, block in pairs(blocks) do
      local co = coroutine.wrap(function()
        block(function()
          ---@diagnostic disable-next-line: await-in-sync
          coroutine.yield "out"
        end)
      end)
      local err = assert.has_error(co, { code = "invalid_argument" }, name)
      assert.matches("swarm%." .. name, err.message)
    end
    swarm.sleep(1)
  end)

  it("out of a block is an error in nested ones too, and the blocks are closed after it", function()
    local outcome = coroutine.wrap(function()
      local ok, err = pcall(function()
        swarm.shield(function()
          swarm.timeout(5, function()
            ---@diagnostic disable-next-line: await-in-sync
            coroutine.yield "out"
          end)
        end)
      end)
      coroutine.yield { ok = ok, code = err.code }
      return "outside of it again"
    end)
    assert.same({ ok = false, code = "invalid_argument" }, outcome())
    assert.equal("outside of it again", outcome())
    swarm.sleep(10)
  end)

  it("inside a block reaches whoever resumes within that block", function()
    local sum = swarm.timeout(5, function()
      local total = 0
      for n in
        coroutine.wrap(function()
          for i = 1, 3 do
            coroutine.yield(i)
          end
        end)
      do
        total = total + n
      end
      return total
    end)
    assert.equal(6, sum)
    local nested = coroutine.wrap(function()
      local got = swarm.scope(function()
        return coroutine.wrap(function()
          coroutine.yield "inner"
        end)()
      end)
      coroutine.yield(got)
    end)
    assert.equal("inner", nested())
  end)

  it("between blocks, or around one that is over, is free", function()
    local co = coroutine.wrap(function()
      swarm.timeout(5, function()
        swarm.sleep(1)
      end)
      coroutine.yield "between"
      swarm.shield(function()
        swarm.sleep(1)
      end)
      coroutine.yield "after"
    end)
    assert.equal("between", co())
    assert.equal("after", co())
  end)

  it("out of a coroutine made before a block and resumed in it is free", function()
    local co = coroutine.wrap(function()
      coroutine.yield(1)
      coroutine.yield(2)
      coroutine.yield(3)
    end)
    co()
    assert.equal(2, swarm.timeout(5, co))
    assert.equal(3, co())
  end)
end)

describe("a coroutine parked in a call", function()
  it("cannot be resumed by another worker, which is told why", function()
    local co = coroutine.create(function()
      swarm.sleep(10)
      return "rested"
    end)
    local h = started(function()
      local _, value = coroutine.resume(co)
      return value
    end)
    local ok, problem = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("waits in a swarm call", tostring(problem))
    assert.equal("rested", h:result())
  end)

  it("cannot be called through wrap by another worker either", function()
    local co = coroutine.wrap(function()
      swarm.sleep(10)
      coroutine.yield "first"
      return "second"
    end)
    local h = started(function()
      return co()
    end)
    assert.has_error(co, "waits in a swarm call")
    assert.equal("first", h:result())
    assert.equal("second", co())
  end)

  it("cannot be resumed where it only waits for one that is parked", function()
    local outer = coroutine.create(function()
      coroutine.wrap(function()
        swarm.sleep(10)
      end)()
      return "rested"
    end)
    local h = started(function()
      return select(2, coroutine.resume(outer))
    end)
    assert.is_false((coroutine.resume(outer)))
    assert.equal("rested", h:result())
  end)

  it("is normal, not suspended, for who asks its status", function()
    local co = coroutine.create(function()
      swarm.sleep(10)
      coroutine.yield()
    end)
    assert.equal("suspended", coroutine.status(co))
    local h = started(function()
      coroutine.resume(co)
    end)
    assert.equal("normal", coroutine.status(co))
    h:join()
    assert.equal("suspended", coroutine.status(co))
    coroutine.resume(co)
    assert.equal("dead", coroutine.status(co))
  end)

  it("can be resumed again after the worker that waited in it was cancelled", function()
    local co = coroutine.create(function()
      pcall(swarm.sleep, 100)
      coroutine.yield "caught"
      return "end"
    end)
    local h = started(function()
      coroutine.resume(co)
    end)
    h:cancel()
    h:join()
    assert.equal("suspended", coroutine.status(co))
    local _, value = coroutine.resume(co)
    assert.equal("end", value)
  end)

  it("waits for the worker that resumed it, whichever made it", function()
    local ids = {}
    local co = coroutine.wrap(function()
      for i = 1, 4 do
        swarm.sleep(1)
        coroutine.yield(i)
      end
    end)
    for _ = 1, 4 do
      local h = swarm.spawn(function()
        return co()
      end)
      ids[#ids + 1] = h:result()
    end
    assert.same({ 1, 2, 3, 4 }, ids)
  end)
end)

describe("a waiting call inside a callback of gsub or sort", function()
  local calls = {
    ["swarm.sleep"] = function()
      swarm.sleep(1)
    end,
    ["swarm.yield"] = swarm.yield,
    join = function()
      swarm.join(swarm.spawn("double", 1))
    end,
    result = function()
      swarm.call("double", 1)
    end,
    ["token:wait"] = function()
      swarm.spawn("double", 1).cancel_token:wait()
    end,
    follow = function()
      swarm.spawn("double", 1):follow()()
    end,
    ["swarm.scope"] = function()
      swarm.scope(function(scope)
        scope:spawn("double", 1)
      end)
    end,
  }

  local function all_refuse(around)
    for name, call in pairs(calls) do
      local h = swarm.spawn(function()
        around(call)
      end)
      local _, err = swarm.join(h)
      assert.equal("failed", h.status, name)
      assert.equal("invalid_argument", err.code, name)
      assert.matches("gsub", err.message, name)
      assert.matches("collect first", err.message, name)
    end
    assert.equal(4, swarm.call("double", 2))
  end

  it("is refused by gsub's", function()
    all_refuse(function(call)
      return (("a"):gsub("a", function()
        call()
      end))
    end)
  end)

  it("is refused by sort's", function()
    all_refuse(function(call)
      table.sort({ 3, 1, 2 }, function(a, b)
        call()
        return a < b
      end)
    end)
  end)

  it("leaves nobody among those who join the same worker", function()
    local target = swarm.spawn(function()
      swarm.sleep(1)
      return "its end"
    end)
    local joiners = {}
    for i = 1, 2 do
      joiners[i] = swarm.spawn(function()
        return swarm.result(target)
      end)
    end
    swarm.yield()
    local ok = pcall(string.gsub, "a", "a", function()
      swarm.join(target)
    end)
    assert.is_false(ok)
    swarm.sleep(0.5)
    assert.same({ "its end", "its end" }, swarm.all(joiners))
    assert.equal(1, swarm.monotonic())
  end)

  it("leaves children that a block cannot wait for to the scope around it", function()
    local sups = {}
    swarm.scope(function()
      local ok = pcall(string.gsub, "a", "a", function()
        swarm.scope(function()
          for i = 1, 2 do
            sups[i] = swarm.supervise {} -- which ends in its own coroutine alone
          end
        end)
      end)
      assert.is_false(ok)
      assert.equal("pending", sups[1].status)
    end)
    assert.equal("cancelled", sups[1].status)
    assert.equal("cancelled", sups[2].status)
  end)

  it("is refused inside a coroutine that calls gsub", function()
    all_refuse(function(call)
      coroutine.wrap(function()
        return (("a"):gsub("a", function()
          call()
        end))
      end)()
    end)
  end)

  it("is refused inside a coroutine inside the callback", function()
    all_refuse(function(call)
      return (
        ("a"):gsub("a", function()
          coroutine.wrap(function()
            coroutine.wrap(call)()
          end)()
        end)
      )
    end)
  end)

  it("is refused in a __tostring under string.format, and a __lt under table.sort", function()
    local mt = {
      __tostring = function()
        swarm.sleep(1)
        return "x"
      end,
      __lt = function(a, b)
        swarm.sleep(1)
        return a.n < b.n
      end,
    }
    local object = setmetatable({ n = 1 }, mt)
    assert.has_error(function()
      return (string.format("%s", object))
    end, { code = "invalid_argument" })
    assert.has_error(function()
      table.sort { object, setmetatable({ n = 0 }, mt) }
    end, { code = "invalid_argument" })
    assert.equal("x", tostring(object))
  end)

  it("is refused for requests to the host", function()
    local status, err = end_of(function()
      return (("a"):gsub("a", function()
        return swarm.fs.stat "x"
      end))
    end)
    assert.equal("failed", status)
    assert.equal("invalid_argument", err.code)
  end)

  it("is an error, not a hang, in the handler of an xpcall", function()
    local ok, problem = xpcall(error, function()
      swarm.sleep(1)
    end)
    assert.is_false(ok)
    assert.is_not_nil(problem)
    swarm.sleep(1)
  end)

  it("may be caught there, and the worker goes on and can wait after it", function()
    local out = ("a b"):gsub("%a", function(letter)
      local ok = pcall(swarm.sleep, 1)
      return ok and "slept" or letter:upper()
    end)
    assert.equal("A B", out)
    local before = swarm.monotonic()
    swarm.sleep(1)
    assert.near(1, swarm.monotonic() - before, 1e-9)
  end)

  it("is fine where it need not wait", function()
    local h = swarm.spawn("double", 4)
    h:join()
    local out = ("a"):gsub("a", function()
      swarm.checkpoint()
      assert.is_true(swarm.join(h))
      return tostring(swarm.result(h))
    end)
    assert.equal("8", out)
  end)

  it("lets coroutines of the callback's own yield", function()
    local out = ("abc"):gsub("%a", function(letter)
      local co = coroutine.wrap(function()
        coroutine.yield(letter:upper())
      end)
      return co()
    end)
    assert.equal("ABC", out)
  end)
end)

describe("coroutine.running and its like", function()
  it("see no coroutine at the top of a worker", function()
    assert.is_nil((coroutine.running()))
    assert.is_false(coroutine.isyieldable())
  end)

  it("see the author's own coroutine inside it", function()
    local co ---@type thread
    co = coroutine.create(function()
      local before = { coroutine.running() == co, coroutine.isyieldable(), coroutine.status(co) }
      swarm.sleep(1)
      local after = { coroutine.running() == co, coroutine.isyieldable(), coroutine.status(co) }
      return before, after
    end)
    local _, before, after = coroutine.resume(co)
    assert.same({ true, true, "running" }, before)
    assert.same({ true, true, "running" }, after)
  end)

  it("tell normal from suspended and dead", function()
    local outer ---@type thread
    outer = coroutine.create(function()
      local inner = coroutine.wrap(function()
        return coroutine.status(outer)
      end)
      coroutine.yield(inner())
    end)
    assert.equal("suspended", coroutine.status(outer))
    local _, seen = coroutine.resume(outer)
    assert.equal("normal", seen)
    assert.equal("suspended", coroutine.status(outer))
    coroutine.resume(outer)
    assert.equal("dead", coroutine.status(outer))
  end)

  it("know that a callback of gsub cannot yield", function()
    local inside
    coroutine.wrap(function()
      return (("a"):gsub("a", function()
        inside = coroutine.isyieldable()
      end))
    end)()
    assert.is_false(inside)
  end)

  it("let no coroutine resume itself", function()
    local ok, problem = coroutine.wrap(function()
      return coroutine.resume(assert(coroutine.running()))
    end)()
    assert.is_false(ok)
    assert.matches("running", problem)
  end)
end)
