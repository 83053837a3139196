-- Proves supervision.md, in its order.
local swarm = require "swarm"
local outcomes = require "outcomes"
local notes = require "notes"

local code_of, seconds_of = outcomes.code_of, outcomes.seconds_of
local note, noted = notes.note, notes.noted

-- Workers of this file ------------------------------------------------------------------------

-- How often each unit ran.
local runs = {}

-- Notes "+name" as it begins and "-name" when it is told to stop. Run number n ends as `ends[n]`
-- says, { seconds, how }; without one it stays. `clean`: seconds that its clean-up takes.
swarm.worker "unit" {
  run = function(_, unit)
    local n = (runs[unit.name] or 0) + 1
    runs[unit.name] = n
    note("+" .. unit.name)
    local plan = unit.ends and (unit.ends[n] or unit.ends.always)
    local ok, err = pcall(swarm.sleep, plan and plan[1] or 1e9)
    if not ok then
      note("-" .. unit.name)
      local cleaned = pcall(swarm.shield, function()
        swarm.sleep(unit.clean or 0)
      end, { timeout = 1e6 })
      if unit.clean then
        note((cleaned and "cleaned " or "killed ") .. unit.name)
      end
      error(unit.breaks == n and { code = "clean_up_broke" } or err, 0)
    end
    if plan[2] == "fail" then
      error { code = "broke", run = n, message = unit.name .. " broke" }
    elseif plan[2] == "block" then
      return nil, "it is blocked"
    end
    return n
  end,
}

swarm.worker "crash" {
  run = function(_, text)
    error(text or "it crashed")
  end,
}

swarm.worker "tries_twice" {
  retries = { max = 1, backoff = 0 },
  run = function()
    note "try"
    if runs.tries == 3 then
      swarm.sleep(1e9)
    end
    runs.tries = (runs.tries or 0) + 1
    error "again"
  end,
}

swarm.worker "changes_its_input" {
  run = function(_, input)
    note(tostring(#input.list))
    input.list[#input.list + 1] = "more"
    swarm.sleep(1)
    error "again"
  end,
}

swarm.worker "says_deadline" {
  run = function(ctx)
    note(tostring(ctx.deadline))
    swarm.sleep(1e9)
  end,
}

swarm.role "only_units" { extends = "worker", allow = { start_task = { "unit" } } }
swarm.role "no_tasks" {
  extends = "worker",
  deny = { "start_task", "cancel_task", "read_task_state" },
}
swarm.role "no_files" { extends = "worker", deny = { "read_files" } }

swarm.worker "restricted" {
  role = "only_units",
  run = function(_, name)
    local sup = swarm.supervise { children = { { name, { name = "a" } } } }
    swarm.cancel(sup)
    return "allowed"
  end,
}

swarm.worker "powerless" {
  role = "no_tasks",
  run = function(_, input)
    local call = input.call
    if call == "supervise" then
      return swarm.supervise {}
    elseif call == "children" then
      return input.sup:children()
    end
    return input.sup[call](input.sup, call == "start" and { "unit", { name = "x" } } or "a")
  end,
}

swarm.worker "supervises_a_reader" {
  role = "no_files",
  run = function()
    swarm.supervise { intensity = 0, children = { { "reader" } } }
  end,
}

swarm.worker "starts_a_reader" {
  role = "no_files",
  run = function(_, sup)
    sup:start { "reader" }
  end,
}

swarm.worker "reader" {
  run = function()
    return swarm.fs.read "supervision_spec.lua"
  end,
}

swarm.worker "hooked" {
  run = function()
    swarm.sleep(100)
  end,
}

swarm.settled("hooked", function()
  swarm.sleep(1)
  note "hook done"
end)

-- Words of this file --------------------------------------------------------------------------

---Supervises while fn(sup) runs, and stops it then.
local function supervised(opts, fn)
  local sup = swarm.supervise(opts)
  local ok, err = pcall(fn, sup)
  swarm.cancel(sup, "the spec is over", { wait = true })
  if not ok then
    error(err, 0)
  end
  return sup
end

---A child that is a unit.
local function unit(name, fields)
  fields = fields or {}
  local input = { name = name, ends = fields.ends, clean = fields.clean, breaks = fields.breaks }
  return {
    "unit",
    input,
    id = name,
    restart = fields.restart,
    shutdown = fields.shutdown,
    timeout = fields.timeout,
  }
end

local function child(sup, id)
  for _, one in ipairs(sup:children()) do
    if one.id == id then
      return one
    end
  end
end

local function ids(sup)
  local list = {}
  for i, one in ipairs(sup:children()) do
    list[i] = one.id
  end
  return table.concat(list, " ")
end

local FAIL, PASS, BLOCK = { 1, "fail" }, { 1, "pass" }, { 1, "block" }

describe("a supervisor", function()
  it("is a worker with an id, a name and a status, and starts its children in order", function()
    supervised({ name = "house", children = { unit "a", unit "b", unit "c" } }, function(sup)
      assert.equal("house", sup.agent)
      assert.matches("^T%-%d+$", sup.task_id)
      assert.equal("pending", sup.status)
      swarm.sleep(1)
      assert.equal("running", sup.status)
      assert.equal("+a +b +c", noted())
      assert.equal("supervisor", swarm.supervise({}).agent)
    end)
  end)

  it("does not yield as it is made, and has its children's handles at once", function()
    local turns = 0
    swarm.spawn(function()
      turns = turns + 1
    end)
    supervised({ children = { unit "a" } }, function(sup)
      assert.equal(0, turns)
      local one = sup:children()[1]
      assert.equal("pending", one.status)
      assert.equal("unit", one.handle.agent)
    end)
  end)

  it("has the defaults one_for_one, one restart in five seconds, permanent", function()
    local sup = swarm.supervise {
      children = { unit("a", { ends = { FAIL, { 4.5, "fail" } } }), unit "b" },
    }
    assert.equal("permanent", sup:children()[1].restart)
    local _, err = swarm.join(sup)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal(5, err.period)
    assert.equal("+a +b +a -b", noted())
  end)

  it("gives its children no more rights than who called supervise has", function()
    local ok, err = swarm.join(swarm.spawn "supervises_a_reader")
    assert.is_nil(ok)
    local failure = err.errors[1]
    assert.equal("restart_limit_exceeded", failure.code)
    assert.equal("role_violation", failure.cause.code)
    assert.equal("read_files", failure.cause.verb)
  end)

  it("gives its children the meta of who called supervise", function()
    local found
    swarm.result(swarm.spawn(function()
      supervised({
        children = {
          {
            function(ctx)
              found = ctx.meta.tenant
            end,
            restart = "temporary",
          },
        },
      }, function()
        swarm.sleep(1)
      end)
    end, nil, { meta = { tenant = "t1" } }))
    assert.equal("t1", found)
  end)

  it("belongs to the innermost block where it was made, which waits for it", function()
    local took = seconds_of(swarm.scope, function()
      swarm.supervise {
        children = { unit("a", { restart = "transient", ends = { { 7, "pass" } } }) },
      }
    end)
    assert.equal(7, took)
  end)

  it("runs functions as children, in the role of who named them", function()
    supervised({
      children = {
        {
          function(ctx, input)
            note(ctx.role .. " " .. input)
            swarm.sleep(100)
          end,
          "in",
          id = "f",
        },
      },
    }, function(sup)
      swarm.sleep(1)
      assert.equal("f", ids(sup))
      assert.equal("operator in", noted())
    end)
  end)

  it("needs start_task, also bounded to the names of its children", function()
    local _, err = swarm.join(swarm.spawn("powerless", { call = "supervise" }))
    assert.equal("role_violation", err.code)
    assert.equal("start_task", err.verb)
    assert.equal("allowed", swarm.call("restricted", "unit"))
    local _, out_of_bounds = swarm.join(swarm.spawn("restricted", "crash"))
    assert.equal("role_violation", out_of_bounds.code)
  end)

  it("takes no children in a block that is cancelled", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.supervise { children = { unit "a" } }
    end)
    swarm.sleep(1)
    swarm.cancel(h)
    swarm.join(h)
    assert.equal("", noted())
    assert.equal("cancelled", h.status)
  end)

  it("refuses a tree that is too deep before anything starts", function()
    local function deeper(ctx)
      if ctx.depth == 63 then
        local ok, err = pcall(swarm.supervise, { children = { unit "a" } })
        assert(not ok and err.code == "spawn_depth_exceeded")
        swarm.supervise {} -- it alone fits
        return "refused"
      end
      return swarm.call(deeper)
    end
    assert.equal("refused", swarm.call(deeper))
    assert.equal("", noted())
  end)
end)

describe("what it is given", function()
  ---The error of a supervise that must be refused, and start nothing.
  local function refused(opts)
    local err = assert.has_error(function()
      swarm.supervise(opts)
    end)
    swarm.sleep(1)
    assert.equal("", noted(), "something was started")
    assert.matches("supervision_spec.lua:%d+$", err.where)
    return err
  end

  ---The same for its first child's second brother.
  local function refused_child(item)
    return refused { children = { unit "a", item } }
  end

  it("may be an empty list, or no list at all", function()
    assert.is_true(swarm.join(swarm.supervise { children = {} }))
    assert.is_true(swarm.join(swarm.supervise {}))
  end)

  it("is a table of options", function()
    assert.matches("takes a table of options, and got nil", refused(nil).message)
    assert.matches("takes a table of options, and got 5", refused(5).message)
  end)

  it("names the nearest option for one that does not exist", function()
    local err = refused { stratgy = "one_for_all" }
    assert.equal("invalid_argument", err.code)
    assert.matches("did you mean strategy%?", err.message)
  end)

  it("names the strategies for one that does not exist", function()
    assert.matches("did you mean one_for_all%?", refused({ strategy = "one_forall" }).message)
    assert.matches("it can be one_for_all, one_for_one, rest", refused({ strategy = "x" }).message)
    assert.matches("strategy is 5; it can be", refused({ strategy = 5 }).message)
  end)

  it("takes a whole intensity, from zero on", function()
    for _, wrong in ipairs { -1, 1.5, math.huge, 0 / 0, "3", true } do
      assert.matches("intensity takes a whole number", refused({ intensity = wrong }).message)
    end
  end)

  it("takes a period above zero and finite", function()
    for _, wrong in ipairs { -1, 0, math.huge, 0 / 0, "3" } do
      assert.matches("period", refused({ period = wrong }).message)
    end
  end)

  it("takes a name that is a text", function()
    assert.matches("name is a string", refused({ name = "" }).message)
    assert.matches("name is a string", refused({ name = 5 }).message)
  end)

  it("takes a list of children without gaps or names", function()
    assert.matches("children are a list", refused({ children = "unit" }).message)
    assert.matches('have a key "a"', refused({ children = { a = unit "a" } }).message)
    assert.matches("children", refused({ children = { unit "a", nil, unit "b" } }).message)
  end)

  it("names the child that is no table", function()
    assert.matches("^children%[2%] is a table", refused_child("unit").message)
    assert.matches("^children%[2%] is a table", refused_child(swarm.spawn(function() end)).message)
  end)

  it("names the child that starts with neither a name nor a function", function()
    assert.matches("^children%[2%] starts with a worker's name", refused_child({ 5 }).message)
    assert.matches("^children%[2%] starts with a worker's name", refused_child({}).message)
  end)

  it("raises not_registered at once for a worker that does not exist", function()
    local err = refused_child { "unitt" }
    assert.equal("not_registered", err.code)
    assert.matches('^children%[2%]: there is no worker "unitt"; did you mean unit%?', err.message)
  end)

  it("names the field of a child that does not exist, and the nearest", function()
    assert.matches("^children%[2%] has no field", refused_child({ "unit", restrat = "x" }).message)
    assert.matches("mean restart%?", refused_child({ "unit", restrat = "x" }).message)
    assert.matches("the input goes second", refused_child({ "unit", input = {} }).message)
    assert.matches("the worker goes first", refused_child({ name = "unit" }).message)
    assert.matches("has no field 3", refused_child({ "unit", {}, {} }).message)
  end)

  it("names the child and the field that is wrong", function()
    local function message(field, value)
      local item = unit "b"
      item[field] = value
      return refused_child(item).message
    end
    assert.matches("^children%[2%]%.restart .*mean permanent%?", message("restart", "prmanent"))
    assert.matches("^children%[2%]%.restart", message("restart", false))
    assert.matches("^children%[2%]%.shutdown", message("shutdown", -1))
    assert.matches("^children%[2%]%.shutdown", message("shutdown", 0 / 0))
    assert.matches("^children%[2%]%.shutdown", message("shutdown", "brutal_kill"))
    assert.matches("^children%[2%]%.timeout", message("timeout", -1))
    assert.matches("^children%[2%]%.timeout", message("timeout", math.huge))
    assert.matches("^children%[2%]%.id", message("id", ""))
    assert.matches("^children%[2%]%.id", message("id", 5))
  end)

  it("raises for an input that cannot cross, with its path", function()
    local err = refused_child { "unit", { name = "b", items = { {}, { fn = print } } } }
    assert.equal("invalid_value", err.code)
    assert.equal("children[2][2].items[2].fn", err.path)
  end)

  it("wants an id of its own for each child", function()
    local err = refused { children = { { "unit", { name = "a" } }, { "unit", { name = "b" } } } }
    assert.matches('^children%[2%]: there is a child "unit" already', err.message)
  end)

  it("gives a function the id of its place where it has none", function()
    supervised({ children = { { function() end, restart = "transient" } } }, function(sup)
      assert.matches("supervision_spec.lua:%d+$", ids(sup))
    end)
  end)

  it("gives each start a copy of the input as it was", function()
    local input = { list = { 1, 2 } }
    supervised({ intensity = 5, children = { { "changes_its_input", input } } }, function()
      input.list = { 1, 2, 3, 4, 5, 6 }
      swarm.sleep(2.5)
      assert.equal("2 2 2", noted())
    end)
  end)

  it("bounds each start by the child's own timeout", function()
    supervised({ intensity = 5, children = { unit("a", { timeout = 2 }) } }, function()
      swarm.sleep(5)
      assert.equal("+a -a +a -a +a", noted())
    end)
  end)
end)

describe("restart kinds", function()
  ---How often a unit of a kind has begun once its first run has ended in some way.
  local function begun(restart, how)
    supervised({ children = { unit("a", { restart = restart, ends = { how } }) } }, function(sup)
      swarm.sleep(2)
      local one = child(sup, "a")
      note(one and one.status .. " " .. one.restarts or "gone")
    end)
    return noted()
  end

  it("restarts a permanent child that passed", function()
    assert.equal("+a +a running 1 -a", begun("permanent", PASS))
  end)

  it("restarts a permanent child that failed", function()
    assert.equal("+a +a running 1 -a", begun("permanent", FAIL))
  end)

  it("restarts a permanent child that is blocked", function()
    assert.equal("+a +a running 1 -a", begun("permanent", BLOCK))
  end)

  it("leaves a transient child that passed, and still lists it", function()
    assert.equal("+a pass 0", begun("transient", PASS))
  end)

  it("leaves a transient child that is blocked", function()
    assert.equal("+a blocked 0", begun("transient", BLOCK))
  end)

  it("restarts a transient child that failed", function()
    assert.equal("+a +a running 1 -a", begun("transient", FAIL))
  end)

  it("forgets a temporary child that passed", function()
    assert.equal("+a gone", begun("temporary", PASS))
  end)

  it("forgets a temporary child that failed, and owns its failure", function()
    assert.equal("+a gone", begun("temporary", FAIL))
  end)

  ---The same for a child that somebody else cancels.
  local function cancelled(restart)
    supervised({ children = { unit("a", { restart = restart }) } }, function(sup)
      swarm.sleep(1)
      assert.is_true(child(sup, "a").handle:cancel "by a stranger")
      swarm.sleep(1)
      note(child(sup, "a") and child(sup, "a").status or "gone")
    end)
    return noted()
  end

  it("restarts a permanent child that somebody else cancelled", function()
    assert.equal("+a -a +a running -a", cancelled "permanent")
  end)

  it("leaves a transient child that somebody else cancelled", function()
    assert.equal("+a -a cancelled", cancelled "transient")
  end)

  it("forgets a temporary child that somebody else cancelled", function()
    assert.equal("+a -a gone", cancelled "temporary")
  end)

  it("restarts a child that was cancelled before it began", function()
    supervised({ children = { unit "a" } }, function(sup)
      child(sup, "a").handle:cancel()
      swarm.sleep(1)
      assert.equal("+a", noted())
      assert.equal(1, child(sup, "a").restarts)
    end)
  end)

  it("restarts a transient child that ran out of time", function()
    local one = unit("a", { restart = "transient", timeout = 1 })
    supervised({ children = { one } }, function(sup)
      swarm.sleep(1.5)
      assert.equal("+a -a +a", noted())
      assert.equal(1, child(sup, "a").restarts)
    end)
  end)

  it("gives the restarted child a handle of its own, and lets the old one keep its end", function()
    supervised({ children = { unit("a", { ends = { FAIL } }) } }, function(sup)
      local first = child(sup, "a").handle
      swarm.sleep(2)
      local second = child(sup, "a").handle
      assert.not_equal(first, second)
      assert.equal("failed", first.status)
      assert.equal("running", second.status)
      local _, err = swarm.join(first)
      assert.equal("broke", err.code)
    end)
  end)

  it("hears of a child that has retries of its own once those are used up", function()
    supervised({ children = { { "tries_twice" } } }, function(sup)
      swarm.sleep(0.5)
      assert.equal("try try try try", noted())
      assert.equal(1, child(sup, "tries_twice").restarts)
    end)
  end)

  it("fails nobody with a child's failure that it has dealt with", function()
    swarm.scope(function()
      local one = unit("a", { restart = "transient", ends = { FAIL, PASS } })
      swarm.supervise { children = { one } }
    end)
    assert.equal("+a +a", noted())
  end)
end)

describe("one_for_one", function()
  it("restarts the child that ended and leaves the others alone", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c" }
    supervised({ children = children }, function(sup)
      local a, c = child(sup, "a").handle, child(sup, "c").handle
      swarm.sleep(2)
      assert.equal("+a +b +c +b", noted())
      assert.equal("a b c", ids(sup))
      assert.equal(a, child(sup, "a").handle)
      assert.equal(c, child(sup, "c").handle)
    end)
  end)

  it("handles ends that come together one after the other", function()
    local children = { unit("a", { ends = { FAIL } }), unit("b", { ends = { FAIL } }) }
    supervised({ intensity = 2, children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b +a +b", noted())
    end)
  end)
end)

describe("one_for_all", function()
  it("stops all others in reverse and starts all in order", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c" }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c -a +a +b +c", noted())
      for _, one in ipairs(sup:children()) do
        assert.equal("running", one.status)
        assert.equal(1, one.restarts)
      end
    end)
  end)

  it("waits for one child's clean-up before it stops the next", function()
    local children =
      { unit("a", { clean = 1 }), unit("b", { clean = 2 }), unit("c", { ends = { FAIL } }) }
    supervised({ strategy = "one_for_all", children = children }, function()
      swarm.sleep(3.5)
      assert.equal("+a +b +c -b cleaned b -a", noted())
      swarm.sleep(1)
      assert.equal("cleaned a +a +b +c", noted())
    end)
  end)

  it("counts one restart, however many children there are", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c" }
    local sup = supervised({ strategy = "one_for_all", children = children }, function()
      swarm.sleep(10)
    end)
    assert.equal("cancelled", sup.status)
  end)

  it("counts children that ended together as one restart", function()
    local both = { unit("a", { ends = { FAIL } }), unit("b", { ends = { FAIL } }), unit "c" }
    supervised({ strategy = "one_for_all", children = both }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c +a +b +c", noted())
      assert.equal("running", sup.status)
    end)
  end)

  it("starts a transient child again that had passed, for all start", function()
    local children = {
      unit("a", { restart = "transient", ends = { PASS, PASS } }),
      unit("b", { ends = { { 3, "fail" } } }),
    }
    supervised({ strategy = "one_for_all", children = children }, function()
      swarm.sleep(4)
      assert.equal("+a +b +a +b", noted())
    end)
  end)

  it("does not start a temporary child again that it stopped", function()
    local children =
      { unit("a", { ends = { FAIL } }), unit("b", { restart = "temporary" }), unit "c" }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c -b +a +c", noted())
      assert.equal("a c", ids(sup))
    end)
  end)

  it("stops nobody for a temporary child that failed", function()
    local children = { unit "a", unit("b", { restart = "temporary", ends = { FAIL } }) }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b", noted())
      assert.equal("a", ids(sup))
    end)
  end)

  it("starts over where a child fails at once after the others were started", function()
    local children = { unit "a", unit("b", { ends = { FAIL, { 0, "fail" } } }) }
    supervised({ strategy = "one_for_all", intensity = 2, children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b -a +a +b -a +a +b", noted())
    end)
  end)
end)

describe("rest_for_one", function()
  it("stops those after it in reverse, and restarts it and them in order", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }), unit "c", unit "d" }
    supervised({ strategy = "rest_for_one", children = children }, function(sup)
      local a = child(sup, "a").handle
      swarm.sleep(2)
      assert.equal("+a +b +c +d -d -c +b +c +d", noted())
      assert.equal(a, child(sup, "a").handle)
      assert.equal("a b c d", ids(sup))
    end)
  end)

  it("restarts the last child alone", function()
    local children = { unit "a", unit("b", { ends = { FAIL } }) }
    supervised({ strategy = "rest_for_one", children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b +b", noted())
    end)
  end)

  it("does not start a temporary child again that it stopped", function()
    local children =
      { unit("a", { ends = { FAIL } }), unit("b", { restart = "temporary" }), unit "c" }
    supervised({ strategy = "rest_for_one", children = children }, function(sup)
      swarm.sleep(2)
      assert.equal("+a +b +c -c -b +a +c", noted())
      assert.equal("a c", ids(sup))
    end)
  end)

  it("takes children that were started later to be after all others", function()
    local first = unit("a", { ends = { FAIL } })
    supervised({ strategy = "rest_for_one", children = { first } }, function(sup)
      sup:start(unit "b")
      swarm.sleep(2)
      assert.equal("+a +b -b +a +b", noted())
    end)
  end)

  it("restarts from the later child on where that one fails in its turn", function()
    local children = {
      unit("a", { ends = { FAIL } }),
      unit("b", { ends = { { 100, "pass" }, { 0, "fail" } } }),
    }
    supervised({ strategy = "rest_for_one", intensity = 2, children = children }, function()
      swarm.sleep(2)
      assert.equal("+a +b -b +a +b +b", noted())
    end)
  end)
end)

describe("intensity", function()
  it("fails with restart_limit_exceeded, the child's error as its cause", function()
    local always = unit("b", { ends = { always = FAIL } })
    local sup = swarm.supervise { intensity = 2, period = 10, children = { unit "a", always } }
    local ok, err = swarm.join(sup)
    assert.is_nil(ok)
    assert.equal("failed", sup.status)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal("b", err.id)
    assert.equal(3, err.restarts)
    assert.equal(10, err.period)
    assert.equal("broke", err.cause.code)
    assert.equal(3, err.cause.run)
    assert.matches('child "b" needs restart 3 within 10 s, and its intensity is 2', err.message)
    assert.matches("b broke", err.message)
    assert.matches("supervision_spec.lua:%d+$", err.where)
  end)

  it("stops all in reverse before it fails", function()
    local children =
      { unit("a", { clean = 1 }), unit("b", { ends = { FAIL } }), unit("c", { clean = 1 }) }
    local sup = swarm.supervise { intensity = 0, children = children }
    assert.equal(3, seconds_of(swarm.join, sup))
    assert.equal("+a +b +c -c cleaned c -a cleaned a", noted())
  end)

  it("of zero fails at the first end that asks for a restart", function()
    local sup = swarm.supervise { intensity = 0, children = { unit("a", { ends = { PASS } }) } }
    local _, err = swarm.join(sup)
    assert.equal("restart_limit_exceeded", err.code)
    assert.is_nil(err.cause)
    assert.matches("it ended %(pass%)", err.message)
  end)

  it("counts the restarts within the period alone", function()
    local seldom = unit("a", { ends = { always = { 3, "fail" } } })
    supervised({ intensity = 1, period = 2, children = { seldom } }, function(sup)
      swarm.sleep(29)
      assert.equal("running", sup.status)
      assert.equal(9, child(sup, "a").restarts)
    end)
  end)

  it("counts a restart that is exactly one period old", function()
    local sup = swarm.supervise {
      period = 3,
      children = { unit("a", { ends = { always = { 3, "fail" } } }) },
    }
    assert.equal(6, seconds_of(swarm.join, sup))
  end)

  it("counts over all children", function()
    local children = { unit("a", { ends = { FAIL } }), unit("b", { ends = { { 2, "fail" } } }) }
    local _, err = swarm.join(swarm.supervise { children = children })
    assert.equal("b", err.id)
  end)

  it("ends a storm of children that fail at once, without time passing", function()
    local sup = swarm.supervise { intensity = 1000, children = { { "crash" } } }
    local took = seconds_of(swarm.join, sup)
    assert.equal(0, took)
    assert.equal(1000, sup:children()[1].restarts)
    assert.equal("failed", sup.status)
  end)

  it("lets others have their turns during a storm", function()
    local sup = swarm.supervise { intensity = 5000, children = { { "crash" } } }
    for _ = 1, 100 do
      swarm.yield()
    end
    assert.equal("running", sup.status)
    assert.is_true(sup:children()[1].restarts < 1000)
    swarm.cancel(sup)
  end)

  it("lets a storm be cancelled", function()
    local sup = swarm.supervise { intensity = 100000, children = { { "crash" } } }
    swarm.yield()
    assert.is_true(swarm.cancel(sup, "enough", { wait = true }))
    assert.equal("cancelled", sup.status)
  end)

  it("fails the block above where nobody takes the failure", function()
    local err = assert.has_error(function()
      swarm.scope(function()
        swarm.supervise { intensity = 0, children = { { "crash", "the reason" } } }
      end)
    end)
    assert.equal("restart_limit_exceeded", err.code)
    assert.matches("the reason", err.cause.message)
  end)

  it("keeps the errors of children that fail while it gives up", function()
    local children = { unit("a", { breaks = 1 }), unit("b", { ends = { FAIL } }) }
    local _, err = swarm.join(swarm.supervise { intensity = 0, children = children })
    assert.equal("broke", err.cause.code)
    assert.equal(1, #err.others)
    assert.equal("clean_up_broke", err.others[1].code)
  end)
end)

describe("stopping", function()
  it("stops in reverse order, one after the other, when it is cancelled", function()
    local children =
      { unit("a", { clean = 1 }), unit("b", { clean = 2 }), unit("c", { clean = 1 }) }
    local sup = swarm.supervise { children = children }
    swarm.sleep(1)
    assert.is_true(swarm.cancel(sup, "no more"))
    assert.equal(4, seconds_of(swarm.join, sup))
    assert.equal("+a +b +c -c cleaned c -b cleaned b -a cleaned a", noted())
    assert.equal("cancelled", sup.status)
    local _, err = swarm.join(sup)
    assert.equal("no more", err.reason)
  end)

  it("hands its reason to its children", function()
    local sup = swarm.supervise { children = { unit "a" } }
    local a = child(sup, "a").handle
    swarm.sleep(1)
    swarm.cancel(sup, "no more", { wait = true })
    local _, err = swarm.join(a)
    assert.equal("cancelled", err.code)
    assert.equal("no more", err.reason)
  end)

  it("gives each child its own shutdown for clean-up, then pierces its shields", function()
    local children = {
      unit("a", { clean = 10, shutdown = 3 }),
      unit("b", { clean = 4, shutdown = 20 }),
      unit("c", { clean = 100, shutdown = 2 }),
    }
    local sup = swarm.supervise { children = children }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(9, seconds_of(swarm.join, sup))
    assert.equal("+a +b +c -c killed c -b cleaned b -a killed a", noted())
  end)

  it("gives five seconds where a child says nothing", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 100 }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(5, seconds_of(swarm.join, sup))
  end)

  it("gives no time for clean-up at all where shutdown is zero", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 1, shutdown = 0 }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(0, seconds_of(swarm.join, sup))
    assert.equal("+a -a killed a", noted())
  end)

  it("waits as long as it takes where shutdown is math.huge", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 5000, shutdown = math.huge }) } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(5000, seconds_of(swarm.join, sup))
    assert.equal("+a -a cleaned a", noted())
  end)

  it("pierces shields of workers below a child, and lets none open a further one", function()
    local function stubborn()
      for _ = 1, 3 do
        pcall(swarm.shield, function()
          swarm.sleep(20)
          note "slept"
        end)
      end
    end
    local sup = swarm.supervise {
      children = {
        {
          function()
            swarm.spawn(stubborn)
            stubborn()
          end,
          id = "s",
          shutdown = 2,
        },
      },
    }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(2, seconds_of(swarm.join, sup))
    assert.equal("", noted())
  end)

  it("lets settled hooks of a pierced child run to their end", function()
    local sup = swarm.supervise { children = { { "hooked", id = "h", shutdown = 0 } } }
    swarm.sleep(1)
    swarm.cancel(sup)
    assert.equal(1, seconds_of(swarm.join, sup))
    assert.equal("hook done", noted())
  end)

  it("ends a child at once that has not begun", function()
    local sup = swarm.supervise { children = { unit "a", unit "b" } }
    swarm.cancel(sup)
    assert.is_nil((swarm.join(sup)))
    assert.equal("", noted())
    assert.equal("cancelled", sup.status)
    assert.equal("cancelled", sup:children()[1].status)
  end)

  it("is stopped by a deadline above it as by a cancel", function()
    local children = { unit("a", { clean = 1 }), unit("b", { clean = 1 }) }
    local sup
    local start = swarm.monotonic()
    local err = assert.has_error(function()
      swarm.timeout(10, function()
        sup = swarm.supervise { children = children }
      end)
    end)
    assert.equal("timeout", err.code)
    assert.equal(12, swarm.monotonic() - start)
    assert.equal("cancelled", sup.status)
    assert.equal("+a +b -b cleaned b -a cleaned a", noted())
  end)

  it("shows its children the deadline above it", function()
    local start = swarm.monotonic()
    pcall(swarm.timeout, 10, function()
      swarm.supervise { children = { { "says_deadline" } } }
    end)
    assert.equal(tostring(start + 10), noted())
  end)

  it("is stopped in order when the block that it belongs to fails", function()
    pcall(swarm.scope, function()
      swarm.supervise { children = { unit("a", { clean = 1 }), unit("b", { clean = 1 }) } }
      swarm.sleep(1)
      error "the block failed"
    end)
    assert.equal("+a +b -b cleaned b -a cleaned a", noted())
  end)

  it(
    "stops all when it is cancelled in the middle of a restart, and starts nothing more",
    function()
      local children =
        { unit("a", { clean = 1 }), unit("b", { ends = { FAIL } }), unit("c", { clean = 3 }) }
      local sup = swarm.supervise { strategy = "one_for_all", children = children }
      swarm.sleep(2)
      assert.equal("+a +b +c -c", noted())
      swarm.cancel(sup)
      assert.equal(3, seconds_of(swarm.join, sup))
      assert.equal("cleaned c -a cleaned a", noted())
      local _, err = swarm.join(sup)
      assert.equal("cancelled", err.code)
      assert.is_nil(err.others) -- the supervisor had taken b's failure upon itself
      assert.equal(0, child(sup, "a").restarts)
    end
  )

  it("keeps the errors of clean-up with its own", function()
    local sup = swarm.supervise { children = { unit("a", { breaks = 1 }), unit "b" } }
    swarm.sleep(1)
    swarm.cancel(sup, "no more")
    local _, err = swarm.join(sup)
    assert.equal("cancelled", err.code)
    assert.equal("no more", err.reason)
    assert.equal("clean_up_broke", err.others[1].code)
  end)

  it("deals with a failure that comes together with its cancel", function()
    local sup = swarm.supervise { children = { unit("a", { ends = { FAIL } }), unit "b" } }
    swarm.sleep(1)
    swarm.cancel(sup)
    local _, err = swarm.join(sup)
    assert.equal("cancelled", err.code)
    assert.is_nil(err.others)
    assert.equal("failed", child(sup, "a").status)
    assert.equal("+a +b -b", noted())
  end)

  it("is cancelled once: a further cancel changes nothing", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 3 }) } }
    swarm.sleep(1)
    swarm.cancel(sup, "first")
    swarm.sleep(1)
    swarm.cancel(sup, "second")
    local _, err = swarm.join(sup)
    assert.equal("first", err.reason)
    assert.equal("+a -a cleaned a", noted())
  end)
end)

describe("its own end", function()
  it("passes with no value once all children have ended for good and somebody joins it", function()
    local children = { unit("a", { restart = "transient", ends = { PASS } }) }
    local sup = swarm.supervise { children = children }
    assert.is_nil(swarm.result(sup))
    assert.equal("pass", sup.status)
    assert.equal(1, swarm.monotonic())
  end)

  it("stays without children while its owner's block is open and nobody joins it", function()
    local sup = swarm.supervise {}
    swarm.sleep(100)
    assert.equal("running", sup.status)
    assert.equal("unit", sup:start({ "unit", { name = "a" }, restart = "temporary" }).agent)
    swarm.sleep(1)
    assert.equal("+a", noted())
    assert.is_true(sup:stop "unit")
    swarm.sleep(1)
    assert.equal("running", sup.status)
  end)

  it("ends with its owner's block once no child is left", function()
    local sup
    swarm.scope(function()
      sup = swarm.supervise { children = { unit("a", { restart = "temporary", ends = { PASS } }) } }
      swarm.sleep(5)
      assert.equal("running", sup.status)
    end)
    assert.equal("pass", sup.status)
    assert.equal(5, swarm.monotonic())
  end)

  it("keeps its owner's block open while a child lives", function()
    local took = seconds_of(swarm.scope, function(scope)
      local sup = swarm.supervise { children = { unit "a" } }
      scope:spawn(function()
        swarm.sleep(50)
        swarm.cancel(sup)
      end)
    end)
    assert.equal(50, took)
  end)

  it("goes on after a join that ran out of time", function()
    supervised(
      { children = { unit("a", { ends = { { 5, "pass" } }, restart = "temporary" }) } },
      function(sup)
        local _, err = swarm.join(sup, { timeout = 2 })
        assert.equal("poll_timeout", err.code)
        swarm.sleep(10)
        assert.equal("running", sup.status)
        assert.equal("", ids(sup))
      end
    )
  end)

  it("passes for whoever joins, any number of them", function()
    local sup = swarm.supervise {}
    local joined = 0
    swarm.scope(function(scope)
      for _ = 1, 3 do
        scope:spawn(function()
          assert(swarm.join(sup))
          joined = joined + 1
        end)
      end
    end)
    assert.equal(3, joined)
  end)

  it("passes for who waits for it among others", function()
    swarm.all {
      function()
        swarm.sleep(1)
      end,
      swarm.supervise {},
    }
    assert.equal("pass", swarm.settle({ swarm.supervise {} })[1].status)
  end)

  it("settles after its children", function()
    local sup = swarm.supervise { children = { unit("a", { clean = 2 }) } }
    local a = child(sup, "a").handle
    swarm.sleep(1)
    swarm.cancel(sup, "over", { wait = true })
    assert.equal("cancelled", a.status)
  end)

  it("raises deadlock for a child that joins its own supervisor", function()
    local found
    local sup
    sup = swarm.supervise {
      children = {
        {
          function()
            found = code_of(swarm.join, sup)
          end,
          restart = "temporary",
        },
      },
    }
    swarm.sleep(1)
    assert.equal("deadlock", found)
    assert.is_true(swarm.join(sup))
  end)

  it("keeps what its children came to, for who asks afterwards", function()
    local children = {
      unit("a", { restart = "transient", ends = { PASS } }),
      unit("b", { restart = "transient", ends = { FAIL, PASS } }),
    }
    local sup = swarm.supervise { children = children }
    assert.is_true(swarm.join(sup))
    assert.equal("pass", child(sup, "a").status)
    assert.equal(1, child(sup, "b").restarts)
    assert.equal(2, swarm.result(child(sup, "b").handle))
  end)
end)

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
      assert.equal(1, swarm.result(list[1].handle))
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
      assert.equal("unit", h.agent)
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

describe("trees", function()
  ---A child that supervises: what it runs, as an item.
  local function house(id, opts, fields)
    local item = {
      function()
        note("+" .. id)
        swarm.supervise(opts)
      end,
      id = id,
    }
    for key, value in pairs(fields or {}) do
      item[key] = value
    end
    return item
  end

  it("restart a house of which a child asked for too much", function()
    local inner = { intensity = 0, children = { unit "a", unit("b", { ends = { FAIL } }) } }
    supervised({ children = { house("h", inner) } }, function(sup)
      swarm.sleep(2)
      assert.equal("+h +a +b -a +h +a +b", noted())
      assert.equal("running", sup.status)
    end)
  end)

  it("escalate from house to house up to who joins", function()
    local inner = { intensity = 1, children = { { "crash", "the reason" } } }
    local sup = swarm.supervise { intensity = 2, children = { house("h", inner) } }
    local _, err = swarm.join(sup)
    assert.equal("restart_limit_exceeded", err.code)
    assert.equal("h", err.id)
    assert.equal("+h +h +h", noted())
    local below = err.cause.errors[1]
    assert.equal("restart_limit_exceeded", below.code)
    assert.equal("crash", below.id)
    assert.matches("the reason", below.cause.message)
  end)

  it("leave the other houses alone", function()
    local quiet = { children = { unit "q" } }
    local loud = { intensity = 0, children = { unit("l", { ends = { FAIL } }) } }
    supervised({ children = { house("quiet", quiet), house("loud", loud) } }, function()
      swarm.sleep(2)
      assert.equal("+quiet +loud +q +l +loud +l", noted())
    end)
  end)

  it("are stopped from the last house to the first, each in its own order", function()
    local one = { children = { unit("a", { clean = 1 }), unit("b", { clean = 1 }) } }
    local two = { children = { unit("c", { clean = 1 }), unit("d", { clean = 1 }) } }
    local sup = swarm.supervise { children = { house("one", one), house("two", two) } }
    swarm.sleep(1)
    noted()
    swarm.cancel(sup)
    assert.equal(4, seconds_of(swarm.join, sup))
    assert.equal("-d cleaned d -c cleaned c -b cleaned b -a cleaned a", noted())
  end)

  it("pierce a house whose own shutdown is over, all the way down", function()
    local one =
      { children = { unit("a", { clean = 50, shutdown = math.huge }), unit("b", { clean = 50 }) } }
    local sup = swarm.supervise { children = { house("one", one, { shutdown = 3 }) } }
    swarm.sleep(1)
    noted()
    swarm.cancel(sup)
    assert.equal(3, seconds_of(swarm.join, sup))
    assert.equal("-b killed b -a killed a", noted())
  end)

  it("forget the children that were started later when a house is restarted", function()
    local inner
    local item = {
      function()
        inner = swarm.supervise { intensity = 0, children = { unit "a" } }
      end,
      id = "h",
    }
    supervised({ children = { item } }, function()
      swarm.sleep(1)
      inner:start(unit("b", { ends = { FAIL } }))
      assert.equal("a b", ids(inner))
      swarm.sleep(2)
      assert.equal("a", ids(inner))
      assert.equal("+a +b -a +a", noted())
    end)
  end)

  it("keep the error of a clean-up deep below through a restart of all", function()
    local one = { children = { unit("a", { breaks = 1 }) } }
    local children = { house("one", one), unit("b", { ends = { { 2, "fail" } } }) }
    supervised({ strategy = "one_for_all", children = children }, function(sup)
      local first = child(sup, "one").handle
      swarm.sleep(3)
      assert.equal("+one +b +a -a +one +b +a", noted())
      assert.equal("running", sup.status)
      local _, err = swarm.join(first)
      assert.equal("cancelled", err.code)
      assert.equal("clean_up_broke", err.others[1].code)
    end)
  end)
end)

describe("in every order", function()
  local function sleeper(_, seconds)
    swarm.sleep(seconds)
  end

  ---Runs a program under every order of its ready lists; the ways it can end must be these.
  local function every_order(ways, fn)
    local found, wanted = {}, {}
    local report = explore(function()
      found[fn()] = true
    end)
    for _, way in ipairs(ways) do
      wanted[way] = true
    end
    assert.is_true(report.complete, tostring(report))
    assert.same(wanted, found)
  end

  it("a cancel as the supervisor begins stops whatever was started", function()
    every_order({ "cancelled" }, function()
      local sup = swarm.supervise {
        children = { { sleeper, 5, id = "a" }, { sleeper, 5, id = "b", shutdown = 0 } },
      }
      swarm.yield()
      swarm.cancel(sup)
      local _, err = swarm.join(sup)
      return err.code
    end)
  end)

  it("a restart of all ends in the limit", function()
    every_order({ "restart_limit_exceeded" }, function()
      local sup = swarm.supervise {
        strategy = "one_for_all",
        children = { { sleeper, 5, id = "a" }, { "crash" } },
      }
      local _, err = swarm.join(sup)
      return err.code
    end)
  end)

  it("a start races the supervisor's failure", function()
    every_order({ "started", "invalid_argument" }, function()
      local sup = swarm.supervise { intensity = 0, children = { { "crash" } } }
      swarm.yield()
      local ok, err = pcall(sup.start, sup, { sleeper, 1, id = "b", restart = "temporary" })
      swarm.join(sup)
      return ok and "started" or err.code
    end)
  end)

  it("a stop races the failure of its child", function()
    every_order({ "pass stopped", "restart_limit_exceeded late" }, function()
      local sup = swarm.supervise { intensity = 0, children = { { "crash" } } }
      local stopper = swarm.spawn(function()
        return sup:stop "crash" and "stopped" or "late"
      end)
      local ok, err = swarm.join(sup)
      return (ok and "pass" or err.code) .. " " .. swarm.result(stopper)
    end)
  end)

  it("a join races the end of the last child", function()
    every_order({ "pass" }, function()
      local sup = swarm.supervise { children = { { sleeper, 0, id = "a", restart = "temporary" } } }
      local other = swarm.spawn(function()
        assert(swarm.join(sup))
      end)
      swarm.join(other)
      return sup.status
    end)
  end)

  it("a house without time for clean-up takes none, whenever it is stopped", function()
    local function stubborn()
      pcall(swarm.sleep, 5)
      pcall(swarm.shield, swarm.sleep, { timeout = 2000 })
      pcall(swarm.shield, function()
        swarm.sleep(1000)
      end, { timeout = 2000 })
    end
    local function house()
      swarm.supervise { children = { { stubborn, id = "s", shutdown = math.huge } } }
    end
    every_order({ "0" }, function()
      local start = swarm.monotonic()
      local sup = swarm.supervise { children = { { house, id = "h", shutdown = 0 } } }
      swarm.yield()
      swarm.cancel(sup)
      swarm.join(sup)
      return tostring(swarm.monotonic() - start)
    end)
  end)

  it("a house fails into the next one", function()
    every_order({ "restart_limit_exceeded" }, function()
      local function house()
        swarm.supervise { intensity = 0, children = { { "crash" } } }
      end
      local sup = swarm.supervise { intensity = 0, children = { { house } } }
      local _, err = swarm.join(sup)
      return err.code
    end)
  end)
end)
