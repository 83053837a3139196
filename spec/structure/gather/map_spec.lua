-- Proves gather.md, "map".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "gather_stock"
require "stock_workers"

local raised, code_of, codes_of = outcomes.raised, outcomes.code_of, outcomes.codes_of
local seconds_of = outcomes.seconds_of
local gives, cleans = stock.gives, stock.cleans

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
    local items = { { n = 1 }, { n = 2 }, { n = 3 } } ---@type table[]
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

describe("map with keep_going", function()
  local function odd(ctx, item)
    swarm.sleep(item)
    if item == 2 then
      error("two is even")
    elseif item == 3 then
      return "three", "it is blocked"
    elseif item == 4 then
      swarm.cancel(ctx.task_id, "enough")
      swarm.checkpoint()
    end
    return item
  end

  it("gives all items their turn, and the errors by index", function()
    local values, errs = swarm.map(odd, { 2, 1, 3, 4, 5 }, { keep_going = true, concurrency = 2 })
    assert.same({ [2] = 1, [3] = "three", [5] = 5 }, values)
    assert.same({ "failed", nil, "blocked", "cancelled" }, {
      errs[1].code,
      nil,
      errs[3].code,
      errs[4].code,
    })
    assert.matches("3 workers did not pass; %[1%]: .*two is even", tostring(errs))
  end)

  it("has no second table where all pass, and fails nobody", function()
    local values, errs = swarm.map(odd, { 1, 1 }, { keep_going = true })
    assert.same({ 1, 1 }, values)
    assert.is_nil(errs)
    swarm.call(function()
      swarm.map(odd, { 2 }, { keep_going = true })
    end)
  end)

  it("is true or false", function()
    assert.equal("invalid_argument", code_of(swarm.map, odd, {}, { keep_going = 1 }))
  end)
end)
