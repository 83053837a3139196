-- What agents cost (agents.md, "What it tells"): prices, and a budget over a tree of them, against
-- the fakes of tests/fakes.
local swarm = require "swarm"

local ENV = { FAKE_AGENT = "{input.mode}", FAKE_AGENT_STATE = "{input.state}" }
local COST = 0.0125 -- of a whole turn of a fake that tells it

for _, name in ipairs { "claude", "opencode" } do
  swarm.worker(name) { agent = name, env = ENV, kill_after = 0.1 }
end
for _, name in ipairs { "codex", "gemini" } do
  swarm.worker(name) {
    agent = name,
    env = ENV,
    budget = { cost = 1 },
    prices = { input = 1, cached = 0.5, output = 10 },
  }
  swarm.worker(name .. ", cached as the others") {
    agent = name,
    env = ENV,
    prices = { input = 1, output = 10 },
  }
end

local function millionths(amount)
  return math.floor(amount * 1e6 + 0.5)
end

describe("a price", function()
  it("is put to the tokens of an agent that tells no cost", function()
    for _, name in ipairs { "codex", "gemini" } do
      local function cost(of)
        local h = swarm.spawn(name .. of, { prompt = "look", mode = "tools", state = "" })
        swarm.result(h)
        return millionths(h.usage.cost)
      end
      assert.equal(60 + 40 * 0.5 + 20 * 10, cost "")
      assert.equal(100 + 20 * 10, cost ", cached as the others")
    end
  end)
end)

---What the tails of tasks say that they have used.
local function told(handles)
  local sum = { cost = 0, tokens = 0 }
  for _, h in ipairs(handles) do
    for _, event in ipairs(h:output_tail()) do
      if event.type == "usage" then
        sum.cost, sum.tokens = sum.cost + (event.cost or 0), sum.tokens + event.tokens
      end
    end
  end
  return sum
end

local agents = {} -- all that were spawned, in order

local function begin(name, input, mode)
  local h = swarm.spawn(name, { prompt = "look", mode = mode, state = input.state })
  agents[#agents + 1] = h
  return h
end

-- Two of these are at work at once, and one agent of each is killed in the middle.
swarm.worker "team" {
  run = function(_, input)
    local killed = begin(input.agent, input, "stall")
    for event in killed:follow() do
      if event.type == "usage" then
        killed:cancel("enough", { wait = true })
      end
    end
    for _ = 1, 3 do
      begin(input.agent, input, "tools"):result()
    end
  end,
}

-- Six agents, and the half of a seventh that was killed, spend it: the last began before that.
swarm.worker "lead" {
  budget = { cost = 6 * COST },
  run = function(_, input)
    local teams = {}
    for i, agent in ipairs { "opencode", "claude" } do
      teams[i] = swarm.spawn("team", { agent = agent, state = input })
    end
    swarm.all(teams)
    local late = begin("claude", { state = input }, "tools")
    return { select(2, late:join()).code, late.status }
  end,
}

describe("a budget of cost over a tree of agents", function()
  it("sums up what the streams told, also of those that were killed", function()
    swarm.fs.temp_dir(function(state)
      agents = {}
      local h = swarm.spawn("lead", state)
      assert.same({ "budget_exceeded", "failed" }, h:result())
      local sum = told(agents)
      assert.equal(millionths(6.5 * COST), millionths(sum.cost)) -- opencode had told of half a turn
      assert.equal(millionths(sum.cost), millionths(h.usage.cost))
      assert.equal(6 * 120 + 60 + 9, sum.tokens) -- Claude Code of a message
      assert.equal(sum.tokens, h.usage.tokens)
      assert.equal(8, #swarm.fs.glob(state .. "/*.jsonl")) -- nothing began once it was spent
      assert.equal(9, #agents)
    end)
  end)
end)

describe("a price or a budget that makes no sense", function()
  it("is told with its line and what to do", function()
    for text, message in pairs {
      ['"codex", budget = { cost = 1 }'] = 'wrong.lua:2: worker "x": budget.cost cannot be kept: '
        .. "agent codex tells tokens and no cost. Bound tokens instead, or give prices = ",
      ['"gemini", budget = { cost = 1 }'] = "agent gemini tells tokens and no cost",
      ['"codex", prices = 5'] = "prices must be USD for a million tokens, such as ",
      ['"codex", prices = { inptu = 1 }'] = 'prices has no "inptu"; did you mean input?',
      ['"codex", prices = { 1, 2 }'] = "it has cached, input and output",
      ['"codex", prices = { input = 1 }'] = "prices needs output",
      ['"codex", prices = { input = -1, output = 1 }'] = "zero or more, and is -1",
      ['"claude", prices = { input = 1, output = 1 }'] = "claude tells its cost itself",
      ['{ command = { "x" }, on = {} }, prices = { input = 1, output = 1 }'] = "write cost = false",
    } do
      swarm.fs.temp_dir(function(folder)
        local path = folder .. "/wrong.lua"
        swarm.fs.write(path, '\nswarm.worker "x" { agent = ' .. text .. " }")
        local _, err = pcall(swarm.script, path)
        assert.is_truthy(tostring(err):find(message, 1, true), tostring(err))
      end)
    end
  end)
end)
