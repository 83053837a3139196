-- Proves structure.md, "A block and its children": who owns them, and how they start.
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
local stock = require "structure_stock"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local all_wait = stages.all_wait
local noting = stock.noting

-- Says that it is ready, and works on.
swarm.worker "server" {
  run = function(ctx, how)
    swarm.sleep(1)
    if how == "crash before" then
      error { code = "crashed" }
    elseif how ~= "silent" then
      ctx:partial { port = 8080 }
    end
    swarm.sleep(5)
    if how == "crash after" then
      error { code = "crashed" }
    end
    return "served"
  end,
}

---What a worker says first, or nil where it ends without a word.
local function first_word(h)
  for event in swarm.follow(h) do
    if event.type == "partial" then
      return event.chunk.value
    end
  end
end

describe("a block and its children", function()
  it("ends a worker only when its children have settled", function()
    local h = swarm.spawn(function()
      swarm.spawn("sleeper", 7)
      return "early"
    end)
    assert.equal(
      7,
      seconds_of(function()
        assert.equal("early", swarm.result(h))
      end)
    )
  end)

  it("keeps a worker running while its children settle", function()
    local h = swarm.spawn(function()
      swarm.spawn("sleeper", 7)
    end)
    swarm.sleep(3)
    assert.equal("running", h.status)
    swarm.sleep(5)
    assert.equal("pass", h.status)
  end)

  it("waits for grandchildren too", function()
    local h = swarm.spawn(function()
      swarm.spawn(function()
        swarm.spawn("sleeper", 9)
      end)
    end)
    assert.equal(9, seconds_of(swarm.join, h))
  end)

  it("gives a child to the innermost block open at its spawn", function()
    local inner
    local taken = seconds_of(function()
      swarm.timeout(50, function()
        swarm.scope(function()
          inner = swarm.spawn("sleeper", 4)
        end)
        assert.equal("pass", inner.status)
      end)
    end)
    assert.equal(4, taken)
  end)

  it("ends a scope, a timeout and a shield only when their children have settled", function()
    for _, block in ipairs { "scope", "timeout", "shield" } do
      local child
      local function body()
        child = swarm.spawn("sleeper", 6)
      end
      local taken = seconds_of(function()
        if block == "timeout" then
          swarm.timeout(20, body)
        else
          swarm[block](body)
        end
      end)
      assert.equal(6, taken, block)
      assert.equal("pass", child.status, block)
    end
  end)

  it("lets the block around go on with its own children meanwhile", function()
    local outer = swarm.spawn("sleeper", 30)
    local inner
    swarm.scope(function()
      inner = swarm.spawn("sleeper", 2)
    end)
    assert.equal("pass", inner.status)
    assert.equal("running", outer.status)
  end)

  it("hands on all that the function returned, nils too", function()
    local function several()
      return 1, nil, "three", nil
    end
    for _, call in ipairs { swarm.scope, swarm.shield } do
      assert.equal(4, select("#", call(several)))
    end
    local a, b, c = swarm.timeout(1, several)
    assert.same({ 1, "three" }, { a, c })
    assert.is_nil(b)
    assert.equal(4, select("#", swarm.timeout(1, several)))
  end)

  it("hands on the very error that the function raised", function()
    local mine = { code = "mine" }
    for _, call in ipairs { swarm.scope, swarm.shield } do
      local err = raised(call, function()
        error(mine)
      end)
      assert.is_true(rawequal(mine, err))
    end
    assert.is_true(rawequal(
      mine,
      raised(swarm.timeout, 1, function()
        error(mine)
      end)
    ))
  end)

  it("cancels the children left when it raises, and waits for their clean-up", function()
    local log = {}
    local taken = seconds_of(function()
      local err = raised(swarm.timeout, 50, function()
        swarm.spawn(noting(log, "child", 3))
        swarm.sleep(1)
        error { code = "mine" }
      end)
      assert.equal("mine", err.code)
    end)
    assert.equal(4, taken)
    assert.equal("cancelled", log[1].code)
    assert.equal("child cleaned up", log[2].name)
  end)

  it("cancels the children of a worker that fails, and waits for them", function()
    local log = {}
    local h = swarm.spawn(function()
      swarm.spawn(noting(log, "child", 3))
      swarm.sleep(1)
      error("no more")
    end)
    local taken = seconds_of(function()
      assert.is_nil((swarm.join(h)))
    end)
    assert.equal(4, taken)
    assert.matches("its parent failed", log[1].reason)
  end)

  it("takes no more workers once its function has raised", function()
    local refused
    local taken = seconds_of(function()
      assert.equal(
        "mine",
        code_of(swarm.scope, function(scope)
          scope:spawn(function()
            pcall(swarm.sleep, 10)
            swarm.shield(function()
              refused = raised(scope.spawn, scope, "sleeper", 100)
            end)
          end)
          swarm.yield()
          error { code = "mine" }
        end)
      )
    end)
    assert.equal("invalid_argument", refused.code)
    assert.equal(0, taken)
  end)

  it("settles children before the worker above them when that is cancelled", function()
    local order = {}
    local h = swarm.spawn(function()
      swarm.spawn(noting(order, "child", 1))
      pcall(swarm.sleep, 100)
      order[#order + 1] = { name = "parent" }
    end)
    swarm.sleep(1)
    swarm.cancel(h, "enough", { wait = true })
    local names = {}
    for i, entry in ipairs(order) do
      names[i] = entry.name
    end
    assert.equal("child", names[1])
    assert.equal("child cleaned up", names[3])
    assert.equal("cancelled", h.status)
  end)
end)

describe("ownership", function()
  it("stays where the child was spawned, whoever joins it", function()
    local child ---@type swarm.Handle
    local owner = swarm.spawn(function()
      child = swarm.spawn("sleeper", 5)
    end)
    all_wait()
    local stranger = swarm.spawn(function()
      swarm.join(child)
    end)
    all_wait()
    swarm.cancel(stranger)
    swarm.join(stranger)
    assert.equal("running", child.status)
    assert.equal("running", owner.status)
    swarm.join(owner)
    assert.equal("pass", child.status)
  end)

  it("makes no owner of who joins: the joiner's end takes nothing with it", function()
    local other = swarm.spawn("sleeper", 5)
    local joiner = swarm.spawn(function()
      swarm.join(other, { timeout = 1 })
      error { code = "joiner" }
    end)
    swarm.join(joiner)
    assert.equal("running", other.status)
    assert.equal("slept", swarm.result(other))
  end)

  it("makes no owner of a cancel's caller either", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.sleep(5)
      end)
    end)
    all_wait()
    local caller = swarm.spawn(function()
      swarm.cancel(h)
    end)
    assert.truthy(seconds_of(swarm.join, caller) < 1)
    swarm.join(h)
  end)

  it("goes to the innermost block at the spawn, in a callback too", function()
    local child
    local took = seconds_of(function()
      swarm.scope(function()
        for _ in ("x"):gmatch "." do
          ("abc"):gsub("b", function()
            child = swarm.spawn("sleeper", 4)
          end)
        end
      end)
    end)
    assert.equal(4, took)
    assert.equal("pass", child.status)
  end)

  it("is the run's for what is detached: neither wait, nor failure, nor cancel", function()
    local free ---@type swarm.Handle
    local h = swarm.spawn(function()
      free = swarm.spawn("sleeper", 5, { detached = true })
      error { code = "mine" }
    end)
    assert.truthy(seconds_of(swarm.join, h) < 1)
    assert.equal("slept", swarm.result(free))
  end)
end)

describe("a child", function()
  it("begins when its spawner waits: not at its spawn, a checkpoint or an empty block", function()
    local log = {}
    swarm.spawn(function()
      log[#log + 1] = "child"
    end)
    swarm.checkpoint()
    pcall(function()
      log[#log + 1] = "pcall"
    end)
    swarm.scope(function()
      log[#log + 1] = "scope"
    end)
    swarm.yield()
    log[#log + 1] = "yielded"
    assert.same({ "pcall", "scope", "child", "yielded" }, log)
  end)

  it("that never began is not run when its parent fails", function()
    local ran, child = false, nil
    local h = swarm.spawn(function()
      child = swarm.spawn(function()
        ran = true
      end)
      error { code = "mine" }
    end)
    swarm.join(h)
    swarm.sleep(1)
    assert.falsy(ran)
    assert.equal("cancelled", child.status)
  end)

  it("that never began is not run when an older sibling of its scope fails", function()
    local ran, child = false, nil
    local err = raised(swarm.scope, function(scope)
      scope:spawn(function()
        error { code = "first" }
      end)
      child = scope:spawn(function()
        ran = true
      end)
    end)
    assert.equal("first", err.code)
    assert.falsy(ran)
    assert.equal("cancelled", child.status)
  end)

  it("may run a function that is not written in Lua", function()
    local wrapped = swarm.spawn(
      coroutine.wrap(function(ctx, n)
        ctx:progress "begun"
        swarm.sleep(1)
        return n * 2
      end),
      21
    )
    assert.equal(42, swarm.result(wrapped))
    assert.equal("begun", wrapped:output_tail()[1].stage)
    assert.matches("worker", swarm.result(swarm.spawn(tostring)))
    ---@diagnostic disable-next-line: param-type-mismatch
    local err = raised(swarm.result, swarm.spawn(math.floor))
    assert.matches("number expected", err.message)
    ---@diagnostic disable-next-line: param-type-mismatch
    err = raised(swarm.result, swarm.spawn(swarm.sleep))
    assert.equal("invalid_argument", err.code)
    assert.matches("blocks_spec%.lua:%d+", err.spawned_at)
  end)

  it("takes turns with its siblings", function()
    local log = {}
    swarm.scope(function(scope)
      for _, name in ipairs { "a", "b" } do
        scope:spawn(function()
          for i = 1, 3 do
            log[#log + 1] = name .. i
            swarm.yield()
          end
        end)
      end
    end)
    assert.same({ "a1", "b1", "a2", "b2", "a3", "b3" }, log)
  end)

  it("is waited for where its parent has returned before it began", function()
    local ran = false
    local h = swarm.spawn(function()
      swarm.spawn(function()
        ran = true
      end)
      return "early"
    end)
    assert.equal("early", swarm.result(h))
    assert.truthy(ran)
  end)

  it("may be one of several thousand that end at once", function()
    local n = 0
    swarm.scope(function(scope)
      for _ = 1, 5000 do
        scope:spawn(function()
          swarm.sleep(1)
          n = n + 1
        end)
      end
    end)
    assert.equal(5000, n)
  end)

  it("says in its text who it is and how it is, at each time", function()
    local h = swarm.spawn("sleeper", 1)
    assert.matches("sleeper.*pending", tostring(h))
    all_wait()
    assert.matches("sleeper.*running", tostring(h))
    swarm.join(h)
    assert.matches("sleeper.*pass", tostring(h))
    local failed = swarm.spawn("fail_after", 0)
    swarm.join(failed)
    assert.matches("fail_after.*failed", tostring(failed))
    local gone = swarm.spawn "sleeper"
    swarm.cancel(gone)
    assert.matches("sleeper.*cancelled", tostring(gone))
  end)

  it("has the meta of its spawn, whatever its parent does to its own later", function()
    local h = swarm.spawn(function(ctx)
      ctx.meta.var = "before"
      local child = swarm.spawn(function(own)
        local seen = own.meta.var
        own.meta.var = "child's"
        return seen
      end)
      ctx.meta.var = "after"
      return { swarm.result(child), ctx.meta.var }
    end)
    assert.same({ "before", "after" }, swarm.result(h))
  end)
end)

describe("a worker that is started", function()
  it("tells its starter by an event, and works on", function()
    swarm.scope(function(scope)
      local h, word ---@type swarm.Handle, table
      local took = seconds_of(function()
        h = scope:spawn "server"
        word = first_word(h)
      end)
      assert.equal(1, took)
      assert.same({ port = 8080 }, word)
      assert.equal("running", h.status)
      assert.equal("served", swarm.result(h))
    end)
  end)

  it("and breaks before its word ends the wait, with its error in result", function()
    local h = swarm.spawn("server", "crash before")
    assert.is_nil(first_word(h))
    assert.equal("crashed", code_of(swarm.result, h))
  end)

  it("and breaks after its word fails the scope", function()
    local word
    local err = raised(swarm.scope, function(scope)
      word = first_word(scope:spawn("server", "crash after"))
    end)
    assert.equal("crashed", err.code)
    assert.same({ port = 8080 }, word)
  end)

  it("and never says its word ends the wait with its end", function()
    local h = swarm.spawn("server", "silent")
    assert.is_nil(first_word(h))
    assert.equal("pass", h.status)
  end)

  it("may say its word twice: both are there", function()
    local h = swarm.spawn(function(ctx)
      ctx:partial "first"
      ctx:partial "second"
    end)
    assert.equal("first", first_word(h))
    swarm.join(h)
    assert.equal("second", h:output_tail()[2].chunk.value)
  end)

  it("ends with its starter where that is cancelled in the wait", function()
    local h
    local starter = swarm.spawn(function()
      h = swarm.spawn "server"
      first_word(h)
    end)
    all_wait()
    swarm.cancel(starter)
    swarm.join(starter)
    assert.equal("cancelled", h.status)
  end)

  it("goes on where its starter is cancelled, if it was started into a scope around", function()
    swarm.scope(function(scope)
      local h ---@type swarm.Handle
      local starter = swarm.spawn(function()
        h = scope:spawn "server"
        first_word(h)
      end)
      all_wait()
      swarm.cancel(starter)
      swarm.join(starter)
      assert.equal("running", h.status)
      assert.equal("served", swarm.result(h))
    end)
  end)

  it("in an outer scope ends when the inner one, where it is waited for, fails", function()
    local h
    local err = raised(swarm.scope, function(outer)
      swarm.scope(function(inner)
        inner:spawn("fail_after", 0.5)
        h = outer:spawn("server", "silent")
        first_word(h)
      end)
    end)
    assert.equal("broke", err.code)
    assert.equal("cancelled", h.status)
  end)

  it("holds its scope open until it ends, said its word or not", function()
    assert.equal(
      6,
      seconds_of(function()
        swarm.scope(function(scope)
          swarm.spawn(function()
            first_word(scope:spawn "server")
          end)
        end)
      end)
    )
  end)
end)
