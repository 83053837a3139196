-- Proves sandbox.md, 4: the host's objects.
-- What is called wrongly here, or is not there, is so on purpose.
---@diagnostic disable: access-invisible, call-non-callable, inject-field, param-type-mismatch
---@diagnostic disable: return-type-mismatch, undefined-field
local swarm = require "swarm"
local stock = require "sandbox_stock"

local survives, failure_of, child = stock.survives, stock.failure_of, stock.child

local function never()
  error("nobody calls this")
end

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
    assert.matches("^worker function at .-objects_spec.lua:%d+ %(T%-%d+, pending%)$", tostring(h))
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
