-- Proves structure.md once more: the invariants of async.nvim's model, and what anyio and trio test
-- of groups of tasks and of the errors that come out of them. structure_peers.md has their names
-- beside ours.
local swarm = require "swarm"
local outcomes = require "outcomes"
local stages = require "stages"
require "stock_workers"

local raised, code_of, codes_of = outcomes.raised, outcomes.code_of, outcomes.codes_of
local seconds_of = outcomes.seconds_of
local all_wait, cancelled_in_wait = stages.all_wait, stages.cancelled_in_wait

-- Fails in its clean-up: with `code`, once it is cancelled.
swarm.worker "bad_clean_up" {
  run = function(_, code)
    pcall(swarm.sleep, 100)
    error { code = code }
  end,
}

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

-- Words of this file --------------------------------------------------------------------------

---What a worker says first, or nil where it ends without a word.
local function first_word(h)
  for event in swarm.follow(h) do
    if event.type == "partial" then
      return event.chunk.value
    end
  end
end

---A program made by chance: the same for the same seed. Each error it raises has a code of its own.
local function program(seed)
  local state = seed
  local function chance(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
  local codes_raised, n = {}, 0
  local function fail(where)
    n = n + 1
    local code = where .. n
    codes_raised[code] = true
    error { code = code }
  end
  local body

  local function ops(depth)
    local list = {}
    for i = 1, chance(3) do
      list[i] = {
        what = chance(10),
        seconds = chance(6),
        inner = depth > 0 and body(depth - 1),
        other = depth > 0 and body(depth - 1),
      }
    end
    list.fails = chance(4) == 1
    return list
  end

  function body(depth)
    local list = ops(depth)
    return function()
      for _, op in ipairs(list) do
        local inner = op.inner
        if op.what == 1 or not inner then
          swarm.sleep(op.seconds)
        elseif op.what == 2 then
          swarm.spawn(inner)
        elseif op.what == 3 then
          swarm.scope(inner)
        elseif op.what == 4 then
          swarm.timeout(op.seconds, inner)
        elseif op.what == 5 then
          swarm.shield(inner, { timeout = op.seconds })
        elseif op.what == 6 then
          swarm.result(swarm.spawn(inner))
        elseif op.what == 9 then
          swarm.all { inner, op.other }
        elseif op.what == 10 then
          for _, h in swarm.each { swarm.spawn(inner), swarm.spawn(op.other) } do
            swarm.result(h)
          end
        elseif op.what == 7 then
          swarm.spawn(function()
            local ok = pcall(swarm.sleep, op.seconds * 3)
            if not ok then
              fail "clean-up "
            end
          end)
        else
          local h = swarm.spawn(inner)
          swarm.sleep(op.seconds)
          swarm.cancel(h)
        end
      end
      if list.fails then
        fail "body "
      end
    end
  end
  return body(3), codes_raised
end

---How often each code stands in the tree of an error.
local function codes_in(err, found, seen)
  if type(err) ~= "table" or seen[err] then
    return found
  end
  seen[err] = true
  found[err.code] = (found[err.code] or 0) + 1
  codes_in(err.cause, found, seen)
  for _, key in ipairs { "errors", "others" } do
    for _, one in ipairs(err[key] or {}) do
      codes_in(one, found, seen)
    end
  end
  return found
end

describe("ownership", function()
  it("stays where the child was spawned, whoever joins it", function()
    local child
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
    local free
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
    local err = raised(swarm.result, swarm.spawn(math.floor))
    assert.matches("number expected", err.message)
    err = raised(swarm.result, swarm.spawn(swarm.sleep))
    assert.equal("invalid_argument", err.code)
    assert.matches("nurseries_spec%.lua:%d+", err.spawned_at)
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

describe("a scope", function()
  it("stays closed after it ended with an error", function()
    local kept
    pcall(swarm.scope, function(scope)
      kept = scope
      error { code = "mine" }
    end)
    local err = raised(function()
      kept:spawn("sleeper", 1)
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("closed", err.message)
    assert.matches("nurseries_spec%.lua:%d+", err.where)
  end)

  it("is closed for everybody: other workers, functions and names that do not exist", function()
    local kept
    swarm.scope(function(scope)
      kept = scope
    end)
    local h = swarm.spawn(function()
      local function spawned(what)
        return code_of(kept.spawn, kept, what)
      end
      return { spawned "sleeper", spawned(function() end), spawned "no such worker" }
    end)
    assert.same({ "invalid_argument", "invalid_argument", "invalid_argument" }, swarm.result(h))
  end)

  it("of a worker that was cancelled is closed too", function()
    local kept
    cancelled_in_wait(function()
      swarm.scope(function(scope)
        kept = scope
        swarm.sleep(100)
      end)
    end)
    assert.matches("closed", raised(kept.spawn, kept, "sleeper", 1).message)
  end)

  it("takes a worker from the last of its children, its function having returned", function()
    local late
    swarm.scope(function(scope)
      scope:spawn(function()
        swarm.sleep(1)
        late = scope:spawn("sleeper", 3)
      end)
    end)
    assert.equal("pass", late.status)
  end)

  it("that takes workers for ever ends with the first that fails", function()
    local n = 0
    local err = raised(swarm.scope, function(scope)
      local function again()
        n = n + 1
        if n == 50 then
          error { code = "enough" }
        end
        scope:spawn(again)
      end
      scope:spawn(again)
    end)
    assert.equal("enough", err.code)
    assert.equal(50, n)
  end)

  it("cannot be read beyond its methods, nor written to, nor called", function()
    swarm.scope(function(scope)
      local err = raised(function()
        return scope.spwan
      end)
      assert.equal("unknown_name", err.code)
      assert.matches("spawn", err.message)
      assert.equal(
        "unknown_name",
        code_of(function()
          scope.spawn = nil
        end)
      )
      assert.falsy(pcall(setmetatable, scope, {}))
      assert.is_nil(next(scope))
    end)
  end)

  it("refuses what is no worker without harm", function()
    swarm.scope(function(scope)
      for _, what in ipairs { 5, true, {}, "no such worker" } do
        local err = raised(scope.spawn, scope, what)
        assert.truthy(err.code == "invalid_argument" or err.code == "not_registered")
      end
      assert.equal("invalid_argument", code_of(scope.spawn, scope, nil))
      assert.equal("slept", swarm.result(scope:spawn("sleeper", 1)))
    end)
  end)

  it("hands a detached child to the run all the same", function()
    local free
    assert.truthy(seconds_of(function()
      swarm.scope(function(scope)
        free = scope:spawn("sleeper", 5, { detached = true })
        all_wait()
      end)
    end) < 1)
    assert.equal("running", free.status)
    swarm.join(free)
  end)

  it("wakes its function whatever that waits for", function()
    local waits = {
      sleep = function()
        swarm.sleep(100)
      end,
      join = function()
        swarm.join(swarm.spawn("sleeper", 100))
      end,
      follow = function()
        for _ in swarm.follow(swarm.spawn("sleeper", 100)) do
        end
      end,
      token = function(ctx)
        ctx.cancel_token:wait()
      end,
      scope = function()
        swarm.scope(function(inner)
          inner:spawn("sleeper", 100)
        end)
      end,
    }
    for name, wait in pairs(waits) do
      local h = swarm.spawn(function(ctx)
        local took = seconds_of(function()
          local err = raised(swarm.scope, function(scope)
            scope:spawn("fail_after", 2)
            wait(ctx)
          end)
          assert.equal("broke", err.code, name)
        end)
        assert.equal(2, took, name)
      end)
      assert(swarm.join(h))
    end
  end)

  it("inside a coroutine ends the same way", function()
    local err
    local co = coroutine.wrap(function()
      err = raised(swarm.scope, function(scope)
        scope:spawn("fail_after", 1)
        swarm.sleep(100)
      end)
      coroutine.yield "still here"
    end)
    assert.equal("still here", co())
    assert.equal("broke", err.code)
  end)

  it("may be opened in each turn of an iterator", function()
    local function zip(n)
      return coroutine.wrap(function()
        for i = 1, n do
          local pair = {}
          swarm.scope(function(scope)
            for k = 1, 2 do
              scope:spawn(function()
                swarm.sleep(k)
                pair[k] = i * k
              end)
            end
          end)
          coroutine.yield(pair)
        end
      end)
    end
    local seen = {}
    for pair in zip(2) do
      seen[#seen + 1] = pair
    end
    assert.same({ { 1, 2 }, { 2, 4 } }, seen)
  end)

  it("is cancelled, not left, by a generator that yields out of a timeout in it", function()
    local child
    local err = raised(function()
      local next_item = coroutine.wrap(function()
        swarm.timeout(5, function()
          child = swarm.spawn("sleeper", 100)
          coroutine.yield "out of the block"
        end)
      end)
      next_item()
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("leave the block first", err.message)
    assert.equal("cancelled", child.status)
    swarm.sleep(10) -- the deadline went with the block
  end)

  it("opened around a generator's loop lets it yield in a timeout of the loop's", function()
    local function items()
      return coroutine.wrap(function()
        for i = 1, 3 do
          swarm.sleep(1)
          coroutine.yield(i)
        end
      end)
    end
    local seen = {}
    local err = raised(swarm.timeout, 2.5, function()
      for i in items() do
        seen[#seen + 1] = i
      end
    end)
    assert.equal("timeout", err.code)
    assert.same({ 1, 2 }, seen)
  end)

  it("inner to one that fails keeps its own function's value from nobody", function()
    local log = {}
    pcall(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      log.inner = swarm.scope(function()
        pcall(swarm.sleep, 100)
        return "caught it"
      end)
      log.after = code_of(swarm.checkpoint)
    end)
    assert.same({ inner = "caught it", after = "cancelled" }, log)
  end)
end)

describe("a worker that is started", function()
  it("tells its starter by an event, and works on", function()
    swarm.scope(function(scope)
      local h, word
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
      local h
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

describe("errors that come out", function()
  it("are the only one, as it is, where one failed: nothing is wrapped", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      scope:spawn("sleeper", 100)
    end)
    assert.equal("broke", err.code)
    assert.equal(1, err.after)
    assert.is_nil(err.errors)
    assert.is_nil(err.others)
  end)

  it("keep a sibling's clean-up beside the first", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("bad_clean_up", "second")
      scope:spawn("fail_after", 1)
    end)
    assert.equal("broke", err.code)
    assert.same({ "second" }, codes_of(err.others))
  end)

  it("keep a child's clean-up beside the function's own error", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("bad_clean_up", "child")
      all_wait()
      error { code = "function" }
    end)
    assert.equal("function", err.code)
    assert.same({ "child" }, codes_of(err.others))
  end)

  it("keep several clean-ups, in the order in which they broke", function()
    local err = raised(swarm.scope, function(scope)
      for i = 1, 3 do
        scope:spawn(function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            swarm.sleep(i)
          end)
          error { code = "clean_up_" .. i }
        end)
      end
      scope:spawn("fail_after", 1)
    end)
    assert.equal("broke", err.code)
    assert.same({ "clean_up_1", "clean_up_2", "clean_up_3" }, codes_of(err.others))
  end)

  it("keep the tree of nested scopes: the inner one's error is among the outer one's", function()
    local err = raised(swarm.scope, function(outer)
      outer:spawn("fail_after", 1)
      outer:spawn(function()
        swarm.scope(function(inner)
          inner:spawn("bad_clean_up", "child_1")
          inner:spawn("bad_clean_up", "child_2")
        end)
      end)
    end)
    assert.equal("broke", err.code)
    local all = {}
    local function walk(list)
      for _, one in ipairs(list or {}) do
        all[#all + 1] = (one.cause or one).code
        walk((one.cause or one).others)
      end
    end
    walk(err.others)
    table.sort(all)
    assert.same({ "child_1", "child_2" }, all)
  end)

  it("keep what broke in a timeout or shield inside a scope that fails", function()
    for name, open in pairs {
      timeout = function(fn)
        return swarm.timeout(50, fn)
      end,
      scope = swarm.scope,
    } do
      local err = raised(swarm.scope, function(scope)
        scope:spawn("fail_after", 1)
        open(function()
          swarm.spawn("bad_clean_up", "inside")
          swarm.sleep(100)
        end)
      end)
      assert.equal("broke", err.code, name)
      assert.same({ "inside" }, codes_of(err.others), name)
    end
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      swarm.shield(function()
        swarm.spawn("bad_clean_up", "inside")
        swarm.sleep(100)
      end)
    end)
    assert.equal("broke", err.code)
    assert.same({ "timeout" }, codes_of(err.others)) -- the shield's own time, which ran out
    assert.same({ "inside" }, codes_of(err.others[1].others))
  end)

  it("keep what broke in a timeout inside a timeout that ran out", function()
    local err = raised(swarm.timeout, 1, function()
      swarm.timeout(50, function()
        swarm.spawn("bad_clean_up", "inner")
        swarm.sleep(100)
      end)
    end)
    assert.equal("timeout", err.code)
    assert.same({ "inner" }, codes_of(err.others))
  end)

  it("keep what broke below a cancelled child that nobody joined", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      scope:spawn(function()
        swarm.spawn("bad_clean_up", "grandchild")
        swarm.sleep(100)
      end)
    end)
    assert.equal("broke", err.code)
    assert.same({ "grandchild" }, codes_of(err.others))
  end)

  it("keep what broke two levels below a cancelled child", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn(function()
        swarm.spawn(function()
          swarm.spawn("bad_clean_up", "deep")
          swarm.sleep(100)
        end)
        swarm.sleep(100)
      end)
      all_wait()
      swarm.cancel(child, "not needed")
    end)
    local _, err = swarm.join(h)
    assert.equal("children_failed", err.code)
    assert.same({ "deep" }, codes_of(err.errors))
  end)

  it("are none where a cancelled child's failures were taken with its error", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn(function()
        swarm.spawn("bad_clean_up", "below")
        swarm.sleep(100)
      end)
      all_wait()
      swarm.cancel(child, "not needed")
      local _, err = swarm.join(child)
      return codes_of(err.others)
    end)
    assert.same({ "below" }, swarm.result(h))
  end)

  it("hold no cancelled error among the others", function()
    local err = raised(swarm.scope, function(scope)
      for _ = 1, 3 do
        scope:spawn("sleeper", 100)
      end
      scope:spawn(function()
        local own = raised(swarm.sleep, 100)
        error(own, 0)
      end)
      scope:spawn("bad_clean_up", "real")
      scope:spawn("fail_after", 1)
    end)
    assert.same({ "real" }, codes_of(err.others))
  end)

  it("hold none of them twice, nor the error itself", function()
    local err = raised(swarm.scope, function(scope)
      local h = scope:spawn("fail_after", 1)
      scope:spawn("bad_clean_up", "second")
      swarm.scope(function()
        swarm.timeout(50, function()
          swarm.result(h)
        end)
      end)
    end)
    local seen = {}
    local function walk(one)
      assert.falsy(seen[one], "twice")
      seen[one] = true
      for _, list in ipairs { one.errors or {}, one.others or {} } do
        for _, below in ipairs(list) do
          walk(below)
        end
      end
    end
    walk(err)
    assert.equal("broke", err.code)
    assert.same({ "second" }, codes_of(err.others))
  end)

  it("keep the function's own error where a child failed first", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      pcall(swarm.sleep, 100)
      error "in clean-up"
    end)
    assert.equal("broke", err.code)
    assert.matches("in clean%-up", err.others[1].message)
  end)

  it("keep a child's where the function raised nil, false, a number or a string", function()
    for _, value in ipairs { "nil", "false", "number", "string" } do
      local what = ({ ["false"] = false, number = 5, string = "text" })[value]
      local err = raised(swarm.scope, function(scope)
        scope:spawn("bad_clean_up", "child")
        all_wait()
        error(what, 0)
      end)
      assert.equal("failed", err.code, value)
      assert.same({ "child" }, codes_of(err.others), value)
    end
  end)

  it("keep the script's own object, with its fields and its cause", function()
    local cause = { code = "deeper" }
    local mine = { code = "mine", cause = cause, detail = { 1, 2 } }
    local err = raised(swarm.scope, function()
      error(mine)
    end)
    assert.truthy(rawequal(mine, err))
    local h = swarm.spawn(function()
      error(mine)
    end)
    local _, got = swarm.join(h)
    assert.equal("deeper", got.cause.code)
    assert.equal(2, got.detail[2])
  end)

  it("keep the clean-up's error beside the cancel's reason where both came", function()
    local _, err = cancelled_in_wait(function()
      swarm.scope(function(scope)
        scope:spawn("bad_clean_up", "child")
        swarm.sleep(100)
      end)
    end, "enough")
    assert.equal("cancelled", err.code)
    assert.equal("enough", err.reason)
    assert.same({ "child" }, codes_of(err.others))
  end)

  it("keep the function's error where the block was cancelled before it raised", function()
    local h = swarm.spawn(function(ctx)
      ctx:cancel "enough"
      error { code = "mine" }
    end)
    local _, err = swarm.join(h)
    assert.equal("failed", h.status)
    assert.equal("mine", err.code)
    assert.equal("enough", err.cancel_reason)
  end)

  it("keep the others of a cause: each level has its own", function()
    local middle = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn("bad_clean_up", "at the bottom")
        scope:spawn("fail_after", 1)
      end)
    end)
    local top = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn("bad_clean_up", "at the top")
        all_wait()
        swarm.result(middle)
      end)
    end)
    local _, err = swarm.join(top)
    local found = {}
    while err do
      for _, code in ipairs(codes_of(err.others)) do
        found[#found + 1] = code
      end
      err = err.cause
    end
    assert.same({ "at the top", "at the bottom" }, found)
    local _, own = swarm.join(middle)
    assert.is_nil(own.others)
  end)

  it("of a worker stay as they are for others where one block adds to them", function()
    local h = swarm.spawn("fail_after", 1)
    local function join_in_scope(code)
      return raised(swarm.scope, function(scope)
        scope:spawn("bad_clean_up", code)
        all_wait()
        swarm.result(h)
      end)
    end
    local first, second = join_in_scope "first", join_in_scope "second"
    local _, own = swarm.join(h)
    assert.same({ "first" }, codes_of(first.others))
    assert.same({ "second" }, codes_of(second.others))
    assert.is_nil(own.others)
    assert.equal("broke", first.code)
  end)

  it("of a worker are not said to be of a clean-up that only raised them again", function()
    local h = swarm.spawn("fail_after", 0)
    swarm.join(h)
    local err = raised(swarm.timeout, 1, function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.result(h)
      end)
    end)
    local _, own = swarm.join(h)
    assert.matches("ran out of time", err.cancel_reason)
    assert.is_nil(own.cancel_reason)
  end)

  it("hold a first failure once where the function raised it again behind a shield", function()
    local err = raised(swarm.scope, function(scope)
      local h = scope:spawn("fail_after", 1)
      swarm.shield(function()
        swarm.result(h)
      end)
    end)
    assert.equal("broke", err.code)
    assert.is_nil(err.others)
  end)

  it("may be anything: a handle, a closed table, others that are no list", function(ctx)
    local traps = {
      handle = ctx,
      face = swarm,
      trap = setmetatable({}, {
        __newindex = function()
          error "written to"
        end,
        __index = function()
          error "read"
        end,
      }),
      class = setmetatable({ code = "mine" }, { __index = { kind = "class" } }),
      odd = { code = "mine", others = 5, errors = "none" },
      list = { code = "mine", others = { 1, false, {} } },
    }
    for name, value in pairs(traps) do
      local err = raised(swarm.scope, function(scope)
        scope:spawn("bad_clean_up", "child")
        all_wait()
        error(value, 0)
      end)
      assert.equal("child", err.others[#err.others].code, name)
      err = raised(swarm.timeout, 1, function()
        pcall(swarm.sleep, 100)
        error(value, 0)
      end)
      assert.matches("ran out of time", err.cancel_reason, name)
      local h = swarm.spawn(function()
        swarm.spawn("bad_clean_up", "child")
        all_wait()
        error(value, 0)
      end)
      local _, got = swarm.join(h)
      assert.equal("child", got.others[#got.others].code, name)
    end
    assert.is_nil(rawget(ctx, "others"))
    assert.is_nil(rawget(swarm, "others"))
  end)

  it("may be a cancelled error that the script has written to", function()
    for _, others in ipairs { 5, "text", {}, { 1, 2 }, true } do
      for _, field in ipairs { "others", "reason", "code", "task_id" } do
        local status, err = cancelled_in_wait(function()
          local err = raised(swarm.sleep, 100)
          err[field] = others
          error(err, 0)
        end, "enough")
        assert.equal("cancelled", status)
        assert.equal("enough", err.reason)
      end
    end
  end)

  it("carry the frames of the worker and of who spawned it, at each level", function()
    local function thrower()
      error { code = "deep" }
    end
    local err = raised(swarm.scope, function(scope)
      scope:spawn(function()
        pcall(swarm.sleep, 100)
        thrower()
      end)
      scope:spawn(function()
        swarm.sleep(1)
        error { code = "broke" }
      end)
    end)
    for _, one in ipairs { err, err.others[1] } do
      assert.matches("nurseries_spec%.lua:%d+", one.traceback)
      assert.matches("^.*nurseries_spec%.lua:%d+$", one.spawned_at)
      assert.matches("^T%-%d+$", one.task_id)
    end
    assert.matches("in function 'thrower'", err.others[1].traceback)
  end)

  it("raised again after a wait keep their frames, whatever failed meanwhile", function()
    local function thrower(code)
      error { code = code }
    end
    local function round(code, before, after)
      return function()
        swarm.sleep(before)
        local _, err = swarm.join(swarm.spawn(function()
          thrower(code)
        end))
        swarm.sleep(after)
        error(err, 0)
      end
    end
    local first, second = swarm.spawn(round("first", 0, 3)), swarm.spawn(round("second", 1, 1))
    for code, h in pairs { first = first, second = second } do
      local _, err = swarm.join(h)
      assert.equal(code, err.cause.code)
      assert.matches("in function 'thrower'", err.cause.traceback)
      assert.is_nil(err.cause.cause)
      assert.is_nil(err.others)
    end
  end)

  it("are not lost where a cancel came while they were handled", function()
    local _, err = cancelled_in_wait(function()
      local _, err = pcall(error, { code = "handled" })
      pcall(swarm.sleep, 100) -- the cancel comes here
      error(err, 0)
    end, "enough")
    assert.equal("handled", err.code)
    assert.equal("enough", err.cancel_reason)
  end)

  it("of a hundred children are all there", function()
    local h = swarm.spawn(function()
      for _ = 1, 100 do
        swarm.spawn("fail_after", 1)
      end
    end)
    local _, err = swarm.join(h)
    assert.equal(100, #err.errors)
  end)

  it("may be caught and raised again in another block without gaining others twice", function()
    local first = raised(swarm.scope, function(scope)
      scope:spawn("bad_clean_up", "second")
      scope:spawn("fail_after", 1)
    end)
    for _ = 1, 3 do
      local again = raised(swarm.scope, function()
        error(first, 0)
      end)
      assert.truthy(rawequal(first, again))
    end
    assert.same({ "second" }, codes_of(first.others))
  end)

  it("of a scope can be caught, and the scope around it goes on", function()
    local value = swarm.scope(function(outer)
      local h = outer:spawn("sleeper", 5)
      local code = code_of(swarm.scope, function(inner)
        inner:spawn("fail_after", 1)
      end)
      return code .. " " .. swarm.result(h)
    end)
    assert.equal("broke slept", value)
  end)

  it("are none of them lost, nor told twice, in a thousand programs made by chance", function()
    local wrong, total = {}, 0
    for seed = 1, 1000 do
      local run, was_raised = program(seed)
      local h = swarm.spawn(run)
      if seed % 2 == 0 then
        swarm.join(h, { timeout = seed % 14 / 2 })
        swarm.cancel(h, "from outside")
      end
      local _, err = swarm.join(h)
      local found = codes_in(err, {}, {})
      for code in pairs(was_raised) do
        total = total + 1
        if found[code] ~= 1 then
          wrong[#wrong + 1] = "program " .. seed .. ": " .. code .. ", " .. (found[code] or 0)
        end
      end
    end
    assert.same({}, wrong)
    assert.truthy(total > 500)
  end)
end)
