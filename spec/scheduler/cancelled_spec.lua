-- Proves scheduling.md, "A worker that is cancelled while it waits".
local swarm = require "swarm"
local stock = require "scheduler_stock"

local recorder = stock.recorder

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
        error "it says nothing so early"
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
    local second ---@type swarm.Handle
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
    local target, joiner ---@type swarm.Handle, swarm.Handle
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
