-- Proves graph.md.
local outcomes = require "outcomes"
local swarm = require "swarm"

local raised, seconds_of = outcomes.raised, outcomes.seconds_of
local log = {}

swarm.worker "step" {
  run = function(ctx, input)
    input = input or {}
    log[#log + 1] = ctx.label
    swarm.sleep(input.seconds or 1)
    if input.fail then
      error(ctx.label .. " failed")
    elseif input.block then
      return "half", ctx.label .. " is blocked"
    end
    return ctx.label
  end,
}
swarm.worker "labelled" { label = "of {input.n}", run = function(ctx)
  return ctx.label
end }
swarm.worker "echo" { run = function(ctx, input)
  return { input = input, needs = ctx.needs }
end }
swarm.worker "program" {
  command = { "printf", "%s", "{needs.lib}/{needs.tree.leaf}" },
  output = { format = "text" },
}

local DIAMOND = {
  top = { "step", needs = { "left", "right" } },
  left = { "step", { seconds = 5 }, needs = { "base" } },
  right = { "step", needs = { "base" } },
  base = { "step" },
}

describe("a graph", function()
  it("starts a node as the last of its needs passes", function()
    local values, errs
    local taken = seconds_of(function()
      values, errs = swarm.graph(DIAMOND)
    end)
    assert.equal(7, taken)
    assert.same({ base = "base", left = "left", right = "right", top = "top" }, values)
    assert.is_nil(errs)
    assert.equal("base left right top", table.concat(log, " "))
  end)

  it("may be empty, and takes functions", function()
    local values = swarm.graph {}
    assert.is_nil((next(values)))
    values = swarm.graph {
      a = { function()
        return 1
      end },
      b = { function(ctx)
        return ctx.needs.a + 1
      end, needs = { "a", "a" } },
    }
    assert.same({ a = 1, b = 2 }, values)
  end)

  it("leaves the label of a definition", function()
    assert.same({ x = "of 3" }, (swarm.graph { x = { "labelled", { n = 3 } } }))
  end)

  it("hands on what is needed", function()
    local function make(value)
      return function()
        return value
      end
    end
    local values = swarm.graph {
      lib = { make "lib.so" },
      tree = { make { leaf = "green" } },
      none = { "echo", needs = { "lib" } },
      object = { "echo", { own = 1 }, needs = { "lib" } },
      taken = { "echo", { needs = "mine" }, needs = { "lib" } },
      text = { "echo", "text", needs = { "lib" } },
      made = { "echo", needs = { "tree" }, input = function(needs)
        local leaf = needs.tree.leaf
        needs.tree.leaf = "brown"
        swarm.sleep(3)
        return leaf
      end },
      alone = { "echo", input = 1 },
      program = { "program", needs = { "lib", "tree" } },
    }
    local needs = { lib = "lib.so" }
    assert.same({ input = { needs = needs }, needs = needs }, values.none)
    assert.same({ input = { own = 1, needs = needs }, needs = needs }, values.object)
    assert.same({ input = { needs = "mine" }, needs = needs }, values.taken)
    assert.same({ input = "text", needs = needs }, values.text)
    assert.same({ input = "green", needs = { tree = { leaf = "green" } } }, values.made)
    assert.same({ input = 1 }, values.alone)
    assert.equal("lib.so/green", values.program)
  end)

  it("skips what needs a blocked node", function()
    local values, errs = swarm.graph {
      a = { "step", { block = true } },
      b = { "step", needs = { "a" } },
      c = { "step", needs = { "b", "d" } },
      d = { "step" },
    }
    assert.same({ a = "half", d = "d" }, values)
    assert.equal("blocked", errs.a.code)
    assert.same({ "skipped", "a", "blocked" }, { errs.b.code, errs.b.need, errs.b.cause.code })
    assert.same({ "skipped", "b" }, { errs.c.code, errs.c.need })
  end)

  it("cancels the rest with the first failure, and raises it", function()
    local err
    local taken = seconds_of(function()
      err = raised(swarm.graph, {
        a = { "step", { fail = true } },
        b = { "step", { seconds = 50 } },
        c = { "step", needs = { "a" } },
      })
    end)
    assert.equal(1, taken)
    assert.matches("a failed", err.message)
    assert.equal("a b", table.concat(log, " "))
  end)

  it("keeps going where it is told to", function()
    local values, errs = swarm.graph({
      a = { "step", { fail = true } },
      b = { "step", { seconds = 5 } },
      c = { "step", needs = { "a", "b" } },
      d = { "step", needs = { "b" } },
    }, { keep_going = true })
    assert.same({ b = "b", d = "d" }, values)
    assert.matches("a failed", errs.a.message)
    assert.equal("skipped", errs.c.code)
    assert.matches("a failed", errs.c.cause.message)
  end)

  it("ends with what bounds it, and leaves nobody behind", function()
    local err = raised(swarm.timeout, 3, function()
      swarm.graph(DIAMOND)
    end)
    assert.equal("timeout", err.code)
    assert.equal(3, swarm.monotonic())
  end)
end)

describe("a graph is refused before anything starts:", function()
  local WRONG = {
    ["a cycle"] = {
      { a = { "step", needs = { "b" } }, b = { "step", needs = { "c" } },
        c = { "step", needs = { "b" } }, d = { "step" } },
      "its needs close a cycle: b needs c needs b",
    },
    ["a node that needs itself"] = {
      { a = { "step", needs = { "a" } } },
      "its needs close a cycle: a needs a",
    },
    ["a need that is no node"] = {
      { build = { "step", needs = { "biuld" } } },
      'node "build" needs "biuld", which is no node; did you mean build?',
    },
    ["a worker that is none"] = { { a = { "stpe" } }, 'there is no worker "stpe"' },
    ["a node that is no table"] = { { a = "step" }, 'node "a" must be { worker, … }' },
    ["a field that is none"] = { { a = { "step", need = {} } }, "it has input and needs" },
    ["needs that are no list"] = { { a = { "step", needs = "b" } }, "needs takes a list" },
    ["a list"] = { { { "step" } }, "it takes nodes by name" },
    ["no table"] = { "step", "it takes a table of nodes" },
  }
  for what, case in pairs(WRONG) do
    it(what, function()
      local err = raised(swarm.graph, case[1])
      assert.is_true(err.message:find(case[2], 1, true) ~= nil, err.message)
      assert.same({}, log)
    end)
  end

  it("an option that is none", function()
    assert.matches("did you mean keep_going", raised(swarm.graph, {}, { keep_goin = true }).message)
  end)
end)
