-- Proves sandbox.md, 7: text of any bytes.
local swarm = require "swarm"
local stock = require "sandbox_stock"

local survives, failure_of, child = stock.survives, stock.failure_of, stock.child

local function never()
  error("nobody calls this")
end

describe("text of any bytes", function()
  local TEXTS = {
    "\255",
    "\0",
    "a\0b",
    "\237\160\128",
    "\240\159",
    "",
    "\27[31m",
    "%s%d%n",
    ("x"):rep(200000),
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
        swarm.fs[call]("/proc/nowhere/" .. text, "/proc/nowhere/else/" .. text)
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
