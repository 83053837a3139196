-- swarm.data and swarm.set_data, as values.md has them.

local swarm = require "swarm"

local while_loading = {}
for _, name in ipairs { "data", "set_data" } do
  while_loading[name] = select(2, pcall(swarm[name], "x", 1))
end

swarm.role "blind" { extends = "worker", deny = { "fetch_data" } }
swarm.worker "look" {
  role = "blind",
  run = function(_, call)
    return swarm[call]("not for the blind", {})
  end,
}

describe("data", function()
  it("is nil where nothing was set", function()
    assert.is_nil(swarm.data "nothing")
  end)

  it("is what was set last, by whichever worker", function()
    swarm.set_data("n", 1)
    swarm.result(swarm.spawn(function()
      swarm.set_data("n", swarm.data "n" + 1)
    end))
    assert.equal(2, swarm.data "n")
    swarm.set_data("n", false)
    assert.equal(false, swarm.data "n")
  end)

  it("is gone once nil was set", function()
    swarm.set_data("gone", "x")
    swarm.set_data("gone", nil)
    assert.is_nil(swarm.data "gone")
  end)

  it("is a copy, both ways", function()
    local mine = { list = { 1, 2 }, empty = swarm.array {} }
    swarm.set_data("table", mine)
    mine.list[1] = 3
    local first = swarm.data "table"
    assert.same({ list = { 1, 2 }, empty = {} }, first)
    first.list[2] = "changed"
    assert.same({ 1, 2 }, swarm.data("table").list)
    assert.equal('{"empty":[],"list":[1,2]}', swarm.json.encode(swarm.data "table"))
  end)

  it("may hold a handle", function()
    local h = swarm.spawn(function()
      return "done"
    end)
    swarm.set_data("worker", { h })
    assert.equal(
      "done",
      swarm.call(function()
        return swarm.result(swarm.data("worker")[1])
      end)
    )
  end)

  it("cannot hold what cannot cross, and keeps what it had", function()
    swarm.set_data("kept", "before")
    local err = assert.has_error(function()
      swarm.set_data("kept", { list = { print } })
    end, { code = "invalid_value" })
    assert.equal("data.list[1]", err.path)
    assert.equal("before", swarm.data "kept")
  end)

  it("has names that are strings", function()
    for _, name in ipairs { "", 1, {}, true } do
      for _, call in ipairs { "data", "set_data" } do
        local err = assert.has_error(function()
          ---@diagnostic disable-next-line: param-type-mismatch
          swarm[call](name)
        end, { code = "invalid_argument" })
        assert.matches("swarm%." .. call .. " takes a name", err.message)
      end
    end
  end)

  it("does not work while a script loads", function()
    assert.equal("not_while_loading", while_loading.data.code)
    assert.equal("not_while_loading", while_loading.set_data.code)
  end)

  it("is read and set with the verb fetch_data, and so is state", function()
    swarm.set_data("not for the blind", 1)
    for _, call in ipairs { "data", "set_data", "state" } do
      local err = assert.has_error(function()
        swarm.call("look", call)
      end)
      assert.equal("role_violation", (err.cause or err).code)
      assert.equal("fetch_data", (err.cause or err).verb)
    end
    assert.equal(1, swarm.data "not for the blind")
  end)
end)
