-- Proves sandbox.md, 3: chunks.
local swarm = require "swarm"
local stock = require "sandbox_stock"

local assert_no_host, failure_of = stock.assert_no_host, stock.failure_of

-- The first bytes of compiled Lua: a chunk that begins so is bytecode, whatever follows.
local BYTECODE = "\27LJ\2\2"

describe("bytecode", function()
  local function assert_refused(...)
    local chunk, problem = load(...)
    assert.is_nil(chunk)
    assert.equal("string", type(problem))
    assert_no_host(assert(problem))
  end

  it("is refused from a string", function()
    assert_refused(BYTECODE, "x")
    assert_refused(BYTECODE, "x", "b")
    assert_refused(BYTECODE, "x", "bt")
    assert_refused("\27Lua", "x")
    local chunk, problem = load(BYTECODE, "=x")
    assert.is_nil(chunk)
    assert.equal("x:1: this is Lua bytecode; only source text is loaded", problem)
  end)

  it("is refused from a reader function, in one piece or byte by byte", function()
    local done
    assert_refused(function()
      if not done then
        done = true
        return BYTECODE
      end
    end)
    local at = 0
    assert_refused(function()
      at = at + 1
      return at <= #BYTECODE and BYTECODE:sub(at, at) or nil
    end)
  end)

  it("is refused behind a byte order mark, two of them, or a first line with #", function()
    assert_refused("\239\187\191" .. BYTECODE)
    assert_refused("\239\187\191\239\187\191" .. BYTECODE)
    assert_refused("#!/usr/bin/lua\n" .. BYTECODE)
    assert_refused("\239\187\191#\n" .. BYTECODE)
    assert_refused("\239\187\191#\n\239\187\191" .. BYTECODE)
    assert_refused("#\n#\n" .. BYTECODE)
  end)

  it("is refused by loadstring as by load", function()
    assert.is_nil((loadstring(BYTECODE)))
  end)

  it("mode of a text is refused as in plain Lua", function()
    local chunk, problem = load("return 1", "x", "b")
    assert.is_nil(chunk)
    assert.matches("mode", problem)
  end)

  it("of a reader that returns something else than text is an error", function()
    local chunk, problem = load(function()
      return {}
    end)
    assert.is_nil(chunk)
    assert.matches("must return strings", problem)
  end)

  it("of a reader that raises is a result of load, as in plain Lua", function()
    local chunk, problem = load(function()
      error("no more", 0)
    end)
    assert.is_nil(chunk)
    assert.equal("no more", problem)
    local mine = {}
    chunk, problem = load(function()
      error(mine)
    end)
    assert.is_nil(chunk)
    assert.is_true(rawequal(mine, problem))
  end)

  it("is no part of load: a reader may wait", function()
    local parts = { "return ", "1 + 1" }
    local chunk = load(function()
      swarm.sleep(1)
      return table.remove(parts, 1)
    end)
    assert.equal(2, chunk())
  end)
end)

describe("a chunk's name that is an object", function()
  it("whose __tostring returns no text is an invalid argument, at the script's line", function()
    local err = failure_of(function()
      local name = setmetatable({}, {
        __tostring = function()
          return {} ---@diagnostic disable-line: return-type-mismatch
        end,
      })
      ---@diagnostic disable-next-line: discard-returns, param-type-mismatch
      load("return 1", name)
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("__tostring returned a table", err.message)
    assert.matches("chunks_spec.lua:%d+$", err.where)
  end)
end)

describe("a chunk's name", function()
  it("that is the host's form does not hide the script's frames", function()
    local err = failure_of(load("error('boom')", "=swarm/worker/spawn.lua"))
    assert.matches("boom", err.message)
    assert.matches("=swarm/worker/spawn.lua:1", err.traceback)
    assert.equal("failed", err.code)
  end)

  it("that is a path of the host's form does not make its errors the host's", function()
    local err = failure_of(load("error('boom')", "@swarm/worker/spawn.lua"))
    assert.equal("failed", err.code)
    assert.equal("swarm/worker/spawn.lua:1", err.where)
  end)

  it("may be an object whose __tostring changes its mind", function()
    local times = 0
    local name = setmetatable({}, {
      __tostring = function()
        times = times + 1
        return times == 1 and "=mine" or "=swarm/worker/spawn.lua"
      end,
    })
    ---@diagnostic disable-next-line: param-type-mismatch
    assert.equal("mine:1", failure_of(load("error('boom')", name)).where)
  end)
end)
