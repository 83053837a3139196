-- Proves gather.md, in its order.
local swarm = require "swarm"
local outcomes = require "outcomes"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local codes_of = outcomes.codes_of

-- Workers of this file ----------------------------------------------------------------------------

swarm.worker "brief" {
  timeout = 2,
  run = function()
    swarm.sleep(50)
  end,
}

swarm.worker "one_sleeper" {
  concurrency = 1,
  run = function()
    swarm.sleep(100)
  end,
}

swarm.worker "single" {
  concurrency = 1,
  run = function(_, how)
    if how == "leaf" then
      return "leaf"
    elseif how == "map" then
      return swarm.map("single", { "leaf", "leaf" })
    end
    local inner = swarm.spawn("single", "leaf")
    local ok, err = pcall(swarm[how], { inner })
    swarm.cancel(inner)
    return not ok and err.code
  end,
}

swarm.worker "hands_on" {
  run = function()
    return swarm.all {
      function()
        return 1
      end,
      function()
        return 2, "not enough"
      end,
    }
  end,
}

swarm.role "no_poll" { extends = "worker", deny = { "poll_task" } }
swarm.role "no_cancel" { extends = "worker", deny = { "cancel_task" } }

-- What the calls say to a script that loads.
local while_loading = {}
for _, call in ipairs { "all", "map", "any", "race", "settle", "each" } do
  local ok, err = pcall(swarm[call], {})
  while_loading[call] = ok or err.code
end

local CALLS = { "all", "any", "race", "settle", "each" }

local function tries_all()
  local codes = {}
  for _, call in ipairs(CALLS) do
    local ok, err = pcall(swarm[call], {
      function() end,
    })
    codes[call] = ok or err.verb
  end
  local ok, err = pcall(swarm.map, function() end, { 1 })
  codes.map = ok or err.verb
  return codes
end

swarm.worker "gathers_by_id" {
  role = "worker",
  run = function(_, id)
    local ok, err = pcall(swarm.any, { id, function() end })
    return ok or err.code
  end,
}

swarm.role "no_spawn" { extends = "worker", deny = { "start_task" } }

swarm.worker "may_not_spawn" {
  role = "no_spawn",
  run = function(ctx)
    local ok, err = pcall(swarm.all, { ctx.input, function() end })
    return { ok or err.code, ctx.input.status }
  end,
}

swarm.worker "may_not_poll" { role = "no_poll", run = tries_all }
swarm.worker "may_not_cancel" { role = "no_cancel", run = tries_all }

-- Words of this file ------------------------------------------------------------------------------

---A function that returns `value` after a while.
local function gives(value, seconds)
  return function()
    if seconds then
      swarm.sleep(seconds)
    end
    return value
  end
end

---A function that fails after a while.
local function breaks(code, seconds)
  return function()
    if seconds then
      swarm.sleep(seconds)
    end
    error { code = code }
  end
end

local function blocks(value, reason)
  return function()
    return value, reason
  end
end

---A function that takes `seconds` of clean-up when it is cancelled, and then fails, if so wanted.
local function cleans(log, seconds, code)
  return function()
    local ok, err = pcall(swarm.sleep, 100)
    if not ok then
      swarm.shield(function()
        swarm.sleep(seconds)
      end)
      log[#log + 1] = swarm.monotonic()
      if code then
        error { code = code }
      end
      error(err)
    end
  end
end

---Every call that takes a list, as a function that waits for all that it gives.
local function drained(call)
  if call ~= "each" then
    return swarm[call]
  end
  return function(list)
    for _ in swarm.each(list) do
    end
  end
end

describe("a list", function()
  it("holds handles, task_ids and functions in any mixture", function()
    local a, b = swarm.spawn("double", 1), swarm.spawn("double", 2)
    assert.same({ 2, 4, 6 }, (swarm.all { a, b.task_id, gives(6) }))
  end)

  it("may hold one handle twice", function()
    local h = swarm.spawn("double", 4)
    assert.same({ 8, 8 }, (swarm.all { h, h }))
    assert.same({ 8, 8, 8 }, (swarm.all { h, h, h }))
    local value, i = swarm.any { h, h }
    assert.equal(8, value)
    assert.equal(1, i)
    local winner, at = swarm.race { h, h }
    assert.equal(h, winner)
    assert.equal(1, at)
    local seen = {}
    for k, one in swarm.each { h, h } do
      seen[k] = one
    end
    assert.same({ h, h }, seen)
  end)

  it("may hold one live handle twice where it loses or fails", function()
    local slow = swarm.spawn "sleeper"
    local value, i = swarm.any { slow, slow, gives("quick", 1) }
    assert.equal("quick", value)
    assert.equal(3, i)
    assert.equal("cancelled", slow.status)
    local bad = swarm.spawn("fail_after", 1)
    local err = raised(swarm.all, { bad, bad })
    assert.equal("broke", err.code)
    assert.is_nil(err.others)
  end)

  it("may hold one function twice, which makes two workers", function()
    local count = 0
    local function counts()
      count = count + 1
      return count
    end
    assert.same({ 1, 2 }, (swarm.all { counts, counts }))
  end)

  it("is checked whole before anything is started", function()
    local begun = false
    for _, call in ipairs(CALLS) do
      local err = raised(swarm[call], {
        function()
          begun = true
        end,
        42,
      })
      assert.equal("invalid_argument", err.code, call)
      assert.matches("swarm%." .. call .. ": list%[2%] must be .* and is 42", err.message)
    end
    swarm.sleep(1)
    assert.is_false(begun)
  end)

  it("names the place of every kind of wrong member, and the place in the script", function()
    local err = raised(function()
      swarm.all { gives(1), "double" }
    end)
    assert.matches('list%[2%].*"double"; swarm.spawn starts a worker by its name', err.message)
    assert.matches("gather_spec.lua:%d+$", err.where)
    for _, wrong in ipairs { {}, true, 1, swarm.null, coroutine.create(print) } do
      assert.equal("invalid_argument", code_of(swarm.settle, { wrong }))
    end
    err = raised(swarm.any, { "T-123456" })
    assert.equal("task_not_found", err.code)
    assert.matches("list%[1%]", err.message)
  end)

  it("has no holes and no named keys", function()
    for _, call in ipairs(CALLS) do
      local err = raised(swarm[call], { gives(1), nil, gives(3) })
      assert.matches("without holes, and %[2%] is nil", err.message)
      err = raised(swarm[call], { gives(1), name = gives(2) })
      assert.matches('it has the key "name"', err.message)
      assert.matches("the key 1.5", raised(swarm[call], { [1.5] = gives(2) }).message)
      assert.matches("%[1%] is nil", raised(swarm[call], { [2] = gives(2) }).message)
    end
  end)

  it("is a table, and the only argument", function()
    for _, call in ipairs(CALLS) do
      for _, wrong in ipairs { 1, "x", true, swarm.null } do
        assert.equal("invalid_argument", code_of(swarm[call], wrong), call)
      end
      assert.equal("invalid_argument", code_of(swarm[call]), call)
      assert.matches("put braces around it", raised(swarm[call], gives(1)).message)
      assert.matches("handle: put braces", raised(swarm[call], swarm.spawn(gives(1))).message)
      local err = raised(swarm[call], {}, { timeout = 5 })
      assert.matches("swarm.timeout%(s, fn%) bounds its time", err.message)
    end
  end)

  it("gives a function its ctx, and nothing else", function()
    local function own(ctx, input)
      return { id = ctx.task_id, depth = ctx.depth, input = input }
    end
    local value = swarm.all({ own })[1]
    assert.matches("^T%-%d+$", value.id)
    assert.equal(1, value.depth)
    assert.is_nil(value.input)
  end)

  it("keeps the failure of a function from the scope around", function()
    local value = swarm.scope(function(scope)
      local other = scope:spawn("sleeper", 5)
      local got = swarm.any { breaks "first", gives("second", 1) }
      swarm.settle { breaks "third" }
      assert.is_false(pcall(swarm.all, { breaks "fourth" }))
      swarm.race { breaks "fifth" }
      assert.equal("slept", other:result())
      return got
    end)
    assert.equal("second", value)
  end)

  it("leaves a handle in its scope, which its failure cancels", function()
    local err = raised(swarm.scope, function(scope)
      local bad = scope:spawn("fail_after", 1)
      swarm.any { bad, gives("late", 5) }
    end)
    assert.equal("broke", err.code)
  end)

  it("leaves a handle's children where they are", function()
    local grandchild
    local h = swarm.spawn(function()
      grandchild = swarm.spawn("sleeper", 4)
    end)
    assert.equal(
      4,
      seconds_of(function()
        swarm.all { h }
      end)
    )
    assert.equal("pass", grandchild.status)
  end)

  it("counts what has settled before the call first, in the order in which it did", function()
    local late, early = swarm.spawn("sleeper", 2), swarm.spawn("sleeper", 1)
    local never = swarm.spawn "sleeper"
    swarm.sleep(3)
    local h, i = swarm.race { late, early, never }
    assert.equal(early, h)
    assert.equal(2, i)
    local order = {}
    for k in swarm.each { late, early } do
      order[#order + 1] = k
    end
    assert.same({ 2, 1 }, order)
    assert.equal("cancelled", never.status)
  end)

  it("starts no function where what has settled decides", function()
    local begun = false
    local function begins()
      begun = true
    end
    local done, bad = swarm.spawn("double", 1), swarm.spawn(breaks "before")
    swarm.join(done)
    swarm.join(bad)
    assert.equal(2, (swarm.any { begins, done }))
    assert.equal(done, (swarm.race { begins, done }))
    assert.equal("before", code_of(swarm.all, { begins, bad }))
    swarm.sleep(1)
    assert.is_false(begun)
  end)

  it("starts members depth-first, the first of the list first", function()
    for _, call in ipairs(CALLS) do
      local order, bystanders = {}, 0
      local function notes(name)
        return function()
          order[#order + 1] = name
          swarm.sleep(1)
        end
      end
      for _ = 1, 20 do
        swarm.spawn(function()
          bystanders = bystanders + 1
        end)
      end
      local h = swarm.spawn(notes "handle")
      local last = swarm.spawn(function()
        order[#order + 1] = "last, before " .. 20 - bystanders .. " others"
      end)
      drained(call) { notes "a", h, notes "b", last }
      assert.equal("a handle b", table.concat(order, " ", 1, 3), call)
      assert.matches("^last, before [12]%d others$", order[4], call)
    end
  end)

  it("waits for all of an empty list at once", function()
    for _, call in ipairs { "all", "settle" } do
      local values, second = swarm[call] {}
      assert.same({}, values)
      assert.is_nil(second)
      assert.equal("[]", swarm.json.encode(values))
    end
    assert.equal("[]", swarm.json.encode((swarm.map("double", {}))))
    assert.is_nil((swarm.each {}()))
  end)

  it("has no first of an empty list", function()
    local err = raised(swarm.any, {})
    assert.equal("none_passed", err.code)
    assert.same({}, err.errors)
    assert.matches("empty list", err.message)
    err = raised(swarm.race, {})
    assert.equal("invalid_argument", err.code)
    assert.matches("empty list", err.message)
  end)

  it("needs the verb poll_task in every call, and cancel_task in those that cancel", function()
    local verb = "poll_task"
    assert.same(
      { all = verb, map = verb, any = verb, race = verb, settle = verb, each = verb },
      swarm.call "may_not_poll"
    )
    verb = "cancel_task"
    assert.same(
      { all = verb, map = verb, any = verb, race = verb, settle = true, each = true },
      swarm.call "may_not_cancel"
    )
  end)

  it("reaches by task_id only what the caller may reach", function()
    local other = swarm.spawn "sleeper"
    assert.equal("token_task_mismatch", swarm.call("gathers_by_id", other.task_id))
    assert.equal("slept", other:result())
  end)
end)

describe("losers", function()
  it("are cancelled and have settled when the call returns", function()
    for _, call in ipairs { "all", "any", "race" } do
      local log = {}
      local handle = swarm.spawn(cleans(log, 3))
      local deciding = call == "all" and breaks("decides", 1) or gives("decides", 1)
      local start = swarm.monotonic()
      pcall(swarm[call], { cleans(log, 5), handle, deciding })
      assert.equal(6, swarm.monotonic() - start, call)
      assert.same({ start + 4, start + 6 }, log, call)
      assert.equal("cancelled", handle.status, call)
    end
  end)

  it("that have not begun never run", function()
    local run = false
    swarm.spawn(function() end)
    local h = swarm.race {
      gives(1),
      function()
        run = true
      end,
    }
    assert.equal("pass", h.status)
    swarm.sleep(1)
    assert.is_false(run)
  end)

  it("settle with their children", function()
    local log = {}
    local parent = swarm.spawn(function()
      swarm.spawn(cleans(log, 4))
      swarm.sleep(100)
    end)
    swarm.any { parent, gives("x", 1) }
    assert.same({ 5 }, log)
  end)

  it("say by whom they were cancelled", function()
    local h = swarm.spawn "sleeper"
    swarm.race { h, gives("x", 1) }
    local _, err = swarm.join(h)
    assert.equal("cancelled", err.code)
    assert.matches("another worker of swarm.race settled first", err.reason)
  end)

  it("are waited for though the caller is cancelled meanwhile", function()
    for _, call in ipairs { "all", "any", "race" } do
      local log = {}
      local loser = swarm.spawn(cleans(log, 6))
      local deciding = call == "all" and breaks("decides", 1) or gives("decides", 1)
      local code
      local caller = swarm.spawn(function()
        local list = { loser, cleans(log, 4), deciding }
        local ok, err = pcall(swarm[call], list)
        code = not ok and err.code
        error(err)
      end)
      swarm.sleep(3)
      swarm.cancel(caller)
      assert.equal("running", caller.status)
      local start = swarm.monotonic()
      local _, err = swarm.join(caller)
      assert.equal(4, swarm.monotonic() - start, call)
      assert.equal("cancelled", loser.status, call)
      assert.equal(call == "all" and "decides" or "cancelled", code, call)
      assert.equal(call == "all" and "failed" or "cancelled", err.code, call)
    end
  end)

  it("that end their own way are left to it", function()
    local ending = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(2)
      end)
      return "done"
    end)
    local h, i = swarm.race { gives("x", 1), ending }
    assert.equal("pass", h.status)
    assert.equal(1, i)
    assert.equal("cancelled", ending.status)
  end)
end)

describe("all", function()
  it("gives values in the order of the list, whoever is first", function()
    local values, blockeds = swarm.all { gives("a", 3), gives("b", 1), gives("c", 2), gives "d" }
    assert.same({ "a", "b", "c", "d" }, values)
    assert.is_nil(blockeds)
  end)

  it("waits as long as the slowest", function()
    assert.equal(
      3,
      seconds_of(function()
        swarm.all { gives("a", 3), gives("b", 1), swarm.spawn("sleeper", 2) }
      end)
    )
  end)

  it("gives the reader copies of its own", function()
    local h = swarm.spawn(gives { 1 })
    local values = swarm.all { h, h }
    values[1][1] = "changed"
    assert.same({ 1 }, values[2])
    assert.same({ 1 }, h:result())
  end)

  it("leaves nil and false where that is the value", function()
    local values = swarm.all { gives(nil), gives(false), gives(3) }
    assert.is_nil(values[1])
    assert.is_false(values[2])
    assert.equal(3, values[3])
  end)

  it("puts blocked values in place and their errors beside", function()
    local values, blockeds = swarm.all { gives(1), blocks(2, "not enough"), blocks(nil, "no") }
    assert.same({ 1, 2 }, values)
    assert.equal("blocked", blockeds[2].code)
    assert.equal("not enough", blockeds[2].reason)
    assert.equal("no", blockeds[3].reason)
    assert.is_nil(blockeds[1])
  end)

  it("hands a block on where a worker returns it", function()
    local value, err = swarm.call "hands_on"
    assert.same({ 1, 2 }, value)
    assert.equal("blocked", err.code)
    assert.equal("1 worker is blocked; [2]: not enough", err.reason)
  end)

  it("raises the first failure by time, not by place", function()
    assert.equal("early", code_of(swarm.all, { breaks("late", 2), breaks("early", 1), gives(1) }))
  end)

  it("raises the member's own error, with the tracebacks of worker and spawner", function()
    local function bad()
      error { code = "mine", detail = { 1, 2 } }
    end
    local err = raised(function()
      local values = swarm.all { bad }
      return values
    end)
    assert.equal("mine", err.code)
    assert.same({ 1, 2 }, err.detail)
    assert.matches("gather_spec.lua:%d+: in function", err.traceback)
    assert.matches("gather_spec.lua:%d+$", err.spawned_at)
    assert.matches("^T%-%d+$", err.task_id)
  end)

  it("raises a timeout and a cancel of a member too", function()
    local err = raised(swarm.all, { swarm.spawn "brief", gives(1, 9) })
    assert.equal("timeout", err.code)
    local h = swarm.spawn "sleeper"
    swarm.cancel(h, "not wanted")
    err = raised(swarm.all, { gives(1, 3), h })
    assert.equal("cancelled", err.code)
    assert.equal("not wanted", err.reason)
  end)

  it("fails its worker with the member's error as cause", function()
    local _, err = swarm.join(swarm.spawn(function()
      swarm.all { breaks "inner" }
    end))
    assert.equal("failed", err.code)
    assert.equal("inner", err.cause.code)
  end)

  it("is not cancelled by a member that was", function()
    local h = swarm.spawn "sleeper"
    swarm.cancel(h)
    local caller = swarm.spawn(function()
      swarm.all { h }
    end)
    swarm.join(caller)
    assert.equal("failed", caller.status)
  end)

  it("attaches what failed besides, in clean-up too, each once", function()
    local log = {}
    local handle = swarm.spawn(cleans(log, 2, "handle's clean-up"))
    local err = raised(swarm.all, {
      cleans(log, 3, "clean-up"),
      handle,
      breaks("first", 1),
      breaks("second", 1),
      handle,
    })
    assert.equal("first", err.code)
    assert.same({ "second", "handle's clean-up", "clean-up" }, codes_of(err.others))
  end)

  it("attaches nothing twice where two calls fail by the same worker", function()
    local bad = swarm.spawn(breaks "bad")
    local other = swarm.spawn(breaks "other")
    swarm.join(bad)
    swarm.join(other)
    raised(swarm.all, { bad, other })
    local err = raised(swarm.all, { bad, other })
    assert.same({ "other" }, codes_of(err.others))
  end)

  it("keeps the first error of a member that was none of a table", function()
    local err = raised(swarm.all, {
      function()
        error("plain text", 0)
      end,
    })
    assert.equal("plain text", err.message)
    assert.equal("failed", err.code)
  end)

  it("takes handles that have settled already", function()
    local a, b = swarm.spawn("double", 1), swarm.spawn("double", 2)
    swarm.join(a)
    swarm.join(b)
    assert.equal(
      0,
      seconds_of(function()
        assert.same({ 4, 2 }, (swarm.all { b, a }))
      end)
    )
  end)

  it("nests", function()
    local function leaf(n)
      return function()
        swarm.sleep(n)
        return n
      end
    end
    local function branch(n)
      return function()
        return (swarm.all { leaf(n), leaf(n + 1) })
      end
    end
    assert.equal(
      4,
      seconds_of(function()
        assert.same({ { 1, 2 }, { 3, 4 } }, (swarm.all { branch(1), branch(3) }))
      end)
    )
  end)

  it("cancels nested calls to the bottom, and waits for them", function()
    local log = {}
    local err = raised(swarm.all, {
      function()
        swarm.any {
          function()
            swarm.race { cleans(log, 2), cleans(log, 3) }
          end,
        }
      end,
      breaks("first", 1),
    })
    assert.equal("first", err.code)
    assert.same({ 3, 4 }, log)
  end)

  it("works inside a coroutine of the author's", function()
    local co = coroutine.wrap(function()
      coroutine.yield((swarm.all { gives(1, 1), gives(2, 2) }))
      return "over"
    end)
    assert.same({ 1, 2 }, co())
    assert.equal("over", co())
  end)

  it("says so where a C function is in the way, and leaves nothing behind", function()
    for _, call in ipairs { "all", "any", "race", "settle" } do
      local h = swarm.spawn "sleeper"
      local err
      local _ = ("x"):gsub("x", function()
        err = raised(swarm[call], { gives(1, 1), h })
      end)
      assert.equal("invalid_argument", err.code)
      assert.matches("string.gsub or table.sort", err.message)
      assert.is_true(h:cancel())
    end
  end)

  it("needs not wait for what has settled, not even below a C function", function()
    local h = swarm.spawn("double", 2)
    swarm.join(h)
    local got
    local _ = ("x"):gsub("x", function()
      got = swarm.all { h }
    end)
    assert.same({ 4 }, got)
  end)
end)

describe("map", function()
  it("gives the workers the items as input, and values in the order of the items", function()
    assert.same({ 2, 4, 6 }, (swarm.map("double", { 1, 2, 3 })))
    local values = swarm.map(function(_, item)
      swarm.sleep(item)
      return item * 10
    end, { 3, 1, 2 })
    assert.same({ 30, 10, 20 }, values)
  end)

  it("runs all at once without concurrency", function()
    assert.equal(
      4,
      seconds_of(function()
        swarm.map("sleeper", { 1, 2, 3, 4 })
      end)
    )
  end)

  it("holds at most concurrency workers, and starts the next as one settles", function()
    local live, most, starts = 0, 0, {}
    local taken = seconds_of(function()
      swarm.map(function(_, seconds)
        live = live + 1
        most = math.max(most, live)
        starts[#starts + 1] = swarm.monotonic()
        swarm.sleep(seconds)
        live = live - 1
      end, { 5, 1, 1, 1, 4 }, { concurrency = 2 })
    end)
    assert.equal(2, most)
    assert.equal(7, taken)
    assert.same({ 0, 0, 1, 2, 3 }, starts)
  end)

  it("takes them one by one with concurrency 1", function()
    local order = {}
    swarm.map(function(_, i)
      order[#order + 1] = i
      swarm.sleep(3 - i)
      order[#order + 1] = -i
    end, { 1, 2, 3 }, { concurrency = 1 })
    assert.same({ 1, -1, 2, -2, 3, -3 }, order)
  end)

  it("spawns no worker before there is a place for it", function()
    local ids = {}
    local first = swarm.spawn(gives(0)).id:sub(3)
    swarm.map(function(ctx, i)
      ids[i] = ctx.id:sub(3) - first
      if i == 1 then
        swarm.spawn(gives(0)) -- takes an id between
      end
    end, { 1, 2, 3 }, { concurrency = 1 })
    assert.same({ 1, 3, 4 }, ids)
  end)

  it("starts nothing more after the first failure, and raises it", function()
    local begun = {}
    local err = raised(swarm.map, function(_, i)
      begun[#begun + 1] = i
      swarm.sleep(1)
      if i == 3 then
        error { code = "third" }
      end
    end, { 1, 2, 3, 4, 5, 6, 7, 8 }, { concurrency = 2 })
    assert.equal("third", err.code)
    assert.same({ 1, 2, 3, 4 }, begun)
    swarm.sleep(10)
    assert.equal(4, #begun)
  end)

  it("cancels the workers left, and attaches what fails in their clean-up", function()
    local log = {}
    local err = raised(swarm.map, function(_, i)
      if i == 1 then
        swarm.sleep(1)
        error { code = "first" }
      end
      return cleans(log, i, "clean-up")()
    end, { 1, 2, 3 })
    assert.equal("first", err.code)
    assert.same({ "clean-up", "clean-up" }, codes_of(err.others))
    assert.same({ 3, 4 }, log)
  end)

  it("puts blocked values in place and their errors beside", function()
    local values, blockeds = swarm.map(function(_, i)
      if i == 2 then
        return "half", "too little"
      end
      return i
    end, { 1, 2, 3 }, { concurrency = 1 })
    assert.same({ 1, "half", 3 }, values)
    assert.equal("too little", blockeds[2].reason)
  end)

  it("copies items as they cross, and the list of them as it begins", function()
    local items = { { n = 1 }, { n = 2 }, { n = 3 } }
    local values = swarm.map(function(_, item)
      items[3] = nil
      items[4] = { n = 9 }
      item.n = item.n * 10
      swarm.yield()
      return item.n
    end, items, { concurrency = 1 })
    assert.same({ 10, 20, 30 }, values)
    assert.equal(1, items[1].n)
  end)

  it("takes false, tables and handles as items", function()
    local h = swarm.spawn("double", 1)
    local values = swarm.map(function(_, item)
      return item == false and "false" or item == h and "handle" or #item
    end, { false, h, { 1, 2 } })
    assert.same({ "false", "handle", 2 }, values)
  end)

  it("names the item that cannot cross, and cancels what it began", function()
    local begun = swarm.spawn(function()
      local h
      local err = raised(swarm.map, function(ctx)
        h = ctx
        swarm.sleep(100)
      end, { 1, { fn = print }, 3 })
      return { message = err.message, code = err.code, begun = h ~= nil }
    end)
    local got = begun:result()
    assert.equal("invalid_value", got.code)
    assert.matches("items%[2%]: input.fn", got.message)
    assert.is_false(got.begun)
  end)

  it("refuses what is no list of items", function()
    for _, wrong in ipairs { 1, "x", true } do
      assert.equal("invalid_argument", code_of(swarm.map, "double", wrong))
    end
    assert.equal("invalid_argument", code_of(swarm.map, "double"))
    assert.matches("%[2%] is nil", raised(swarm.map, "double", { 1, nil, 3 }).message)
    assert.matches('the key "a"', raised(swarm.map, "double", { a = 1 }).message)
  end)

  it("refuses a name that does not exist, items or none", function()
    for _, items in ipairs { {}, { 1 } } do
      local err = raised(swarm.map, "dubble", items)
      assert.equal("not_registered", err.code)
      assert.matches("double", err.message)
    end
    for _, wrong in ipairs { 1, {}, true } do
      assert.equal("invalid_argument", code_of(swarm.map, wrong, { 1 }))
    end
    assert.equal("invalid_argument", code_of(swarm.map, nil, { 1 }))
    assert.equal("invalid_argument", code_of(swarm.map, { 1 }, gives(1)))
  end)

  it("takes a whole number as concurrency, and no other option", function()
    for _, wrong in ipairs { 0, -1, 1.5, "2", true, 0 / 0, math.huge } do
      local err = raised(swarm.map, "double", { 1 }, { concurrency = wrong })
      assert.equal("invalid_argument", err.code, tostring(wrong))
      assert.matches("whole number", err.message)
    end
    local err = raised(swarm.map, "double", { 1 }, { concurency = 2 })
    assert.matches("did you mean concurrency", err.message)
    assert.equal("invalid_argument", code_of(swarm.map, "double", { 1 }, 5))
    assert.same({ 2 }, (swarm.map("double", { 1 }, { concurrency = 100 })))
    assert.same({ 2 }, (swarm.map("double", { 1 }, {})))
  end)

  it("goes through a hundred thousand items ten at a time", function()
    local items, live, most = {}, 0, 0
    for i = 1, 100000 do
      items[i] = i
    end
    local values = swarm.map(function(_, i)
      live = live + 1
      most = math.max(most, live)
      if i % 1000 == 0 then
        swarm.yield()
      end
      live = live - 1
      return i
    end, items, { concurrency = 10 })
    assert.equal(100000, #values)
    assert.equal(100000, values[100000])
    assert.truthy(most <= 10)
  end)

  it("waits in turn where the worker has slots of its own", function()
    assert.same({ "leaf", "leaf", "leaf" }, (swarm.map("single", { "leaf", "leaf", "leaf" })))
  end)

  it("has settled all it began when the caller is cancelled", function()
    local log, begun = {}, 0
    local caller = swarm.spawn(function()
      swarm.map(function()
        begun = begun + 1
        return cleans(log, begun)()
      end, { 1, 2, 3, 4 }, { concurrency = 2 })
    end)
    swarm.sleep(1)
    swarm.cancel(caller)
    swarm.join(caller)
    assert.equal("cancelled", caller.status)
    assert.equal(2, begun)
    assert.same({ 2, 3 }, log)
  end)
end)

describe("any", function()
  it("gives the value and place of the first that passes", function()
    local value, i = swarm.any { gives("slow", 3), breaks "quick", gives("second", 1) }
    assert.equal("second", value)
    assert.equal(3, i)
  end)

  it("goes on past what is blocked, failed, timed out or cancelled", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled)
    local list =
      { blocks(1, "no"), breaks "broke", swarm.spawn "brief", cancelled, gives("late", 9) }
    local value, i = swarm.any(list)
    assert.equal("late", value)
    assert.equal(5, i)
  end)

  it("passes with nil and false as well", function()
    local value, i = swarm.any { gives(false) }
    assert.is_false(value)
    assert.equal(1, i)
    value, i = swarm.any { breaks "x", gives(nil, 1) }
    assert.is_nil(value)
    assert.equal(2, i)
  end)

  it("raises none_passed with the error of each, by index", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled)
    local err = raised(function()
      swarm.any { breaks("one", 3), blocks(2, "no"), cancelled, breaks("four", 1) }
    end)
    assert.equal("none_passed", err.code)
    assert.same({ "one", "blocked", "cancelled", "four" }, codes_of(err.errors))
    assert.matches("none of the 4 workers of swarm.any passed; the first: ", err.message)
    assert.matches("gather_spec.lua:%d+$", err.where)
  end)

  it("owns the failures before the pass", function()
    local h = swarm.spawn(breaks "owned")
    local outer = swarm.spawn(function()
      local bad = swarm.spawn(breaks "mine")
      return (swarm.any { bad, h, gives("x", 1), breaks "function's" })
    end)
    assert.equal("x", outer:result())
  end)

  it("returns its value though a loser fails in its clean-up, and fails nobody by it", function()
    local log = {}
    local outer = swarm.spawn(function()
      local mine = swarm.spawn(cleans(log, 1, "handle's"))
      return (swarm.any { mine, cleans(log, 2, "function's"), gives("x", 1) })
    end)
    assert.equal("x", outer:result())
    assert.equal("pass", outer.status)
    assert.same({ 2, 3 }, log)
  end)

  it("gives the reader a copy of its own", function()
    local h = swarm.spawn(gives { 1 })
    local value = swarm.any { h }
    value[1] = "changed"
    assert.same({ 1 }, h:result())
  end)
end)

describe("race", function()
  it("gives the handle and place of the first that settles", function()
    local h, i = swarm.race { gives("slow", 2), gives("quick", 1) }
    assert.equal("quick", h:result())
    assert.equal(2, i)
  end)

  it("is won by a failure, a block, a timeout and a cancel alike", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled)
    for status, member in pairs {
      failed = breaks("x", 1),
      blocked = blocks(1, "no"),
      timeout = swarm.spawn "brief",
      cancelled = cancelled,
    } do
      local h = swarm.race { gives("slow", 50), member }
      assert.equal(status, h.status)
    end
  end)

  it("owns the winner's failure, and that of losers in their clean-up", function()
    local log = {}
    local outer = swarm.spawn(function()
      local bad = swarm.spawn("fail_after", 1)
      local loser = swarm.spawn(cleans(log, 1, "clean-up"))
      local h = swarm.race { loser, bad, cleans(log, 2, "clean-up") }
      return h.status
    end)
    assert.equal("failed", outer:result())
    assert.same({ 2, 3 }, log)
  end)

  it("gives one winner where several settle at the same time", function()
    local h, i = swarm.race { gives("a", 1), gives("b", 1), gives("c", 1) }
    assert.equal("a", h:result())
    assert.equal(1, i)
  end)
end)

describe("settle", function()
  it("gives status, value and err of each, in the order of the list", function()
    local cancelled = swarm.spawn "sleeper"
    swarm.cancel(cancelled, "unwanted")
    local list =
      { gives(1, 3), blocks(2, "no"), breaks("broke", 1), swarm.spawn "brief", cancelled }
    local ends = swarm.settle(list)
    local statuses, errs = {}, {}
    for i, outcome in ipairs(ends) do
      statuses[i] = outcome.status
      errs[i] = outcome.err and outcome.err.code or "none"
    end
    assert.same({ "pass", "blocked", "failed", "timeout", "cancelled" }, statuses)
    assert.same({ "none", "blocked", "broke", "timeout", "cancelled" }, errs)
    assert.equal(1, ends[1].value)
    assert.equal(2, ends[2].value)
    assert.is_nil(ends[3].value)
  end)

  it("gives outcomes that a worker may return, errors and all", function()
    local ends = swarm.call(function()
      return swarm.settle { gives(1), breaks "broke" }
    end)
    assert.same({ "pass", 1 }, { ends[1].status, ends[1].value })
    assert.same({ "failed", "broke" }, { ends[2].status, ends[2].err.code })
  end)

  it("never raises for them, and cancels nobody", function()
    local quiet = swarm.spawn("sleeper", 4)
    assert.equal(
      4,
      seconds_of(function()
        swarm.settle { breaks "x", quiet }
      end)
    )
    assert.equal("pass", quiet.status)
  end)

  it("owns every failure", function()
    local outer = swarm.spawn(function()
      local bad = swarm.spawn(breaks "mine")
      return #swarm.settle { bad, breaks "function's" }
    end)
    assert.equal(2, outer:result())
  end)

  it("gives each reader copies of its own", function()
    local h = swarm.spawn(gives { 1 })
    local first, second = unpack(swarm.settle { h, h })
    first.value[1] = "changed"
    assert.same({ 1 }, second.value)
    assert.same({ 1 }, h:result())
  end)
end)

describe("each", function()
  it("gives members in the order in which they settle", function()
    local order = {}
    for i, h in swarm.each { gives("a", 3), gives("b", 1), swarm.spawn("sleeper", 2) } do
      order[#order + 1] = i .. " " .. h:result() .. " " .. swarm.monotonic()
    end
    assert.same({ "2 b 1", "3 slept 2", "1 a 3" }, order)
  end)

  it("keeps the order while the loop is busy", function()
    local order = {}
    for i in swarm.each { gives(1, 3), gives(2, 2), gives(3, 1), gives(4, 9) } do
      order[#order + 1] = i
      swarm.sleep(4)
    end
    assert.same({ 3, 2, 1, 4 }, order)
  end)

  it("keeps the order of those that settle at the same time", function()
    local order = {}
    for i in swarm.each { gives(1, 2), gives(2, 1), gives(3, 2), gives(4, 1) } do
      order[#order + 1] = i
    end
    assert.same({ 2, 4, 1, 3 }, order)
  end)

  it("takes handles from anywhere, and every member once", function()
    local list, expected = {}, {}
    for i = 1, 10 do
      list[i] = swarm.spawn(function()
        if i % 2 == 0 then
          swarm.yield()
        end
        return "FINISH " .. i
      end, nil, { detached = true })
      expected[i] = "FINISH " .. i
    end
    local results, count = {}, 0
    for i, h in swarm.each(list) do
      results[i], count = h:result(), count + 1
    end
    assert.same(expected, results)
    assert.equal(10, count)
  end)

  it("leaves a failure to who joins in the loop", function()
    local results, failure = {}, nil
    local list = {}
    for i = 1, 10 do
      list[i] = function()
        swarm.sleep(i)
        if i == 3 then
          error("ERROR IN TASK " .. i)
        end
        return "FINISH " .. i
      end
    end
    for i, h in swarm.each(list) do
      local ok, value = pcall(h.result, h)
      if not ok then
        failure = value
        break
      end
      results[i] = value
    end
    assert.matches("gather_spec.lua:%d+: ERROR IN TASK 3", failure.message)
    assert.same({ "FINISH 1", "FINISH 2" }, results)
  end)

  it("owns nothing: a failure that nobody joined fails the block", function()
    local err = raised(swarm.timeout, 60, function()
      for _ in swarm.each { breaks "unowned", gives(1) } do
      end
    end)
    assert.equal("children_failed", err.code)
    assert.same({ "unowned" }, codes_of(err.errors))
    err = raised(swarm.scope, function()
      for _ in swarm.each { breaks("cancels", 1), gives(1, 50) } do
      end
    end)
    assert.equal("cancels", err.code)
  end)

  it("knows an error that is false as a failure", function()
    local _, h = swarm.each {
      function()
        error(false, 0)
      end,
    }()
    local ok, err = swarm.join(h)
    assert.is_nil(ok)
    assert.equal("failed", err.code)
  end)

  it("ends well before an error of the caller's own", function()
    local results = {}
    local h = swarm.spawn(function()
      for i, one in swarm.each { gives "FINISH" } do
        results[i] = one:result()
      end
      error "GOT HERE"
    end)
    local _, err = swarm.join(h)
    assert.matches("GOT HERE", err.message)
    assert.same({ "FINISH" }, results)
  end)

  it("gives a cancelled member too", function()
    local list = {}
    for i = 1, 4 do
      list[i] = swarm.spawn(i == 2 and "sleeper" or gives(i))
    end
    list[2]:cancel()
    local results, codes = {}, {}
    for i, h in swarm.each(list) do
      local ok, value = pcall(h.result, h)
      if ok then
        results[i] = value
      else
        codes[#codes + 1] = value.code
      end
    end
    assert.same({ [1] = 1, [3] = 3, [4] = 4 }, results)
    assert.same({ "cancelled" }, codes)
  end)

  it("keeps few nodes of loops that were left", function()
    local long = swarm.spawn "sleeper"
    local function leaves_loops(n)
      for _ = 1, n do
        assert.equal(2, (swarm.each { long, gives(1) }()))
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local before = leaves_loops(1000)
    assert.truthy(leaves_loops(50000) - before < 5000, "50,000 loops must not stay")
    assert.equal("running", long.status)
    swarm.cancel(long)
    local seen
    for _, h in swarm.each { long } do
      seen = h.status
    end
    assert.equal("cancelled", seen)
  end)

  it("ends at once for an empty list", function()
    local steps = 0
    for _ in swarm.each {} do
      steps = steps + 1
    end
    assert.equal(0, steps)
  end)

  it("gives nil after the last, again and again", function()
    local step = swarm.each { gives(1) }
    assert.equal(1, (step()))
    for _ = 1, 3 do
      assert.is_nil((step()))
    end
  end)

  it("leaves members alone when the loop is left", function()
    local slow = swarm.spawn("sleeper", 5)
    assert.equal(2, (swarm.each { slow, gives("x", 1) }()))
    assert.equal("running", slow.status)
    assert.equal("slept", slow:result())
  end)

  it("makes its functions children of the block that calls", function()
    local log = {}
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 2, function()
        for _ in swarm.each { cleans(log, 1), gives(1, 1) } do
        end
      end)
    )
    assert.same({ 3 }, log)
  end)

  it("gives each member to one of several workers that take", function()
    local step = swarm.each { gives(1, 1), gives(2, 2), gives(3, 3), gives(4, 4) }
    local function takes()
      local got = {}
      for i in step do
        got[#got + 1] = i
      end
      return got
    end
    local got = swarm.all { takes, takes }
    local all = {}
    for _, list in ipairs(got) do
      for _, i in ipairs(list) do
        all[#all + 1] = i
      end
    end
    table.sort(all)
    assert.same({ 1, 2, 3, 4 }, all)
    assert.is_nil((step()))
  end)

  it("loses nothing when a worker that takes is cancelled as its member comes", function()
    local step = swarm.each { gives("at once", 1), gives("later", 50) }
    local first = swarm.spawn(function()
      return (step())
    end)
    local second = swarm.spawn(function()
      return { (step()), swarm.monotonic() }
    end)
    swarm.sleep(0.5)
    swarm.spawn(function()
      swarm.sleep(0.5) -- its timer rings right after the member's
      swarm.cancel(first)
    end)
    swarm.join(first)
    assert.equal("cancelled", first.status)
    local got = second:result()
    assert.equal(1, got[1])
    assert.equal(1, got[#got])
  end)

  it("is a point of cancellation at every step", function()
    local done = swarm.spawn(gives(1))
    swarm.join(done)
    local steps = 0
    local h = swarm.spawn(function(ctx)
      for _ in swarm.each { done, done, done } do
        steps = steps + 1
        ctx:cancel()
      end
    end)
    swarm.join(h)
    assert.equal("cancelled", h.status)
    assert.equal(1, steps)
  end)

  it("says so where a C function is in the way, and can go on after", function()
    local step = swarm.each { gives(1, 1) }
    local err
    local _ = ("x"):gsub("x", function()
      err = raised(step)
    end)
    assert.matches("swarm.each cannot wait inside", err.message)
    assert.equal(1, (step()))
  end)
end)

describe("failures, cancels and deadlines", function()
  it("are owned by the calls that return or raise them", function()
    local h = swarm.spawn(function()
      local a, b = swarm.spawn(breaks "a"), swarm.spawn(breaks "b")
      local c, d = swarm.spawn(breaks "c"), swarm.spawn(breaks "d")
      pcall(swarm.all, { a })
      pcall(swarm.any, { b })
      swarm.race { c }
      swarm.settle { d }
      return "none left"
    end)
    assert.equal("none left", h:result())
  end)

  it("show others who join a member the same end", function()
    local bad = swarm.spawn("fail_after", 2)
    local joiner = swarm.spawn(function()
      local _, err = swarm.join(bad)
      return err.code
    end)
    assert.equal("broke", code_of(swarm.all, { bad, gives(1, 9) }))
    assert.equal("broke", joiner:result())
    local _, err = bad:join()
    assert.equal("broke", err.code)
  end)

  it("show a joiner of a loser that it was cancelled", function()
    local slow = swarm.spawn "sleeper"
    local joiner = swarm.spawn(function()
      local _, err = swarm.join(slow)
      return err.code
    end)
    swarm.race { slow, gives(1, 1) }
    assert.equal("cancelled", joiner:result())
  end)

  it("reach two groups that hold the same worker", function()
    local shared = swarm.spawn("sleeper", 2)
    local function waits()
      return swarm.all({ shared, gives(1) })[1]
    end
    assert.same({ "slept", "slept" }, (swarm.all { waits, waits }))
  end)

  it("raise in a caller that is cancelled already, before anything is started", function()
    local begun, codes = false, {}
    local function begins()
      begun = true
    end
    local h = swarm.spawn(function(ctx)
      ctx:cancel()
      for _, call in ipairs(CALLS) do
        codes[#codes + 1] = code_of(swarm[call], { begins })
      end
      codes[#codes + 1] = code_of(swarm.map, begins, { 1 })
    end)
    swarm.join(h)
    assert.equal(
      "cancelled cancelled cancelled cancelled cancelled cancelled",
      table.concat(codes, " ")
    )
    assert.is_false(begun)
  end)

  it("cancel the functions and leave the handles alone where the caller is cancelled", function()
    for _, call in ipairs(CALLS) do
      local log = {}
      local handle = swarm.spawn("sleeper", 10)
      local start = swarm.monotonic()
      local caller = swarm.spawn(function()
        drained(call) { handle, cleans(log, 2) }
      end)
      swarm.sleep(1)
      swarm.cancel(caller)
      swarm.join(caller)
      assert.equal("cancelled", caller.status, call)
      assert.same({ start + 3 }, log, call)
      assert.equal("running", handle.status, call)
      assert.equal("slept", handle:result(), call)
    end
  end)

  it("leave the failure of a handle unowned where the caller was cancelled first", function()
    local err = raised(swarm.timeout, 60, function()
      local bad = swarm.spawn("fail_after", 5)
      local caller = swarm.spawn(function()
        swarm.settle { bad }
      end)
      swarm.sleep(1)
      swarm.cancel(caller)
      swarm.join(caller)
    end)
    assert.equal("children_failed", err.code)
    assert.same({ "broke" }, codes_of(err.errors))
  end)

  it("have what failed of the functions in others of the cancel", function()
    local caller = swarm.spawn(function()
      swarm.settle { breaks "before", cleans({}, 1, "clean-up") }
    end)
    swarm.sleep(1)
    swarm.cancel(caller)
    local _, err = swarm.join(caller)
    assert.equal("cancelled", err.code)
    assert.same({ "before", "clean-up" }, codes_of(err.others))
  end)

  it("raise a failure that came before the cancel", function()
    local caller
    caller = swarm.spawn(function()
      swarm.all {
        function()
          swarm.sleep(1)
          swarm.spawn(function()
            caller:cancel()
          end, nil, { detached = true })
          error { code = "came first" }
        end,
        gives(1, 50),
      }
    end)
    local _, err = swarm.join(caller)
    assert.equal("failed", err.code)
    assert.equal("came first", err.cause.code)
  end)

  it("end by a timeout around, with the functions settled and what failed attached", function()
    for _, call in ipairs(CALLS) do
      local log = {}
      local start = swarm.monotonic()
      local err = raised(swarm.timeout, 2, function()
        drained(call) { cleans(log, 3, "clean-up"), gives(1, 60) }
      end)
      assert.equal("timeout", err.code, call)
      assert.same({ "clean-up" }, codes_of(err.others), call)
      assert.same({ start + 5 }, log, call)
    end
  end)

  it("leave handles of outside alone where a timeout around ends the call", function()
    local h = swarm.spawn("sleeper", 5)
    assert.equal(
      "timeout",
      code_of(swarm.timeout, 1, function()
        swarm.all { h }
      end)
    )
    assert.equal("running", h.status)
    assert.same({ "slept" }, (swarm.all { h }))
  end)

  it("wait in a shield that hides the cancel", function()
    local got
    local caller = swarm.spawn(function()
      swarm.shield(function()
        got = swarm.all { gives("a", 3), gives("b", 1) }
      end)
    end)
    swarm.sleep(2)
    swarm.cancel(caller)
    swarm.join(caller)
    assert.same({ "a", "b" }, got)
    assert.equal("cancelled", caller.status)
  end)

  it(
    "end cancelled, and not failed, where the caller and its members are cancelled at once",
    function()
      for _, call in ipairs(CALLS) do
        local caller
        local parent = swarm.spawn(function()
          local a = swarm.spawn "sleeper"
          local later -- spawned after the caller, and so cancelled before it
          caller = swarm.spawn(function()
            swarm.yield()
            drained(call) { a, later }
          end)
          later = swarm.spawn "sleeper"
          swarm.sleep(100)
        end)
        swarm.sleep(1)
        swarm.cancel(parent)
        swarm.join(parent)
        assert.equal("cancelled", parent.status, call)
        assert.equal("cancelled", caller.status, call)
      end
    end
  )

  it("end cancelled where a member that never began is cancelled along with the caller", function()
    local holder = swarm.spawn("one_sleeper")
    for _, call in ipairs(CALLS) do
      local caller
      local parent = swarm.spawn(function()
        local queued -- settles as it is cancelled, which is before the caller is
        caller = swarm.spawn(function()
          swarm.yield()
          drained(call) { queued, swarm.spawn "sleeper" }
        end)
        queued = swarm.spawn "one_sleeper"
        swarm.sleep(100)
      end)
      swarm.sleep(1)
      swarm.cancel(parent)
      swarm.join(parent)
      assert.equal("cancelled", caller.status, call)
    end
    swarm.cancel(holder)
  end)

  it("raise the cancel where a member fails because of it", function()
    for _, call in ipairs(CALLS) do
      local code
      local caller = swarm.spawn(function()
        local ok, err = pcall(drained(call), {
          gives(1, 60),
          function() -- the youngest is cancelled first
            pcall(swarm.sleep, 100)
            error { code = "clean-up" }
          end,
        })
        code = not ok and err.code
        error(err)
      end)
      swarm.sleep(1)
      swarm.cancel(caller)
      local _, err = swarm.join(caller)
      assert.equal("cancelled", code, call)
      assert.equal("cancelled", err.code, call)
      assert.same({ "clean-up" }, codes_of(err.others), call)
    end
  end)

  it("are the same for detached members", function()
    local h = swarm.spawn("sleeper", nil, { detached = true })
    local value = swarm.any { h, gives("x", 1) }
    assert.equal("x", value)
    assert.equal("cancelled", h.status)
    local bad = swarm.spawn(breaks "detached", nil, { detached = true })
    assert.equal("detached", code_of(swarm.all, { bad }))
  end)

  it("have no meaning while a script loads", function()
    for _, call in ipairs { "all", "map", "any", "race", "settle", "each" } do
      assert.equal("not_while_loading", while_loading[call], call)
    end
  end)

  it("keep what broke below a loser, and what broke below a member that was cancelled", function()
    local function parent()
      swarm.spawn(cleans({}, 1, "below"))
      swarm.sleep(100)
    end
    local outer = swarm.spawn(function()
      local mine = swarm.spawn(parent)
      local h = swarm.race { parent, mine, gives(1, 1) }
      return (swarm.any { parent, gives(h.status, 1) })
    end)
    assert.equal("pass", outer:result())
    local err = raised(swarm.all, { parent, breaks("first", 1) })
    assert.equal("first", err.code)
    assert.same({ "below" }, codes_of(err.others[1].others))
  end)

  it("end retries, and count a member once, at its last attempt", function()
    local tries = 0
    local h = swarm.spawn(function()
      tries = tries + 1
      swarm.sleep(1)
      if tries < 3 then
        error "again"
      end
      return tries
    end, nil, { retries = { max = 5, backoff = 0 } })
    assert.same({ 3 }, (swarm.all { h }))
    tries = -100
    local never = swarm.spawn(function()
      tries = tries + 1
      error "again"
    end, nil, { retries = { max = 50, backoff = 2, factor = 1, jitter = false } })
    swarm.race { never, gives(1, 3) }
    assert.equal("cancelled", never.status)
    assert.equal(-98, tries)
  end)

  it("start nothing, and watch nothing, where a function may not be spawned", function()
    local h = swarm.spawn("sleeper", 1)
    assert.same({ "role_violation", "pending" }, (swarm.call("may_not_spawn", h)))
    assert.equal("slept", h:result())
  end)
end)

describe("deadlock", function()
  it("is raised at once for a list that holds the caller", function()
    for _, call in ipairs(CALLS) do
      local h = swarm.spawn(function(ctx)
        return raised(swarm[call], { gives(1), ctx }).message
      end)
      assert.matches("swarm." .. call .. ": list%[2%] is the caller", h:result(), call)
    end
  end)

  it("is raised at once for a list that holds a worker above", function()
    for _, call in ipairs(CALLS) do
      local h = swarm.spawn(function(ctx)
        return swarm.call(function()
          local err = raised(swarm[call], { ctx })
          return err.code .. ": " .. err.message
        end)
      end)
      assert.matches("deadlock: .*list%[1%].*waits for those below it", h:result(), call)
    end
  end)

  it("is raised at once for a list that holds who joins the caller", function()
    for _, call in ipairs { "all", "settle" } do
      local caller
      local joiner = swarm.spawn(function()
        swarm.join(caller)
      end)
      caller = swarm.spawn(function()
        swarm.sleep(1)
        local err = raised(swarm[call], { gives(1), joiner })
        return err.code .. ": " .. err.message
      end)
      assert.matches("deadlock: .*list%[2%].*waits for the caller already", caller:result(), call)
      swarm.join(joiner)
    end
  end)

  it("is raised at once for who joins one that waits for it in a group", function()
    for _, call in ipairs { "all", "settle" } do
      local waiter
      local member = swarm.spawn(function()
        swarm.sleep(1)
        return code_of(swarm.join, waiter)
      end)
      waiter = swarm.spawn(function()
        swarm[call] { gives(1), member }
      end)
      assert.equal("deadlock", member:result(), call)
      swarm.join(waiter)
    end
  end)

  it("is raised at once for two groups that wait for each other", function()
    local a, b
    a = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.settle({ b })[1].status
    end)
    b = swarm.spawn(function()
      swarm.sleep(2)
      return code_of(swarm.all, { gives(1), a })
    end)
    assert.equal("deadlock", b:result())
    assert.equal("pass", a:result())
  end)

  it("is raised at once for a function that joins who waits for the group", function()
    local outer
    outer = swarm.spawn(function()
      return swarm.all({
        function()
          return code_of(swarm.join, outer)
        end,
      })[1]
    end)
    assert.equal("deadlock", outer:result())
  end)

  it("is raised at once where the workers above hold all slots that members need", function()
    for _, call in ipairs { "all", "settle" } do
      assert.equal("deadlock", swarm.call("single", call), call)
    end
    assert.equal("deadlock", code_of(swarm.call, "single", "map"))
  end)

  it("is none where a member that waits for the caller loses", function()
    local caller
    local joiner = swarm.spawn(function()
      swarm.join(caller)
    end)
    caller = swarm.spawn(function()
      swarm.sleep(1)
      local _, i = swarm.race { joiner, gives("x", 1) }
      local value = swarm.any { gives("y", 1), joiner }
      return i .. value
    end)
    assert.equal("2y", caller:result())
    assert.equal("cancelled", joiner.status)
  end)

  it("is none for a join with a timeout", function()
    local caller
    local joiner = swarm.spawn(function()
      local _, err = swarm.join(caller, { timeout = 3 })
      return err.code
    end)
    caller = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.all({ joiner })[1]
    end)
    assert.equal("poll_timeout", caller:result())
  end)
end)

describe("whatever is nested in whatever", function()
  -- Random trees of calls, whose leaves pass, fail, block, clean up or are cancelled by others.
  local function grow(random, state)
    local function pick(n)
      return math.floor(random() * n) + 1
    end

    local node -- a member: a function, or the handle of one

    local function leaf()
      local kind, seconds = pick(6), pick(4) - 1
      if kind == 1 then
        return gives(kind, seconds)
      elseif kind == 2 then
        return breaks("leaf", seconds)
      elseif kind == 3 then
        return blocks(kind, "leaf")
      elseif kind == 4 then
        return cleans({}, seconds, pick(2) == 1 and "clean-up" or nil)
      elseif kind == 5 then
        return function()
          swarm.sleep(seconds)
          local one = state.handles[pick(#state.handles)]
          if one then
            swarm.cancel(one)
          end
        end
      end
      return function()
        swarm.timeout(seconds, function()
          swarm.sleep(pick(4))
        end)
      end
    end

    local function branch(depth)
      local calls = { "all", "any", "race", "settle", "each", "map" }
      local call, n = calls[pick(6)], pick(4)
      return function()
        local open, list = 0, {}
        for i = 1, n do
          local member = node(depth - 1)
          list[i] = type(member) ~= "function" and member
            or function(...)
              open = open + 1
              local results = { pcall(member, ...) }
              open = open - 1
              if not results[1] then
                error(results[2], 0)
              end
              return results[2], results[3]
            end
        end
        local ok, err = pcall(function()
          if call == "map" then
            local items = {}
            for i = 1, n do
              items[i] = i
            end
            swarm.map(function(ctx, i)
              if type(list[i]) == "function" then
                return list[i](ctx)
              end
              return swarm.result(list[i])
            end, items, { concurrency = pick(n) })
          else
            drained(call)(list)
          end
        end)
        if call ~= "each" then
          state.left_open = state.left_open + open
        end
        if ok then
          local before = swarm.monotonic()
          if pcall(swarm.sleep, 1) and swarm.monotonic() ~= before + 1 then
            state.woken_early = state.woken_early + 1
          end
        else
          error(err, 0)
        end
      end
    end

    function node(depth)
      local member = (depth == 0 or pick(4) == 1) and leaf() or branch(depth)
      if pick(3) == 1 then
        local h = swarm.spawn(member, nil, { detached = pick(2) == 1 })
        state.handles[#state.handles + 1] = h
        return h
      end
      return member
    end

    return branch(4)
  end

  it("ends, with nothing open and nobody woken by mistake", function()
    local seed = 1
    local function random()
      seed = (seed * 16807) % 2147483647
      return seed / 2147483647
    end
    local ends = {}
    for _ = 1, 400 do
      local state = { handles = {}, left_open = 0, woken_early = 0 }
      local tree = swarm.spawn(grow(random, state))
      if random() < 0.3 then
        swarm.sleep(random() * 5)
        swarm.cancel(tree)
      end
      local _, err = swarm.join(tree, { timeout = 1000 })
      assert.not_equal("poll_timeout", err and err.code)
      for _, outcome in ipairs(swarm.settle(state.handles)) do
        ends[outcome.status] = (ends[outcome.status] or 0) + 1
      end
      ends[tree.status] = (ends[tree.status] or 0) + 1
      assert.equal(0, state.left_open)
      assert.equal(0, state.woken_early)
    end
    for _, status in ipairs { "pass", "blocked", "failed", "cancelled" } do
      assert.truthy(ends[status] and ends[status] > 100, status)
    end
  end)
end)

describe("cost", function()
  it("is the same for each end of a long list", function()
    local list = {}
    for i = 1, 100000 do
      list[i] = gives(i)
    end
    local values = swarm.all(list)
    assert.equal(100000, values[100000])
    local count = 0
    for _ in swarm.each(list) do
      count = count + 1
    end
    assert.equal(100000, count)
    local _, i = swarm.race(list)
    assert.equal(1, i)
  end)

  it("gives others a turn for each turn of the members", function()
    local list, turns = {}, 0
    for i = 1, 50000 do
      list[i] = function()
        for _ = 1, 5 do
          swarm.yield()
        end
      end
    end
    local other = swarm.spawn(function()
      while true do
        turns = turns + 1
        swarm.yield()
      end
    end)
    swarm.all(list)
    swarm.cancel(other)
    assert.truthy(turns >= 5, turns)
  end)
end)
