-- The guarded tier, as spec/sandbox.md has it: every way out that we could think of, closed.

local swarm = require "swarm"

-- The first bytes of compiled Lua: a chunk that begins so is bytecode, whatever follows.
local BYTECODE = "\27LJ\2\2"

local function never()
  error("nobody calls this")
end

-- Nothing that a script sees may speak of what the host is made of.
local HOST_WORDS = {
  "swarm/[%w_]+%.lua", "Traceback", "%.py", "Error:", "codec", "lupa", "asyncio", "anyio", "\\x",
}

local function assert_no_host(text)
  for _, word in ipairs(HOST_WORDS) do
    if text:find(word) then
      error("the host shows (" .. word .. "): " .. text, 2)
    end
  end
end

-- Runs a call that may refuse its arguments; what it raises must be an error object of ours, or
-- what a function of this file raised.
local function survives(name, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok and type(err) == "string" then
    assert.matches("sandbox_spec.lua:%d+: ", err, name)
  elseif not ok then
    assert.equal("table", type(err), name)
    assert.equal("string", type(err.code), name)
    assert.equal("string", type(err.message), name)
    assert.not_equal("internal", err.code, name .. ": " .. tostring(err))
    assert.not_equal("host_error", err.code, name .. ": " .. tostring(err))
    assert_no_host(tostring(err))
  end
end

-- The error of a worker that runs fn, from the place that joins it.
local function failure_of(fn)
  local ok, err = swarm.join(swarm.spawn(fn))
  assert.is_nil(ok)
  return err
end

local function child()
  local h = swarm.spawn(function()
    swarm.sleep(1000)
  end)
  swarm.yield()
  return h
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

  it("of package hold what was loaded and no loaders, paths or C libraries", function()
    for _, name in ipairs {
      "loaders", "searchers", "preload", "path", "cpath", "loadlib", "seeall", "config",
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
      [function() return io.open end] = "swarm.fs.read",
      [function() return io.popen end] = "swarm.exec",
      [function() return io.lines end] = "swarm.fs.read",
      [function() return io.stdin end] = "--trust",
      [function() return io.tmpfile end] = "--trust",
      [function() return os.execute end] = "swarm.exec",
      [function() return os.exit end] = "the return of swarm.main",
      [function() return os.getenv end] = "swarm.env",
      [function() return os.remove end] = "swarm.fs.remove",
      [function() return os.rename end] = "swarm.fs.move",
      [function() return os.setlocale end] = "--trust",
    }
    for get, hint in pairs(hints) do
      local err = assert.has_error(get, { code = "unknown_name" })
      assert.matches(hint:gsub("%p", "%%%0"), err.message)
    end
  end)

  it("hold of debug the traceback alone", function()
    for _, name in ipairs {
      "getinfo", "getlocal", "setlocal", "getupvalue", "setupvalue", "upvaluejoin", "getregistry",
      "getmetatable",
      "setmetatable", "getfenv", "setfenv", "sethook", "gethook", "debug",
    } do
      assert.has_error(function()
        return debug[name]
      end, { code = "unknown_name" })
    end
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
      "swarm.worker",
      "swarm.sandbox", "swarm.scheduler",
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
      assert.equal("sandbox_spec.lua", tostring(err.where):match "[%w_]+%.lua", tostring(err))
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
      return swarm.spwan
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

describe("bytecode", function()
  local function assert_refused(...)
    local chunk, problem = load(...)
    assert.is_nil(chunk)
    assert.equal("string", type(problem))
    assert_no_host(problem)
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
    assert.equal("mine:1", failure_of(load("error('boom')", name)).where)
  end)
end)

describe("a chunk's name that is an object", function()
  it("whose __tostring returns no text is an invalid argument, at the script's line", function()
    local err = failure_of(function()
      load("return 1", setmetatable({}, { __tostring = function() return {} end }))
    end)
    assert.equal("invalid_argument", err.code)
    assert.matches("__tostring returned a table", err.message)
    assert.matches("sandbox_spec.lua:%d+$", err.where)
  end)
end)

describe("a handle", function()
  it("has a metatable that cannot be read or replaced", function()
    local h = child()
    assert.equal("swarm.worker", getmetatable(h))
    assert.has_error(function()
      setmetatable(h, {})
    end, "protected")
    swarm.cancel(h)
  end)

  it("is empty to rawget, next, pairs, ipairs, # and unpack", function(ctx)
    local h = child()
    for _, object in ipairs { h, ctx } do
      for _, key in ipairs {
        "id", "status", "run", "input", "owner", "handle", "def", "co", "__index", 1,
      } do
        assert.is_nil(rawget(object, key))
      end
      assert.is_nil(next(object))
      for _ in pairs(object) do
        error("a handle has a pair")
      end
      assert.equal(0, #object)
      assert.is_nil((unpack(object)))
    end
    swarm.cancel(h)
  end)

  it("gives none of the record's fields, nor its metamethods, by name", function(ctx)
    for _, key in ipairs {
      "def", "run", "owner", "co", "scope", "queue", "waiting", "handle", "site", "extra", "err",
      "cancelled",
      "__index", "__newindex", "__metatable", "__tostring", "__gc", "__mode", 1, true,
    } do
      assert.has_error(function()
        return ctx[key]
      end, { code = "unknown_name" })
    end
  end)

  it("cannot be written to: not by name, by rawset or by table.insert", function(ctx)
    local h = child()
    for _, object in ipairs { h, ctx } do
      for _, write in ipairs {
        function() object.status = "pass" end,
        function() object.mine = 1 end,
        function() object[1] = 1 end,
        function() rawset(object, "status", "pass") end,
        function() rawset(object, "mine", 1) end,
        function() table.insert(object, 1) end,
        function() table.insert(object, 1, 1) end,
        function() table.move({ 7 }, 1, 1, 1, object) end,
        function() table.move(object, 1, 1, 2) end,
      } do
        assert.has_error(write, { code = "unknown_name" })
      end
      assert.is_nil(next(object))
      assert.is_nil(rawget(object, 1))
      assert.equal("running", object.status)
    end
    swarm.cancel(h)
  end)

  it("cannot be forged with a metatable that looks like one", function()
    local h = child()
    local function text()
      return tostring(h)
    end
    local copied = {
      __metatable = getmetatable(h), __tostring = text, id = 1, status = "pass",
    }
    local forged = {
      {},
      { id = h.id, task_id = h.task_id, status = "pass" },
      setmetatable({}, copied),
      setmetatable({}, { __metatable = "swarm.worker" }),
      setmetatable({}, { __index = h }),
      setmetatable({}, { __index = function(_, key) return h[key] end, __tostring = text }),
      setmetatable({}, setmetatable({}, { __index = h })),
    }
    for i = 1, #forged do
      for _, call in ipairs {
        swarm.join, swarm.result, swarm.cancel, swarm.output_tail, swarm.follow, h.join, h.cancel,
      } do
        assert.has_error(function()
          call(forged[i])
        end)
      end
      assert.has_error(function()
        h.progress(forged[i], "x")
      end)
    end
    assert.equal("running", h.status)
    swarm.cancel(h)
  end)

  it("cannot be forged with a metatable that answers to every name", function()
    local h = child()
    local asked = {}
    local every = setmetatable({}, {
      __index = function(_, key)
        asked[#asked + 1] = key
        return getmetatable(h)
      end,
    })
    local forged = setmetatable({}, every)
    assert.has_error(function()
      swarm.join(forged)
    end, { code = "invalid_argument" })
    assert.has_error(function()
      swarm.spawn(never, forged)
    end, { code = "invalid_value" })
    for _, key in ipairs(asked) do
      assert.equal("string", type(key), "the script was handed something of the host's")
    end
    swarm.cancel(h)
  end)

  it("lends its methods to handles only", function(ctx)
    for _, name in ipairs {
      "join", "result", "cancel", "output_tail", "follow", "progress", "partial", "artifact",
      "usage",
    } do
      for _, wrong in ipairs { 1, "x", {}, swarm, swarm.null, never, ctx.cancel_token } do
        assert.has_error(function()
          ctx[name](wrong, "x")
        end)
      end
    end
  end)

  it("shows as text its name, its task and its status", function()
    local h = swarm.spawn(function() end)
    assert.matches("^worker function at .-sandbox_spec.lua:%d+ %(T%-%d+, pending%)$", tostring(h))
    swarm.join(h)
  end)

  it("is not reachable by comparing, joining or doing sums with it", function(ctx)
    for _, operation in ipairs {
      function() return ctx + 1 end,
      function() return ctx .. "" end,
      function() return ctx < ctx end,
      function() return -ctx end,
      function() return ctx() end,
    } do
      assert.has_error(operation)
    end
  end)
end)

describe("the other objects of the host", function()
  it("have metatables that cannot be read or replaced", function(ctx)
    local err = assert.has_error(function()
      swarm.sleep "x"
    end)
    local of_scope
    swarm.scope(function(scope)
      of_scope = scope
    end)
    local marks = {
      ["swarm"] = swarm, ["swarm.fs"] = swarm.fs, ["swarm.json"] = swarm.json,
      ["swarm.log"] = swarm.log,
      ["swarm.cancel_token"] = ctx.cancel_token, ["swarm.null"] = swarm.null,
      ["swarm.file"] = swarm.file "x",
      ["swarm.array"] = swarm.array {}, ["swarm.object"] = swarm.object {}, ["swarm.error"] = err,
      ["swarm.scope"] = of_scope,
    }
    for mark, object in pairs(marks) do
      assert.equal(mark, getmetatable(object))
      assert.has_error(function()
        setmetatable(object, {})
      end)
    end
  end)

  it("give nobody their metatables as a field", function(ctx)
    local err = assert.has_error(function()
      swarm.sleep "x"
    end)
    local of_scope
    swarm.scope(function(scope)
      of_scope = scope
    end)
    for _, object in ipairs {
      swarm, swarm.fs, swarm.json, swarm.log, ctx, ctx.cancel_token, swarm.file "x", swarm.array {},
      swarm.object {},
      err, of_scope,
    } do
      for _, key in ipairs { "__index", "__newindex", "__metatable", "__tostring" } do
        local ok, value = pcall(function()
          return object[key]
        end)
        assert.is_true(not ok or value == nil, tostring(getmetatable(object)) .. "." .. key)
      end
    end
  end)

  it("that are for reading cannot be written to, rawset and table.insert included", function(ctx)
    local of_scope
    swarm.scope(function(scope)
      of_scope = scope
    end)
    for _, object in ipairs {
      swarm, swarm.fs, swarm.json, swarm.log, swarm.http, ctx.cancel_token, swarm.file "x",
      of_scope, swarm.channel(), swarm.semaphore(1), swarm.event(), swarm.lock(),
      swarm.secret "HOME",
    } do
      assert.has_error(function()
        rawset(object, "spawn", never)
      end, { code = "unknown_name" })
      assert.has_error(function()
        table.insert(object, never)
      end, { code = "unknown_name" })
      assert.has_error(function()
        table.move({ 7 }, 1, 1, 1, object)
      end, { code = "unknown_name" })
    end
    for _, object in ipairs {
      swarm, swarm.fs, swarm.json, swarm.log, ctx.cancel_token, swarm.file "x",
    } do
      assert.has_error(function()
        object.spawn = never
      end)
    end
    assert.not_equal(never, swarm.spawn)
  end)

  it("hold nothing that next or pairs would show", function(ctx)
    for _, object in ipairs {
      swarm, swarm.fs, swarm.json, swarm.log, ctx.cancel_token, swarm.file "x",
    } do
      assert.is_nil(next(object))
    end
  end)

  it("lend their methods to themselves only", function(ctx)
    local token = ctx.cancel_token
    for _, wrong in ipairs { 1, "x", {}, ctx, swarm.null, setmetatable({}, { __index = token }) } do
      assert.has_error(function()
        token.wait(wrong)
      end, { code = "invalid_argument" })
      assert.has_error(function()
        token.cancel(wrong)
      end, { code = "invalid_argument" })
    end
    swarm.scope(function(scope)
      assert.has_error(function()
        scope.spawn({}, never)
      end, { code = "invalid_argument" })
    end)
  end)

  it("keep null a value of its own: no call, index, sum or write", function()
    local null = swarm.null
    assert.equal("userdata", type(null))
    assert.equal("null", tostring(null))
    assert.equal("swarm.null", getmetatable(null))
    for _, operation in ipairs {
      function() return null.x end,
      function() null.x = 1 end,
      function() return null() end,
      function() return null + 1 end,
      function() return #null end,
      function() rawset(null, 1, 1) end,
      function() rawget(null, 1) end,
      function() setmetatable(null, {}) end,
    } do
      assert.has_error(operation)
    end
    assert.equal(null, swarm.call(function()
      return null
    end))
  end)

  it("of the marks stay the host's whatever a script does to a marked table", function()
    local list = swarm.array {}
    rawset(list, "__metatable", {})
    rawset(list, "__index", never)
    assert.equal("swarm.array", getmetatable(swarm.array {}))
    assert.equal("[]", swarm.json.encode(swarm.array {}))
  end)
end)

describe("coroutines", function()
  it("give nobody the worker's own: running is nil at its top level", function()
    assert.is_nil(coroutine.running())
    pcall(function()
      assert.is_nil(coroutine.running())
    end)
    xpcall(function()
      error "x"
    end, function()
      assert.is_nil(coroutine.running())
    end)
    assert.is_false(coroutine.isyieldable())
  end)

  it("give nobody the worker's own through text that is made while it settles", function()
    local leaked
    local message = setmetatable({}, {
      __tostring = function()
        leaked = coroutine.running() or leaked
        return "text"
      end,
    })
    local raised = { message = message, where = message, code = message, errors = { message } }
    local h = swarm.spawn(function()
      error(raised)
    end)
    swarm.sleep(1)
    local _, err = swarm.join(h)
    err.message = message
    assert.equal("string", type(tostring(err)))
    swarm.join(swarm.spawn(function()
      error(err)
    end))
    assert.is_nil(leaked)
  end)

  it("cannot yield the worker's own away", function()
    assert.has_error(coroutine.yield, { code = "invalid_argument" })
    assert.has_error(function()
      for _ in coroutine.yield do
        error("it yielded")
      end
    end)
  end)

  it("that wait in a call cannot be resumed by the script, and do not see how they wait", function()
    local seen = {}
    local co = coroutine.create(function(...)
      seen[#seen + 1] = select("#", ...)
      seen[#seen + 1] = select("#", swarm.sleep(1))
      seen[#seen + 1] = select("#", coroutine.yield())
    end)
    local meddler = swarm.spawn(function()
      local ok, problem = coroutine.resume(co, "mine")
      return { ok = ok, problem = problem }
    end)
    local outcome = { coroutine.resume(co) }
    assert.equal(1, #outcome)
    assert.is_true(outcome[1])
    local meddled = swarm.result(meddler)
    assert.is_false(meddled.ok)
    assert.matches("waits in a swarm call", meddled.problem)
    assert.is_true(coroutine.resume(co))
    assert.same({ 0, 0, 0 }, seen)
  end)

  it("show the script's frames alone in a traceback of another coroutine", function()
    local co = coroutine.create(function()
      swarm.call(function()
        coroutine.yield()
      end)
    end)
    coroutine.resume(co)
    assert_no_host(debug.traceback(co))
    local parked = coroutine.create(function()
      coroutine.yield()
    end)
    coroutine.resume(parked)
    assert.matches("sandbox_spec.lua:%d+", debug.traceback(parked))
  end)

  it("leave the handlers of xpcall without the host's frames, and without a way to wait", function()
    local text
    xpcall(function()
      swarm.sleep "x"
    end, function()
      text = debug.traceback "here"
      assert.has_error(function()
        swarm.sleep(1)
      end, { code = "invalid_argument" })
    end)
    assert.matches("^here\nstack traceback:\n", text)
    assert_no_host(text)
  end)
end)

describe("errors", function()
  it("of every kind hold plain values and the script's frames, and nothing of the host", function()
    local errs = {
      failure_of(function() error "boom" end),
      failure_of(function() error { code = "mine" } end),
      failure_of(function() error() end),
      failure_of(function() local x = nil; return x.y end),
      failure_of(function() swarm.sleep "x" end),
      failure_of(function() swarm.call "nobody" end),
      failure_of(function() swarm.fs.read "/nowhere/at/all" end),
      failure_of(function() swarm.spawn(function() error "inner" end) end),
      failure_of(function() swarm.timeout(1, function() swarm.sleep(2) end) end),
      failure_of(function() return { never } end),
      failure_of(function() return swarm.nothing end),
      failure_of(function() require "nothing.here" end),
      failure_of(function()
        swarm.scope(function(scope)
          scope:spawn(function() error "x" end)
        end)
      end),
    }
    local function inspect(value, depth)
      assert.is_true(depth < 10)
      local kind = type(value)
      if kind == "table" then
        for key, item in next, value do
          inspect(key, depth)
          inspect(item, depth + 1)
        end
      else
        local plain = kind == "string" or kind == "number" or kind == "boolean"
        assert.is_true(plain, "an error holds a " .. kind)
      end
    end
    for _, err in ipairs(errs) do
      inspect(err, 0)
      assert_no_host(tostring(err))
      assert_no_host(err.traceback)
      assert.not_equal("internal", err.code)
      assert.matches("sandbox_spec.lua:%d+", err.where)
    end
  end)

  it("are a script's to spoil without harm to the next", function()
    local first = assert.has_error(function()
      swarm.sleep "x"
    end)
    for key in pairs(first) do
      first[key] = never
    end
    first.__tostring = never
    assert.equal("string", type(tostring(first)))
    local second = assert.has_error(function()
      swarm.sleep "x"
    end)
    assert.equal("invalid_argument", second.code)
    assert.matches("swarm.sleep takes a number", tostring(second))
  end)

  it("that a script made with wrong fields arrive, and can be read", function()
    for _, raised in ipairs {
      { code = {} }, { code = 5 }, { message = {} }, { message = never }, { where = 5 },
      { where = {} },
      { traceback = never }, { errors = 5 }, { errors = { 1, never } }, { cause = "x" },
      { others = "x" },
      { agent = {}, task_id = 5 }, { reason = never },
    } do
      local err = failure_of(function()
        error(raised)
      end)
      assert.equal("string", type(tostring(err)))
      assert.not_equal("internal", err.code)
    end
  end)

  it("with metamethods that raise fail the worker that raised them, and nobody else", function()
    for _, metatable in ipairs {
      { __index = never },
      { __newindex = never },
      { __tostring = never },
      { __tostring = function() return {} end },
      { __index = setmetatable({}, { __index = never }) },
      { __index = never, __newindex = never, __tostring = never, __eq = never },
      { __metatable = false, __index = never },
    } do
      local err = failure_of(function()
        error(setmetatable({ detail = 5 }, metatable))
      end)
      assert.equal("failed", rawget(err, "code"))
      assert.equal("string", type(rawget(err, "message")))
      assert.equal(5, rawget(err, "detail"))
    end
  end)

  it("with a class of the script's own keep it", function()
    local Problem = { code = "mine" }
    Problem.__index = Problem
    function Problem.advice()
      return "try again"
    end
    local err = failure_of(function()
      error(setmetatable({ message = "no" }, Problem))
    end)
    assert.equal("mine", err.code)
    assert.equal("no", err.message)
    assert.equal("try again", err:advice())
  end)

  it("that are objects of the host fail the worker", function(ctx)
    for _, object in ipairs {
      swarm, swarm.fs, ctx, ctx.cancel_token, swarm.null, swarm.file "x", os, io, swarm.array {},
    } do
      local err = failure_of(function()
        error(object)
      end)
      assert.equal("failed", err.code)
      assert.equal("string", type(err.message))
    end
  end)

  it("that contain themselves do not hang whoever shows them", function()
    local raised = { message = "round" }
    raised.errors = { raised, raised, raised }
    raised.cause = raised
    local err = failure_of(function()
      error(raised)
    end)
    assert.equal("round", err.message)
    assert.matches("round", tostring(err))
  end)

  it("with the same words as one that was caught keep their own traceback", function()
    local function boom()
      error("boom", 0)
    end
    local err = failure_of(function()
      pcall(swarm.timeout, 1, function()
        boom()
      end)
      boom()
    end)
    assert.equal(2, select(2, err.traceback:gsub("\n", "")) + 1, err.traceback)
  end)

  it("of a stack that overflows fail the worker", function()
    local function forever()
      return 1 + forever()
    end
    local err = failure_of(forever)
    assert.matches("stack overflow", err.message)
  end)

  it("of an error handler that fails fail the worker", function()
    local err = failure_of(function()
      local ok, problem = xpcall(never, never)
      assert.is_false(ok)
      error(problem, 0)
    end)
    assert.equal("failed", err.code)
  end)

  it("of blocked workers may be objects whose metamethods raise", function()
    local h = swarm.spawn(function()
      return nil, setmetatable({}, { __index = never, __tostring = never })
    end)
    swarm.join(h)
    assert.is_true(h.status == "blocked" or h.status == "failed")
  end)
end)

describe("numbers and values of LuaJIT's own", function()
  it("such as 1LL reach nothing: no field, no call, no metatable", function()
    local cdata = load "return 1LL"()
    assert.equal("cdata", type(cdata))
    assert.equal("ffi", getmetatable(cdata))
    for _, operation in ipairs {
      function() return cdata.x end,
      function() return cdata[0] end,
      function() cdata[0] = 1 end,
      function() return cdata() end,
      function() setmetatable(cdata, {}) end,
      function() return cdata + "x" end,
      function() return cdata + {} end,
    } do
      assert.has_error(operation)
    end
  end)

  it("cannot cross a worker's boundary, nor stand for a number of seconds", function()
    local cdata = load "return 1LL"()
    assert.has_error(function()
      swarm.spawn(never, cdata)
    end, { code = "invalid_value" })
    assert.has_error(function()
      swarm.spawn(never, { cdata })
    end, { code = "invalid_value" })
    assert.has_error(function()
      swarm.json.encode { cdata }
    end, { code = "invalid_value" })
    assert.equal("invalid_value", failure_of(function()
      return cdata
    end).code)
    assert.has_error(function()
      swarm.sleep(cdata)
    end, { code = "invalid_argument" })
    assert.has_error(function()
      swarm.timeout(cdata, never)
    end, { code = "invalid_argument" })
  end)

  it("with an imaginary part read within themselves", function()
    local complex = load "return 2i"()
    assert.equal(2, complex.im)
    for _, at in ipairs { 2, 3, 1000000, -1 } do
      local value = complex[at]
      assert.is_true(value == 0 or value == 2)
    end
    assert.has_error(function()
      complex[1] = 5
    end)
  end)
end)

describe("text of any bytes", function()
  local TEXTS = {
    "\255", "\0", "a\0b", "\237\160\128", "\240\159", "", "\27[31m", "%s%d%n", ("x"):rep(200000),
    "\r\n",
  }

  local function each_text(name, fn)
    for i = 1, #TEXTS do
      survives(name .. " of text " .. i, fn, TEXTS[i])
    end
  end

  it("goes through swarm.fs without harm", function()
    each_text("read", swarm.fs.read)
    each_text("exists", swarm.fs.exists)
    each_text("list", swarm.fs.list)
    each_text("glob", swarm.fs.glob)
    each_text("stat", swarm.fs.stat)
    each_text("remove", function(text)
      swarm.fs.remove("/nowhere/" .. text)
    end)
    for _, call in ipairs { "write", "append", "copy", "move" } do
      each_text(call, function(text)
        swarm.fs[call]("/nowhere/at/all/" .. text, "/nowhere/at/all/else/" .. text)
      end)
    end
  end)

  it("that is not UTF-8 is refused as a path, since it would name another file", function()
    for _, call in ipairs { "read", "exists", "list", "glob", "stat", "mkdir", "remove" } do
      local err = assert.has_error(function()
        swarm.fs[call] "/tmp/\255"
      end, { code = "invalid_value" })
      assert.matches("not UTF%-8", err.message)
    end
  end)

  it("goes through env, require, log, print and io without harm", function()
    each_text("env", swarm.env)
    each_text("require", require)
    each_text("log", swarm.log.warn)
    each_text("log fields", function(text)
      swarm.log.info(text, { [text] = text })
    end)
    each_text("print", print)
    each_text("io.write", io.write)
    each_text("io.stderr", function(text)
      io.stderr:write(text)
    end)
  end)

  it("goes through spawn, call, join and cancel without harm", function()
    each_text("spawn", swarm.spawn)
    each_text("call", swarm.call)
    each_text("join", swarm.join)
    each_text("cancel", swarm.cancel)
    each_text("output_tail", swarm.output_tail)
    each_text("cancel's reason", function(text)
      swarm.cancel(child(), text)
    end)
    each_text("spawn's options", function(text)
      swarm.spawn(never, nil, { [text] = text })
    end)
  end)

  it("goes through a worker as input, result and events as it is", function()
    for i = 1, #TEXTS do
      local text = TEXTS[i]
      local h = swarm.spawn(function(ctx, input)
        ctx:progress(text, text)
        ctx:partial(text)
        ctx:artifact(text, { [text] = text })
        return { text = input.text, [text] = true }
      end, { text = text })
      local value = swarm.result(h)
      assert.equal(text, value.text)
      assert.equal(true, value[text])
      assert.equal(text, h:artifact(text)[text])
      assert.equal(text, h:output_tail()[1].stage)
    end
  end)

  it("goes through errors as it is", function()
    for i = 1, #TEXTS do
      local text = TEXTS[i]
      local err = failure_of(function()
        error(text, 0)
      end)
      assert.equal(text, err.message)
      assert.equal("string", type(tostring(err)))
      err = failure_of(function()
        error { code = text, message = text, where = text, [text] = text }
      end)
      assert.equal(text, err.code)
    end
  end)

  it("goes through names that do not exist without harm", function(ctx)
    each_text("swarm", function(text)
      return swarm[text]
    end)
    each_text("swarm.fs", function(text)
      return swarm.fs[text]
    end)
    each_text("ctx", function(text)
      return ctx[text]
    end)
    each_text("token", function(text)
      return ctx.cancel_token[text]
    end)
    each_text("os", function(text)
      return os[text]
    end)
  end)

  it("goes through json both ways without harm", function()
    each_text("decode", swarm.json.decode)
    each_text("encode", swarm.json.encode)
    each_text("encode a key", function(text)
      swarm.json.encode { [text] = 1 }
    end)
  end)

  it("may be the text or the name of a chunk", function()
    for i = 1, #TEXTS do
      local text = TEXTS[i]
      local chunk, problem = load(text, text)
      assert.is_true(chunk ~= nil or type(problem) == "string")
      local err = failure_of(load("error('boom')", text))
      assert.matches("boom", err.message)
    end
  end)
end)

describe("wrong types", function()
  local WRONG = {
    false, true, 0, -1, 0 / 0, 1 / 0, "x", {}, function() end, coroutine.create(never), swarm.null,
    swarm,
  }
  WRONG[#WRONG + 1] = setmetatable({}, { __index = never, __tostring = never, __concat = never })
  WRONG[#WRONG + 1] = setmetatable({}, { __tostring = function() return {} end })

  local function each_wrong(name, fn)
    for i = 1, #WRONG do
      survives(name .. " of " .. type(WRONG[i]) .. " " .. i, fn, WRONG[i])
    end
    survives(name .. " of nothing", fn)
  end

  it("are refused by every call in words that name what it takes", function()
    for _, call in ipairs {
      "spawn", "join", "cancel", "result", "call", "output_tail", "follow", "scope", "timeout",
      "shield", "worker",
      "main", "array", "object", "file", "env",
    } do
      each_wrong("swarm." .. call, swarm[call])
    end
    for _, call in ipairs {
      "read", "list", "glob", "stat", "exists", "write", "append", "mkdir", "remove", "copy",
      "move",
    } do
      each_wrong("swarm.fs." .. call, swarm.fs[call])
    end
  end)

  it("are refused as options", function()
    local h = swarm.spawn(function() end)
    each_wrong("spawn's options", function(opts)
      swarm.spawn(function() end, nil, opts)
    end)
    each_wrong("join's options", function(opts)
      swarm.join(h, opts)
    end)
    each_wrong("output_tail's options", function(opts)
      swarm.output_tail(h, opts)
    end)
    each_wrong("follow's options", function(opts)
      swarm.follow(h, opts)
    end)
    each_wrong("shield's options", function(opts)
      swarm.shield(function() end, opts)
    end)
    each_wrong("cancel's options", function(opts)
      swarm.cancel(h, "why", opts)
    end)
  end)

  it("are refused by json, log and the clocks", function()
    each_wrong("encode", swarm.json.encode)
    each_wrong("decode", swarm.json.decode)
    each_wrong("log", swarm.log.info)
    each_wrong("log fields", function(fields)
      swarm.log.info("x", fields)
    end)
    each_wrong("random", swarm.random)
    each_wrong("uuid", swarm.uuid)
  end)

  it("are refused by print and io.write, or shown", function()
    each_wrong("io.write", io.write)
    each_wrong("io.stderr", function(value)
      io.stderr:write(value)
    end)
    for i = 1, #WRONG - 2 do
      survives("print", print, WRONG[i])
    end
    survives("print an object without a text", function()
      local ok, problem = pcall(print, WRONG[#WRONG])
      assert.is_false(ok)
      error(problem, 0)
    end)
  end)
end)
