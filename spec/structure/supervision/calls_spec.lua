-- Proves supervision.md, "sup:children, sup:start, sup:stop".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted = notes.note, notes.noted
local code_of, seconds_of = outcomes.code_of, outcomes.seconds_of
local supervised, unit, child, ids = stock.supervised, stock.unit, stock.child, stock.ids
local FAIL, PASS = stock.FAIL, stock.PASS

swarm.worker "starts_a_reader" {
  role = "no_files",
  run = function(_, sup)
    sup:start { "reader" }
  end,
}

describe("sup:children", function()
  it("lists id, handle, status, kind and restarts in the order of starting", function()
    local children = { unit("a", { restart = "transient", ends = { PASS } }), unit "b" }
    supervised({ children = children }, function(sup)
      sup:start(unit("c", { restart = "temporary" }))
      swarm.sleep(2)
      local list = sup:children()
      assert.equal(3, #list)
      assert.equal(
        "a pass transient 0",
        list[1].id .. " " .. list[1].status .. " " .. list[1].restart .. " " .. list[1].restarts
      )
      assert.equal(
        "b running permanent 0",
        list[2].id .. " " .. list[2].status .. " " .. list[2].restart .. " " .. list[2].restarts
      )
      assert.equal(
        "c running temporary 0",
        list[3].id .. " " .. list[3].status .. " " .. list[3].restart .. " " .. list[3].restarts
      )
      assert.equal(1, swarm.result(assert(list[1].handle)))
    end)
  end)

  it("gives a list of its own: changing it changes nothing", function()
    supervised({ children = { unit "a" } }, function(sup)
      local list = sup:children()
      list[1].id = "z"
      list[1] = nil
      assert.equal("a", ids(sup))
    end)
  end)

  it("keeps its order whatever is restarted", function()
    local children = { unit("a", { ends = { FAIL } }), unit "b", unit "c" }
    supervised({ children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("a b c", ids(sup))
    end)
  end)
end)

describe("sup:start", function()
  it("starts a child behind all others and returns its handle", function()
    supervised({ children = { unit "a" } }, function(sup)
      local h = sup:start(unit "b")
      assert.equal("unit", h.name)
      assert.equal("a b", ids(sup))
      swarm.sleep(1)
      assert.equal("+a +b", noted())
      swarm.cancel(sup, "over", { wait = true })
      assert.equal("-b -a", noted())
    end)
  end)

  it("starts children that are restarted like all others", function()
    supervised({ intensity = 2 }, function(sup)
      sup:start(unit("a", { ends = { FAIL } }))
      swarm.sleep(2)
      assert.equal("+a +a", noted())
    end)
  end)

  it("refuses an id that is there already, also of a child that has ended", function()
    local children = { unit("a", { restart = "transient", ends = { PASS } }) }
    supervised({ children = children }, function(sup)
      local err = assert.has_error(function()
        sup:start(unit "a")
      end)
      assert.equal("invalid_argument", err.code)
      assert.matches('there is a child "a" already', err.message)
      swarm.sleep(2)
      assert.equal("invalid_argument", code_of(sup.start, sup, unit "a"))
      assert.equal("+a", noted())
    end)
  end)

  it("takes the id of a temporary child once that has ended", function()
    supervised({}, function(sup)
      for _ = 1, 3 do
        sup:start(unit("a", { restart = "temporary", ends = { always = PASS } }))
        swarm.sleep(2)
      end
      assert.equal("+a +a +a", noted())
    end)
  end)

  it("checks the child as supervise does", function()
    supervised({}, function(sup)
      assert.equal("not_registered", code_of(sup.start, sup, { "unitt" }))
      assert.equal("invalid_argument", code_of(sup.start, sup, "unit"))
      assert.equal("invalid_argument", code_of(sup.start, sup, nil))
      assert.equal("invalid_argument", code_of(sup.start, sup, { "unit", restart = "x" }))
      assert.equal("invalid_value", code_of(sup.start, sup, { "unit", { fn = print } }))
      assert.equal("", ids(sup))
    end)
  end)

  it("is refused once the supervisor is stopping or has ended", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 2 }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    swarm.sleep(1)
    assert.matches(
      "is stopping",
      assert.has_error(function()
        sup:start(unit "b")
      end).message
    )
    swarm.join(sup)
    local err = assert.has_error(function()
      sup:start(unit "b")
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("has ended", err.message)
    assert.equal("+a -a cleaned a", noted())
  end)

  it("waits while the supervisor stops children, and keeps the order", function()
    local children = { unit("a", { ends = { FAIL } }), unit("b", { clean = 3 }) }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b -b", noted())
      assert.equal(2, seconds_of(sup.start, sup, unit "c"))
      swarm.sleep(0)
      assert.equal("cleaned b +a +b +c", noted())
      assert.equal("a b c", ids(sup))
    end)
  end)

  it("may be cancelled while it waits, and starts nothing then", function()
    local children = { unit("a", { ends = { FAIL } }), unit("b", { clean = 3 }) }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      local ok, err = pcall(swarm.timeout, 1, function()
        sup:start(unit "c")
      end)
      assert.is_false(ok)
      assert.equal("timeout", err.code)
      swarm.sleep(5)
      assert.equal("a b", ids(sup))
    end)
  end)

  it("raises deadlock where the supervisor waits for the end of who calls", function()
    local found
    supervised({}, function(sup)
      sup:start {
        function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            found = code_of(sup.start, sup, unit "b")
          end)
        end,
        id = "caller",
      }
      swarm.sleep(1)
      assert.is_true(sup:stop "caller")
      assert.equal("deadlock", found)
    end)
  end)

  it("gives the child no more rights than who called it has", function()
    local sup = swarm.supervise { intensity = 0 }
    local starter = swarm.spawn(function()
      return swarm.call("starts_a_reader", sup)
    end)
    swarm.join(starter)
    local _, err = swarm.join(sup)
    assert.equal("role_violation", err.cause.code)
  end)

  it("is started and ended ten thousand times without a trace", function()
    supervised({}, function(sup)
      for i = 1, 10000 do
        sup:start {
          "unit",
          { name = "n", ends = { always = PASS } },
          id = "n" .. i,
          restart = "temporary",
        }
      end
      assert.equal(10000, #sup:children())
      swarm.sleep(2)
      assert.equal(0, #sup:children())
      assert.equal("running", sup.status)
    end)
  end)
end)

describe("sup:stop", function()
  it("stops one child by the ladder, waits for its end, and forgets it", function()
    supervised({ children = { unit "a", unit("b", { clean = 2 }), unit "c" } }, function(sup)
      swarm.sleep(1)
      local b = child(sup, "b").handle
      assert.equal(
        2,
        seconds_of(function()
          assert.is_true(sup:stop "b")
        end)
      )
      assert.equal("cancelled", b.status)
      assert.equal("a c", ids(sup))
      assert.equal("+a +b +c -b cleaned b", noted())
      sup:start(unit "b")
      assert.equal("a c b", ids(sup))
    end)
  end)

  it("gives the child its own shutdown and no more", function()
    supervised({ children = { unit("a", { clean = 100, shutdown = 3 }) } }, function(sup)
      swarm.sleep(1)
      assert.equal(3, seconds_of(sup.stop, sup, "a"))
      assert.equal("+a -a killed a", noted())
    end)
  end)

  it("ends ten thousand children one by one", function()
    supervised({}, function(sup)
      for i = 1, 10000 do
        sup:start { "unit", { name = "n" }, id = "n" .. i }
      end
      swarm.sleep(1)
      for i = 1, 10000 do
        assert(sup:stop("n" .. i))
      end
      assert.equal("", ids(sup))
    end)
  end)

  it("counts as no restart, whatever the child's kind and strategy", function()
    local children = { unit "a", unit "b" }
    supervised({ strategy = "one_for_all", intensity = 0, children = children }, function(sup)
      swarm.sleep(1)
      assert.is_true(sup:stop "a")
      swarm.sleep(1)
      assert.equal("+a +b -a", noted())
      assert.equal("running", sup.status)
    end)
  end)

  it("forgets a child that has ended", function()
    local children = { unit("a", { restart = "transient", ends = { PASS } }) }
    supervised({ children = children }, function(sup)
      swarm.sleep(2)
      assert.is_true(sup:stop "a")
      assert.equal("", ids(sup))
    end)
  end)

  it("gives false and the nearest id where there is no such child", function()
    supervised({ children = { unit "reader" } }, function(sup)
      local ok, err = sup:stop "raeder"
      assert.is_false(ok)
      assert.equal("child_not_found", err.code)
      assert.matches('has no child "raeder"; did you mean reader%?', err.message)
    end)
  end)

  it("gives false once the supervisor has ended", function()
    local sup = swarm.supervise { children = { unit "a" } }
    swarm.cancel(sup, "over", { wait = true })
    local ok, err = sup:stop "a"
    assert.is_false(ok)
    assert.equal("child_not_found", err.code)
  end)

  it("wants an id", function()
    supervised({ children = { unit "a" } }, function(sup)
      assert.equal("invalid_argument", code_of(sup.stop, sup))
      assert.equal("invalid_argument", code_of(sup.stop, sup, child(sup, "a").handle))
    end)
  end)

  it("goes on where who asked was cancelled meanwhile", function()
    supervised({ children = { unit("a", { clean = 3 }) } }, function(sup)
      swarm.sleep(1)
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 1, function()
          sup:stop "a"
        end)
      )
      swarm.sleep(3)
      assert.equal("+a -a cleaned a", noted())
      assert.equal("", ids(sup))
    end)
  end)

  it("is done for all who asked", function()
    supervised({ children = { unit("a", { clean = 2 }) } }, function(sup)
      swarm.sleep(1)
      local done = 0
      swarm.scope(function(scope)
        for _ = 1, 3 do
          scope:spawn(function()
            assert.is_true(sup:stop "a")
            done = done + 1
          end)
        end
      end)
      assert.equal(3, done)
      assert.equal("+a -a cleaned a", noted())
    end)
  end)

  it("is done when the supervisor stops all meanwhile", function()
    local sup =
      swarm.supervise { children = { unit("a", { clean = 1 }), unit("b", { clean = 2 }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.is_true(sup:stop "a")
    assert.equal("+a +b -b cleaned b -a cleaned a", noted())
    swarm.join(sup)
  end)

  it("stops a child of a storm", function()
    supervised({ intensity = 100000, children = { { "crash" }, unit "a" } }, function(sup)
      swarm.yield()
      assert.is_true(sup:stop "crash")
      assert.equal("a", ids(sup))
      swarm.sleep(1)
      assert.equal("running", sup.status)
    end)
  end)

  it("raises deadlock for a child that stops itself", function()
    local found
    supervised({}, function(sup)
      sup:start {
        function()
          found = code_of(sup.stop, sup, "me")
        end,
        id = "me",
        restart = "temporary",
      }
      swarm.sleep(1)
      assert.equal("deadlock", found)
    end)
  end)

  it("lets a child stop another", function()
    supervised({ children = { unit "a" } }, function(sup)
      sup:start {
        function()
          assert(sup:stop "a")
        end,
        id = "other",
        restart = "temporary",
      }
      swarm.sleep(1)
      assert.equal("", ids(sup))
    end)
  end)
end)

describe("the three calls", function()
  it("raise invalid_argument on the handle of a worker that is no supervisor", function()
    local h = swarm.spawn("unit", { name = "a" })
    for _, call in ipairs { "children", "start", "stop" } do
      local err = assert.has_error(function()
        h[call](h, "x")
      end)
      assert.equal("invalid_argument", err.code)
      assert.matches("is no supervisor", err.message)
    end
    swarm.cancel(h)
  end)

  it("need their verbs", function()
    supervised({ children = { unit "a" } }, function(sup)
      local verbs = { children = "read_task_state", start = "start_task", stop = "cancel_task" }
      for call, verb in pairs(verbs) do
        local _, err = swarm.join(swarm.spawn("powerless", { call = call, sup = sup }))
        assert.equal("role_violation", err.code)
        assert.equal(verb, err.verb)
      end
      assert.equal("a", ids(sup))
    end)
  end)

  it("are points of cancellation", function()
    supervised({ children = { unit "a" } }, function(sup)
      local h = swarm.spawn(function()
        pcall(swarm.sleep, 100)
        note(code_of(sup.children, sup))
        note(code_of(sup.start, sup, unit "b"))
        note(code_of(sup.stop, sup, "a"))
      end)
      swarm.sleep(1)
      noted()
      swarm.cancel(h, "over", { wait = true })
      assert.equal("cancelled cancelled cancelled", noted())
      assert.equal("a", ids(sup))
    end)
  end)
end)
