-- Names, require, and what a script may do when, as scripts.md has it. Scripts that must fail
-- to load are in tests/cli/test_scripts.py.

local swarm = require "swarm"

-- What this file does while it loads, for the specs below.
local while_loading = {}

local function try(name, fn, ...)
  while_loading[name] = { pcall(fn, ...) }
end

local function nothing() end

try("fs.read", swarm.fs.read, swarm.script_dir .. "/scripts_spec.lua")
try("fs.list", swarm.fs.list, swarm.script_dir)
try("fs.glob", swarm.fs.glob, swarm.script_dir .. "/scripts_*.lua")
try("fs.stat", swarm.fs.stat, swarm.script_dir .. "/scripts_spec.lua")
try("env", swarm.env, "PATH")
try("json", swarm.json.decode, '{"a":[1,null]}')
try("log", swarm.log.debug, "while loading")
try("print", print, "while loading")

for _, name in ipairs {
  "spawn", "call", "join", "result", "cancel", "output_tail", "follow", "scope", "timeout",
  "shield", "sleep", "yield",
  "checkpoint",
} do
  if name == "timeout" then
    try(name, swarm.timeout, 1, nothing)
  elseif name == "scope" or name == "shield" then
    try(name, swarm[name], nothing)
  else
    try(name, swarm[name], name == "sleep" and 1 or "T-1")
  end
end
for _, name in ipairs { "write", "append", "exists", "mkdir", "remove", "copy", "move" } do
  try("fs." .. name, swarm.fs[name], "/nowhere/at/all", "/nowhere/else")
end

try("coroutine", function()
  return coroutine.wrap(function()
    return swarm.fs.stat(swarm.script_dir)
  end)()
end)
try("sleep in a coroutine", function()
  coroutine.wrap(swarm.sleep)(1)
end)
try("definition in a coroutine", function()
  coroutine.wrap(function()
    swarm.worker "from a coroutine" { run = nothing }
  end)()
end)

swarm.worker "one call" { run = function(_, n) return n + 1 end }
swarm.worker("two arguments", { run = function(_, n) return n + 2 end })
local later = swarm.worker "later"
later { run = function() return "later" end }

local function load_error(fn)
  return assert.has_error(fn, { code = "load_error" })
end

describe("definitions", function()
  it("are the same with one call or two", function()
    assert.equal(2, swarm.call("one call", 1))
    assert.equal(3, swarm.call("two arguments", 1))
  end)

  it("may get their table later in the script", function()
    assert.equal("later", swarm.call "later")
  end)

  it("may be made inside a coroutine of the script's own", function()
    assert.same({ true }, while_loading["definition in a coroutine"])
    assert.equal("pass", (function()
      local h = swarm.spawn "from a coroutine"
      swarm.join(h)
      return h.status
    end)())
  end)

  it("after loading are errors that say so", function()
    for _, define in ipairs {
      function() swarm.worker "x" { run = nothing } end,
      function() swarm.worker("x", { run = nothing }) end,
      function() swarm.main(nothing) end,
      function() later { run = nothing } end,
    } do
      local err = load_error(define)
      assert.matches("belongs at the top of a script", err.message)
      assert.matches("scripts_spec.lua:%d+", err.where)
    end
  end)

  it("after loading are errors in a module that a worker requires", function()
    local err = load_error(function()
      require "modules.late"
    end)
    assert.matches("modules/late.lua:1", err.where)
  end)
end)

describe("while a script loads", function()
  it("fs.read, fs.list, fs.glob and fs.stat work", function()
    assert.is_true(while_loading["fs.read"][1])
    assert.matches("^%-%- Names, require", while_loading["fs.read"][2])
    assert.matches("scripts_spec.lua", table.concat(while_loading["fs.list"][2], " "))
    assert.same({ swarm.script_dir .. "/scripts_spec.lua" }, while_loading["fs.glob"][2])
    assert.equal("file", while_loading["fs.stat"][2].type)
  end)

  it("env, args, json, log and print work", function()
    assert.equal(swarm.env "PATH", while_loading.env[2])
    assert.equal(1, while_loading.json[2].a[1])
    assert.is_true(while_loading.log[1])
    assert.is_true(while_loading.print[1])
    assert.equal("table", type(swarm.args))
  end)

  it("they work inside a coroutine of the script's own too", function()
    assert.equal("directory", while_loading.coroutine[2].type)
  end)

  for _, name in ipairs {
    "spawn", "call", "join", "result", "cancel", "output_tail", "follow", "scope", "timeout",
    "shield", "sleep",
    "yield", "checkpoint", "fs.write", "fs.append", "fs.exists", "fs.mkdir", "fs.remove", "fs.copy",
    "fs.move",
  } do
    it("swarm." .. name .. " is not_while_loading", function()
      local ok, err = unpack(while_loading[name])
      assert.is_false(ok)
      assert.equal("not_while_loading", err.code, tostring(err))
      assert.matches("scripts_spec.lua:%d+", err.where)
      assert.matches("do it in swarm.main or in a worker", err.message)
    end)
  end

  it("a call that waits is refused inside a coroutine too", function()
    local ok, err = unpack(while_loading["sleep in a coroutine"])
    assert.is_false(ok)
    assert.equal("not_while_loading", err.code)
  end)
end)

describe("a name that does not exist", function()
  local function unknown(object, name)
    return assert.has_error(function()
      return object[name]
    end, { code = "unknown_name" })
  end

  it("on swarm raises with the nearest that does", function()
    for wrong, right in pairs {
      spwan = "spawn", jion = "join", canel = "cancel", shiled = "shield", Spawn = "spawn",
      output_tial = "output_tail",
      sleeep = "sleep", workers = "worker", timout = "timeout", checkPoint = "checkpoint",
      unique_id = false,
    } do
      local err = unknown(swarm, wrong)
      assert.matches("^swarm%." .. wrong .. " does not exist", err.message)
      if right then
        assert.matches("did you mean swarm%." .. right .. "%?", err.message)
      else
        assert.matches("does not exist$", err.message)
      end
      assert.equal(wrong, err.unknown)
    end
  end)

  it("on swarm raises with the right one for what people try first", function()
    for wrong, right in pairs {
      wait = "swarm.sleep", task = "swarm.worker", define = "swarm.worker",
      go = "swarm.spawn", async = "swarm.spawn", await = "swarm.join", value = "swarm.result",
      kill = "swarm.cancel",
      abort = "swarm.cancel", tail = "swarm.output_tail", emit = "ctx:partial",
      getenv = "swarm.env",
    } do
      assert.matches("; use " .. right, unknown(swarm, wrong).message)
    end
  end)

  it("on swarm.fs, swarm.json and swarm.log raises too", function()
    assert.matches("did you mean swarm.fs.read%?", unknown(swarm.fs, "raed").message)
    assert.matches("did you mean swarm.json.encode%?", unknown(swarm.json, "endcode").message)
    assert.matches("did you mean swarm.log.warn%?", unknown(swarm.log, "warm").message)
  end)

  it("on a handle or ctx raises with the nearest, and for what people try first", function(ctx)
    for wrong, right in pairs {
      wait = "join", await = "join", value = "result", kill = "cancel", abort = "cancel",
      tail = "output_tail",
      emit = "partial", agent = "name", statsu = "status",
      progess = "progress",
      artefact = "artifact", taskid = "task_id",
    } do
      assert.matches("did you mean " .. right .. "%?", unknown(ctx, wrong).message)
    end
  end)

  it("on a cancel token raises with the nearest", function(ctx)
    assert.matches("did you mean cancelled%?", unknown(ctx.cancel_token, "canceled").message)
  end)

  it("that is far from all others gets no guess", function(ctx)
    assert.matches("does not exist$", unknown(swarm, "qqqqqqqqqq").message)
    assert.matches('has no "qqqqqqqqqq"$', unknown(ctx, "qqqqqqqqqq").message)
    assert.matches("does not exist$", unknown(swarm, ("sleep"):rep(100000)).message)
  end)

  it("may be something else than a string", function(ctx)
    for _, key in ipairs { 1, true, 0.5, nothing, {} } do
      unknown(swarm, key)
      unknown(ctx, key)
    end
  end)

  it("of a worker says which there are", function()
    local err = assert.has_error(function()
      swarm.spawn "one cal"
    end, { code = "not_registered", unknown = "one cal" })
    assert.matches("did you mean one call%?", err.message)
    err = assert.has_error(function()
      swarm.spawn "qqqqqqq"
    end, { code = "not_registered" })
    assert.matches("from a coroutine, later, one call, two arguments", err.message)
  end)

  it("cannot be made to exist by setting it", function(ctx)
    assert.has_error(function()
      ---@diagnostic disable-next-line: inject-field
      swarm.mine = 1
    end, "swarm.mine cannot be set")
    assert.has_error(function()
      swarm.spawn = nothing
    end, "swarm.spawn cannot be set")
    assert.has_error(function()
      ---@diagnostic disable-next-line: inject-field
      ctx.mine = 1
    end, "cannot be written to")
  end)

  it("may be nil where that is its value: swarm.input", function()
    assert.is_nil(swarm.input)
  end)
end)

describe("require", function()
  it("finds a module in lua/ beside the script, and hands it its name", function()
    assert.equal("modules.counted", require("modules.counted").name)
  end)

  it("loads a module once and gives the same value to all", function()
    local first = require "modules.counted"
    ---@diagnostic disable-next-line: duplicate-require
    assert.equal(first, require "modules.counted")
    assert.equal(1, first.times)
    assert.equal(1, swarm.call(function()
      return require("modules.counted").times
    end))
    assert.equal(first, package.loaded["modules.counted"])
  end)

  it("finds a folder by its init.lua, and modules beside that", function()
    assert.same({ "init of a folder", "modules.folder" }, require "modules.folder")
    assert.equal("beside init", require "modules.folder.leaf")
  end)

  it("gives true for a module that returns nothing, and false where it returns false", function()
    assert.is_true((require "modules.nothing"))
    assert.is_false((require "modules.no"))
    ---@diagnostic disable-next-line: duplicate-require
    assert.is_false((require "modules.no"))
  end)

  it("gives what a module has put into package.loaded itself", function()
    assert.equal("set by itself", (require "modules.own"))
    ---@diagnostic disable-next-line: duplicate-require
    assert.equal("set by itself", (require "modules.own"))
  end)

  it("loads again what package.loaded has been made to forget", function()
    require "modules.counted"
    package.loaded["modules.counted"] = nil
    assert.equal(2, require("modules.counted").times)
  end)

  it("gives a module the globals of the script", function()
    require "modules.nothing"
    assert.is_true(rawget(_G, "seen_by_nothing"))
  end)

  it("takes a module that begins with a line for the shell", function()
    assert.equal("after a first line with #", (require "modules.hash"))
  end)

  it("lets a module wait where a worker requires it", function()
    assert.equal(1, require("modules.slow").times)
    assert.near(10, swarm.monotonic(), 0.001)
  end)

  it("loads once for two workers that come at the same time", function()
    local function worker()
      return require("modules.slow").times
    end
    local one, two = swarm.spawn(worker), swarm.spawn(worker)
    assert.equal(1, swarm.result(one))
    assert.equal(1, swarm.result(two))
    assert.near(10, swarm.monotonic(), 0.001)
  end)

  it("goes on for the second worker where the first is cancelled in the middle", function()
    local function worker()
      return require("modules.slow").times
    end
    local one, two = swarm.spawn(worker), swarm.spawn(worker)
    swarm.sleep(5)
    swarm.cancel(one)
    swarm.join(one)
    assert.equal("cancelled", one.status)
    assert.equal(1, swarm.result(two))
  end)

  it("lets a worker that waits for another's loading be cancelled", function()
    local function worker()
      return require("modules.slow").times
    end
    local one, two = swarm.spawn(worker), swarm.spawn(worker)
    swarm.sleep(5)
    swarm.cancel(two)
    swarm.join(two)
    assert.equal("cancelled", two.status)
    assert.near(5, swarm.monotonic(), 0.001)
    assert.equal(1, swarm.result(one))
  end)

  it("works inside a coroutine of the script's own", function()
    assert.equal(1, coroutine.wrap(function()
      return require("modules.slow").times
    end)())
  end)

  it("works in a function that gsub calls where the module is there, else says why not", function()
    require "modules.nothing"
    local err
    ;("x"):gsub("x", function()
      ---@diagnostic disable-next-line: duplicate-require
      assert.is_true((require "modules.nothing"))
      err = assert.has_error(function()
        require "modules.folder.leaf"
      end, { code = "invalid_argument" })
    end)
    assert.matches("string.gsub", err.message)
    assert.equal("beside init", require "modules.folder.leaf")
  end)

  it("of a module that another worker is loading says in a gsub why it cannot wait", function()
    local loader = swarm.spawn(function()
      require "modules.slow"
    end)
    swarm.sleep(1)
    ;("x"):gsub("x", function()
      assert.has_error(function()
        require "modules.slow"
      end, { code = "invalid_argument" })
    end)
    assert.is_true(swarm.join(loader))
  end)

  it("of a module that requires itself names the way round", function()
    local err = load_error(function()
      require "modules.cycle_a"
    end)
    assert.matches("modules.cycle_a %-> modules.cycle_b %-> modules.cycle_a", err.message)
    assert.matches("cycle_b.lua:1", err.where)
  end)

  it("of a cycle leaves nothing behind: the next try says the same", function()
    for _ = 1, 3 do
      local err = load_error(function()
        require "modules.cycle_a"
      end)
      local way = "by way of modules.cycle_a %-> modules.cycle_b %-> modules.cycle_a$"
      assert.matches(way, err.message)
    end
  end)

  it("of a cycle that two workers close from both sides fails, and nobody hangs", function()
    local one = swarm.spawn(function()
      require "modules.ring_a"
    end)
    local two = swarm.spawn(function()
      require "modules.ring_b"
    end)
    local ok_one, err_one = swarm.join(one)
    local ok_two, err_two = swarm.join(two)
    assert.is_true(not (ok_one and ok_two))
    local err = err_one or err_two
    assert.matches("requires itself", err.message)
    assert.matches("modules.ring_a", err.message)
    assert.matches("modules.ring_b", err.message)
  end)

  it("of a module that fails raises its error, with the module's place and frames", function()
    local err
    local h = swarm.spawn(function()
      require "modules.failing"
    end)
    local _
    _, err = swarm.join(h)
    assert.matches("modules/failing.lua:4: not yet", err.message)
    assert.matches("modules/failing.lua:4", err.where)
    assert.matches("failing.lua:4: in main chunk", err.traceback)
    assert.matches("scripts_spec.lua:%d+", err.traceback)
  end)

  it("of a module that failed tries again", function()
    assert.has_error(function()
      require "modules.failing"
    end, "not yet")
    assert.equal("at last", (require "modules.failing"))
  end)

  it("of a module that is not there lists all places tried, in order", function()
    local err = load_error(function()
      ---@diagnostic disable-next-line: unresolved-require
      require "not.there"
    end)
    local dir = swarm.script_dir .. "/"
    assert.matches('^module "not.there" not found; tried:\n', err.message)
    local places = {}
    for place in err.message:gmatch "\n  ([^\n]+)" do
      places[#places + 1] = place
    end
    for i = #places, 7, -1 do -- what --lua-path gave comes last
      assert.matches(i % 2 == 1 and "/not/there%.lua$" or "/not/there/init%.lua$", places[i])
      places[i] = nil
    end
    assert.same({
      dir .. "not/there.lua", dir .. "not/there/init.lua", dir .. "lua/not/there.lua",
      dir .. "lua/not/there/init.lua",
      dir .. "lua_modules/share/lua/5.1/not/there.lua",
      dir .. "lua_modules/share/lua/5.1/not/there/init.lua",
    }, places)
    assert.equal("not.there", err.unknown)
  end)

  it("takes names that are file names and nothing else", function()
    for _, name in ipairs { "", "a\0b", 5, true, {} } do
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        require(name)
      end, { code = "invalid_argument" })
    end
    for _, name in ipairs { "\255", "%d", "a?b", "..", "modules." } do
      local err = load_error(function()
        require(name)
      end)
      assert.matches("not found", err.message)
    end
  end)

  it("takes no name that leads away from the script's folder", function()
    for _, name in ipairs { "/tmp/x", ".tmp.x", "./modules", "modules/counted", ".modules.no" } do
      local err = load_error(function()
        require(name)
      end)
      assert.matches("not found: a name has dots between its folders", err.message)
      assert.equal(name, err.name)
    end
  end)

  it("loads again what is false in package.loaded, as Lua does", function()
    require "modules.counted"
    local times = _G.times_loaded
    package.loaded["modules.counted"] = false
    assert.equal(times + 1, require("modules.counted").times)
    assert.equal(times + 1, require("modules.counted").times)
    package.loaded["modules.nothing"] = false
    assert.is_true((require "modules.nothing"))
  end)

  it("gives the parts of LuaJIT that are safe", function()
    assert.equal(bit, require "bit")
    assert.same({}, require "table.new"(4, 0))
    local t = { 1 }
    require "table.clear"(t)
    assert.same({}, t)
  end)
end)
