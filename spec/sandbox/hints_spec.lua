-- The executable side of scripts.md, 5: what a mistake is answered by.
-- The mistakes are what it is about.
---@diagnostic disable: call-non-callable, discard-returns, missing-parameter, param-type-mismatch
local swarm = require "swarm"

swarm.worker "unit" {
  run = function(_, input)
    return input
  end,
}
swarm.role "bounded" { extends = "worker", allow = { start_task = { "lint-*", "test" } } }
swarm.worker "bounded" {
  role = "bounded",
  run = function()
    swarm.spawn "unit"
  end,
}

---What a worker that runs `fn` fails with.
local function said(fn)
  local h = swarm.spawn(fn)
  local ok, err = swarm.join(h)
  assert.is_nil(ok)
  return err.message
end

local function unknown(object, name)
  return assert.has_error(function()
    return object[name]
  end, { code = "unknown_name" }).message
end

describe("a word of another library", function()
  for name, right in pairs {
    parallel = "use swarm.all or swarm.map",
    pipeline = "use swarm.channel between workers, or swarm.call",
    status = "use status of the handle that swarm.spawn returns",
    workers = "did you mean swarm.worker%?",
    run = "use swarm.call",
  } do
    it("on swarm is answered by the right one: " .. name, function()
      assert.matches(right, unknown(swarm, name))
    end)
  end

  for name, right in pairs {
    model = "swarm.http.request, or swarm.worker",
    llm = "swarm.http.request, or swarm.worker",
  } do
    it("for what comes later says so: " .. name, function()
      local message = unknown(swarm, name)
      assert.matches("^swarm." .. name .. " does not exist: it is not built yet; use ", message)
      assert.matches(right, message)
    end)
  end

  it("on json, fs, log is answered too", function()
    assert.matches("use swarm.json.decode", unknown(swarm.json, "parse"))
    assert.matches("use swarm.json.encode", unknown(swarm.json, "stringify"))
    assert.matches('use swarm.fs.glob "%*%*"', unknown(swarm.fs, "walk"))
    assert.matches("use swarm.log.warn", unknown(swarm.log, "warning"))
  end)

  it("is not answered by what belongs to another face", function()
    assert.matches("swarm.json.run does not exist$", unknown(swarm.json, "run"))
  end)
end)

describe("a call that is none", function()
  it("swarm.log(...) names what there is", function()
    assert.has_error(function()
      swarm.log "x"
    end, "swarm.log cannot be called; it has debug, error, info, warn")
    assert.has_error(function()
      swarm()
    end, "swarm cannot be called; it has after, agent, all, ")
  end)

  it("with a dot in place of a colon says so", function(ctx)
    for _, name in ipairs { "progress", "partial", "artifact", "usage" } do
      for _, given in ipairs { "x", 5, {}, false } do
        assert.has_error(function()
          ctx[name](given)
        end, "write ctx:" .. name .. "(...), with a colon")
      end
    end
    local h = swarm.spawn("unit", 1)
    for _, name in ipairs { "join", "result", "cancel", "output_tail", "follow" } do
      assert.has_error(function()
        h[name]()
      end, "with a colon: h:" .. name .. "()")
      assert.has_error(function()
        h[name] "a reason"
      end, "with a colon: h:" .. name .. "()")
    end
    assert.equal(1, h:result())
  end)
end)

describe("an option that belongs elsewhere", function()
  it("is told where", function()
    for option, place in pairs {
      concurrency = "it belongs to the worker's definition, or to swarm.map",
      role = "it belongs to the worker's definition",
      input = "the input comes before the options",
    } do
      assert.has_error(function()
        swarm.spawn("unit", 1, { [option] = 1 })
      end, 'spawn has no option "' .. option .. '"; ' .. place)
    end
    assert.has_error(function()
      swarm.exec { shell = "ls -la" }
    end, 'has no option "shell"; a shell is a program too: swarm.exec{ "sh", "-c", "..." }')
  end)

  it("a program with its arguments in one text is taken apart", function()
    assert.has_error(function()
      swarm.exec { "ls -la" }
    end, 'an item of its own: { "ls", "-la" }, or { "sh", "-c", "ls -la" }')
  end)
end)

describe("a message of Lua's own", function()
  it("says what a list in place of an iterator means", function()
    assert.matches(
      "attempt to call a table value; to go through a list write for i, v in ipairs%(list%)",
      said(function()
        for _ in { "a" } do -- luacheck: ignore
        end
      end)
    )
  end)

  it("says what newer Luas' table functions are here", function()
    assert.matches(
      'write { n = select%("#", %.%.%.%), %.%.%. }',
      said(function()
        table.pack(1) -- luacheck: ignore
      end)
    )
    assert.matches(
      "write unpack%(t%)",
      said(function()
        table.unpack {} -- luacheck: ignore
      end)
    )
  end)

  it("names the variable that is not set", function()
    assert.matches(
      'attempt to concatenate a nil value; swarm.env "NO_SUCH_VARIABLE" gave nil to this worker',
      said(function()
        return "x" .. swarm.env "NO_SUCH_VARIABLE"
      end)
    )
    assert.matches(
      "nil value%)?$",
      said(function()
        return "x" .. ({}).x
      end)
    )
  end)
end)

describe("an error object without a message", function()
  it("shows what others call a message", function()
    for _, word in ipairs { "msg", "reason", "error", "description", 1 } do
      assert.equal(
        "an error object with code 42: why",
        said(function()
          error { code = 42, [word] = "why" }
        end)
      )
    end
    assert.equal(
      "an error object with code 42",
      said(function()
        error { code = 42, msg = {} }
      end)
    )
  end)
end)

describe("what is out of bounds", function()
  it("says what is in bounds", function()
    local _, err = swarm.join(swarm.spawn "bounded")
    assert.matches('"unit" is out of bounds: it allows lint%-%*, test$', err.message)
  end)
end)
