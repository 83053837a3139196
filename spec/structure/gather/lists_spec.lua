-- Proves gather.md, "Lists".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local raised, code_of, seconds_of = outcomes.raised, outcomes.code_of, outcomes.seconds_of
local CALLS, gives, breaks, drained = stock.CALLS, stock.gives, stock.breaks, stock.drained

swarm.role "no_poll" { extends = "worker", deny = { "poll_task" } }
swarm.role "no_cancel" { extends = "worker", deny = { "cancel_task" } }

local function tries_all()
  local codes = {}
  for _, call in ipairs(CALLS) do
    local gather = swarm[call] ---@type fun(list: any[]): any...
    local ok, err = pcall(gather, {
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

swarm.worker "may_not_poll" { role = "no_poll", run = tries_all }
swarm.worker "may_not_cancel" { role = "no_cancel", run = tries_all }

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
      ---@diagnostic disable-next-line: unknown-word
      swarm.all { gives(1), "double" }
    end)
    assert.matches('list%[2%].*"double"; swarm.spawn starts a worker by its name', err.message)
    assert.matches("lists_spec.lua:%d+$", err.where)
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
