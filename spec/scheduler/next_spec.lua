-- Proves scheduling.md, "Who runs next".
local stages = require "stages"
local swarm = require "swarm"
local stock = require "scheduler_stock"

local join_all = stages.join_all
local recorder, sequence = stock.recorder, stock.sequence

describe("who runs next", function()
  it("is never a child at its spawn: the spawner goes on", function()
    local order, write = recorder()
    local h = swarm.spawn(write "child")
    order[#order + 1] = "spawner"
    swarm.join(h)
    assert.same({ "spawner", "child" }, order)
  end)

  it("is, of workers that nobody joined, the first spawned", function()
    local order, write = recorder()
    for i = 1, 5 do
      swarm.spawn(write(i))
    end
    swarm.sleep(1)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("is a child that is joined, before those spawned earlier", function()
    local order, write = recorder()
    local list = {}
    for i = 1, 5 do
      list[i] = swarm.spawn(write(i))
    end
    swarm.join(list[4])
    order[#order + 1] = "joiner"
    join_all(list)
    assert.same({ 4, "joiner", 1, 2, 3, 5 }, order)
  end)

  it("is who was woken first, also where what it waits for comes as well meanwhile", function()
    local order, write = recorder()
    local target = swarm.spawn(function()
      swarm.sleep(1)
    end)
    swarm.yield()
    local joiner = swarm.spawn(function()
      swarm.join(target, { timeout = 1 })
      write "joiner"()
    end)
    local other = swarm.spawn(function()
      swarm.sleep(1)
      write "other"()
    end)
    join_all { joiner, other }
    assert.same({ "joiner", "other" }, order)
  end)

  it("goes depth-first through workers that join what they spawn", function()
    local order = {}
    local function tree(depth, path)
      return function()
        order[#order + 1] = path .. "+"
        if depth > 0 then
          swarm.join(swarm.spawn(tree(depth - 1, path .. "a")))
          swarm.join(swarm.spawn(tree(depth - 1, path .. "b")))
        end
        order[#order + 1] = path .. "-"
      end
    end
    swarm.join(swarm.spawn(tree(2, "r")))
    local text = table.concat(order, " ")
    assert.equal("r+ ra+ raa+ raa- rab+ rab- ra- rb+ rba+ rba- rbb+ rbb- rb- r-", text)
  end)

  it("is, of several joiners, the first that joined", function()
    local order = {}
    local target = swarm.spawn(function()
      swarm.sleep(10)
    end)
    local list = {}
    for i = 1, 4 do
      list[i] = swarm.spawn(function()
        swarm.sleep(5 - i)
        swarm.join(target)
        order[#order + 1] = i
      end)
    end
    join_all(list)
    assert.same({ 4, 3, 2, 1 }, order)
  end)

  it("is who is handed what it waits for, in the order of the handing", function()
    local order, write = recorder()
    local channels = {}
    for i = 1, 3 do
      channels[i] = swarm.channel()
      swarm.spawn(function()
        channels[i]:recv()
        write("handed " .. i)()
      end)
    end
    swarm.yield()
    swarm.spawn(write "ready")
    for _, i in ipairs { 2, 3, 1 } do
      channels[i]:send "news"
    end
    order[#order + 1] = "giver"
    swarm.sleep(1)
    assert.same({ "giver", "handed 2", "handed 3", "handed 1", "ready" }, order)
  end)

  it("is everybody else once in 64 times that something is handed over", function()
    local there, back, handed = swarm.channel(), swarm.channel(), 0
    local function passes(from, to)
      return function()
        for value in from:iter() do
          handed = handed + 1
          to:send(value)
        end
      end
    end
    local list = { swarm.spawn(passes(there, back)), swarm.spawn(passes(back, there)) }
    there:send "ball"
    for turn = 1, 100 do
      swarm.yield()
      assert.near(64 * turn, handed, 64)
    end
    swarm.cancel(list[1])
    swarm.cancel(list[2])
  end)

  it("is the same every time", function()
    local function program()
      local order, random = {}, sequence(7)
      local list = {}
      for i = 1, 30 do
        list[i] = swarm.spawn(function()
          for turn = 1, random(4) do
            local what = random(4)
            if what == 1 then
              swarm.yield()
            elseif what == 2 then
              swarm.sleep(random(3))
            elseif what == 3 then
              swarm.call "nothing"
            else
              swarm.join(list[random(i)], { timeout = random(2) })
            end
            order[#order + 1] = i .. "." .. turn
          end
        end)
      end
      join_all(list)
      return order
    end
    local first = program()
    assert.truthy(#first > 30)
    assert.same(first, program())
  end)
end)
