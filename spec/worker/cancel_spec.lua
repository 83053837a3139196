-- Proves workers.md, "Cancel", and cancel tokens.
local stages = require "stages"
local swarm = require "swarm"
local stock = require "worker_stock"
require "stock_workers"

local started, end_of = stages.started, stages.end_of
local types_of = stock.types_of

describe("cancel", function()
  it("ends a waiting worker at its call, with the reason", function()
    local h = started("sleeper")
    local before = swarm.monotonic()
    assert.is_true(swarm.cancel(h, "enough"))
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("cancelled", h.status)
    assert.equal("cancelled", err.code)
    assert.equal("enough", err.reason)
    assert.equal(before, swarm.monotonic())
  end)

  it("does not wait: the worker ends later", function()
    local h = started("sleeper")
    swarm.cancel(h)
    assert.equal("running", h.status)
    swarm.sleep(0)
    assert.equal("cancelled", h.status)
  end)

  it("ends a pending worker at once, which never runs", function()
    local ran = false
    local h = swarm.spawn(function()
      ran = true
    end)
    assert.is_true(swarm.cancel(h, "changed my mind"))
    assert.equal("cancelled", h.status)
    assert.equal("changed my mind", select(2, swarm.join(h)).reason)
    assert.same({}, h:output_tail())
    assert.is_false(ran)
  end)

  it("of a settled worker returns false and changes nothing", function()
    local h = swarm.spawn("double", 1)
    h:join()
    assert.is_false(swarm.cancel(h, "too late"))
    assert.equal("pass", h.status)
    assert.is_true(h:join())
  end)

  it("keeps the first reason", function()
    local h = started("sleeper")
    assert.is_true(swarm.cancel(h, "first"))
    assert.is_true(swarm.cancel(h, "second"))
    assert.equal("first", select(2, swarm.join(h)).reason)
  end)

  it("returns false for a worker that has run out of time and is ending", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(5)
      end)
    end, nil, { timeout = 1 })
    swarm.sleep(3)
    assert.equal("running", h.status)
    assert.is_false(swarm.cancel(h))
    swarm.join(h)
    assert.equal("timeout", h.status)
  end)

  it("is level-triggered: no pcall can swallow it", function()
    local codes = {}
    local h = started(function()
      for _ = 1, 5 do
        local _, err = pcall(swarm.sleep, 10)
        codes[#codes + 1] = err.code
      end
      return "survived"
    end)
    local before = swarm.monotonic()
    h:cancel()
    h:join()
    assert.same({ "cancelled", "cancelled", "cancelled", "cancelled", "cancelled" }, codes)
    assert.equal(before, swarm.monotonic())
    assert.equal("cancelled", h.status)
  end)

  it("raises in every call that may yield, and in spawn", function()
    local done = swarm.spawn("double", 1)
    done:join()
    local other = swarm.spawn("sleeper", 50)
    local calls = {
      join = function()
        swarm.join(done)
      end,
      join_timeout = function()
        swarm.join(other, { timeout = 1 })
      end,
      result = function()
        swarm.result(done)
      end,
      call = function()
        swarm.call("double", 1)
      end,
      spawn = function()
        swarm.spawn("double", 1)
      end,
      sleep = function()
        swarm.sleep(0)
      end,
      yield = swarm.yield,
      checkpoint = swarm.checkpoint,
      follow = function()
        done:follow()()
      end,
      token_wait = function()
        other.cancel_token:wait()
      end,
      scope = function()
        swarm.scope(function() end)
      end,
      timeout = function()
        swarm.timeout(1, function() end)
      end,
      read = function()
        swarm.fs.read "no such file"
      end,
      env = function()
        swarm.env "HOME"
      end,
    }
    local codes = {}
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx)
      for name, fn in pairs(calls) do
        local ok, err = pcall(fn)
        codes[name] = ok and "no error" or err.code
      end
    end)
    h:join()
    for name in pairs(calls) do
      assert.equal("cancelled", codes[name], name)
    end
  end)

  it("raises in none of the calls that never yield", function()
    local h = swarm.spawn(function(ctx)
      swarm.cancel(ctx)
      ctx:progress("still here")
      local other = ctx:output_tail()
      swarm.cancel(ctx, "again")
      assert.equal(1, #other)
      ctx:partial("said")
    end)
    h:join()
    assert.same({ "progress", "partial" }, types_of(h:output_tail()))
  end)

  it("reaches a worker that is ready to run, before it runs", function()
    local reached
    local h = started(function()
      reached = "ready"
      swarm.yield()
      reached = "too far"
    end)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("ready", reached)
  end)

  it("takes the children first", function()
    local order, ended = {}, {}
    local function node(_, name)
      pcall(function()
        if #name < 3 then
          swarm.spawn(node, name .. "a")
          swarm.spawn(node, name .. "b")
        end
        swarm.sleep(100)
      end)
      order[#order + 1], ended[name] = name, true
      assert.is_true(#name == 3 or (ended[name .. "a"] and ended[name .. "b"]), name)
    end
    local root = started(node, "r")
    swarm.sleep(1)
    root:cancel("all of you")
    local _, err = root:join()
    assert.equal(7, #order)
    assert.equal("r", order[7])
    assert.equal("cancelled", root.status)
    assert.is_nil(err.others)
  end)

  it("gives children their parent's reason", function()
    local child ---@type swarm.Handle
    local h = started(function()
      child = swarm.spawn("sleeper")
      swarm.sleep(100)
    end)
    swarm.yield()
    h:cancel("the whole branch")
    h:join()
    local _, err = swarm.join(child)
    assert.equal("cancelled", child.status)
    assert.equal("the whole branch", err.reason)
  end)

  it("lets clean-up behind a shield finish", function()
    local cleaned
    local h = started(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(2)
        cleaned = swarm.call("double", 4)
      end)
    end)
    local before = swarm.monotonic()
    h:cancel()
    h:join()
    assert.equal(8, cleaned)
    assert.near(2, swarm.monotonic() - before, 1e-9)
    assert.equal("cancelled", h.status)
  end)

  it("of oneself takes effect at the next call that may yield", function()
    local after, later
    local h = swarm.spawn(function(ctx)
      assert.is_true(ctx:cancel("my own wish"))
      after = true
      swarm.sleep(1)
      later = true
    end)
    local _, err = swarm.join(h)
    assert.is_true(after)
    assert.is_nil(later)
    assert.equal("my own wish", err.reason)
  end)

  it("of oneself, followed by a return, is still a cancel", function()
    local status, err = end_of(function(ctx)
      ctx:cancel()
      return "value"
    end)
    assert.equal("cancelled", status)
    assert.equal("cancelled", err.code)
  end)

  it("of an ancestor takes the worker with it", function()
    local status, err = end_of(function(ctx)
      swarm.spawn(function()
        ctx:cancel("from below")
        swarm.sleep(1)
        error("not reached")
      end)
      swarm.sleep(100)
    end)
    assert.equal("cancelled", status)
    assert.equal("from below", err.reason)
  end)

  it("of a worker that has returned and waits for its children ends both", function()
    local child
    local h = started(function()
      child = swarm.spawn("sleeper")
      return "value"
    end)
    swarm.yield()
    assert.equal("running", h.status)
    local before = swarm.monotonic()
    assert.is_true(h:cancel())
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("cancelled", child.status)
    assert.equal(before, swarm.monotonic())
  end)

  it("with wait has settled when it returns", function()
    local h = started(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(3)
      end)
    end)
    local before = swarm.monotonic()
    assert.is_true(swarm.cancel(h, nil, { wait = true }))
    assert.equal("cancelled", h.status)
    assert.near(3, swarm.monotonic() - before, 1e-9)
    assert.is_false(swarm.cancel(h, nil, { wait = true }))
  end)

  it("with wait does not swallow a failure of the clean-up", function()
    local cancelled
    local status, err = end_of(function()
      local h = swarm.spawn(function()
        pcall(swarm.sleep, 100)
        error("broke while cleaning up")
      end)
      swarm.yield()
      cancelled = swarm.cancel(h, "stop", { wait = true })
    end)
    assert.is_false(cancelled)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
    assert.matches("broke while cleaning up", err.errors[1].message)
  end)

  it("takes a reason that is a string, and options that exist", function()
    local h = started("sleeper")
    for _, wrong in ipairs { 5, {}, true } do
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        h:cancel(wrong)
      end, { code = "invalid_argument" })
    end
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      h:cancel("x", { wiat = true })
    end, { code = "invalid_argument", unknown = "wiat" })
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      h:cancel("x", true)
    end, { code = "invalid_argument" })
    assert.is_false(h.cancel_token.cancelled)
    h:cancel()
  end)

  it("that was asked for is no failure of who asked", function()
    assert.equal("pass", (end_of(function()
      started("sleeper"):cancel()
    end)))
  end)

  it("of ten thousand workers settles each of them", function()
    local hs = {}
    for i = 1, 10000 do
      hs[i] = swarm.spawn("sleeper", 50 + i)
    end
    swarm.sleep(1)
    for i = 1, 10000 do
      hs[i]:cancel()
    end
    for i = 1, 10000 do
      swarm.join(hs[i])
      assert.equal("cancelled", hs[i].status)
    end
  end)
end)

describe("a cancel token", function()
  it("tells whether and why its worker was cancelled", function()
    local h = started("sleeper")
    local token = h.cancel_token
    assert.is_false(token.cancelled)
    assert.is_nil(token.reason)
    h:cancel("enough")
    assert.is_true(token.cancelled)
    assert.equal("enough", token.reason)
    h:join()
    assert.is_true(token.cancelled)
  end)

  it("is one and the same for handle and ctx", function()
    local inside
    local h = started(function(ctx)
      inside = ctx.cancel_token
      swarm.sleep(1)
    end)
    assert.is_true(rawequal(inside, h.cancel_token))
  end)

  it("cancels its worker", function()
    local h = started("sleeper")
    assert.is_true(h.cancel_token:cancel("by token"))
    assert.equal("by token", select(2, swarm.join(h)).reason)
    assert.is_false(h.cancel_token:cancel())
  end)

  it("waits for the cancel: true; for another end: false", function()
    local h = swarm.spawn("sleeper", 10)
    local token = h.cancel_token
    local waiter = started(function()
      return token:wait()
    end)
    swarm.sleep(1)
    h:cancel()
    assert.is_true(waiter:result())
    assert.is_true(token:wait())
    local other = swarm.spawn("sleeper", 5)
    assert.is_false(other.cancel_token:wait())
    assert.equal("pass", other.status)
  end)

  it("waits for a worker that never began", function()
    local h = swarm.spawn("sleeper")
    local token = h.cancel_token
    local waiter = swarm.spawn(function()
      return token:wait()
    end)
    h:cancel("before it began")
    assert.is_true(waiter:result())
    assert.equal("before it began", token.reason)
  end)

  it("tells a shielded worker of its own cancel", function()
    local told
    local h = started(function(ctx)
      swarm.shield(function()
        told = ctx.cancel_token:wait()
      end)
    end)
    h:cancel()
    h:join()
    assert.is_true(told)
    assert.equal("cancelled", h.status)
  end)

  it("lets a cancelled waiter go", function()
    local h = started("sleeper", 20)
    local waiter = started(function()
      h.cancel_token:wait()
    end)
    waiter:cancel()
    waiter:join()
    assert.equal("cancelled", waiter.status)
    assert.equal("running", h.status)
  end)

  it("cannot be written to, and names what it has", function()
    local token = swarm.spawn("double", 1).cancel_token
    assert.has_error(function()
      token.cancelled = true
    end)
    local err = assert.has_error(function()
      ---@diagnostic disable-next-line: undefined-field
      return token.canceled
    end, { code = "unknown_name" })
    assert.matches("did you mean cancelled%?", err.message)
    assert.has_error(function()
      ---@diagnostic disable-next-line: missing-parameter
      token.wait()
    end, { code = "invalid_argument" })
  end)
end)
