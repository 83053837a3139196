-- Proves structure.md, "Failures", further: the errors that come out of a block, by the lists that
-- anyio and trio keep of how they go wrong (peers.md).
local chance = require "chance"
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
require "stock_workers"

local raised, code_of, codes_of = outcomes.raised, outcomes.code_of, outcomes.codes_of
local all_wait, cancelled_in_wait = stages.all_wait, stages.cancelled_in_wait

-- Fails in its clean-up: with `code`, once it is cancelled.
swarm.worker "bad_clean_up" {
  run = function(_, code)
    pcall(swarm.sleep, 100)
    error { code = code }
  end,
}

---How often each code stands in the tree of an error.
local function codes_in(err, found, seen)
  if type(err) ~= "table" or seen[err] then
    return found
  end
  seen[err] = true
  found[err.code] = (found[err.code] or 0) + 1
  codes_in(err.cause, found, seen)
  for _, key in ipairs { "errors", "others" } do
    for _, one in ipairs(err[key] or {}) do
      codes_in(one, found, seen)
    end
  end
  return found
end

describe("errors that come out", function()
  it("are the only one, as it is, where one failed: nothing is wrapped", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      scope:spawn("sleeper", 100)
    end)
    assert.equal("broke", err.code)
    assert.equal(1, err.after)
    assert.is_nil(err.errors)
    assert.is_nil(err.others)
  end)

  it("keep a sibling's clean-up beside the first", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("bad_clean_up", "second")
      scope:spawn("fail_after", 1)
    end)
    assert.equal("broke", err.code)
    assert.same({ "second" }, codes_of(err.others))
  end)

  it("keep a child's clean-up beside the function's own error", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("bad_clean_up", "child")
      all_wait()
      error { code = "function" }
    end)
    assert.equal("function", err.code)
    assert.same({ "child" }, codes_of(err.others))
  end)

  it("keep several clean-ups, in the order in which they broke", function()
    local err = raised(swarm.scope, function(scope)
      for i = 1, 3 do
        scope:spawn(function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            swarm.sleep(i)
          end)
          error { code = "clean_up_" .. i }
        end)
      end
      scope:spawn("fail_after", 1)
    end)
    assert.equal("broke", err.code)
    assert.same({ "clean_up_1", "clean_up_2", "clean_up_3" }, codes_of(err.others))
  end)

  it("keep the tree of nested scopes: the inner one's error is among the outer one's", function()
    local err = raised(swarm.scope, function(outer)
      outer:spawn("fail_after", 1)
      outer:spawn(function()
        swarm.scope(function(inner)
          inner:spawn("bad_clean_up", "child_1")
          inner:spawn("bad_clean_up", "child_2")
        end)
      end)
    end)
    assert.equal("broke", err.code)
    local all = {}
    local function walk(list)
      for _, one in ipairs(list or {}) do
        all[#all + 1] = (one.cause or one).code
        walk((one.cause or one).others)
      end
    end
    walk(err.others)
    table.sort(all)
    assert.same({ "child_1", "child_2" }, all)
  end)

  it("keep what broke in a timeout or shield inside a scope that fails", function()
    for name, open in pairs {
      timeout = function(fn)
        return swarm.timeout(50, fn)
      end,
      scope = swarm.scope,
    } do
      local err = raised(swarm.scope, function(scope)
        scope:spawn("fail_after", 1)
        open(function()
          swarm.spawn("bad_clean_up", "inside")
          swarm.sleep(100)
        end)
      end)
      assert.equal("broke", err.code, name)
      assert.same({ "inside" }, codes_of(err.others), name)
    end
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      swarm.shield(function()
        swarm.spawn("bad_clean_up", "inside")
        swarm.sleep(100)
      end)
    end)
    assert.equal("broke", err.code)
    assert.same({ "timeout" }, codes_of(err.others)) -- the shield's own time, which ran out
    assert.same({ "inside" }, codes_of(err.others[1].others))
  end)

  it("keep what broke in a timeout inside a timeout that ran out", function()
    local err = raised(swarm.timeout, 1, function()
      swarm.timeout(50, function()
        swarm.spawn("bad_clean_up", "inner")
        swarm.sleep(100)
      end)
    end)
    assert.equal("timeout", err.code)
    assert.same({ "inner" }, codes_of(err.others))
  end)

  it("keep what broke below a cancelled child that nobody joined", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      scope:spawn(function()
        swarm.spawn("bad_clean_up", "grandchild")
        swarm.sleep(100)
      end)
    end)
    assert.equal("broke", err.code)
    assert.same({ "grandchild" }, codes_of(err.others))
  end)

  it("keep what broke two levels below a cancelled child", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn(function()
        swarm.spawn(function()
          swarm.spawn("bad_clean_up", "deep")
          swarm.sleep(100)
        end)
        swarm.sleep(100)
      end)
      all_wait()
      swarm.cancel(child, "not needed")
    end)
    local _, err = swarm.join(h)
    assert.equal("children_failed", err.code)
    assert.same({ "deep" }, codes_of(err.errors))
  end)

  it("are none where a cancelled child's failures were taken with its error", function()
    local h = swarm.spawn(function()
      local child = swarm.spawn(function()
        swarm.spawn("bad_clean_up", "below")
        swarm.sleep(100)
      end)
      all_wait()
      swarm.cancel(child, "not needed")
      local _, err = swarm.join(child)
      return codes_of(err.others)
    end)
    assert.same({ "below" }, swarm.result(h))
  end)

  it("hold no cancelled error among the others", function()
    local err = raised(swarm.scope, function(scope)
      for _ = 1, 3 do
        scope:spawn("sleeper", 100)
      end
      scope:spawn(function()
        local own = raised(swarm.sleep, 100)
        error(own, 0)
      end)
      scope:spawn("bad_clean_up", "real")
      scope:spawn("fail_after", 1)
    end)
    assert.same({ "real" }, codes_of(err.others))
  end)

  it("hold none of them twice, nor the error itself", function()
    local err = raised(swarm.scope, function(scope)
      local h = scope:spawn("fail_after", 1)
      scope:spawn("bad_clean_up", "second")
      swarm.scope(function()
        swarm.timeout(50, function()
          swarm.result(h)
        end)
      end)
    end)
    local seen = {}
    local function walk(one)
      assert.falsy(seen[one], "twice")
      seen[one] = true
      for _, list in ipairs { one.errors or {}, one.others or {} } do
        for _, below in ipairs(list) do
          walk(below)
        end
      end
    end
    walk(err)
    assert.equal("broke", err.code)
    assert.same({ "second" }, codes_of(err.others))
  end)

  it("keep the function's own error where a child failed first", function()
    local err = raised(swarm.scope, function(scope)
      scope:spawn("fail_after", 1)
      pcall(swarm.sleep, 100)
      error "in clean-up"
    end)
    assert.equal("broke", err.code)
    assert.matches("in clean%-up", err.others[1].message)
  end)

  it("keep a child's where the function raised nil, false, a number or a string", function()
    for _, value in ipairs { "nil", "false", "number", "string" } do
      local what = ({ ["false"] = false, number = 5, string = "text" })[value]
      local err = raised(swarm.scope, function(scope)
        scope:spawn("bad_clean_up", "child")
        all_wait()
        error(what, 0)
      end)
      assert.equal("failed", err.code, value)
      assert.same({ "child" }, codes_of(err.others), value)
    end
  end)

  it("keep the script's own object, with its fields and its cause", function()
    local cause = { code = "deeper" }
    local mine = { code = "mine", cause = cause, detail = { 1, 2 } }
    local err = raised(swarm.scope, function()
      error(mine)
    end)
    assert.truthy(rawequal(mine, err))
    local h = swarm.spawn(function()
      error(mine)
    end)
    local _, got = swarm.join(h)
    assert.equal("deeper", got.cause.code)
    assert.equal(2, got.detail[2])
  end)

  it("keep the clean-up's error beside the cancel's reason where both came", function()
    local _, err = cancelled_in_wait(function()
      swarm.scope(function(scope)
        scope:spawn("bad_clean_up", "child")
        swarm.sleep(100)
      end)
    end, "enough")
    assert.equal("cancelled", err.code)
    assert.equal("enough", err.reason)
    assert.same({ "child" }, codes_of(err.others))
  end)

  it("keep the function's error where the block was cancelled before it raised", function()
    local h = swarm.spawn(function(ctx)
      ctx:cancel "enough"
      error { code = "mine" }
    end)
    local _, err = swarm.join(h)
    assert.equal("failed", h.status)
    assert.equal("mine", err.code)
    assert.equal("enough", err.cancel_reason)
  end)

  it("keep the others of a cause: each level has its own", function()
    local middle = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn("bad_clean_up", "at the bottom")
        scope:spawn("fail_after", 1)
      end)
    end)
    local top = swarm.spawn(function()
      swarm.scope(function(scope)
        scope:spawn("bad_clean_up", "at the top")
        all_wait()
        swarm.result(middle)
      end)
    end)
    local _, err = swarm.join(top)
    local found = {}
    while err do
      for _, code in ipairs(codes_of(err.others)) do
        found[#found + 1] = code
      end
      err = err.cause
    end
    assert.same({ "at the top", "at the bottom" }, found)
    local _, own = swarm.join(middle)
    assert.is_nil(own.others)
  end)

  it("of a worker stay as they are for others where one block adds to them", function()
    local h = swarm.spawn("fail_after", 1)
    local function join_in_scope(code)
      return raised(swarm.scope, function(scope)
        scope:spawn("bad_clean_up", code)
        all_wait()
        swarm.result(h)
      end)
    end
    local first, second = join_in_scope "first", join_in_scope "second"
    local _, own = swarm.join(h)
    assert.same({ "first" }, codes_of(first.others))
    assert.same({ "second" }, codes_of(second.others))
    assert.is_nil(own.others)
    assert.equal("broke", first.code)
  end)

  it("of a worker are not said to be of a clean-up that only raised them again", function()
    local h = swarm.spawn("fail_after", 0)
    swarm.join(h)
    local err = raised(swarm.timeout, 1, function()
      pcall(swarm.sleep, 100)
      swarm.shield(function()
        swarm.result(h)
      end)
    end)
    local _, own = swarm.join(h)
    assert.matches("ran out of time", err.cancel_reason)
    assert.is_nil(own.cancel_reason)
  end)

  it("hold a first failure once where the function raised it again behind a shield", function()
    local err = raised(swarm.scope, function(scope)
      local h = scope:spawn("fail_after", 1)
      swarm.shield(function()
        swarm.result(h)
      end)
    end)
    assert.equal("broke", err.code)
    assert.is_nil(err.others)
  end)

  it("may be anything: a handle, a closed table, others that are no list", function(ctx)
    local traps = {
      handle = ctx,
      face = swarm,
      trap = setmetatable({}, {
        __newindex = function()
          error "written to"
        end,
        __index = function()
          error "read"
        end,
      }),
      class = setmetatable({ code = "mine" }, { __index = { kind = "class" } }),
      odd = { code = "mine", others = 5, errors = "none" },
      list = { code = "mine", others = { 1, false, {} } },
    }
    for name, value in pairs(traps) do
      local err = raised(swarm.scope, function(scope)
        scope:spawn("bad_clean_up", "child")
        all_wait()
        error(value, 0)
      end)
      assert.equal("child", err.others[#err.others].code, name)
      err = raised(swarm.timeout, 1, function()
        pcall(swarm.sleep, 100)
        error(value, 0)
      end)
      assert.matches("ran out of time", err.cancel_reason, name)
      local h = swarm.spawn(function()
        swarm.spawn("bad_clean_up", "child")
        all_wait()
        error(value, 0)
      end)
      local _, got = swarm.join(h)
      assert.equal("child", got.others[#got.others].code, name)
    end
    assert.is_nil(rawget(ctx, "others"))
    assert.is_nil(rawget(swarm, "others"))
  end)

  it("may be a cancelled error that the script has written to", function()
    for _, others in ipairs { 5, "text", {}, { 1, 2 }, true } do
      for _, field in ipairs { "others", "reason", "code", "task_id" } do
        local status, err = cancelled_in_wait(function()
          local cancel = raised(swarm.sleep, 100)
          cancel[field] = others
          error(cancel, 0)
        end, "enough")
        assert.equal("cancelled", status)
        assert.equal("enough", err.reason)
      end
    end
  end)

  it("carry the frames of the worker and of who spawned it, at each level", function()
    local function thrower()
      error { code = "deep" }
    end
    local err = raised(swarm.scope, function(scope)
      scope:spawn(function()
        pcall(swarm.sleep, 100)
        thrower()
      end)
      scope:spawn(function()
        swarm.sleep(1)
        error { code = "broke" }
      end)
    end)
    for _, one in ipairs { err, err.others[1] } do
      assert.matches("errors_spec%.lua:%d+", one.traceback)
      assert.matches("^.*errors_spec%.lua:%d+$", one.spawned_at)
      assert.matches("^T%-%d+$", one.task_id)
    end
    assert.matches("in function 'thrower'", err.others[1].traceback)
  end)

  it("raised again after a wait keep their frames, whatever failed meanwhile", function()
    local function thrower(code)
      error { code = code }
    end
    local function round(code, before, after)
      return function()
        swarm.sleep(before)
        local _, err = swarm.join(swarm.spawn(function()
          thrower(code)
        end))
        swarm.sleep(after)
        error(err, 0)
      end
    end
    local first, second = swarm.spawn(round("first", 0, 3)), swarm.spawn(round("second", 1, 1))
    for code, h in pairs { first = first, second = second } do
      local _, err = swarm.join(h)
      assert.equal(code, err.cause.code)
      assert.matches("in function 'thrower'", err.cause.traceback)
      assert.is_nil(err.cause.cause)
      assert.is_nil(err.others)
    end
  end)

  it("are not lost where a cancel came while they were handled", function()
    local _, err = cancelled_in_wait(function()
      local _, handled = pcall(error, { code = "handled" })
      pcall(swarm.sleep, 100) -- the cancel comes here
      error(handled, 0)
    end, "enough")
    assert.equal("handled", err.code)
    assert.equal("enough", err.cancel_reason)
  end)

  it("of a hundred children are all there", function()
    local h = swarm.spawn(function()
      for _ = 1, 100 do
        swarm.spawn("fail_after", 1)
      end
    end)
    local _, err = swarm.join(h)
    assert.equal(100, #err.errors)
  end)

  it("may be caught and raised again in another block without gaining others twice", function()
    local first = raised(swarm.scope, function(scope)
      scope:spawn("bad_clean_up", "second")
      scope:spawn("fail_after", 1)
    end)
    for _ = 1, 3 do
      local again = raised(swarm.scope, function()
        error(first, 0)
      end)
      assert.truthy(rawequal(first, again))
    end
    assert.same({ "second" }, codes_of(first.others))
  end)

  it("of a scope can be caught, and the scope around it goes on", function()
    local value = swarm.scope(function(outer)
      local h = outer:spawn("sleeper", 5)
      local code = code_of(swarm.scope, function(inner)
        inner:spawn("fail_after", 1)
      end)
      return code .. " " .. swarm.result(h)
    end)
    assert.equal("broke slept", value)
  end)

  it("are none of them lost, nor told twice, in a thousand programs made by chance", function()
    local wrong, total = {}, 0
    for seed = 1, 1000 do
      local run, was_raised = chance.program(seed)
      local h = swarm.spawn(run)
      if seed % 2 == 0 then
        swarm.join(h, { timeout = seed % 14 / 2 })
        swarm.cancel(h, "from outside")
      end
      local _, err = swarm.join(h)
      local found = codes_in(err, {}, {})
      for code in pairs(was_raised) do
        total = total + 1
        if found[code] ~= 1 then
          wrong[#wrong + 1] = "program " .. seed .. ": " .. code .. ", " .. (found[code] or 0)
        end
      end
    end
    assert.same({}, wrong)
    assert.truthy(total > 500)
  end)
end)
