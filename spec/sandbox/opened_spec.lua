-- Proves sandbox.md, 8: what of Lua's own names a guarded script may use, and what they do not
-- open.
-- luacheck: ignore 111 112 113 122 143
-- What is called wrongly here, or is not there, is so on purpose.
---@diagnostic disable: assign-type-mismatch, deprecated, discard-returns, duplicate-require
---@diagnostic disable: global-in-non-module, inject-field, missing-parameter, param-type-mismatch
---@diagnostic disable: redundant-parameter, undefined-field, undefined-global, unresolved-require
local swarm = require "swarm"
local bounded = require "bounded"
local stock = require "sandbox_stock"

local assert_no_host = stock.assert_no_host
local unknown, refused, with_file = bounded.unknown, bounded.refused, bounded.with_file

describe("package", function()
  it("has config, as Lua has it", function()
    assert.equal("/", package.config:sub(1, 1))
    assert.equal(5, select(2, package.config:gsub("\n", "")))
  end)

  it("has in path the places where require looks", function()
    assert.matches("lua_modules/share/lua/5.1/%?%.lua", package.path)
  end)

  it("has preload, which require honours", function()
    package.preload["a.preloaded"] = function(name)
      return { name = name }
    end
    assert.equal("a.preloaded", require("a.preloaded").name)
    assert.equal(require "a.preloaded", package.loaded["a.preloaded"])
  end)

  it("takes further places in path, read with the rights of who requires", function()
    with_file(function(_, dir)
      swarm.fs.write(dir .. "/brought.lua", "return { from = ... }")
      package.path = package.path .. ";" .. dir .. "/?.lua"
      refused("reader", "read_files", function()
        require "brought"
      end)
      assert.equal("brought", require("brought").from)
    end)
  end)

  it("searchpath finds a file that may be read, and says where it looked", function()
    with_file(function(_, dir)
      swarm.fs.write(dir .. "/m.lua", "")
      assert.equal(dir .. "/m.lua", package.searchpath("m", dir .. "/?.lua"))
      local found, where = package.searchpath("no.such", dir .. "/?.lua")
      assert.is_nil(found)
      assert.matches("no file '.*/no/such.lua'", where)
      refused("nothing", "read_files", function()
        package.searchpath("m", dir .. "/?.lua")
      end)
    end)
  end)

  it("keeps bytecode out, also in preload's and path's chunks", function()
    with_file(function(_, dir)
      swarm.fs.write(dir .. "/code.lua", "\27LJ\2\2")
      package.path = dir .. "/?.lua"
      assert.has_error(function()
        require "code"
      end, "bytecode")
    end)
  end)

  it("whose path is no string is told", function()
    package.path = 1
    assert.has_error(function()
      require "no.such.module"
    end, "package.path must be a string")
  end)

  it("says what does for C modules that many look for", function()
    for name, does in pairs { lfs = "swarm.fs does", cjson = "swarm.json does", lpeg = "LuLPeg" } do
      assert.has_error(function()
        require(name)
      end, "it is a C module, and guarded scripts load none: " .. does)
    end
  end)

  it("loads a module that gave false anew", function()
    local loads = 0
    package.preload.says_false = function()
      loads = loads + 1
      return false
    end
    assert.is_false(require "says_false")
    require "says_false"
    assert.equal(2, loads)
  end)

  it("gives the first of two versions of a module, and that one alone", function()
    with_file(function(_, dir)
      swarm.fs.mkdir(dir .. "/a")
      swarm.fs.mkdir(dir .. "/b")
      swarm.fs.write(dir .. "/a/twice.lua", "return 'a'")
      swarm.fs.write(dir .. "/b/twice.lua", "return 'b'")
      package.path = dir .. "/a/?.lua;" .. dir .. "/b/?.lua"
      assert.equal("a", require "twice")
      package.path = dir .. "/b/?.lua"
      assert.equal("a", require "twice")
    end)
  end)
end)

describe("a name that is not there", function()
  it("can be kept, and raises when it is called", function()
    local execute, exit, read = os.execute, os.exit, io.read
    unknown(execute, "use swarm.exec")
    unknown(exit, "the return of swarm.main")
    unknown(read, "swarm.input or swarm.args")
  end)

  it("is nil where libraries ask whether it is there", function()
    for _, name in ipairs { "getupvalue", "sethook", "upvalueid", "getuservalue" } do
      assert.is_nil(debug[name], name)
    end
    assert.is_nil(io.readline_of_somebody)
  end)

  it("is told when it is nearly one that is there", function()
    unknown(function()
      return os.tiem
    end, "did you mean os.time")
    unknown(function()
      return io.opne
    end, "did you mean io.open")
  end)

  it("shows no host where its arguments are odd", function()
    for _, fn in ipairs { os.execute, io.input, debug.getlocal, debug.setmetatable } do
      assert_no_host(assert.has_error(function()
        fn(nil, {}, fn)
      end).message)
    end
  end)
end)

describe("debug", function()
  it("getinfo tells of the author's functions and frames", function()
    local function here()
      local info = debug.getinfo(1, "nSlf")
      return info
    end
    local info = here()
    assert.equal(here, info.func)
    assert.matches("opened_spec.lua$", info.short_src)
    assert.equal(info.currentline, debug.getinfo(here, "S").linedefined + 1)
  end)

  it("getinfo tells of the host's and of C no more than that they are there", function()
    local fns = { print, pcall, swarm.spawn, debug.getinfo, string.rep, io.open, require }
    for _, fn in ipairs(fns) do
      local info = debug.getinfo(fn)
      assert.equal("C", info.what)
      assert.equal("=[C]", info.source)
      assert.is_nil(info.func)
      assert.equal(0, info.nups)
    end
    local level, info = 1, debug.getinfo(1)
    while info do
      if info.what == "C" then
        assert.is_nil(info.func)
        assert.is_nil(info.name)
      end
      assert_no_host(info.source)
      level = level + 1
      info = debug.getinfo(level)
    end
  end)

  it("getinfo of level 0 is itself, which is C", function()
    assert.equal("C", debug.getinfo(0).what)
    assert.is_nil(debug.getinfo(0).func)
    assert.is_nil(debug.getinfo(-1))
    assert.is_nil(debug.getinfo(1e9))
    assert.is_nil(debug.getinfo(0 / 0))
  end)

  it("getinfo looks into a coroutine of the author's, and finds no host's there", function()
    local co = coroutine.create(function()
      swarm.sleep(1)
    end)
    coroutine.resume(co)
    for level = 0, 8 do
      local info = debug.getinfo(co, level)
      assert.is_true(info == nil or info.what ~= "C" or info.func == nil)
    end
  end)

  it("getinfo takes nothing else", function()
    for _, args in ipairs { { {} }, { "x" }, { 1, ">f" }, { print, "x" }, { 1, {} }, {} } do
      assert.has_error(function()
        debug.getinfo(args[1], args[2])
      end, { code = "invalid_argument" })
    end
  end)

  it("getmetatable gives what getmetatable gives, marks of the host's too", function(ctx)
    local mt = {}
    assert.equal(mt, debug.getmetatable(setmetatable({}, mt)))
    assert.equal("string", debug.getmetatable "")
    for _, object in ipairs { ctx, swarm, swarm.null, _G.swarm.fs, io.stdout, ctx.cancel_token } do
      assert.equal("string", type(debug.getmetatable(object)))
    end
  end)
end)

describe("getfenv and setfenv", function()
  it("give and set the globals of the author's functions", function()
    local function fn()
      return word
    end
    assert.equal(_G, getfenv(fn))
    setfenv(fn, { word = "hello" })
    assert.equal("hello", fn())
  end)

  it("take a level, which means the author's function there", function()
    local own = setmetatable({}, { __index = _G })
    local function fn()
      setfenv(1, own)
      made = 1
      return getfenv(1), getfenv()
    end
    local first, second = fn()
    assert.equal(own, first)
    assert.equal(own, second)
    assert.equal(1, own.made)
    assert.is_nil(rawget(_G, "made"))
    assert.equal(_G, getfenv(0))
  end)

  it("refuse the host's functions, C, level 0, and levels that are theirs", function()
    for _, of in ipairs { print, pcall, swarm.spawn, require, io.open, 0, -1, 100, "x", {} } do
      assert.has_error(function()
        setfenv(of, {})
      end, { code = "invalid_argument" })
      if of ~= 0 then
        assert.has_error(function()
          getfenv(of)
        end, { code = "invalid_argument" })
      end
    end
    for level = 2, 12 do
      local ok, env = pcall(getfenv, level)
      assert.is_true(not ok or env == _G, level)
    end
  end)

  it("refuse what LuaJIT has in bytecode, which looks like Lua", function()
    local fns = { table.remove, table.foreach, table.foreachi, table.getn, math.deg, math.rad }
    for name, fn in pairs(string) do
      fns[name] = fn
    end
    for _, library in ipairs { table, math, bit, coroutine, os, io, debug, package, _G } do
      for name, value in pairs(library) do
        fns[#fns + 1] = type(value) == "function" and name ~= "as" and value or nil
      end
    end
    for _, fn in pairs(fns) do
      assert.is_false((pcall(setfenv, fn, {})))
      local ok, env = pcall(getfenv, fn)
      assert.is_true(not ok or env == _G)
      assert.is_nil(debug.getinfo(fn).func)
    end
    assert.is_false((pcall(getfenv, table.remove)))
    assert.equal("C", debug.getinfo(table.remove).what)
  end)

  it("are no way to the globals of the host", function()
    for _, fn in ipairs { load "return 1", loadstring "return 1", function() end } do
      assert.equal(_G, getfenv(fn))
    end
    for _, wrong in ipairs { false, 1, "x", print } do
      assert.has_error(function()
        setfenv(function() end, wrong)
      end, { code = "invalid_argument" })
    end
  end)

  it("give a hook's function no rights that its caller has not", function()
    refused("nothing", "read_files", function()
      setfenv(function()
        return read "in/x"
      end, { read = swarm.fs.read })()
    end)
  end)
end)

describe("jit", function()
  it("is information, and no switch", function()
    assert.matches("^LuaJIT 2%.1", jit.version)
    assert.equal(20199, jit.version_num)
    assert.equal("string", type(jit.arch))
    assert.is_nil(jit.off)
    assert.is_nil(jit.util)
    jit.version = "mine"
  end)
end)
