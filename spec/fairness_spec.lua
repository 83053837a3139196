-- Proves scheduling.md, in its order.
local swarm = require "swarm"
local stages = require "stages"

local join_all = stages.join_all

-- More calls than a looper needs where turns are fair: reaching it means that others starved.
local BOUND = 2000000

swarm.worker "nothing" { run = function() end }

---A list that workers write what they did into, and a worker's function that writes once.
local function recorder()
  local order = {}
  return order, function(what)
    return function()
      order[#order + 1] = what
    end
  end
end

---Numbers that look random and are the same every time.
local function sequence(seed)
  return function(most)
    seed = (seed * 16807) % 2147483647
    return seed % most + 1
  end
end

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

describe("yield", function()
  it("goes behind all that are ready", function()
    local order, write = recorder()
    for i = 1, 3 do
      swarm.spawn(write(i))
    end
    swarm.yield()
    order[#order + 1] = "yielder"
    assert.same({ 1, 2, 3, "yielder" }, order)
  end)

  it("lets workers take turns", function()
    local order = {}
    for i = 1, 3 do
      swarm.spawn(function()
        for _ = 1, 3 do
          order[#order + 1] = i
          swarm.yield()
        end
      end)
    end
    swarm.sleep(1)
    assert.same({ 1, 2, 3, 1, 2, 3, 1, 2, 3 }, order)
  end)

  it("does not lose its place to those spawned after it", function()
    local order, write = recorder()
    swarm.spawn(function()
      swarm.spawn(write "spawned later")
    end)
    swarm.yield()
    order[#order + 1] = "yielder"
    swarm.sleep(1)
    assert.same({ "yielder", "spawned later" }, order)
  end)
end)

describe("timers", function()
  it("wake in the order of their times", function()
    local order = {}
    for i = 1, 5 do
      swarm.spawn(function()
        swarm.sleep(6 - i)
        order[#order + 1] = i
      end)
    end
    swarm.sleep(10)
    assert.same({ 5, 4, 3, 2, 1 }, order)
  end)

  it("of the same time wake in the order of sleeping", function()
    local order = {}
    local list = {}
    for i = 1, 6 do
      list[i] = swarm.spawn(function()
        swarm.sleep(i % 2) -- the even ones first, and one second less far from their time
        swarm.sleep(5 - i % 2)
        order[#order + 1] = i
      end)
    end
    join_all(list)
    assert.same({ 2, 4, 6, 1, 3, 5 }, order)
  end)

  it("wake all that are due before anything else gets a turn", function()
    local order = {}
    local list = {}
    for i = 1, 3 do
      list[i] = swarm.spawn(function()
        swarm.sleep(1)
        order[#order + 1] = "woken " .. i
        swarm.yield()
        order[#order + 1] = "turn " .. i
      end)
    end
    join_all(list)
    assert.same({ "woken 1", "woken 2", "woken 3", "turn 1", "turn 2", "turn 3" }, order)
  end)

  it("let 10,000 sleepers wake in order, each at its time", function()
    local random = sequence(11)
    local late, disorder, woken = 0, 0, 0
    local last_at, last_index = -1, 0
    for i = 1, 10000 do
      local seconds = random(500) / 4
      swarm.spawn(function()
        swarm.sleep(seconds)
        woken = woken + 1
        if swarm.monotonic() ~= seconds then
          late = late + 1
        end
        if seconds < last_at or (seconds == last_at and i < last_index) then
          disorder = disorder + 1
        end
        last_at, last_index = seconds, i
      end)
    end
    swarm.sleep(200)
    assert.same({ 10000, 0, 0 }, { woken, late, disorder })
  end)

  it("stay in order when many are dropped in odd order", function()
    for seed = 1, 20 do
      local random = sequence(seed)
      local start = swarm.monotonic()
      local list, alive, seconds, woken = {}, {}, {}, {}
      for i = 1, 200 do
        seconds[i] = random(60)
        alive[i] = true
        list[i] = swarm.spawn(function()
          swarm.sleep(seconds[i])
          woken[#woken + 1] = { i = i, at = swarm.monotonic() - start }
        end)
      end
      swarm.yield()
      for _ = 1, 120 do
        local i = random(200)
        swarm.cancel(list[i])
        alive[i] = false
        if random(5) == 1 then
          swarm.yield() -- what was cancelled so far drops its timer
        end
      end
      swarm.settle(list)
      local expected = {}
      for i = 1, 200 do
        if alive[i] then
          expected[#expected + 1] = { i = i, at = seconds[i] }
        end
      end
      table.sort(expected, function(a, b)
        return a.at < b.at or (a.at == b.at and a.i < b.i)
      end)
      assert.same(expected, woken, "seed " .. seed)
    end
  end)

  it("of joins that ended in time ring for nobody", function()
    local rang = 0
    for i = 1, 100 do
      local target = swarm.spawn(function()
        swarm.sleep(i % 7)
      end)
      swarm.spawn(function()
        if not swarm.join(target, { timeout = 3.5 }) then
          rang = rang + 1
        end
        swarm.sleep(100) -- a timer left behind would cut this short
        assert.truthy(swarm.monotonic() >= 100)
      end)
    end
    swarm.sleep(300)
    assert.equal(42, rang) -- i % 7 is 4, 5 or 6
  end)
end)

describe("fairness", function()
  it("gives everybody turns beside a worker that joins new children for ever", function()
    local done, calls = 0, 0
    local looper = swarm.spawn(function()
      while done < 5 and calls < BOUND do
        calls = calls + 1
        swarm.call "nothing"
      end
    end)
    for _ = 1, 5 do
      swarm.spawn(function()
        for _ = 1, 3 do
          swarm.yield()
        end
        done = done + 1
      end)
    end
    swarm.join(looper)
    assert.equal(5, done)
    assert.truthy(calls < BOUND)
  end)

  it("does not let one such looper starve another", function()
    local counts, enough = { 0, 0, 0 }, 30000
    local function looper(i)
      return function()
        while counts[i] < BOUND do
          counts[i] = counts[i] + 1
          swarm.call "nothing"
          if counts[1] >= enough and counts[2] >= enough and counts[3] >= enough then
            return
          end
        end
      end
    end
    join_all { swarm.spawn(looper(1)), swarm.spawn(looper(2)), swarm.spawn(looper(3)) }
    for i = 1, 3 do
      assert.truthy(counts[i] >= enough and counts[i] < BOUND, i)
    end
  end)

  it("gives a child that nobody joins its turn beside a looper", function()
    local ran, calls = false, 0
    swarm.join(swarm.spawn(function()
      swarm.spawn(function()
        ran = true
      end)
      while not ran and calls < BOUND do
        calls = calls + 1
        swarm.call "nothing"
      end
    end))
    assert.is_true(ran)
  end)

  it("gives everybody turns beside workers that only yield or sleep for zero", function()
    for _, pass in ipairs {
      swarm.yield,
      function()
        swarm.sleep(0)
      end,
    } do
      local done, turns = 0, 0
      local looper = swarm.spawn(function()
        while done < 3 and turns < BOUND do
          turns = turns + 1
          pass()
        end
      end)
      for _ = 1, 3 do
        swarm.spawn(function()
          swarm.call "nothing"
          done = done + 1
        end)
      end
      swarm.join(looper)
      assert.equal(3, done)
      assert.truthy(turns < 1000)
    end
  end)

  it("lets a looper be cancelled by somebody who waits for a turn", function()
    local calls = 0
    local looper = swarm.spawn(function()
      while calls < BOUND do
        calls = calls + 1
        swarm.call "nothing"
      end
    end)
    swarm.spawn(function()
      swarm.yield()
      swarm.cancel(looper, "enough")
    end)
    swarm.join(looper)
    assert.equal("cancelled", looper.status)
    assert.truthy(calls < BOUND)
  end)
end)

describe("a worker that is cancelled while it waits", function()
  ---Cancels a worker in the wait that `wait` enters, lets what it waited for come true by `after`,
  ---and checks that it was woken once, at once, and never again.
  local function leaves_nothing(wait, after)
    local woken, code = 0, nil
    local h = swarm.spawn(function()
      local ok, err = pcall(wait)
      woken = woken + 1
      code = not ok and err.code
    end)
    swarm.sleep(1)
    assert.equal("running", h.status)
    local before = swarm.monotonic()
    swarm.cancel(h)
    swarm.join(h)
    assert.equal(before, swarm.monotonic())
    if after then
      after()
    end
    swarm.sleep(2000)
    assert.same({ 1, "cancelled" }, { woken, code })
    assert.equal("cancelled", h.status)
    assert.equal(before + 2000, swarm.monotonic())
  end

  local function sleeper(seconds)
    return swarm.spawn(function()
      swarm.sleep(seconds)
    end)
  end

  it("leaves no timer of a sleep behind", function()
    leaves_nothing(function()
      swarm.sleep(1000)
    end)
  end)

  it("leaves no timer of a timeout or a shield behind", function()
    leaves_nothing(function()
      swarm.timeout(900, function()
        swarm.timeout(800, function()
          swarm.shield(swarm.yield, { timeout = 700 })
          swarm.sleep(1000)
        end)
      end)
    end)
  end)

  it("leaves no joiner behind", function()
    local target = sleeper(50)
    leaves_nothing(function()
      swarm.join(target)
    end)
  end)

  it("leaves neither joiner nor timer of a join with a timeout behind", function()
    local target = sleeper(50)
    leaves_nothing(function()
      swarm.join(target, { timeout = 20 })
    end)
  end)

  it("leaves no follower behind", function()
    local target = swarm.spawn(function(ctx)
      swarm.sleep(50)
      ctx:progress "late"
      swarm.sleep(50)
    end)
    leaves_nothing(function()
      for _ in swarm.follow(target) do
        assert(false, "it says nothing so early")
      end
    end)
  end)

  it("leaves no waiter on a cancel token behind", function()
    local target = sleeper(500)
    leaves_nothing(function()
      target.cancel_token:wait()
    end, function()
      swarm.cancel(target)
    end)
  end)

  it("leaves its turn, when it was about to yield", function()
    local order, write = recorder()
    local h = swarm.spawn(function()
      pcall(swarm.yield)
      order[#order + 1] = "woken"
    end)
    swarm.yield() -- it is behind us now
    swarm.cancel(h)
    swarm.spawn(write "other")
    swarm.sleep(1)
    assert.same({ "other", "woken" }, order) -- a cancel wakes for the next tick
  end)

  it("leaves the other joiners in their order, whichever of them goes", function()
    for gone = 1, 4 do
      local order, list = {}, {}
      local target = sleeper(10)
      for i = 1, 4 do
        list[i] = swarm.spawn(function()
          swarm.join(target)
          order[#order + 1] = i
        end)
      end
      swarm.sleep(1)
      swarm.cancel(list[gone])
      swarm.settle(list)
      local expected = {}
      for i = 1, 4 do
        if i ~= gone then
          expected[#expected + 1] = i
        end
      end
      assert.same(expected, order)
    end
  end)

  it("leaves the list whole for who joins before it is woken", function()
    local order = {}
    local target = sleeper(10)
    local second
    swarm.spawn(function()
      swarm.sleep(1)
      swarm.cancel(second) -- the only joiner: it is woken, and has not run yet
      swarm.join(target)
      order[#order + 1] = "first"
    end)
    swarm.yield()
    second = swarm.spawn(function()
      swarm.join(target)
    end)
    swarm.join(second)
    assert.equal("cancelled", second.status)
    swarm.join(target)
    swarm.sleep(1)
    assert.same({ "first" }, order)
    assert.equal(11, swarm.monotonic())
  end)

  it("leaves the list whole for who joins as its timeout rings", function()
    local order = {}
    local target = sleeper(10)
    swarm.spawn(function()
      swarm.sleep(1)
      swarm.join(target)
      order[#order + 1] = "joined"
    end)
    swarm.yield()
    swarm.spawn(function()
      local _, err = swarm.join(target, { timeout = 1 })
      order[#order + 1] = err.code
      swarm.join(target)
      order[#order + 1] = "joined again"
    end)
    swarm.sleep(20)
    assert.same({ "poll_timeout", "joined", "joined again" }, order)
  end)

  it("is woken by its target's end and its cancel at once only once", function()
    local woken = 0
    local target, joiner
    swarm.spawn(function()
      swarm.sleep(5)
      swarm.cancel(joiner)
    end)
    target = sleeper(5)
    swarm.yield()
    joiner = swarm.spawn(function()
      pcall(swarm.join, target)
      woken = woken + 1
      pcall(swarm.sleep, 10)
    end)
    swarm.join(joiner)
    assert.equal(1, woken)
    assert.equal("cancelled", joiner.status)
    assert.equal(5, swarm.monotonic())
  end)

  it("lets thousands go at once", function()
    local target = sleeper(100)
    local cancelled = 0
    local parent = swarm.spawn(function()
      for i = 1, 3000 do
        swarm.spawn(function()
          local ok = pcall(function()
            if i % 3 == 0 then
              swarm.sleep(i)
            elseif i % 3 == 1 then
              swarm.join(target)
            else
              swarm.join(target, { timeout = i })
            end
          end)
          cancelled = cancelled + (ok and 0 or 1)
        end)
      end
      swarm.sleep(5)
    end)
    swarm.sleep(1)
    swarm.cancel(parent, "enough", { wait = true })
    assert.equal(3000, cancelled)
    assert.equal(1, swarm.monotonic())
    swarm.join(target)
    assert.equal(100, swarm.monotonic())
  end)
end)
