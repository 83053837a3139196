-- Proves supervision.md, "Readiness"; `tests/ports/test_ready.py` proves it of real processes and
-- ports, and `ready_fields_spec.lua` what the fields may be.
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted, raised, seconds_of =
  notes.note, notes.noted, outcomes.raised, outcomes.seconds_of
local supervised, unit, child, runs = stock.supervised, stock.unit, stock.child, stock.runs

---What the workers below do: they are ready after `after` seconds (nil: never), and end `lasts`
---seconds after their beginning, as `how` says. `first` is what the first run does instead.
local function serve(ctx, input)
  local n = (runs[input.name] or 0) + 1
  runs[input.name] = n
  local plan = n == 1 and input.first or input
  note("+" .. input.name)
  local ok, err = pcall(function()
    if plan.after then
      swarm.sleep(plan.after)
      note("!" .. input.name)
      ctx:ready()
      ctx:ready()
    end
    swarm.sleep((plan.lasts or 1e9) - (plan.after or 0))
  end)
  if not ok then
    note("-" .. input.name)
    error(err, 0)
  elseif plan.how == "fail" then
    error { code = "broke", message = input.name .. " broke" }
  elseif plan.how == "block" then
    return nil, "blocked"
  end
end

swarm.worker "service" { ready = true, run = serve }
swarm.worker "hasty" { ready = true, start_timeout = 2, run = serve }
swarm.worker "single" { ready = true, start_timeout = 2, concurrency = 1, run = serve }
swarm.worker "persistent" {
  ready = true,
  retries = { max = 2, backoff = 1, jitter = false },
  run = function(ctx)
    runs.persistent = (runs.persistent or 0) + 1
    note("try " .. runs.persistent)
    if runs.persistent < 3 then
      error "not yet"
    end
    ctx:ready()
    swarm.sleep(1e9)
  end,
}
swarm.worker "listens" { ready = { port = 8080 }, start_timeout = 5, run = serve }
swarm.role "offline" { extends = "worker", deny = { "use_network", "start_task", "emit_output" } }
swarm.worker "offline" { ready = { port = 8080 }, role = "offline", run = serve }
swarm.worker "reticent" { ready = true, role = "offline", run = serve }

---A child with `ready`.
local function service(name, plan, fields)
  fields = fields or {}
  plan.name = name
  return { fields.worker or "service", plan, id = name, restart = fields.restart }
end

---The status of each child, in order.
local function statuses(sup)
  local list = {}
  for i, one in ipairs(sup:children()) do
    list[i] = one.id .. " " .. one.status .. (one.handle and "" or " unspawned")
  end
  return table.concat(list, ", ")
end

describe("a child that is ready", function()
  it("lets the next one start, and not before", function()
    supervised({
      children = { service("a", { after = 3 }), service("b", { after = 2 }), unit "c" },
    }, function(sup)
      assert.equal("a pending, b pending unspawned, c pending unspawned", statuses(sup))
      swarm.sleep(2.5)
      assert.equal("+a", noted())
      swarm.sleep(1)
      assert.equal("!a +b", noted())
      assert.equal("a running, b running, c pending unspawned", statuses(sup))
      swarm.sleep(1)
      assert.equal("", noted())
      swarm.sleep(1)
      assert.equal("!b +c", noted())
    end)
  end)

  it("is so at once where it has no `ready`", function()
    supervised({ children = { unit "a", service("b", { after = 1 }), unit "c" } }, function(sup)
      assert.equal("a pending, b pending, c pending unspawned", statuses(sup))
    end)
    assert.equal("", noted())
  end)

  it("is waited for at a restart too, by those that are started with it", function()
    supervised({
      strategy = "rest_for_one",
      children = {
        service("a", { after = 2, first = { after = 0, lasts = 1, how = "fail" } }),
        unit "b",
      },
    }, function()
      swarm.sleep(2.5)
      assert.equal("+a !a +b -b +a", noted())
      swarm.sleep(1)
      assert.equal("!a +b", noted())
    end)
  end)

  it("holds up no restart of a child before it", function()
    supervised({
      children = {
        unit("a", { ends = { stock.FAIL } }),
        service("b", { after = 5 }),
        unit "c",
      },
    }, function()
      swarm.sleep(2)
      assert.equal("+a +b +a", noted())
    end)
  end)

  it("may have retries", function()
    supervised({ children = { { "persistent" }, unit "b" } }, function(sup)
      assert.is_true(sup:ready())
      assert.equal(3, swarm.monotonic()) -- 1 and 2 seconds
      swarm.yield()
      assert.equal("try 1 try 2 try 3 +b", noted())
      assert.equal(0, child(sup, "persistent").restarts)
    end)
  end)

  it("needs no verb to say so, and may say so twice", function()
    supervised({
      children = { service("a", { after = 1 }, { worker = "reticent" }), unit "b" },
    }, function(sup)
      assert.is_true(sup:ready())
    end)
    assert.equal("+a !a -a", noted())
  end)
end)

describe("a start that fails", function()
  ---What becomes of a house whose second child is given, and its error in the log's words.
  local function house(opts, second)
    opts.children = { unit "a", second, unit "c" }
    local sup = swarm.supervise(opts)
    local ready, err = sup:ready()
    local _, own = swarm.join(sup)
    assert.is_nil(ready)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal("restart_limit_exceeded", own.code)
    return own
  end

  it("because it took too long is a timeout that says what was waited for", function()
    local err = house({ intensity = 0 }, service("b", {}, { worker = "hasty" }))
    assert.equal(2, swarm.monotonic())
    assert.equal("+a +b -b -a", noted())
    assert.matches('child "b" needs restart 1 .* it did not start: .*: it was not', err.message)
    assert.equal("timeout", err.cause.code)
    assert.equal("it was not ready within 2 s: it did not call ctx:ready()", err.cause.message)
    assert.matches("readiness_spec.lua:%d+$", err.cause.where)
  end)

  it("has 30 seconds by default", function()
    house({ intensity = 0 }, service("b", {}))
    assert.equal(30, swarm.monotonic())
  end)

  it("because the worker failed has its error", function()
    local err = house({ intensity = 0 }, service("b", { lasts = 1, how = "fail" }))
    assert.equal(1, swarm.monotonic())
    assert.equal("broke", err.cause.code)
    assert.matches("it failed before it was ready: .*b broke$", err.message)
  end)

  it("because the worker ended well says so", function()
    local err = house({ intensity = 0 }, service("b", { lasts = 1 }))
    assert.matches("it ended %(pass%) before it was ready", err.message)
    assert.equal("+a +b -a", noted())
    err = house({ intensity = 0 }, service("x", { lasts = 1, how = "block" }))
    assert.matches("it ended before it was ready: blocked", err.message)
  end)

  it("because somebody cancelled the worker says so", function()
    local sup = swarm.supervise { intensity = 0, children = { service("b", {}) } }
    swarm.sleep(1)
    child(sup, "b").handle:cancel "a whim"
    local _, err = swarm.join(sup)
    assert.matches("it was cancelled before it was ready: a whim", err.message)
  end)

  it("is tried again as often as the intensity allows", function()
    house({ intensity = 2, period = 60 }, service("b", {}, { worker = "hasty" }))
    assert.equal("+a +b -b +b -b +b -b -a", noted())
    assert.equal(6, swarm.monotonic())
  end)

  it("is tried again after the backoff", function()
    local b = service("b", { lasts = 1, how = "fail" })
    house({ intensity = 2, period = 60, backoff = { first = 10 } }, b)
    assert.equal(33, swarm.monotonic()) -- three times one second, after 10 and 20
  end)

  it("is a failure for a transient child, however it ended", function()
    local b = service("b", { after = 1, first = { lasts = 1 } }, { restart = "transient" })
    supervised({ children = { b, unit "c" } }, function(sup)
      assert.is_true(sup:ready())
      assert.equal("+b +b !b", noted())
    end)
  end)

  it("has a temporary child forgotten, and the next one starts", function()
    local b = service("b", {}, { worker = "hasty", restart = "temporary" })
    supervised({ children = { unit "a", b, unit "c" } }, function(sup)
      assert.is_true(sup:ready())
      assert.equal("a c", stock.ids(sup))
      assert.equal(2, swarm.monotonic())
    end)
  end)

  it("stops and starts all where the strategy says so", function()
    local b = service("b", { after = 1, first = { lasts = 3, how = "fail" } })
    supervised({ strategy = "one_for_all", children = { unit "a", b, unit "c" } }, function(sup)
      assert.is_true(sup:ready())
      swarm.yield()
      assert.equal("+a +b -a +a +b !b +c", noted())
      assert.equal(0, child(sup, "c").restarts) -- it had never been started
      assert.equal(1, child(sup, "a").restarts)
    end)
  end)

  it("takes a wait for a slot into account", function()
    local holder = swarm.spawn("single", { name = "h" })
    swarm.yield()
    local b = service("b", { after = 0 }, { worker = "single" })
    local err = house({ intensity = 0 }, b)
    assert.equal("timeout", err.cause.code)
    assert.equal("+h +a -a", noted())
    holder:cancel()
  end)

  it("stops the worker by the ladder, and waits for its end", function()
    mock.worker("hasty", function()
      pcall(swarm.sleep, 1e9)
      swarm.shield(function()
        swarm.sleep(3)
      end)
    end)
    house({ intensity = 0 }, service("b", {}, { worker = "hasty" }))
    assert.equal(5, swarm.monotonic())
  end)
end)

describe("a supervisor whose children start", function()
  it("can be stopped at once, and starts nothing more", function()
    local sup = swarm.supervise { children = { service("a", {}), unit "b" } }
    swarm.sleep(1)
    assert.equal(0, seconds_of(swarm.cancel, sup, "enough", { wait = true }))
    assert.equal("+a -a", noted())
    assert.equal("a cancelled, b pending unspawned", statuses(sup))
    local ok, err = sup:ready()
    assert.same({ nil, "cancelled", "enough" }, { ok, err.code, err.reason })
  end)

  it("can be told to stop the one that starts, and goes on with the next", function()
    supervised({ children = { service("a", {}), unit "b" } }, function(sup)
      swarm.sleep(1)
      assert.equal(0, seconds_of(sup.stop, sup, "a"))
      assert.is_true(sup:ready())
      swarm.yield()
      assert.equal("+a -a +b", noted())
      assert.equal("b", stock.ids(sup))
    end)
  end)

  it("can be told to stop one that was never started", function()
    supervised({ children = { service("a", { after = 5 }), unit "b" } }, function(sup)
      swarm.sleep(1)
      assert.is_true(sup:stop "b")
      assert.is_true(sup:ready())
      swarm.sleep(1)
      assert.equal("+a !a", noted())
    end)
  end)

  it("starts a further child behind them all", function()
    supervised({ children = { service("a", { after = 5 }) } }, function(sup)
      local handle
      local took = seconds_of(function()
        handle = sup:start(service("b", { after = 3 }))
      end)
      assert.equal(5, took)
      assert.equal("pending", handle.status) -- it is spawned, not ready
      assert.equal(3, seconds_of(sup.ready, sup))
    end)
  end)

  it("refuses a further child once it fails", function()
    local sup = swarm.supervise {
      intensity = 0,
      children = { service("a", {}, { worker = "hasty" }) },
    }
    assert.equal("invalid_argument", raised(sup.start, sup, unit "b").code)
    assert.equal(2, swarm.monotonic())
    swarm.join(sup)
  end)

  it("does not end before they are started", function()
    local a = service("a", { after = 2, lasts = 3 }, { restart = "transient" })
    local b = unit("b", { restart = "transient", ends = { stock.PASS } })
    assert.is_true(swarm.join(swarm.supervise { children = { a, b } }))
    assert.equal("+a !a +b", noted())
  end)

  it("may be one of another's children, which it is ready for by a word of its own", function()
    local function house(ctx)
      local inner = swarm.supervise { children = { service("inner", { after = 2 }) } }
      assert(inner:ready())
      note "house is ready"
      ctx:ready()
      swarm.join(inner)
    end
    supervised({ children = { { house, id = "house" }, unit "b" } }, function(sup)
      assert.is_true(sup:ready())
      swarm.sleep(3)
      assert.equal("+b +inner !inner house is ready", noted()) -- a function has no `ready`
    end)
  end)

  it("raises deadlock for a child that waits for itself", function()
    local sup ---@type swarm.Supervisor
    local codes = {}
    local stand_in = mock.worker("service", function(ctx)
      codes[#codes + 1] = raised(sup.ready, sup).code
      codes[#codes + 1] = raised(sup.start, sup, unit "b").code
      swarm.join(swarm.spawn(function()
        codes[#codes + 1] = raised(sup.ready, sup).code
      end))
      ctx:ready()
      codes[#codes + 1] = tostring(sup:ready())
      swarm.sleep(1e9)
    end)
    sup = swarm.supervise { children = { service("a", {}) } }
    swarm.sleep(1)
    assert.same({ "deadlock", "deadlock", "deadlock", "true" }, codes)
    assert.equal(1, #stand_in.calls)
    swarm.cancel(sup)
  end)
end)

describe("sup:ready", function()
  it("is true at once where nothing is waited for", function()
    supervised({ children = { unit "a" } }, function(sup)
      assert.is_true(sup:ready())
      assert.is_true(sup:ready())
    end)
    assert.is_true(swarm.supervise({}):ready())
  end)

  it("waits for any number of callers, and can be cancelled", function()
    supervised({ children = { service("a", { after = 5 }) } }, function(sup)
      local waiters = {}
      for i = 1, 3 do
        waiters[i] = swarm.spawn(function()
          assert(sup:ready())
          return swarm.monotonic()
        end)
      end
      swarm.sleep(1)
      waiters[3]:cancel()
      assert.same({ 5, 5 }, swarm.all { waiters[1], waiters[2] })
      assert.equal("cancelled", waiters[3].status)
    end)
  end)

  it("waits through a restart", function()
    local a = service("a", { after = 2, first = { lasts = 3, how = "fail" } })
    supervised({ children = { a } }, function(sup)
      assert.equal(5, seconds_of(sup.ready, sup))
    end)
  end)

  it("stays true after a supervisor that passed", function()
    local a = service("a", { after = 1, lasts = 2 }, { restart = "temporary" })
    local sup = swarm.supervise { children = { a } }
    assert.is_true(swarm.join(sup))
    assert.is_true(sup:ready())
  end)
end)

describe("ctx:ready", function()
  it("does nothing in a worker that no supervisor started", function()
    assert.is_nil(select(2, swarm.call("service", { name = "s", after = 1, lasts = 2 })))
    assert.equal("+s !s", noted())
    assert.equal(
      5,
      seconds_of(function()
        swarm.call("hasty", { name = "h", lasts = 5 })
      end)
    )
  end)

  it("is a worker's own to say", function()
    local h = swarm.spawn("service", { name = "s", lasts = 1 })
    ---@diagnostic disable-next-line: undefined-field
    local err = raised(h.ready, h)
    assert.equal("invalid_argument", err.code)
    assert.matches('ctx of worker "service": use your own ctx', err.message)
    ---@diagnostic disable-next-line: undefined-field
    assert.matches("write ctx:ready%(...%), with a colon", raised(h.ready).message)
    swarm.join(h)
  end)
end)

describe("a port", function()
  it("is looked at while the worker runs, and only then is the worker ready", function()
    local asked
    mock.port("connect", function(payload)
      asked = payload
      note "look"
      swarm.sleep(3)
      return true
    end)
    supervised({ children = { service("a", {}, { worker = "listens" }), unit "b" } }, function(sup)
      assert.is_true(sup:ready())
      assert.equal(3, swarm.monotonic())
      swarm.yield()
      assert.equal("+a look +b", (noted():gsub("look %+a", "+a look")))
      assert.same({ host = "127.0.0.1", port = 8080, timeout = 5 }, asked)
    end)
  end)

  it("that stays closed fails the start", function()
    mock.port("connect", function()
      swarm.sleep(1)
      return false
    end)
    local a = service("a", {}, { worker = "listens" })
    local _, err = swarm.join(swarm.supervise { intensity = 0, children = { a } })
    local says = "it was not ready within 5 s: nothing accepted a connection to 127.0.0.1:8080"
    assert.same({ "timeout", says }, { err.cause.code, err.cause.message })
    assert.equal(1, swarm.monotonic())
  end)

  it("is looked at no longer than the start may take", function()
    mock.port("connect", function()
      swarm.sleep(1e6)
    end)
    local a = service("a", {}, { worker = "listens" })
    local _, err = swarm.join(swarm.supervise { intensity = 0, children = { a } })
    assert.equal("timeout", err.cause.code)
    assert.equal(5, swarm.monotonic())
  end)

  it("is not looked at any more once the worker has ended, or has said that it is ready", function()
    mock.port("connect", function()
      local ok, err = pcall(swarm.sleep, 1e6)
      note(ok and "looked" or "gave up")
      error(err, 0)
    end)
    supervised({
      children = { service("a", { after = 2, lasts = 3 }, { worker = "listens" }) },
    }, function(sup)
      assert.equal(2, seconds_of(sup.ready, sup))
      swarm.sleep(1.5)
      assert.matches("^%+a !a gave up %+a", noted())
    end)
  end)

  it("fails the start with what went wrong on the way", function()
    mock.port("connect", function()
      error { code = "host_error", message = "no network" }
    end)
    local a = service("a", {}, { worker = "listens" })
    local _, err = swarm.join(swarm.supervise { intensity = 0, children = { a } })
    assert.matches("it did not start: .*no network", err.message)
    assert.equal("host_error", err.cause.code)
    assert.matches("%-a$", noted())
  end)

  it("is the worker's own to look at: it needs use_network", function()
    local a = service("a", {}, { worker = "offline" })
    local _, err = swarm.join(swarm.supervise { intensity = 0, children = { a } })
    assert.same({ "role_violation", "use_network" }, { err.cause.code, err.cause.verb })
    assert.equal("", noted())
  end)

  it("needs no other verb", function()
    -- The role of "offline" denies start_task too: it is refused for use_network, as above.
    local looked = 0
    mock.port("connect", function()
      looked = looked + 1
      return true
    end)
    swarm.call("listens", { name = "alone", lasts = 1 })
    assert.equal(0, looked) -- no supervisor waits for it
  end)
end)
