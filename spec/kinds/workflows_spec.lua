-- The executable side of workflows.md: the words of scripts/flow.lua, and their example.
package.path = swarm.script_dir .. "/../../scripts/?.lua;" .. package.path
local flow = require "flow"

local ask = flow.agent("ask", { agent = "gemini", schema = { type = "object" } })
local fix = flow.agent("fix", { isolation = "worktree", model = "big" })

local asked -- prompts and labels, in order

local function answer(prompt)
  if prompt:find "slow" then
    swarm.sleep(10)
  end
  assert(not prompt:find "bad", "it broke")
  return { said = prompt }
end

local function mocked()
  asked = {}
  for _, name in ipairs { "ask", "fix" } do
    mock.worker(name, function(ctx, prompt)
      asked[#asked + 1] = ctx.label
      return answer(prompt)
    end)
  end
end

describe("agent", function()
  before_each(mocked)

  it("gives its answer, or raises", function()
    assert.same({ said = "look" }, ask "look")
    local ok, err = pcall(fix, "a bad one")
    assert.is_false(ok)
    assert.matches("it broke", err.message)
  end)

  it("is labelled by its phase and its prompt, or as it is told", function()
    ask "look\n  around"
    flow.phase "Find"
    ask "look"
    ask("look", { label = "a.lua" })
    ask("look", { label = "a.lua", phase = "Doubt" })
    assert.same({ "look around", "Find: look", "Find: a.lua", "Doubt: a.lua" }, asked)
  end)
end)

describe("parallel", function()
  before_each(mocked)

  it("runs all at once, and has nil for one that failed, with its error", function()
    local values, errors = flow.parallel {
      function()
        return ask "slow"
      end,
      function()
        return ask "bad"
      end,
      function()
        return ask "slow as well"
      end,
    }
    assert.equal(10, swarm.monotonic())
    assert.same({ said = "slow" }, values[1])
    assert.is_nil(values[2])
    assert.same({ said = "slow as well" }, values[3])
    assert.matches("it broke", errors[2].message)
    assert.is_nil(errors[1])
  end)

  it("ends with whoever is cancelled above it", function()
    local _, err = pcall(swarm.timeout, 5, function()
      flow.parallel {
        function()
          return ask "slow"
        end,
      }
    end)
    assert.equal("timeout", err.code)
    assert.equal(5, swarm.monotonic())
  end)
end)

describe("pipeline", function()
  before_each(mocked)

  it("takes each item through all stages, and waits for no other", function()
    local ends = {}
    local values, errors = flow.pipeline({ "slow", "quick", "bad" }, function(item)
      return ask(item).said
    end, function(said, item, i)
      ends[#ends + 1] = i
      return { said, item, i }
    end)
    assert.same({ 2, 1 }, ends)
    assert.same({ "slow", "slow", 1 }, values[1])
    assert.same({ "quick", "quick", 2 }, values[2])
    assert.is_nil(values[3])
    assert.matches("it broke", errors[3].message)
  end)
end)

describe("the example", function()
  it("doubts each fault that was found", function()
    local app = swarm.script "../../scripts/survey.lua"
    mock.worker("find", function(_, prompt)
      assert(not prompt:find "bad", "it broke")
      return { fault = "a race", line = 7 }
    end)
    mock.worker("doubt", function(_, prompt)
      return { is_real = prompt:find "a.lua" ~= nil }
    end)
    local lines = {}
    for line in (app:run { "a.lua", "b.lua", "bad.lua" } .. "\n"):gmatch "(.-)\n" do
      lines[#lines + 1] = line
    end
    assert.equal("a.lua: 7: a race", lines[1])
    assert.equal("b.lua: nothing", lines[2])
    assert.matches("^bad.lua: not looked at: .*it broke", lines[3])
    assert.is_nil(lines[4])
  end)
end)
