-- The executable side of values.md: swarm.inspect.
local swarm = require "swarm"

describe("swarm.inspect", function()
  it("writes a value as a reader takes it in, its keys sorted", function()
    for text, value in pairs {
      ["nil"] = { nil }, -- luacheck: ignore
      ["true"] = { true },
      ["0.1"] = { 0.1 },
      ["12"] = { 12 },
      ["inf"] = { 1 / 0 },
      ['"a\\"b\\n"'] = { 'a"b\n' },
      ["{}"] = { {} },
      ["null"] = { swarm.null },
      ["<function>"] = { print },
      ['{ 1, 2, "x", b = 1, c = { d = true } }'] = { { 1, 2, "x", c = { d = true }, b = 1 } },
      ['{ [3] = 1, ["a b"] = 2, [true] = 3 }'] = { { [3] = 1, ["a b"] = 2, [true] = 3 } },
      ['<file "a.txt">'] = { swarm.file "a.txt" },
      ["<swarm.secret>"] = { swarm.secret "HOME" },
    } do
      assert.equal(text, swarm.inspect(value[1]))
    end
  end)

  it("breaks what is long over lines", function()
    local long = ("x"):rep(50)
    local text = swarm.inspect { a = long, b = { c = long } }
    assert.equal('{\n  a = "' .. long .. '",\n  b = { c = "' .. long .. '" }\n}', text)
  end)

  it("names the host's own objects, and shows nothing of them", function(ctx)
    assert.equal("<" .. ctx.task_id .. ">", swarm.inspect(ctx))
    assert.matches("^<channel made at ", swarm.inspect(swarm.channel()))
    assert.equal("<swarm>", swarm.inspect(swarm))
    assert.matches("^<cancel token", swarm.inspect(ctx.cancel_token))
    local _, err = pcall(swarm.fs.read, "no-such-file")
    assert.matches('code = "io_error"', swarm.inspect(err))
  end)

  it("is bounded, however big the value is", function()
    local ring, wide, deep = {}, {}, {}
    ring.self = ring
    assert.equal("{ self = <cycle> }", swarm.inspect(ring))
    for i = 1, 100000 do
      wide[i], deep = { i, { i } }, { deep }
    end
    assert.is_true(#swarm.inspect(wide) < 5000)
    assert.matches("%.%.%. 99950 more", swarm.inspect(wide))
    assert.equal("{ { { { { { {...} } } } } } }", swarm.inspect(deep))
    local fields, same = {}, {}
    for i = 1, 300000 do
      fields["k" .. i] = true
    end
    assert.matches("k%d+ = true,.*%.%.%. 299950 more", swarm.inspect(fields))
    for i = 1, 50 do
      same[i] = fields
    end
    assert.matches("%.%.%. 299950 more.*%.%.%. more", swarm.inspect(same))
    assert.matches('^"x+"%.%.%. %(1000000 bytes%)$', swarm.inspect(("x"):rep(1000000)))
    local tree = {}
    for _ = 1, 6 do
      local parts = {}
      for i = 1, 50 do
        parts[i] = tree
      end
      tree = parts
    end
    assert.is_true(#swarm.inspect(tree) < 50000)
  end)

  it("runs nothing of the author's", function()
    local function never()
      error "called"
    end
    local value = setmetatable({ a = 1 }, {
      __index = never,
      __tostring = never,
      __len = never,
      __eq = never,
      __lt = never,
      __metatable = "mine",
    })
    assert.equal("{ a = 1 }", swarm.inspect(value))
    assert.equal("{ [<table>] = { a = 1 } }", swarm.inspect { [value] = value })
  end)

  it("works while a script loads, and in any role", function()
    assert.equal("{ 1 }", swarm.inspect { 1 })
  end)
end)
