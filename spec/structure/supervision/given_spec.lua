-- Proves supervision.md, "What it is given".
local notes = require "notes"
local swarm = require "swarm"
local stock = require "supervision_stock"

local note, noted = notes.note, notes.noted
local supervised, unit, ids = stock.supervised, stock.unit, stock.ids

swarm.worker "changes_its_input" {
  run = function(_, input)
    note(tostring(#input.list))
    input.list[#input.list + 1] = "more"
    swarm.sleep(1)
    error "again"
  end,
}

describe("what it is given", function()
  ---The error of a supervise that must be refused, and start nothing.
  local function refused(opts)
    local err = assert.has_error(function()
      swarm.supervise(opts)
    end)
    swarm.sleep(1)
    assert.equal("", noted(), "something was started")
    assert.matches("given_spec.lua:%d+$", err.where)
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
      assert.matches("given_spec.lua:%d+$", ids(sup))
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
