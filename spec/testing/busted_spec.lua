-- Proves testing.md, Busted's words: specs that were written for busted and luassert run as they
-- are.
-- luacheck: ignore 111 112 113 143
require "busted.runner"() ---@diagnostic disable-line: unresolved-require
local swarm = require "swarm"

local order = {}
local function note(word)
  return function()
    order[#order + 1] = word
  end
end

---What an assertion that does not hold says.
local function fails(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.equal("assertion_failed", err.code)
  return err.message
end

describe("assertions", function()
  it("are spelt in each way that busted has", function()
    assert.equals(1, 1)
    assert.are.equal(1, 1)
    assert.are_equal(1, 1)
    assert.is.equal(1, 1)
    assert.is_equal(1, 1)
    assert.are.same({ 1 }, { 1 })
    assert.is_same({ 1 }, { 1 })
    assert.True(true)
    assert.is.True(true)
    assert.is_false(false)
    assert.is_truthy(1)
    assert.is.falsy(nil)
    assert.is_falsey(nil)
    assert.Nil(nil)
    assert.match("b", "abc")
    assert.is_near(1, 1.1, 0.2)
  end)

  it("are turned round by not and no, wherever they stand", function()
    assert.is_not.equal(1, 2)
    assert.are_not_equal(1, 2)
    assert.are_not.same({ 1 }, { 2 })
    assert.not_equals(1, 2)
    assert.is_not_nil(1)
    assert.is_not_true(1)
    assert.Not.Nil(1)
    assert.has_no.match("z", "abc")
    assert.is_not_table(1)
    assert.is.Not.falsy(1)
  end)

  it("know errors", function()
    local function raises()
      error "it is broken"
    end
    assert.error(raises)
    assert.has.errors(raises)
    assert.has_error(raises, "it is broken")
    assert.error_matches(raises, "is %a+$")
    assert.has_no.errors(function() end)
    assert.has_no_error(function() end)
    assert.no_error(function() end)
    fails(assert.has_no.errors, raises)
    fails(assert.error_matches, raises, "mended")
  end)

  it("know Lua's types", function()
    assert.is_table {}
    assert.is_number(1)
    assert.is_string "x"
    assert.is_boolean(false)
    assert.is_function(print)
    assert.is.userdata(io.stdout)
    assert.is_thread(coroutine.create(print))
    fails(assert.is_table, 1)
  end)

  it("say what they found where they do not hold", function()
    assert.equal("expected that this does not hold: equal(1, 1)", fails(assert.is_not.equal, 1, 1))
    assert.matches("expected a table\nbut got 5", fails(assert.is_table, 5))
  end)

  it("that do not exist are told, with the nearest", function()
    local err = assert.has_error(function()
      assert.equl(1, 1)
    end, { code = "unknown_name" })
    assert.matches("did you mean assert.equal", err.message)
    assert.has_error(function()
      assert.is_not.samee(1, 1)
    end, { code = "unknown_name" })
  end)

  it("that are turned round pass on errors that are none of theirs", function()
    assert.has_error(function()
      assert.is_not.near(
        "x",
        1,
        1,
        setmetatable({}, {
          __tostring = function()
            error "own"
          end,
        })
      )
    end, "own")
  end)
end)

describe("spies", function()
  it("remember calls, and call", function()
    local double = spy.new(function(n)
      return n * 2
    end)
    assert.equal(4, double(2))
    assert.spy(double).was.called()
    assert.spy(double).was_called(1)
    assert.spy(double).was.called_with(2)
    assert.spy(double).was_not.called_with(3)
    assert.spy(double).was_not_called_with(3)
    assert.spy(double).was.returned_with(4)
    assert.spy(double).was.called_at_least(1)
    assert.spy(double).was.called_at_most(1)
    assert.spy(double).was.called_more_than(0)
    assert.spy(double).was.called_less_than(2)
    double:clear()
    assert.spy(double).was_not.called()
    fails(assert.spy(double).was.called)
    fails(assert.spy(double).was_not.called, 0)
  end)

  it("keep arguments as they were", function()
    local seen = spy.new(function() end)
    local list = { 1 }
    seen(list)
    list[1] = 2
    assert.spy(seen).was.called_with { 1 }
  end)

  it("pass on what the function raises", function()
    local broken = spy.new(function()
      error { code = "mine" }
    end)
    assert.has_error(broken, { code = "mine" })
    assert.spy(broken).was.called(1)
  end)

  it("stand in a table, until they are reverted", function()
    local object = {
      name = function()
        return "own"
      end,
    }
    local on = spy.on(object, "name")
    assert.equal("own", object.name())
    assert.spy(object.name).was.called(1)
    assert.is_true(spy.is_spy(object.name))
    on:revert()
    assert.is_function(object.name)
  end)

  it("may wait, as the functions that they stand before", function()
    local sleeps = spy.new(swarm.sleep)
    sleeps(10)
    assert.spy(sleeps).was.called_with(10)
  end)

  it("meet matchers", function()
    local seen = spy.new(function() end)
    seen(1, "x", { 2 })
    assert.spy(seen).was.called_with(match.is_number(), match._, match.is_table())
    assert.spy(seen).was.called_with(1, match.is_not.equal "y", match.is_same { 2 })
    assert.spy(seen).was_not.called_with(match.is_string(), match._, match._)
  end)
end)

describe("stubs", function()
  it("answer what they are told to", function()
    local object = { read = error }
    stub(object, "read", "a", "b")
    assert.same({ "a", "b" }, { object.read "x" })
    assert.stub(object.read).was.called_with "x"
    local one = stub.new()
    assert.is_nil(one())
    one.returns(3)
    assert.equal(3, one())
    one.on_call_with("special").returns(4)
    assert.equal(4, one "special")
    assert.equal(3, one "else")
    one.invokes(function(n)
      return n + 1
    end)
    assert.equal(8, one(7))
  end)

  it("take the place of all functions of a table by mock(table, true)", function()
    local api = { get = error, inner = { put = error } }
    mock(api, true)
    assert.is_nil(api.get "x")
    api.inner.put(1)
    assert.spy(api.inner.put).was.called_with(1)
  end)

  it("leave the functions in their places by mock(table)", function()
    local api = mock {
      get = function()
        return 5
      end,
    }
    assert.equal(5, api.get())
    assert.spy(api.get).was.called(1)
  end)
end)

describe("what stands around specs", function()
  setup(note "setup")
  lazy_setup(note "lazy")
  before_each(note "before")

  context("in a context", function()
    strict_setup(note "inner")
    insulate(function()
      expose("and others", function()
        test("runs setups first, from the outside in", function()
          assert.same({ "setup", "lazy", "inner", "before" }, order)
        end)
      end)
    end)
  end)

  spec("may say what is done finally", function()
    finally(note "finally")
  end)
  teardown(function() end)
  lazy_teardown(function() end)
end)

describe("two of one name", function()
  it("are two", function() end)
  it("are two", function() end)
end)

describe("a spec", function()
  it("may find out that it is not to be run", function()
    pending "not today"
    error "it goes no further"
  end)
end)
