-- Proves exploration.md, in its order: explore itself, then the host under it. The table at the
-- page's end says how many orders each program has; `python tests/exploration_table.py` writes it.
local swarm = require "swarm"

-- The table of the page: a program's name → how many schedules it has.
local listed, explored = {}, {}
for line in swarm.fs.read(swarm.script_dir .. "/exploration.md"):gmatch "[^\n]+" do
  local name, count = line:match "^| (.-) +| +([%d,]+) |"
  if name then
    listed[name] = tonumber((count:gsub(",", "")))
  end
end

local MOST = 20000 -- schedules of one program

---A program that is run in every order. What it returns says how it went; `ends` are the ways in
---which it can go, all of which must be found.
local function program(name, ends, fn)
  if type(ends) == "function" then
    ends, fn = nil, ends
  end
  explored[name] = true
  it(name, function()
    local found = {}
    local report = explore(function(ctx)
      found[tostring((fn(ctx)))] = true
    end, { max = MOST })
    print("| " .. name .. " | " .. report.schedules .. " |")
    if ends then
      local ways = {}
      for _, way in ipairs(ends) do
        ways[way] = true
      end
      assert.same(ways, found)
    end
    assert.is_true(report.complete, tostring(report))
    assert.equal(listed[name], report.schedules, "schedules, as exploration.md has them")
  end)
end

---Yields n times.
local function turns(n)
  for _ = 1, n or 1 do
    swarm.yield()
  end
end

-- Workers that take so many turns, or so much time.
local function quick() end
local function slow()
  swarm.yield()
end
local function sleeper(_, seconds)
  swarm.sleep(seconds)
end

---Ends all of a list, whatever becomes of them.
local function join_all(list)
  for i = 1, #list do
    swarm.join(list[i])
  end
end

-- explore itself --------------------------------------------------------------------------------

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
    assert.matches("exploration_spec", err.where)
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

-- The host under it ------------------------------------------------------------------------------

-- Each asserts what must hold in every order; the invariants are looked at after every step.

swarm.worker "single" {
  concurrency = 1,
  run = function(_, work)
    return work and work() or nil
  end,
}

---Settled, and how.
local function status_of(h)
  swarm.join(h)
  return h.status
end

describe("join", function()
  program("join: a parent and its child", function()
    local child = swarm.spawn(function()
      turns()
      return 7
    end)
    assert.equal(7, swarm.result(child))
    assert.equal("pass", child.status)
  end)

  program("join: two joiners of one worker", function()
    local target = swarm.spawn(function()
      turns()
      return 7
    end)
    local joiners = {}
    for i = 1, 2 do
      joiners[i] = swarm.spawn(function()
        assert.is_true(swarm.join(target))
        return swarm.result(target)
      end)
    end
    assert.equal(7, swarm.result(joiners[1]))
    assert.equal(7, swarm.result(joiners[2]))
  end)

  program("join: three joiners of a failure", function()
    local target = swarm.spawn(function()
      turns()
      error { code = "broke" }
    end)
    local function joiner()
      local ok, err = swarm.join(target)
      assert.is_nil(ok)
      return err.code
    end
    local first, second = swarm.spawn(joiner), swarm.spawn(joiner)
    assert.equal("broke", joiner())
    assert.equal("broke", swarm.result(first))
    assert.equal("broke", swarm.result(second))
  end)

  program("join: a chain of four", function()
    local before
    for i = 1, 4 do
      local joined = before
      before = swarm.spawn(function()
        return joined and swarm.result(joined) .. i or tostring(i)
      end)
    end
    assert.equal("1234", swarm.result(before))
  end)

  program("join: four workers, joined in reverse", function()
    local workers = {}
    for i = 1, 4 do
      workers[i] = swarm.spawn(function()
        return i
      end)
    end
    for i = 4, 1, -1 do
      assert.equal(i, swarm.result(workers[i]))
    end
  end)

  program("join: its time races the end", { "true", "poll_timeout" }, function()
    local child = swarm.spawn(sleeper, 1)
    local ok, err = swarm.join(child, { timeout = 1 })
    assert.is_true(swarm.join(child))
    return ok or err.code
  end)

  program("join: of no time at all", { "true", "poll_timeout" }, function()
    local child = swarm.spawn(slow)
    local ok, err = swarm.join(child, { timeout = 0 })
    assert.equal(ok == true, child.status == "pass")
    return ok or err.code
  end)

  program("join: two with a time, and one without", function()
    local child = swarm.spawn(sleeper, 1)
    for _ = 1, 2 do
      swarm.spawn(function()
        local ok, err = swarm.join(child, { timeout = 1 })
        assert.equal(ok and "pass" or "running", child.status)
        assert.equal(not ok, err ~= nil)
      end)
    end
    assert.is_true(swarm.join(child))
  end)

  program("join: a ring of three", function()
    local workers, deadlocks = {}, 0
    for i = 1, 3 do
      workers[i] = swarm.spawn(function()
        local ok, err = pcall(swarm.join, workers[i % 3 + 1])
        if not ok then
          assert.equal("deadlock", err.code)
          deadlocks = deadlocks + 1
        end
      end)
    end
    join_all(workers)
    assert.equal(1, deadlocks)
  end)

  program("join: of each other, with a way out by time", function()
    local workers = {}
    for i = 1, 2 do
      workers[i] = swarm.spawn(function()
        return (swarm.join(workers[3 - i], { timeout = i }))
      end)
    end
    assert.is_nil(swarm.result(workers[1]))
    assert.is_true(swarm.result(workers[2]))
  end)

  program("join: of one's own parent", function(ctx)
    local child = swarm.spawn(function()
      turns()
      local ok, err = pcall(swarm.join, ctx)
      assert.is_false(ok)
      return err.code
    end)
    assert.equal("deadlock", swarm.result(child))
  end)

  program("join: a nephew that joins its uncle", { "deadlock" }, function()
    local uncle, code
    local parent = swarm.spawn(function()
      swarm.spawn(function()
        local ok, err = pcall(swarm.join, uncle)
        code = not ok and err.code
      end)
    end)
    uncle = swarm.spawn(function()
      local ok, err = pcall(swarm.join, parent)
      return not ok and err.code
    end)
    local other = swarm.result(uncle)
    swarm.join(parent)
    assert.is_true(not (code and other)) -- one of the two at the most
    return code or other
  end)

  program("join: a child that nobody joins settles first", function()
    local ended = false
    local parent = swarm.spawn(function()
      swarm.spawn(function()
        turns(2)
        ended = true
      end)
    end)
    swarm.join(parent)
    assert.is_true(ended)
  end)

  program("join: a failure that nobody joins fails its parent", function()
    local parent = swarm.spawn(function()
      for i = 1, 2 do
        swarm.spawn(function()
          turns()
          error { code = "broke", i = i }
        end)
      end
    end)
    local _, err = swarm.join(parent)
    assert.equal("children_failed", err.code)
    assert.equal(2, #err.errors)
    assert.equal(3, err.errors[1].i + err.errors[2].i)
  end)

  program("join: who owns a failure last", { "cousin", "parent" }, function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(function()
        error "broke"
      end)
      turns()
    end)
    swarm.yield()
    local cousin = swarm.spawn(function()
      return child and not swarm.join(child)
    end)
    local joined = swarm.result(cousin)
    local ok, err = swarm.join(parent)
    -- The failure is handed over once, or it fails the parent; never is it lost.
    assert.is_true(joined or not ok)
    assert.is_true(ok or err.code == "children_failed")
    return ok and "cousin" or "parent"
  end)
end)

describe("cancel", function()
  program("cancel: before it begins", function()
    local child = swarm.spawn(function()
      error "it began"
    end)
    assert.is_true(swarm.cancel(child, "no need"))
    assert.equal("cancelled", status_of(child))
  end)

  program("cancel: one that may have begun", { "cancelled", "pass" }, function()
    local child = swarm.spawn(slow)
    swarm.spawn(function()
      local will_end = swarm.cancel(child)
      assert.equal(will_end, child.status ~= "pass")
    end)
    return status_of(child)
  end)

  program("cancel: it races the end", { "cancelled", "pass" }, function()
    local child = swarm.spawn(function()
      turns(2)
    end)
    local by = swarm.spawn(function()
      turns()
      return swarm.cancel(child)
    end)
    assert.equal(swarm.result(by) and "cancelled" or "pass", status_of(child))
    return child.status
  end)

  program("cancel: two at once", { "one", "two", "pass" }, function()
    local child = swarm.spawn(slow)
    local told = {}
    for _, reason in ipairs { "one", "two" } do
      swarm.spawn(function()
        turns()
        told[reason] = swarm.cancel(child, reason)
      end)
    end
    local _, err = swarm.join(child)
    swarm.sleep(1)
    assert.equal(err ~= nil, (told.one or told.two) == true)
    return err and err.reason or "pass"
  end)

  program("cancel: of one that sleeps", { "cancelled", "pass" }, function()
    local child = swarm.spawn(sleeper, 1)
    local by = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.cancel(child)
    end)
    local was = swarm.result(by)
    assert.equal(was and "cancelled" or "pass", status_of(child))
    assert.equal(1, swarm.monotonic())
    return child.status
  end)

  program("cancel: of a parent with two children", { "cancelled", "pass" }, function()
    local children = {}
    local parent = swarm.spawn(function()
      for i = 1, 2 do
        children[i] = swarm.spawn(slow)
      end
    end)
    swarm.yield()
    swarm.cancel(parent)
    local status = status_of(parent)
    for i = 1, #children do
      assert.is_true(children[i].status == "pass" or children[i].status == status)
    end
    return status
  end)

  program("cancel: of a joiner leaves what it joins", function()
    local target = swarm.spawn(function()
      turns(2)
      return 7
    end)
    local joiner = swarm.spawn(function()
      swarm.join(target)
      turns()
    end)
    swarm.spawn(function()
      swarm.cancel(joiner)
    end)
    assert.equal(7, swarm.result(target))
    assert.is_true(status_of(joiner) == "cancelled" or joiner.status == "pass")
  end)

  program("cancel: of one of two joiners", function()
    local target = swarm.spawn(function()
      turns()
      return 7
    end)
    local joiners = {}
    for i = 1, 2 do
      joiners[i] = swarm.spawn(function()
        return swarm.result(target)
      end)
    end
    swarm.yield()
    swarm.cancel(joiners[1])
    assert.equal(7, swarm.result(joiners[2]))
    swarm.join(joiners[1])
  end)

  program("cancel: and wait, twice", { "true false", "false true", "true true" }, function()
    local child = swarm.spawn(function()
      pcall(swarm.sleep, 9)
      swarm.shield(turns)
    end)
    swarm.yield()
    local told = {}
    for i = 1, 2 do
      told[i] = swarm.spawn(function()
        return swarm.cancel(child, "enough", { wait = true })
      end)
    end
    local one, two = swarm.result(told[1]), swarm.result(told[2])
    assert.equal("cancelled", child.status)
    return tostring(one) .. " " .. tostring(two)
  end)

  program("cancel: of oneself", function()
    local child = swarm.spawn(function(ctx)
      swarm.spawn(slow)
      swarm.cancel(ctx)
      local ok, err = pcall(swarm.yield)
      assert.is_false(ok)
      assert.equal("cancelled", err.code)
    end)
    assert.equal("cancelled", status_of(child))
  end)

  program("cancel: of each other", function()
    local workers = {}
    for i = 1, 2 do
      workers[i] = swarm.spawn(function()
        swarm.cancel(workers[3 - i])
        turns()
      end)
    end
    local first, second = status_of(workers[1]), status_of(workers[2])
    assert.is_true(first == "cancelled" or second == "cancelled")
  end)

  program("cancel: a clean-up that fails", { "failed", "cancelled", "pass" }, function()
    local child = swarm.spawn(function()
      local ok = pcall(turns)
      if not ok then
        error { code = "unclean" }
      end
    end)
    local by = swarm.spawn(function()
      swarm.cancel(child, "enough")
    end)
    local _, err = swarm.join(child)
    swarm.join(by)
    if child.status == "failed" then
      assert.equal("enough", err.cancel_reason)
    end
    return child.status
  end)

  program("cancel: no pcall swallows it", function()
    local child = swarm.spawn(function()
      for _ = 1, 3 do
        pcall(swarm.yield)
      end
      return "gone on"
    end)
    swarm.yield()
    local was = swarm.cancel(child)
    assert.equal(was and "cancelled" or "pass", status_of(child))
  end)

  program("cancel: of a parent that waits for its children", { "cancelled", "pass" }, function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(function()
        turns(2)
      end)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(parent)
    end)
    local status = status_of(parent)
    assert.is_true(not child or child.status == "pass" or child.status == "cancelled")
    return status
  end)
end)

describe("shield", function()
  program("shield: holds a cancel back", { "whole", "nothing" }, function()
    local began, ended = false, false
    local child = swarm.spawn(function()
      swarm.shield(function()
        began = true
        turns(2)
        ended = true
      end)
      swarm.yield()
    end)
    swarm.spawn(function()
      swarm.cancel(child)
    end)
    swarm.join(child)
    assert.equal(began, ended)
    return ended and "whole" or "nothing"
  end)

  program("shield: for the clean-up of a cancelled worker", function()
    local clean = false
    local child = swarm.spawn(function()
      pcall(swarm.sleep, 9)
      swarm.shield(function()
        swarm.join(swarm.spawn(slow))
        clean = true
      end)
    end)
    swarm.yield()
    local began = child.status == "running"
    swarm.cancel(child)
    assert.equal("cancelled", status_of(child))
    assert.equal(began, clean)
  end)

  program("shield: its children are shielded with it", { "pass", "cancelled", "nil" }, function()
    local inner
    local child = swarm.spawn(function()
      swarm.shield(function()
        inner = swarm.spawn(slow)
      end)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(child)
    end)
    local status = status_of(child)
    assert.is_true(inner == nil or inner.status == "pass")
    return inner and status or nil
  end)

  program("shield: what ends with its time ends too late", { "timeout" }, function()
    local child = swarm.spawn(sleeper, 1)
    swarm.yield()
    local ok, err = pcall(swarm.shield, function()
      swarm.join(child)
    end, { timeout = 1 })
    return ok and "in time" or err.code
  end)

  program("shield: a deadline outside waits until it is over", function()
    local whole = false
    local ok, err = pcall(swarm.timeout, 1, function()
      swarm.shield(function()
        swarm.join(swarm.spawn(sleeper, 1))
        swarm.join(swarm.spawn(sleeper, 1))
        whole = true
      end)
      swarm.yield()
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.code)
    assert.is_true(whole)
  end)
end)

describe("timeout", function()
  program("timeout: a child that ends with it ends too late", { "pass", "cancelled" }, function()
    local other = swarm.spawn(sleeper, 1)
    swarm.yield()
    local child
    local ok, err = pcall(swarm.timeout, 1, function()
      child = swarm.spawn(function()
        swarm.join(other)
      end)
      swarm.join(child)
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.code)
    assert.is_true(swarm.join(other))
    return child.status
  end)

  program("timeout: two that end together, one in the other", function()
    local ok, err = pcall(swarm.timeout, 1, function()
      local _, inner = pcall(swarm.timeout, 1, function()
        swarm.spawn(sleeper, 2)
        swarm.sleep(2)
      end)
      assert.is_not_nil(inner)
      swarm.yield()
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.code)
    assert.equal(1, swarm.monotonic())
  end)

  program("timeout: of no time at all", function()
    local child
    local ok, err = pcall(swarm.timeout, 0, function()
      child = swarm.spawn(slow)
      swarm.join(child)
    end)
    assert.is_true(ok and child.status == "pass" or err.code == "timeout")
  end)

  program("timeout: a return that comes with it comes too late", { "timeout" }, function()
    local other = swarm.spawn(sleeper, 1)
    local child = swarm.spawn(function()
      swarm.join(other)
    end, nil, { timeout = 1 })
    local status = status_of(child)
    assert.is_true(swarm.join(other))
    return status
  end)

  program("timeout: it races a cancel", { "timeout", "cancelled" }, function()
    local child = swarm.spawn(sleeper, 5, { timeout = 1 })
    local by = swarm.spawn(function()
      swarm.sleep(1)
      return swarm.cancel(child)
    end)
    assert.equal(swarm.result(by) and "cancelled" or "timeout", status_of(child))
    return child.status
  end)

  program("timeout: of a parent with children that time out", function()
    local parent = swarm.spawn(function()
      for _ = 1, 2 do
        swarm.spawn(sleeper, 2, { timeout = 1 })
      end
      swarm.sleep(2)
    end, nil, { timeout = 1 })
    local _, err = swarm.join(parent)
    assert.is_true(parent.status == "timeout" or parent.status == "failed")
    assert.is_not_nil(err)
  end)
end)

describe("scope", function()
  program("scope: the first failure cancels the rest", function()
    local other
    local ok, err = pcall(swarm.scope, function(scope)
      scope:spawn(function()
        turns()
        error { code = "broke" }
      end)
      other = scope:spawn(function()
        turns(2)
      end)
    end)
    assert.is_false(ok)
    assert.equal("broke", err.code)
    assert.is_true(other.status == "cancelled" or other.status == "pass")
  end)

  program("scope: two failures", { "1", "2" }, function()
    local workers = {}
    local ok, err = pcall(swarm.scope, function(scope)
      for i = 1, 2 do
        workers[i] = scope:spawn(function()
          turns()
          error { code = "broke", i = i }
        end)
      end
    end)
    assert.is_false(ok)
    local other = workers[3 - err.i]
    assert.equal(other.status == "failed" and 1 or 0, err.others and #err.others or 0)
    return err.i
  end)

  program("scope: spawned into by another worker", { "in", "too late" }, function()
    local inside, face, status
    local by = swarm.spawn(function()
      turns()
      if face then
        local ok, child = pcall(face.spawn, face, slow)
        inside = ok and child
      end
    end)
    swarm.scope(function(scope)
      face = scope
      turns()
    end)
    status = inside and inside.status
    swarm.join(by)
    assert.is_true(not status or status == "pass")
    return inside and "in" or "too late"
  end)

  program("scope: its function fails", function()
    local child
    local ok, err = pcall(swarm.scope, function(scope)
      child = scope:spawn(slow)
      turns()
      error { code = "mine" }
    end)
    assert.is_false(ok)
    assert.equal("mine", err.code)
    assert.is_true(child.status == "cancelled" or child.status == "pass")
  end)

  program("scope: one in another, both with workers", function()
    local outer_child, inner_child
    local ok, err = pcall(swarm.scope, function(outer)
      outer_child = outer:spawn(slow)
      swarm.scope(function(inner)
        inner_child = inner:spawn(function()
          error { code = "broke" }
        end)
      end)
    end)
    assert.is_false(ok)
    assert.equal("broke", err.code)
    assert.equal("failed", inner_child.status)
    assert.is_true(outer_child.status == "cancelled" or outer_child.status == "pass")
  end)

  program("scope: a cancel from outside races a failure", { "failed", "cancelled" }, function()
    local worker = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn(function()
          turns()
          error { code = "broke" }
        end)
      end)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(worker)
    end)
    return status_of(worker)
  end)
end)

describe("detached", function()
  program("detached: outlives its spawner", function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(function()
        turns(2)
        return 7
      end, nil, { detached = true })
    end)
    swarm.join(parent)
    assert.equal(7, swarm.result(child))
  end)

  program("detached: its spawner's cancel is not its own", function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(slow, nil, { detached = true })
      turns()
    end)
    swarm.spawn(function()
      swarm.cancel(parent)
    end)
    swarm.join(parent)
    assert.is_true(child == nil or swarm.join(child))
  end)

  program("detached: two, and one cancels the other", { "cancelled", "pass" }, function()
    local first = swarm.spawn(slow, nil, { detached = true })
    swarm.spawn(function()
      swarm.cancel(first)
    end, nil, { detached = true })
    return status_of(first)
  end)
end)

describe("concurrency", function()
  local function one_at_a_time()
    local seen = { inside = 0, most = 0, ended = 0 }
    function seen.work()
      seen.inside = seen.inside + 1
      seen.most = math.max(seen.most, seen.inside)
      local ok, err = pcall(swarm.yield)
      seen.inside = seen.inside - 1
      if not ok then
        error(err, 0)
      end
      seen.ended = seen.ended + 1
    end
    return seen
  end

  local seen -- a definition's workers share no closure: one program at a time has its own

  swarm.worker "one" {
    concurrency = 1,
    run = function()
      seen.work()
    end,
  }
  swarm.worker "two" {
    concurrency = 2,
    run = function()
      seen.work()
    end,
  }

  program("concurrency: one slot, three workers", function()
    seen = one_at_a_time()
    local workers = {}
    for i = 1, 3 do
      workers[i] = swarm.spawn "one"
    end
    join_all(workers)
    assert.equal(1, seen.most)
    assert.equal(3, seen.ended)
  end)

  program("concurrency: two slots, three workers", function()
    seen = one_at_a_time()
    for _ = 1, 3 do
      swarm.spawn "two"
    end
    swarm.sleep(1)
    assert.equal(3, seen.ended)
    assert.is_true(seen.most <= 2)
  end)

  program("concurrency: a cancel in the queue", { "0", "1" }, function()
    seen = one_at_a_time()
    swarm.spawn "one"
    local second = swarm.spawn "one"
    swarm.spawn(function()
      swarm.cancel(second)
    end)
    swarm.join(second)
    swarm.sleep(1)
    assert.equal(1, seen.most)
    local ran = swarm.spawn "one"
    assert.is_true(swarm.join(ran)) -- the slot is free again
    return seen.ended - 2
  end)

  program("concurrency: a cancel as the slot changes hands", function()
    seen = one_at_a_time()
    local first, second, third = swarm.spawn "one", swarm.spawn "one", swarm.spawn "one"
    swarm.join(first)
    swarm.cancel(second)
    swarm.join(second)
    assert.is_true(swarm.join(third))
    assert.equal(1, seen.most)
  end)

  program("concurrency: a cancel of the one who holds the slot", function()
    seen = one_at_a_time()
    local first, second = swarm.spawn "one", swarm.spawn "one"
    swarm.spawn(function()
      swarm.cancel(first)
    end)
    assert.is_true(swarm.join(second))
    swarm.join(first)
    assert.equal(1, seen.most)
  end)
end)

describe("output", function()
  ---Progress of a worker as a follower sees it.
  local function followed(target)
    local stages = {}
    for event in swarm.follow(target) do
      stages[#stages + 1] = event.stage or event.type
    end
    return table.concat(stages, " ")
  end
  local function teller(ctx)
    ctx:progress "one"
    turns()
    ctx:progress "two"
  end

  program("output: a follower sees everything, in order", function()
    local target = swarm.spawn(teller)
    assert.equal("one two final", followed(target))
  end)

  program("output: two followers see the same", function()
    local target = swarm.spawn(teller)
    local other = swarm.spawn(function()
      return followed(target)
    end)
    assert.equal("one two final", followed(target))
    assert.equal("one two final", swarm.result(other))
  end)

  program("output: a cancelled follower", function()
    local target = swarm.spawn(teller)
    local other = swarm.spawn(function()
      followed(target)
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(other)
    end)
    assert.equal("one two final", followed(target))
    swarm.join(other)
  end)

  program("output: a follower of one that is cancelled comes to an end", function()
    local target = swarm.spawn(teller)
    local other = swarm.spawn(function()
      return followed(target)
    end)
    swarm.spawn(function()
      swarm.cancel(target)
    end)
    assert.equal(0, select(2, followed(target):gsub("two one", "")))
    assert.equal(followed(target), swarm.result(other))
  end)

  program("output: a tail only ever grows", function()
    local target = swarm.spawn(teller)
    local seen = 0
    for _ = 1, 3 do
      local now = #swarm.output_tail(target)
      assert.is_true(now >= seen)
      seen = now
      swarm.yield()
    end
    swarm.join(target)
    assert.equal(3, #swarm.output_tail(target))
  end)

  program("output: partial output survives a cancel", { "0", "1", "3" }, function()
    local target = swarm.spawn(teller)
    swarm.spawn(function()
      swarm.cancel(target)
    end)
    swarm.join(target)
    return #swarm.output_tail(target)
  end)
end)

describe("cancel token", function()
  program("cancel token: two wait for it, and it is cancelled", { "true", "false" }, function()
    local target = swarm.spawn(slow)
    local waiters = {}
    for i = 1, 2 do
      waiters[i] = swarm.spawn(function()
        return target.cancel_token:wait()
      end)
    end
    swarm.spawn(function()
      swarm.cancel(target)
    end)
    local one, two = swarm.result(waiters[1]), swarm.result(waiters[2])
    swarm.join(target)
    assert.equal(target.status == "cancelled", one)
    assert.equal(one, two)
    return one
  end)

  program("cancel token: the waiter is cancelled itself", function()
    local target = swarm.spawn(slow)
    local waiter = swarm.spawn(function()
      return target.cancel_token:wait()
    end)
    swarm.spawn(function()
      swarm.cancel(waiter)
    end)
    assert.is_true(swarm.join(target))
    assert.is_true(swarm.join(waiter) or waiter.status == "cancelled")
  end)

  program("cancel token: a wait for one that ends by itself", function()
    local target = swarm.spawn(function()
      turns(2)
    end)
    assert.is_false(target.cancel_token:wait())
    assert.equal("pass", target.status)
  end)
end)

describe("channel", function()
  ---Values of a channel, sent from a worker of its own.
  local function sender(channel, ...)
    local values = { ... }
    return swarm.spawn(function()
      for i = 1, #values do
        channel:send(values[i])
      end
    end)
  end
  local function receiver(channel)
    return swarm.spawn(function()
      return (channel:recv())
    end)
  end

  program("channel: two senders, two receivers, no room", function()
    local channel = swarm.channel()
    sender(channel, 1)
    sender(channel, 2)
    local one, two = receiver(channel), receiver(channel)
    assert.equal(3, swarm.result(one) + swarm.result(two))
  end)

  program("channel: room for one, three values in order", function()
    local channel = swarm.channel(1)
    swarm.spawn(function()
      for i = 1, 3 do
        channel:send(i)
      end
      channel:close()
    end)
    local got = {}
    for value in channel:iter() do
      got[#got + 1] = value
      swarm.yield()
    end
    assert.same({ 1, 2, 3 }, got)
  end)

  program("channel: a cancelled receiver eats no value", { "first", "second" }, function()
    local channel = swarm.channel()
    local got = {}
    local function receive(who)
      return swarm.spawn(function()
        got[who] = channel:recv()
      end)
    end
    local first = receive "first"
    swarm.spawn(function()
      swarm.cancel(first)
    end)
    local sent = sender(channel, 7)
    swarm.join(first)
    local second = receive "second"
    swarm.sleep(1)
    assert.equal("pass", sent.status)
    assert.equal(7, got.first or got.second)
    assert.is_nil(got.first and got.second)
    swarm.cancel(second)
    return got.first and "first" or "second"
  end)

  program("channel: a cancelled sender sends nothing", { "sent", "not sent" }, function()
    local channel = swarm.channel()
    local sent = sender(channel, 7)
    swarm.spawn(function()
      swarm.cancel(sent)
    end)
    local got = receiver(channel)
    swarm.join(sent)
    swarm.sleep(1)
    local arrived = got.status == "pass"
    if not arrived then
      channel:close()
      assert.is_nil(swarm.result(got))
      assert.equal("cancelled", sent.status)
    end
    return arrived and "sent" or "not sent"
  end)

  program("channel: a close races a sender and a receiver", { "both", "neither" }, function()
    local channel = swarm.channel()
    local sent, got = sender(channel, 7), receiver(channel)
    swarm.spawn(function()
      channel:close()
    end)
    local ok, err = swarm.join(sent)
    assert.equal(ok == true, swarm.result(got) == 7)
    assert.is_true(ok or err.code == "closed")
    return ok and "both" or "neither"
  end)

  program("channel: a receiver's time races the value", { "sent", "not sent" }, function()
    local channel = swarm.channel()
    local sent, got = false, nil
    local first = swarm.spawn(function()
      swarm.sleep(1)
      channel:send(7)
      sent = true
    end)
    swarm.yield()
    local second = swarm.spawn(function()
      got = channel:recv()
    end, nil, { timeout = 1 })
    swarm.join(second)
    swarm.sleep(1)
    swarm.cancel(first)
    assert.equal(sent, got == 7)
    return sent and "sent" or "not sent"
  end)

  program("channel: three workers in a pipeline", function()
    local first, second = swarm.channel(), swarm.channel()
    sender(first, 1, 2)
    swarm.spawn(function()
      for _ = 1, 2 do
        second:send(first:recv() * 10)
      end
    end)
    assert.equal(10, (second:recv()))
    assert.equal(20, (second:recv()))
  end)

  program("channel: a full one, and two senders in the order of coming", function()
    local channel = swarm.channel(1)
    channel:send(0)
    local order, sent = {}, 0
    for i = 1, 2 do
      swarm.spawn(function()
        order[#order + 1] = i
        channel:send(i)
        sent = sent + 1
      end)
    end
    swarm.sleep(1)
    assert.equal(0, (channel:recv()))
    swarm.sleep(1)
    assert.equal(1, sent) -- there was room for one more
    assert.equal(order[1], (channel:recv()))
    assert.equal(order[2], (channel:recv()))
  end)
end)

describe("semaphore", function()
  program("semaphore: one permit, three workers", function()
    local semaphore = swarm.semaphore(1)
    local inside, ended = 0, 0
    for _ = 1, 3 do
      swarm.spawn(function()
        semaphore:with(function()
          inside = inside + 1
          assert.equal(1, inside)
          swarm.yield()
          inside = inside - 1
          ended = ended + 1
        end)
      end)
    end
    swarm.sleep(1)
    assert.equal(3, ended)
  end)

  program("semaphore: a cancelled waiter eats no permit", function()
    local semaphore = swarm.semaphore(1)
    semaphore:acquire()
    local waiter = swarm.spawn(function()
      semaphore:with(turns)
    end)
    local by = swarm.spawn(function()
      swarm.cancel(waiter)
    end)
    swarm.yield()
    semaphore:release()
    swarm.join(by)
    swarm.join(waiter)
    semaphore:acquire() -- would wait for ever, where the permit was lost
    semaphore:release()
    local ok = pcall(semaphore.release, semaphore)
    assert.is_false(ok) -- and there is no second one
  end)

  program("semaphore: a waiter whose time is up as the permit comes", { "2", "1" }, function()
    local semaphore = swarm.semaphore(1)
    local had = 0
    swarm.spawn(function()
      semaphore:with(function()
        had = had + 1
        swarm.sleep(1)
      end)
    end)
    swarm.yield()
    local waiter = swarm.spawn(function()
      semaphore:with(function()
        had = had + 1
      end)
    end, nil, { timeout = 1 })
    swarm.join(waiter)
    swarm.sleep(1)
    semaphore:acquire()
    semaphore:release()
    return had
  end)

  program("semaphore: two permits, three workers", function()
    local semaphore = swarm.semaphore(2)
    local inside = 0
    for _ = 1, 3 do
      swarm.spawn(function()
        semaphore:acquire()
        inside = inside + 1
        assert.is_true(inside <= 2)
        swarm.yield()
        inside = inside - 1
        semaphore:release()
      end)
    end
  end)
end)

describe("event", function()
  program("event: three wait, one sets", function()
    local event = swarm.event()
    local gone_on = 0
    for _ = 1, 3 do
      swarm.spawn(function()
        event:wait()
        gone_on = gone_on + 1
      end)
    end
    swarm.yield()
    event:set()
    swarm.sleep(1)
    assert.equal(3, gone_on)
  end)

  program("event: set and cleared at once wakes who waits", { "1", "0" }, function()
    local event = swarm.event()
    local waiting, gone_on = false, 0
    local waiter = swarm.spawn(function()
      waiting = true
      event:wait()
      gone_on = 1
    end)
    local was_waiting
    swarm.spawn(function()
      was_waiting = waiting
      event:set()
      event:clear()
    end)
    swarm.sleep(1)
    assert.equal(was_waiting and 1 or 0, gone_on)
    swarm.cancel(waiter)
    return gone_on
  end)

  program("event: a cancel races the set", { "pass", "cancelled" }, function()
    local event = swarm.event()
    local waiter = swarm.spawn(function()
      event:wait()
    end)
    swarm.spawn(function()
      event:set()
    end)
    swarm.spawn(function()
      swarm.cancel(waiter)
    end)
    return status_of(waiter)
  end)
end)

describe("lock", function()
  program("lock: three updates, none lost", function()
    local lock, balance = swarm.lock(), 0
    for _ = 1, 3 do
      swarm.spawn(function()
        lock:with(function()
          local seen = balance
          swarm.yield()
          balance = seen + 1
        end)
      end)
    end
    swarm.sleep(1)
    assert.equal(3, balance)
  end)

  program("lock: two locks, always in the same order", function()
    local left, right = swarm.lock(), swarm.lock()
    for _ = 1, 2 do
      swarm.spawn(function()
        left:with(function()
          swarm.yield()
          right:with(turns)
        end)
      end)
    end
  end)

  program("lock: a cancelled holder, a cancelled waiter", function()
    local lock = swarm.lock()
    local workers = {}
    for i = 1, 2 do
      workers[i] = swarm.spawn(function()
        lock:with(turns)
      end)
    end
    swarm.spawn(function()
      swarm.cancel(workers[1])
    end)
    swarm.yield()
    swarm.cancel(workers[2])
    join_all(workers)
    lock:with(turns)
  end)
end)

describe("gather", function()
  local function value_of(value)
    return function()
      turns()
      return value
    end
  end
  local function failing(code)
    return function()
      turns()
      error { code = code }
    end
  end

  program("all: three values, in order", function()
    assert.same({ 1, 2, 3 }, swarm.all { value_of(1), value_of(2), value_of(3) })
  end)

  program("all: the first failure cancels the rest", { "one", "two" }, function()
    local other = swarm.spawn(slow)
    local ok, err = pcall(swarm.all, { failing "one", failing "two", other })
    assert.is_false(ok)
    assert.is_true(other.status == "cancelled" or other.status == "pass")
    return err.code
  end)

  program("all: a cancel races the ends", { "cancelled", "pass" }, function()
    local worker = swarm.spawn(function()
      assert.same({ 1, 2 }, swarm.all { value_of(1), value_of(2) })
    end)
    swarm.spawn(function()
      turns()
      swarm.cancel(worker)
    end)
    return status_of(worker)
  end)

  program("any: the first that passes", { "2", "3" }, function()
    local value, i = swarm.any { failing "one", value_of(2), value_of(3) }
    assert.equal(value, i)
    return value
  end)

  program("any: none passes", function()
    local ok, err = pcall(swarm.any, { failing "one", failing "two" })
    assert.is_false(ok)
    assert.equal("none_passed", err.code)
    assert.equal(2, #err.errors)
  end)

  program("race: the first of three, and the others have settled", { "1", "2", "3" }, function()
    local workers = {}
    for i = 1, 3 do
      workers[i] = swarm.spawn(slow)
    end
    local winner, i = swarm.race(workers)
    assert.equal("pass", winner.status)
    for j = 1, 3 do
      assert.is_true(workers[j].status == "cancelled" or workers[j].status == "pass")
    end
    return i
  end)

  program("race: two races over the same workers", function()
    local workers = { swarm.spawn(slow), swarm.spawn(slow) }
    local other = swarm.spawn(function()
      swarm.race(workers)
    end)
    swarm.race(workers)
    swarm.join(other)
    for i = 1, 2 do
      assert.is_true(workers[i].status == "cancelled" or workers[i].status == "pass")
    end
  end)

  program("settle: all ends, whatever they are", function()
    local ends = swarm.settle { value_of(1), failing "broke", value_of(3) }
    assert.equal("pass", ends[1].status)
    assert.equal("broke", ends[2].err.code)
    assert.equal(3, ends[3].value)
  end)

  program("each: in the order of their ends", function()
    local ended, seen = {}, {}
    local workers = {}
    for i = 1, 3 do
      workers[i] = swarm.spawn(function()
        ended[#ended + 1] = i
      end)
    end
    for i in swarm.each(workers) do
      seen[#seen + 1] = i
      swarm.yield()
    end
    assert.same(ended, seen)
  end)

  program("map: two at a time", function()
    local inside = 0
    local values = swarm.map(function(_, item)
      inside = inside + 1
      assert.is_true(inside <= 2)
      swarm.yield()
      inside = inside - 1
      return item * 2
    end, { 1, 2, 3 }, { concurrency = 2 })
    assert.same({ 2, 4, 6 }, values)
  end)
end)

describe("supervisor", function()
  ---Fails on its first `times` runs, then ends well; counts its runs.
  local function unsteady(times)
    local seen = { runs = 0 }
    function seen.run()
      seen.runs = seen.runs + 1
      swarm.yield()
      if seen.runs <= times then
        error { code = "broke" }
      end
    end
    return seen
  end

  program("supervisor: starts a child again", function()
    local child = unsteady(1)
    local supervisor = swarm.supervise {
      children = { { child.run, id = "child", restart = "transient" } },
    }
    assert.is_true(swarm.join(supervisor))
    assert.equal(2, child.runs)
  end)

  program("supervisor: gives up", function()
    local child, other = unsteady(9), unsteady(0)
    local supervisor = swarm.supervise {
      intensity = 1,
      children = {
        { other.run, id = "other", restart = "temporary" },
        { child.run, id = "child", restart = "transient" },
      },
    }
    local ok, err = swarm.join(supervisor)
    assert.is_nil(ok)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal(2, child.runs)
  end)

  program("supervisor: a cancel races a restart", { "1", "2", "0" }, function()
    local child = unsteady(1)
    local supervisor = swarm.supervise {
      children = { { child.run, id = "child", restart = "transient" } },
    }
    swarm.spawn(function()
      turns()
      swarm.cancel(supervisor)
    end)
    local status = status_of(supervisor)
    assert.is_true(status == "cancelled" or status == "pass")
    return child.runs
  end)

  program("supervisor: one for all, two that fail", function()
    local one, two = unsteady(1), unsteady(1)
    local supervisor = swarm.supervise {
      strategy = "one_for_all",
      intensity = 5,
      children = {
        { one.run, id = "one", restart = "transient" },
        { two.run, id = "two", restart = "transient" },
      },
    }
    assert.is_true(swarm.join(supervisor))
    assert.is_true(one.runs >= 2 and two.runs >= 2)
  end)

  program("supervisor: stopped by two at once", function()
    local supervisor = swarm.supervise {
      children = { { sleeper, 100, id = "child", restart = "permanent" } },
    }
    for _ = 1, 2 do
      swarm.spawn(function()
        pcall(supervisor.stop, supervisor, "child")
      end)
    end
    swarm.sleep(1)
    assert.equal(0, #supervisor:children())
    swarm.cancel(supervisor)
  end)

  program("supervisor: its children stop in reverse, each after its clean-up", function()
    local stopped = {}
    local function child_of(name)
      return function()
        pcall(swarm.sleep, 100)
        swarm.shield(turns)
        stopped[#stopped + 1] = name
      end
    end
    local supervisor = swarm.supervise {
      children = {
        { child_of "one", id = "one", restart = "permanent" },
        { child_of "two", id = "two", restart = "permanent" },
      },
    }
    swarm.sleep(1)
    swarm.cancel(supervisor, "enough", { wait = true })
    assert.same({ "two", "one" }, stopped)
  end)
end)

describe("join and cancel, further", function()
  program("join: of one that joined me, and was cancelled", function(ctx)
    local joiner = swarm.spawn(function()
      swarm.join(ctx, { timeout = 9 })
    end)
    local other
    local first = swarm.spawn(function()
      swarm.yield()
      swarm.cancel(other)
      return swarm.join(other) -- it waits no longer, though it has not gone on yet
    end)
    other = swarm.spawn(function()
      swarm.join(first)
    end)
    swarm.cancel(joiner)
    swarm.join(first)
    assert.is_true(other.status == "cancelled" or first.status == "pass")
    assert.not_equal("failed", first.status)
  end)

  program("cancel: reaches the children that a parent waits for, at once", function()
    local parent = swarm.spawn(function()
      swarm.spawn(sleeper, 100)
      swarm.spawn(sleeper, 100)
    end)
    swarm.spawn(function()
      turns(2)
      swarm.cancel(parent)
    end)
    assert.equal("cancelled", status_of(parent))
    assert.equal(0, swarm.monotonic())
  end)

  program("cancel: of the children of a worker that fails, at once", function()
    local child
    local parent = swarm.spawn(function()
      child = swarm.spawn(sleeper, 100)
      turns()
      error { code = "broke" }
    end)
    local _, err = swarm.join(parent)
    assert.equal("broke", err.code)
    assert.equal("cancelled", child.status)
    assert.equal(0, swarm.monotonic())
  end)

  program("scope: the children of a block that fails are cancelled at once", function()
    for _, block in ipairs {
      swarm.scope,
      swarm.shield,
      function(fn)
        swarm.timeout(5, fn)
      end,
    } do
      local child
      local ok, err = pcall(block, function()
        child = swarm.spawn(sleeper, 4)
        turns()
        error { code = "broke" }
      end)
      assert.is_false(ok)
      assert.equal("broke", err.code)
      assert.equal("cancelled", child.status)
    end
    assert.equal(0, swarm.monotonic())
  end)

  program("timeout: a failure that nobody joined in it is raised after it", function()
    local ok, err = pcall(swarm.timeout, 5, function()
      swarm.spawn(function()
        turns()
        error { code = "broke" }
      end)
      swarm.spawn(slow)
    end)
    assert.is_false(ok)
    assert.equal("children_failed", err.code)
    assert.equal("broke", err.errors[1].code)
  end)

  program("cancel token: tells of the cancel before the clean-up ends", { "0" }, function()
    local target = swarm.spawn(function()
      pcall(swarm.sleep, 9)
      swarm.shield(function()
        swarm.sleep(5)
      end)
    end)
    local waiter = swarm.spawn(function()
      local cancelled = target.cancel_token:wait()
      return cancelled and swarm.monotonic()
    end)
    swarm.yield()
    swarm.cancel(target)
    local at = swarm.result(waiter)
    swarm.join(target)
    return at
  end)

  program("scope: of two failures the first in time is raised", { "1", "2" }, function()
    local order = {}
    local ok, err = pcall(swarm.scope, function(scope)
      for i = 1, 2 do
        scope:spawn(function()
          pcall(turns, 2)
          order[#order + 1] = i
          error { code = "broke", i = i }
        end)
      end
    end)
    assert.is_false(ok)
    assert.equal(order[1], err.i)
    assert.equal(#order - 1, err.others and #err.others or 0)
    return err.i
  end)

  program("together: three that join, cancel and time out", function()
    local first = swarm.spawn(function()
      turns(2)
    end)
    local second = swarm.spawn(function()
      swarm.join(first, { timeout = 0 })
      turns()
    end, nil, { timeout = 1 })
    swarm.spawn(function()
      turns()
      swarm.cancel(first)
      swarm.join(second)
    end)
    swarm.join(first)
    assert.equal("pass", status_of(second))
  end)

  program("together: a shield, a deadline and a cancel", { "timeout", "cancelled" }, function()
    local whole = false
    local child = swarm.spawn(function()
      swarm.shield(function()
        swarm.sleep(1)
        turns()
        whole = true
      end)
    end, nil, { timeout = 1 })
    local by = swarm.spawn(function()
      swarm.sleep(1)
      swarm.cancel(child)
    end)
    local status = status_of(child)
    swarm.join(by)
    assert.is_true(whole)
    return status
  end)

  program("together: four workers of two turns, joined by two", function()
    local workers, n = {}, 0
    for i = 1, 3 do
      workers[i] = swarm.spawn(function()
        turns()
        n = n + 1
      end)
    end
    local other = swarm.spawn(function()
      join_all(workers)
      return n
    end)
    join_all(workers)
    assert.equal(3, swarm.result(other))
  end)
end)

describe("hooks", function()
  -- Each program runs these with a list of its own.
  local ended

  swarm.worker "told" {
    run = slow,
  }
  swarm.worker "told_one" {
    concurrency = 1,
    run = slow,
  }
  for _, name in ipairs { "told", "told_one" } do
    swarm.settled(name, function(_, outcome)
      turns()
      ended[#ended + 1] = outcome.status
    end)
  end

  program("hooks: settled runs once, however a cancel comes", { "pass", "cancelled" }, function()
    ended = {}
    local worker = swarm.spawn "told"
    swarm.spawn(function()
      swarm.cancel(worker)
    end)
    local status = status_of(worker)
    assert.same({ status }, ended)
    return status
  end)

  program("hooks: settled of who waits for a slot in vain", function()
    ended = {}
    local first, second = swarm.spawn "told_one", swarm.spawn "told_one"
    swarm.spawn(function()
      turns()
      swarm.cancel(second)
    end)
    join_all { first, second }
    assert.equal(2, #ended)
    assert.is_true(swarm.join(swarm.spawn "told_one"))
  end)
end)

describe("where it cannot wait", function()
  ---What a call raises inside a callback of a C function, which no worker can leave by waiting.
  local function barred(call)
    local code
    table.sort({ 1, 2 }, function()
      local ok, err = pcall(call)
      code = not ok and err.code
      return false
    end)
    assert.equal("invalid_argument", code)
  end

  program("no wait: a join, of a worker that others join", function()
    local target = swarm.spawn(slow)
    local other = swarm.spawn(function()
      return swarm.join(target)
    end)
    swarm.yield()
    if target.status ~= "pass" then
      barred(function()
        swarm.join(target)
      end)
      barred(function()
        swarm.join(target, { timeout = 1 })
      end)
    end
    turns()
    assert.is_true(swarm.join(target))
    assert.is_true(swarm.result(other))
  end)

  program("no wait: sleep, yield and a cancel token", function()
    local target = swarm.spawn(slow)
    barred(function()
      swarm.sleep(1)
    end)
    barred(swarm.yield)
    barred(function()
      target.cancel_token:wait()
    end)
    turns()
    assert.is_true(swarm.join(target))
    assert.equal(0, swarm.monotonic())
  end)

  program("no wait: a channel, a semaphore, a lock and an event", function()
    local channel, semaphore = swarm.channel(), swarm.semaphore(1)
    local lock, event = swarm.lock(), swarm.event()
    swarm.spawn(function()
      lock:with(function()
        semaphore:with(turns)
      end)
      event:set()
      channel:send(1)
    end)
    barred(function()
      channel:recv()
    end)
    barred(function()
      channel:send(2)
    end)
    barred(function()
      event:wait()
    end)
    swarm.yield()
    local got = channel:recv()
    assert.equal(1, got)
    lock:with(turns)
    semaphore:acquire()
    event:wait()
  end)
end)

it("every row of the table is a program", function()
  local rows = {}
  for name in pairs(listed) do
    rows[name] = true
  end
  assert.same(explored, rows)
end)
