-- Proves budgets.md.
local outcomes = require "outcomes"
local swarm = require "swarm"

local raised = outcomes.raised
local began = {}

---Uses `cost`, then takes its time and runs what is below it.
local function spends(ctx, input)
  began[#began + 1] = input.name or ctx.name
  if input.cost then
    ctx:usage { cost = input.cost }
  end
  swarm.sleep(input.seconds or 0)
  for _, child in ipairs(input.children or {}) do
    swarm.call(child.worker or "plain", child)
  end
  if input.fail then
    error("it failed")
  end
  return ctx.budget and ctx.budget.cost
end

swarm.worker "plain" { run = spends }
swarm.worker "bounded" { budget = { cost = 10 }, run = spends }
swarm.worker "small" { budget = { cost = 4 }, run = spends }
swarm.worker "two things" {
  budget = { cost = 10, tokens = 100 },
  run = function(ctx)
    ctx:usage { input = 60, output = 30 }
    local left = ctx.budget
    ctx:usage { tokens = 20 }
    local err = raised(swarm.call, "plain", {})
    return { left = left, what = err.what }
  end,
}
swarm.worker "an hour" {
  budget = { seconds = 3600 },
  run = function(ctx)
    swarm.sleep(3000)
    local left = ctx.budget.seconds
    swarm.call("plain", { seconds = 1000 }) -- it began in time
    ---@diagnostic disable-next-line: preferred-local-alias
    return { left, raised(swarm.call, "plain", {}).what, ctx.budget.seconds }
  end,
}
swarm.worker "tries" {
  budget = { cost = 5 },
  retries = { max = 9, backoff = 0 },
  run = function(ctx)
    ctx:usage { cost = 2 }
    error("it failed")
  end,
}
swarm.worker "streams" {
  command = {
    "printf",
    '{"type":"usage","cost":0.5}\n'
      .. '{"type":"final","ok":true,"content":{"kind":"inline","value":1}}\n',
  },
  output = { format = "ndjson" },
  budget = { cost = 1 },
}
swarm.worker "killed" {
  command = { "sh", "-c", [[printf '{"type":"usage","cost":0.5}\n'; exec sleep 1000]] },
  output = { format = "ndjson" },
}

swarm.worker "ten" {
  budget = { cost = 10 },
  run = function(ctx)
    local seen = { swarm.call("small", { cost = 1 }) }
    ctx:usage { cost = 7 }
    seen[2] = swarm.call("small", { cost = 0.5 })
    return seen
  end,
}
swarm.worker "takes" {
  budget = { cost = 10 },
  run = function(ctx)
    local one = swarm.spawn("small", { cost = 1, seconds = 10 })
    local two = swarm.spawn("small", { seconds = 20 })
    swarm.sleep(1)
    local seen = { ctx.budget.cost } ---@type any[]
    swarm.join(one)
    seen[2] = ctx.budget.cost + 1 -- 4 are taken, 1 is spent
    local big = swarm.spawn("small", { seconds = 1 })
    local rest = swarm.spawn("small", { seconds = 1 })
    swarm.sleep(0)
    local outcome = swarm.settle { swarm.spawn("small", {}) }
    seen[3] = outcome[1].err and outcome[1].err.code
    swarm.settle { two, big, rest }
    seen[4] = ctx.budget.cost
    return seen
  end,
}
swarm.worker "detaching" {
  budget = { cost = 10 },
  run = function()
    local h = swarm.spawn("plain", { cost = 10 }, { detached = true })
    swarm.join(h)
    return raised(swarm.call, "plain", {}).code
  end,
}

swarm.worker "capped" {
  budget = { cost = 2 },
  agent = {
    command = function(turn)
      return { "printf", '{"type":"end","left":%s}\\n', tostring(turn.budget.cost) }
    end,
    on = {
      ["end"] = function(turn, item)
        turn:used { cost = 0.5 }
        turn:answer(item.left)
      end,
    },
  },
}

swarm.worker "twice capped" {
  budget = { cost = 1.25 },
  run = function()
    return { swarm.call("capped", "go"), swarm.call("capped", "go") }
  end,
}

describe("usage", function()
  it("is added up along the tree, over all attempts", function()
    local h = swarm.spawn("plain", {
      cost = 1,
      children = {
        { cost = 2, children = { { cost = 4 } } },
        { cost = 8 },
      },
    })
    assert.same({}, h.usage)
    swarm.join(h)
    assert.same({ cost = 15 }, h.usage)
    local tried = swarm.spawn("tries")
    swarm.settle { tried }
    assert.same({ cost = 6 }, tried.usage)
  end)

  it("of input and output are tokens too", function()
    local h = swarm.spawn(function(ctx)
      ctx:usage { input = 10, output = 5, cached = 8 }
      ctx:usage { tokens = 7 }
      return ctx.usage
    end)
    local used = { input = 10, output = 5, cached = 8, tokens = 22 }
    assert.same(used, h:result())
    assert.same(used, h.usage)
  end)

  it("of a program that is killed is what it had told", function()
    local used = swarm.call(function(ctx)
      local h = swarm.spawn("killed")
      for event in swarm.follow(h) do
        if event.type == "usage" then
          swarm.cancel(h, "enough")
        end
      end
      assert.equal("cancelled", h.status)
      assert.same({ cost = 0.5 }, h.usage)
      return ctx.usage
    end)
    assert.equal(0.5, used.cost)
  end)
end)

describe("a budget", function()
  it("refuses whoever would begin once it is spent", function()
    local err = raised(swarm.call, "bounded", {
      children = {
        { cost = 6, name = "first" },
        { cost = 5, name = "second" }, -- over by what it uses
        { cost = 1, name = "third" },
      },
    })
    assert.equal("budget_exceeded", err.cause and err.cause.code or err.code)
    assert.equal("bounded first second", table.concat(began, " "))
    assert.matches('the budget of cost of worker "bounded"', err.message)
    assert.matches("11 of 10 used", err.message)
  end)

  it("bounds each task by itself, and those far below", function()
    swarm.call("bounded", { cost = 9 })
    swarm.call("bounded", { cost = 9 })
    local h = swarm.spawn("bounded", { children = { { children = { { cost = 10 } } }, {} } })
    local outcome = swarm.settle({ h })[1]
    assert.equal("failed", outcome.status)
    assert.same({ cost = 10 }, h.usage)
  end)

  it("bounds detached ones", function()
    assert.equal("budget_exceeded", swarm.call("detaching"))
  end)

  it("is not tried again", function()
    local h = swarm.spawn("tries")
    local err = swarm.settle({ h })[1].err
    assert.equal("budget_exceeded", err.code)
    assert.equal(4, h.attempt) -- three of 2 each, and one that was refused
  end)

  it("bounds several things", function()
    local seen = swarm.call("two things")
    assert.same({ left = { cost = 10, tokens = 10 }, what = "tokens" }, seen)
  end)

  it("of seconds counts from the beginning of its task", function()
    swarm.sleep(500)
    assert.same({ 600, "seconds", 0 }, swarm.call("an hour"))
  end)

  it("counts what a program tells", function()
    local h = swarm.spawn("streams")
    assert.equal(1, h:result())
    assert.same({ cost = 0.5 }, h.usage)
  end)

  it("is nil for whom nothing bounds", function()
    assert.is_nil(swarm.call("plain", {}))
  end)
end)

describe("a budget below another", function()
  it("is no more than what is left there", function()
    assert.same({ 3, 1.5 }, swarm.call("ten"))
  end)

  it("is taken for as long as it runs, and the rest given back", function()
    assert.same({ 2, 6, "budget_exceeded", 9 }, swarm.call("takes"))
  end)

  it("tells an agent what is left of it", function()
    assert.equal(2, swarm.call("capped", "go"))
    assert.same({ 1.25, 0.75 }, swarm.call "twice capped")
  end)
end)
