-- Proves exploration.md, in its order: `explore` itself. The programs of its table are in the
-- `orders_spec.lua` of each chapter.
local programs = require "programs"
local swarm = require "swarm"

local turns, quick, slow, sleeper = programs.turns, programs.quick, programs.slow, programs.sleeper
local join_all = programs.join_all

describe("explore", function()
  it("runs a program under every order", function()
    local orders = {}
    local report = explore(function()
      local order = {}
      for i = 1, 3 do
        swarm.spawn(function()
          order[#order + 1] = i
          if #order == 3 then
            orders[table.concat(order)] = true
          end
        end)
      end
    end)
    local wanted = {}
    for _, order in ipairs { "123", "132", "213", "231", "312", "321" } do
      wanted[order] = true
    end
    assert.same(wanted, orders)
    assert.equal(6, report.schedules)
    assert.is_true(report.complete)
  end)

  it("has one schedule for a program of one worker", function()
    local report = explore(function()
      turns(3)
      swarm.sleep(1)
    end)
    assert.equal(1, report.schedules)
    assert.equal("explored all 1 schedule (6 steps)", tostring(report))
  end)

  it("tells the number of schedules readably", function()
    local report = explore(function()
      for _ = 1, 4 do
        swarm.spawn(slow)
      end
    end)
    assert.equal(2520, report.schedules)
    assert.matches("^explored all 2,520 schedules %(%d+,%d+ steps%)$", tostring(report))
  end)

  it("stops at a bound, and says that there are more", function()
    local runs = 0
    local report = explore(function()
      runs = runs + 1
      for _ = 1, 4 do
        swarm.spawn(slow)
      end
    end, { max = 7 })
    assert.equal(7, runs)
    assert.equal(7, report.schedules)
    assert.is_false(report.complete)
    assert.matches("^explored 7 schedules, and there are more", tostring(report))
  end)

  it("is complete where the bound is met exactly", function()
    local report = explore(function()
      swarm.spawn(quick)
      swarm.spawn(quick)
    end, { max = 2 })
    assert.equal(2, report.schedules)
    assert.is_true(report.complete)
  end)

  it("tries orders at random from a seed, the same for the same seed", function()
    local function tried(seed)
      local orders = {}
      local report = explore(function()
        local order = {}
        for i = 1, 4 do
          swarm.spawn(function()
            order[#order + 1] = i
            if #order == 4 then
              orders[#orders + 1] = table.concat(order)
            end
          end)
        end
      end, { seed = seed, max = 5 })
      assert.equal(5, report.schedules)
      assert.is_false(report.complete)
      assert.matches("^tried 5 schedules drawn with seed " .. seed, tostring(report))
      return table.concat(orders, " ")
    end
    assert.equal(tried(7), tried(7))
    assert.not_equal(tried(7), tried(8))
  end)

  it("begins every order at the same time, and hands the time back", function()
    swarm.sleep(3)
    local times = {}
    explore(function()
      times[swarm.monotonic()] = true
      swarm.spawn(sleeper, 5)
      swarm.sleep(5)
      times[swarm.monotonic()] = true
    end)
    assert.same({ [3] = true, [8] = true }, times)
    assert.equal(3, swarm.monotonic())
  end)

  it("gives every order the same random numbers", function()
    local drawn = {}
    local report = explore(function()
      drawn[swarm.random(1000000) .. " " .. swarm.uuid() .. " " .. math.random(1000000)] = true
      swarm.spawn(quick)
      swarm.spawn(quick)
    end)
    assert.equal(2, report.schedules)
    local n = 0
    for _ in pairs(drawn) do
      n = n + 1
    end
    assert.equal(1, n)
  end)

  it("leaves every other worker where it is, timers too", function()
    local said = {}
    local other = swarm.spawn(function()
      swarm.sleep(2)
      said[#said + 1] = "other"
    end)
    swarm.sleep(1)
    local report = explore(function()
      swarm.spawn(sleeper, 50)
      swarm.sleep(50)
    end)
    assert.is_true(report.schedules > 1)
    said[#said + 1] = "explored"
    swarm.join(other)
    assert.same({ "explored", "other" }, said)
    assert.equal(2, swarm.monotonic())
  end)

  it("looks on after each step", function()
    local steps = 0
    local report = explore(function()
      swarm.spawn(slow)
      swarm.spawn(slow)
    end, {
      check = function()
        steps = steps + 1
      end,
    })
    assert.equal(report.steps + report.schedules, steps) -- and once more at the end of each order
  end)
end)

describe("an order that fails", function()
  ---What explore raises for a program.
  local function failure(fn, opts)
    local err = assert.has_error(function()
      explore(fn, opts)
    end, { code = "exploration_failed" })
    return err
  end

  ---The same failure by the schedule that it shows, at the first try.
  local function replayed(fn, err, opts)
    opts = opts or {}
    opts.schedule = err.schedule
    local again = failure(fn, opts)
    assert.equal(1, again.schedules)
    assert.equal(err.schedule, again.schedule)
    assert.same(err.steps, again.steps)
    assert.equal(tostring(err.failure), tostring(again.failure))
  end

  local function lost_update()
    local balance = 0
    local function deposit(amount)
      local seen = balance
      swarm.yield()
      balance = seen + amount
    end
    local first = swarm.spawn(function()
      deposit(1)
    end)
    swarm.join(first, { timeout = 0 })
    local second = swarm.spawn(function()
      deposit(2)
    end)
    join_all { first, second }
    assert.equal(3, balance)
  end

  it("is found: an update that is lost between two turns", function()
    local err = failure(lost_update)
    assert.matches("expected 3", tostring(err))
    replayed(lost_update, err)
  end)

  it("is found: a check and an act with a turn in between", function()
    local function program_of()
      local free, most, inside = 1, 0, 0
      local function enter()
        while free == 0 do
          swarm.sleep(1)
        end
        swarm.checkpoint()
        swarm.yield()
        free = free - 1
        inside = inside + 1
        most = math.max(most, inside)
        swarm.yield()
        inside = inside - 1
        free = free + 1
      end
      local first, second = swarm.spawn(enter), swarm.spawn(enter)
      join_all { first, second }
      assert.equal(1, most)
    end
    replayed(program_of, failure(program_of))
  end)

  it("is found: two locks taken in two orders", function()
    local function program_of()
      local left, right = swarm.lock(), swarm.lock()
      local function both(one, other)
        one:with(function()
          swarm.yield()
          other:with(slow)
        end)
      end
      local first = swarm.spawn(function()
        both(left, right)
      end)
      local second = swarm.spawn(function()
        both(right, left)
      end)
      join_all { first, second }
    end
    local err = failure(program_of)
    assert.equal("deadlock", err.failure.code)
    assert.equal(3, #err.failure.waiting)
    assert.matches("waits for the lock made at", tostring(err))
    replayed(program_of, err)
  end)

  it("is found: one order out of many", function()
    local function program_of()
      local order = {}
      for i = 1, 4 do
        swarm.spawn(function()
          order[#order + 1] = i
          if #order == 4 then
            assert.not_equal("3142", table.concat(order))
          end
        end)
      end
    end
    local err = failure(program_of)
    assert.equal("3.1.2", err.schedule)
    assert.equal(14, err.schedules)
    replayed(program_of, err)
  end)

  it("is found: a timer that rings before what it waits for", function()
    local function program_of()
      local answer
      swarm.spawn(function()
        swarm.sleep(1)
        answer = 42
      end)
      swarm.sleep(1)
      assert.equal(42, answer)
    end
    replayed(program_of, failure(program_of))
  end)

  it("is found: a detached worker that fails", function()
    local function program_of()
      swarm.spawn(function()
        error "left alone"
      end, nil, { detached = true })
    end
    local err = failure(program_of)
    assert.matches("left alone", tostring(err))
    replayed(program_of, err)
  end)

  it("is found: a check that does not hold between two steps", function()
    local a, b
    local function program_of()
      a, b = 1, 1
      swarm.spawn(function()
        a = 2
        swarm.yield()
        b = 2
      end)
    end
    local opts = {
      check = function()
        assert.equal(a, b)
      end,
    }
    local err = failure(program_of, opts)
    assert.matches("expected 2\nbut got 1", tostring(err))
    replayed(program_of, err, opts)
  end)

  it("is found: a program that does not end", function()
    local function program_of()
      while true do
        swarm.yield()
      end
    end
    assert.matches("does not end: 10000 steps", tostring(failure(program_of)))
  end)

  it("is found: a child that fails and that nobody joins", function()
    local err = failure(function()
      swarm.spawn(function()
        error "alone"
      end)
    end)
    assert.equal("children_failed", err.failure.code)
  end)

  it("shows who ran, in order, and what each had waited for", function()
    local err = failure(lost_update)
    local steps = table.concat(err.steps, "\n")
    assert.matches("the program %(.-spec%.lua:%d+%) begins", steps)
    assert.matches("1/2 +worker 1 %(.-spec%.lua:%d+%)", steps)
    assert.matches("worker 2 %(.-%) goes on at .-:%d+, it waited for its turn", steps)
    assert.matches("at 0 s the clock wakes the program", steps)
    assert.matches("the program %(.-%) goes on at .-:%d+, it waited for worker 1", steps)
    assert.is_not_nil(tostring(err):find(steps, 1, true))
    assert.is_not_nil(
      tostring(err):find('explore(fn, { schedule = "' .. err.schedule .. '" })', 1, true)
    )
  end)

  it("shows the last steps only of a long one", function()
    local err = failure(function()
      turns(100)
      error "at last"
    end)
    assert.matches("41 steps before", tostring(err))
    assert.equal(101, #err.steps)
  end)

  it("fails nothing but the call: the spec goes on, and other programs after it", function()
    for _ = 1, 3 do
      failure(function()
        local lock = swarm.lock()
        swarm.spawn(function()
          lock:with(function()
            swarm.join(swarm.spawn(function()
              lock:with(slow)
            end))
          end)
        end)
        swarm.spawn(sleeper, 1000)
        error "stop"
      end)
    end
    assert.equal(
      2,
      explore(function()
        swarm.spawn(quick)
        swarm.spawn(quick)
      end).schedules
    )
    assert.equal(0, swarm.monotonic())
  end)

  it("may come of a port's answers, where the port is mocked", function()
    mock.port("http", function(request)
      swarm.yield()
      return { status = 200 }, request.url:match "%d+"
    end)
    local orders = {}
    local function program_of()
      local order = {}
      for i = 1, 2 do
        swarm.spawn(function()
          order[#order + 1] = swarm.http.request({ url = "http://shop.example/" .. i }).body
          orders[table.concat(order)] = true
        end)
      end
    end
    local report = explore(program_of)
    assert.is_true(report.complete)
    assert.is_true(orders["12"] and orders["21"])
    local function wrong()
      program_of()
      error { code = "mine" }
    end
    replayed(wrong, failure(wrong))
  end)

  it("is told where something outlives it", function()
    local runs = 0
    local err = failure(function()
      runs = runs + 1
      assert.equal(1, runs % 2)
      swarm.spawn(quick)
      swarm.spawn(quick)
    end)
    assert.matches("Run again, the same order passes", tostring(err))
  end)
end)

describe("a schedule", function()
  it("is what a passing order is replayed by, too", function()
    local order = {}
    local report = explore(function()
      for i = 1, 3 do
        swarm.spawn(function()
          order[#order + 1] = i
        end)
      end
    end, { schedule = "3.2" })
    assert.equal("321", table.concat(order))
    assert.equal(1, report.schedules)
    assert.is_false(report.complete)
    assert.equal("replayed schedule 3.2 (5 steps)", tostring(report))
  end)

  it("that does not fit the program is refused", function()
    local function two()
      swarm.spawn(quick)
      swarm.spawn(quick)
    end
    for schedule, wanted in pairs {
      ["3"] = "choice 1 has 2 ways, not 3",
      ["1.1.1"] = "it has only 1 choices",
    } do
      assert.has_error(function()
        explore(two, { schedule = schedule })
      end, wanted)
    end
  end)

  for _, wrong in ipairs { "", "1.", ".1", "1..2", "a", "1,2", "0" } do
    it(("%q is none"):format(wrong), function()
      assert.has_error(function()
        explore(quick, { schedule = wrong })
      end, { code = "invalid_argument" })
    end)
  end
end)

describe("explore refuses", function()
  local function refused(wanted, ...)
    local arguments = { n = select("#", ...), ... }
    local err = assert.has_error(function()
      explore(unpack(arguments, 1, arguments.n))
    end, { code = "invalid_argument" })
    assert.matches(wanted, tostring(err))
    assert.matches("explore_spec", err.where)
  end

  it("what is no function", function()
    refused("takes a function", nil)
    refused("takes a function", "count")
  end)

  it("options that do not exist, or make no sense", function()
    refused("did you mean max", quick, { maxx = 1 })
    refused("takes a table of options", quick, 5)
    refused("option max takes a whole number", quick, { max = 0 })
    refused("option max takes a whole number", quick, { max = 1.5 })
    refused("option check takes a function", quick, { check = true })
    refused("option seed takes a whole number", quick, { seed = "x" })
    refused("option schedule takes", quick, { schedule = 12 })
  end)

  it("itself inside itself", function()
    local err = assert.has_error(function()
      explore(function()
        explore(quick)
      end)
    end, { code = "exploration_failed" })
    assert.matches("cannot run inside explore", tostring(err))
  end)

  it("no second one beside it", function()
    local function many()
      return explore(function()
        for _ = 1, 5 do
          swarm.spawn(slow)
        end
      end, { max = 3000 }).schedules
    end
    local first, second = swarm.spawn(many), swarm.spawn(many)
    assert.equal(3000, swarm.result(first))
    assert.equal(3000, swarm.result(second))
  end)

  it("a program that works on workers outside it", function()
    local outside = swarm.spawn(slow)
    local err = assert.has_error(function()
      explore(function()
        swarm.join(outside)
      end)
    end, { code = "exploration_failed" })
    assert.matches("waits for a worker outside the program", tostring(err))
    err = assert.has_error(function()
      explore(function()
        swarm.cancel(outside)
      end)
    end, { code = "exploration_failed" })
    assert.matches("the program ends only workers of its own", tostring(err))
  end)

  it("a check that waits", function()
    local err = assert.has_error(function()
      explore(quick, { check = swarm.yield })
    end, { code = "exploration_failed" })
    assert.matches("it can neither wait nor spawn", tostring(err))
    swarm.yield()
  end)

  it("a program that waits for the world outside", function()
    local err = assert.has_error(function()
      explore(function()
        swarm.exec { "true" }
      end)
    end, { code = "exploration_failed" })
    assert.matches("give it mock.port", tostring(err))
  end)

  it("a program that is another one at another time", function()
    local runs = 0
    local err = assert.has_error(function()
      explore(function()
        runs = runs + 1
        for _ = 1, runs + 1 do
          swarm.spawn(quick)
        end
      end)
    end, { code = "invalid_argument" })
    assert.matches("not the same each time", tostring(err))
  end)

  it("to go on once its worker is cancelled", function()
    local worker = swarm.spawn(function()
      explore(function()
        for _ = 1, 9 do
          swarm.spawn(slow)
        end
      end, { max = 1000000000 })
    end)
    swarm.yield()
    assert.equal("running", worker.status)
    swarm.cancel(worker)
    swarm.join(worker)
    assert.equal("cancelled", worker.status)
  end)
end)

it("every row of the table is a program", function()
  local rows, explored = {}, {}
  for name in pairs(programs.listed) do
    rows[name] = true
  end
  for _, path in ipairs(swarm.fs.glob(swarm.script_dir .. "/../**/orders_spec.lua")) do
    for name in swarm.fs.read(path):gmatch '\n  program%("([^"]+)"' do
      explored[name] = true
    end
  end
  assert.same(explored, rows)
end)
