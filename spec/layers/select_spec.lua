-- Proves middleware.md, "Select".
local swarm = require "swarm"
local stock = require "layers_stock"

local said, say, worker, only = stock.said, stock.say, stock.worker, stock.only

for _, name in ipairs { "lint-a", "lint-b", "fix", "a.c", "abc" } do
  worker(name)
end

local looked_at = {}

local function count(label)
  return function(ctx)
    say(label, tostring(ctx.name))
  end
end

swarm.before("lint-*", count "glob")
swarm.before("a.?", count "dot")
swarm.before({ "fix", "lint-a", { "ab*" } }, count "list")

swarm.before(function(def)
  looked_at[#looked_at + 1] = def
  return def.name == "fix" and def.kind == "lua" and def.role == "worker"
end, count "function")

swarm.before(function(def)
  return def.name == nil and def.kind == "lua"
end, count "unnamed")

swarm.worker "in the house" { run = function() end }

swarm.settled(function()
  return true -- every definition that there is
end, function(ctx)
  if ctx.name == "house" or ctx.name == "in the house" then
    say("house", ctx.name)
  end
end)

describe("select", function()
  it("is a name, a glob, a list of these, or a function of the definition", function()
    swarm.call "lint-a"
    swarm.call "lint-b"
    swarm.call "fix"
    assert.same(
      { "list lint-a", "glob lint-a", "glob lint-b", "function fix", "list fix" },
      only "^%l+ "
    )
  end)

  it("reaches the children of a supervisor and the invocations of a session, not them", function()
    swarm.join(swarm.supervise {
      name = "house",
      children = { { "in the house", restart = "temporary" } },
    })
    local s = swarm.open "in the house"
    s:invoke()
    s:close()
    s:join()
    assert.same({ "house in the house", "house in the house" }, only "^house ")
  end)

  it("takes nothing in a glob but * and ? for more than itself", function()
    swarm.call "a.c"
    swarm.call "abc"
    assert.same({ "dot a.c", "list abc" }, only "^%l+ ")
  end)

  it("is asked when the script has loaded, and never again", function()
    local before = #looked_at
    assert.truthy(before > 5)
    for _ = 1, 3 do
      swarm.call "fix"
      swarm.call(function() end)
    end
    assert.equal(before, #looked_at)
  end)

  it("reaches workers made from a function, each once", function()
    for _ = 1, 3 do
      swarm.call(function() end)
    end
    assert.same({ "unnamed nil", "unnamed nil", "unnamed nil" }, only "^unnamed")
    local settled = 0
    for _, line in ipairs(said) do
      settled = settled + (line == "settled used" and 1 or 0)
    end
    assert.equal(3, settled)
  end)

  it("leaves the place and the error of a function's worker as they are", function()
    local h = swarm.spawn(function()
      return error()
    end)
    local _, err = h:join()
    -- A tail call leaves no line of its own: the nearest is that of the layer around it.
    assert.matches("layers/lua/layers_stock%.lua:%d+", err.where)
    assert.matches("function at .*select_spec%.lua", tostring(h))
  end)
end)
