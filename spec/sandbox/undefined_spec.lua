-- Proves sandbox.md, 9: globals that nobody has defined, and what a script sets on _G.
-- luacheck: ignore 111 112 113 122 143
-- Nobody defines them: that is what it is about.
---@diagnostic disable: access-invisible, global-in-non-module, undefined-global, unresolved-require
local swarm = require "swarm"
local bounded = require "bounded"

local unknown, with_file = bounded.unknown, bounded.with_file

describe("a global that nobody has defined", function()
  it("raises in the script, with the nearest name", function()
    local total = 1
    unknown(function()
      return total + totl
    end, 'global "totl" is not defined; did you mean total%?')
    unknown(function()
      return pirnt
    end, "did you mean print%?")
    unknown(function()
      return far_from_everything
    end, 'rawget%(_G, "far_from_everything"%)')
  end)

  it("raises as a field of _G too, and is nil for rawget", function()
    unknown(function()
      return _G.nothing_at_all
    end, "nothing_at_all")
    assert.is_nil(rawget(_G, "nothing_at_all"))
  end)

  it("is defined by an assignment, also of nil", function()
    assigned = nil
    assert.is_nil(assigned)
    assigned = 1
    assert.equal(1, assigned)
  end)

  it("is nil where it tells in which Lua one is", function()
    for _, value in ipairs { utf8 or false, bit32 or false, _ENV or false, ngx or false } do
      assert.is_false(value)
    end
  end)

  it("is nil in code that was made from a text, and in libraries", function()
    assert.is_nil(load "return not_there_at_all"())
    with_file(function(_, dir)
      swarm.fs.write(dir .. "/probing.lua", "return { found = some_global_of_others }")
      package.path = dir .. "/?.lua"
      assert.is_nil(require("probing").found)
    end)
  end)
end)

describe("a metatable that a script sets on _G", function()
  it("is heard, and is what getmetatable gives", function()
    local mt = {
      __index = function(_, name)
        return "no " .. name
      end,
    }
    assert.equal(_G, setmetatable(_G, mt))
    assert.equal("no such_thing", such_thing)
    assert.equal(mt, getmetatable(_G))
    assert.equal("string", type(jit.version))
    setmetatable(_G, nil)
    assert.is_nil(getmetatable(_G))
  end)

  it("hears of new names by its __newindex", function()
    local seen
    setmetatable(_G, {
      __newindex = function(t, name, value)
        seen = name
        rawset(t, name, value)
      end,
    })
    brand_new = 1
    assert.equal("brand_new", seen)
    assert.equal(1, brand_new)
  end)

  it("stays where it is protected, and is no way to the host's", function()
    setmetatable(_G, { __metatable = "mine" })
    assert.equal("mine", getmetatable(_G))
    assert.has_error(function()
      setmetatable(_G, {})
    end, "protected metatable")
    assert.equal("mine", debug.getmetatable(_G))
  end)

  it("takes no names from the libraries", function()
    setmetatable(_G, { __index = function() end })
    assert.equal("A", ("a"):upper())
    assert.equal(
      1,
      swarm.call(function()
        return 1
      end)
    )
  end)
end)
