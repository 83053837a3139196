-- Proves sandbox.md, 1 and 2: the globals, the libraries, and what a script does to them. Every way
-- out that we could think of, closed: here, and in the specs of chunks, objects and errors.
-- What is called wrongly here is so on purpose.
---@diagnostic disable: discard-returns, duplicate-require, generic-constraint-mismatch
---@diagnostic disable: global-in-non-module, missing-fields, missing-parameter, param-type-mismatch
---@diagnostic disable: redundant-parameter, undefined-field
local swarm = require "swarm"
local stock = require "sandbox_stock"

local assert_no_host, failure_of, child = stock.assert_no_host, stock.failure_of, stock.child

local function never()
  error("nobody calls this")
end

describe("the globals", function()
  it("hold no way to the functions that the sandbox leaves out", function()
    for _, name in ipairs {
      "getfenv", "setfenv", "dofile", "loadfile", "module", "newproxy", "gcinfo", "jit", "ffi",
      "python", "lupa",
      "arg", "rawlen",
    } do
      assert.is_nil(rawget(_G, name), name)
    end
  end)

  it("are the generation's own table, which is not the host's", function()
    assert.equal(_G, _G._G)
    assert.is_nil(getmetatable(_G))
    assert.equal(_G, package.loaded._G)
    local seen = load("return _G")()
    assert.equal(_G, seen)
  end)

  it("of a chunk from load are the script's where no others are named", function()
    assert.equal(_G, load("return _G")())
    assert.equal(_G, loadstring("return _G")())
    assert.equal(_G, load("return _G", "x", "t", nil)())
  end)

  it("of a chunk from load can be any table, and nothing but a table", function()
    local own = {}
    setmetatable(own, { __index = { self = own } })
    assert.equal(own, load("x = 1 return self", "x", "t", own)())
    assert.equal(1, own.x)
    for _, wrong in ipairs { false, true, 1, "_G", never, coroutine.create(never) } do
      assert.has_error(function()
        load("return _G", "x", "t", wrong)
      end, { code = "invalid_argument" })
    end
  end)

  it("of a chunk from load are never the host's, however deep the loads are nested", function()
    local inner = load([[return load("return load('return _G')()")()]])()
    assert.equal(_G, inner)
    assert.is_nil(load("return load", "x", "t", {})())
  end)

  it("cannot be reached through a handle as the globals of a chunk", function()
    local h = child()
    assert.has_error(function()
      load("x = 1", "x", "t", h)()
    end, { code = "unknown_name" })
    assert.has_error(function()
      load("spawn = 1", "x", "t", swarm)()
    end, { code = "unknown_name" })
    swarm.cancel(h)
  end)

  it("of package hold no loaders and no C libraries", function()
    for _, name in ipairs {
      "loaders", "searchers", "cpath", "loadlib", "seeall",
    } do
      assert.is_nil(package[name], name)
    end
    for name in pairs(package.loaded) do
      assert.is_nil(name:match "^swarm%.", name)
    end
  end)
end)

describe("the libraries", function()
  it("hold no way to files, processes or the end of the host, and say what to use", function()
    local hints = {
      [function() io.read() end] = "swarm.input",
      [function() io.input() end] = "swarm.input",
      [function() io.lines() end] = "swarm.input",
      [function() io.stdin:read() end] = "--trust",
      [function() io.tmpfile() end] = "--trust",
      [function() os.execute() end] = "swarm.exec",
      [function() os.exit() end] = "the return of swarm.main",
      [function() os.setlocale() end] = "--trust",
    }
    for get, hint in pairs(hints) do
      local err = assert.has_error(get, { code = "unknown_name" })
      assert.matches(hint:gsub("%p", "%%%0"), err.message)
    end
  end)

  it("hold of debug what reads of the script's own, and nothing that changes", function()
    for _, name in ipairs {
      "getlocal", "setlocal", "setupvalue", "upvaluejoin", "getregistry",
      "setmetatable", "getfenv", "setfenv", "gethook", "debug",
    } do
      assert.has_error(function()
        return debug[name]()
      end, { code = "unknown_name" })
    end
    assert.is_nil(debug.getupvalue)
    assert.is_nil(debug.sethook)
    assert.equal("function", type(debug.traceback))
  end)

  it("are never the host's by way of require", function()
    for _, name in ipairs { "string", "table", "math", "bit", "coroutine", "os", "io", "debug" } do
      assert.equal(_G[name], require(name), name)
    end
    assert.equal(swarm, require "swarm")
  end)

  it("that are no part of guarded scripts are refused by require, which says so", function()
    for _, name in ipairs {
      "ffi", "jit", "jit.util", "jit.opt", "jit.profile", "string.buffer", "package",
      "swarm.worker.spawn",
      "swarm.sandbox.environment", "swarm.scheduler.scheduler",
    } do
      local err = assert.has_error(function()
        require(name)
      end, { code = "load_error" })
      assert.matches("is not part of guarded scripts", err.message)
    end
  end)

  it("of lupa are not there at all", function()
    for _, name in ipairs { "python", "lupa", "lupa.luajit21", "swarm_host" } do
      assert.has_error(function()
        require(name)
      end, "not found")
    end
    assert.is_nil(package.loaded.python)
  end)

  it("hold no string.dump, neither in the table nor as a method", function()
    assert.is_nil(string.dump)
    assert.is_nil(("").dump)
    assert.is_nil(require("string").dump)
  end)

  it("give collectgarbage what reports, and nothing that stops the collector", function()
    assert.equal("number", type(collectgarbage "count"))
    for _, what in ipairs {
      "stop", "restart", "setpause", "setstepmul", "generational", false, 1,
    } do
      assert.has_error(function()
        collectgarbage(what)
      end, { code = "invalid_argument" })
    end
  end)

  it("give os.time and os.date the run's clock", function()
    local before = os.time()
    swarm.sleep(86400)
    assert.equal(86400, os.time() - before)
    assert.equal(os.date("%Y-%m-%d", before + 86400), os.date "%Y-%m-%d")
  end)

  it("whose functions get wrong arguments raise errors without the host's frames", function()
    for _, fn in ipairs {
      function() os.time { year = "x" } end,
      function() os.date(1, {}) end,
      function() load(nil) end,
      function() load {} end,
      function() require(nil) end,
      function() require {} end,
      function() coroutine.wrap(1) end,
      function() coroutine.resume(1) end,
      function() coroutine.status "x" end,
      function() table.insert(nil, 1) end,
      function() rawset(nil, 1, 1) end,
      function() io.write {} end,
      function() debug.traceback(1, 2, 3, 4) error "x" end,
    } do
      local err = failure_of(fn)
      assert.equal("globals_spec.lua", tostring(err.where):match "[%w_]+%.lua", tostring(err))
      assert_no_host(err.message)
      assert_no_host(err.traceback)
    end
  end)
end)

describe("strings", function()
  it("have a metatable that a script can neither read nor replace", function()
    assert.equal("string", getmetatable "")
    assert.has_error(function()
      getmetatable("").__index = {}
    end)
    assert.has_error(function()
      setmetatable("", {})
    end)
    assert.has_error(function()
      local s = ""
      s.upper = never
      return s
    end)
  end)

  it("keep their methods whatever a script does to its string table", function()
    local own = rawget(_G, "string")
    local format = own.format
    own.format = nil
    own.upper = never
    assert.equal("A", ("a"):upper())
    assert.equal("7", ("%d"):format(7))
    assert.equal(string.rep, ("").rep)
    own.format = format
  end)

  it("have as methods what a script adds to its own string table", function()
    local own = rawget(_G, "string")
    function own.shout(text)
      return text .. "!"
    end
    assert.equal("hey!", ("hey"):shout())
    assert.equal("hey!", swarm.call(function()
      return ("hey"):shout()
    end))
    own.shout = nil
    assert.is_nil(("").shout)
  end)
end)

describe("changes to the libraries", function()
  it("stay the script's: the host goes on with its own functions", function()
    for _, library in ipairs { string, table, math, bit, coroutine, os, io, debug } do
      for name in pairs(library) do
        library[name] = never
      end
    end
    local own = { type = type, pcall = pcall }
    for name in pairs {
      pairs = 1, ipairs = 1, tostring = 1, setmetatable = 1, error = 1, next = 1, type = 1,
      pcall = 1,
    } do
      _G[name] = never
    end
    local value = swarm.call(function(ctx, input)
      ctx:progress("on", "my way")
      swarm.sleep(1)
      swarm.log.info("hello", { input = input })
      return swarm.json.decode(swarm.json.encode { text = input.text, list = { 1, 2, 3 } })
    end, { text = "a\nb" })
    assert.equal("a\nb", value.text)
    assert.equal(3, value.list[3])
    local ok, err = own.pcall(function()
      return swarm.spwan ---@diagnostic disable-line: undefined-field
    end)
    assert.is_false(ok)
    assert.matches("did you mean swarm%.spawn", err.message)
  end)

  it("of the globals of a script do not reach the host's checks", function()
    _G.type = function()
      return "string"
    end
    local ok, err = pcall(swarm.spawn, {})
    _G.type = nil
    assert.is_false(ok)
    assert.equal("invalid_argument", err.code)
  end)
end)
