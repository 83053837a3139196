-- The executable side of http.md: swarm.http.url, on the examples of RFC 3986, 5.4.
local swarm = require "swarm"

local BASE = "http://a/b/c/d;p?q"

local EXAMPLES = {
  -- 5.4.1
  ["g:h"] = "g:h",
  ["g"] = "http://a/b/c/g",
  ["./g"] = "http://a/b/c/g",
  ["g/"] = "http://a/b/c/g/",
  ["/g"] = "http://a/g",
  ["//g"] = "http://g",
  ["?y"] = "http://a/b/c/d;p?y",
  ["g?y"] = "http://a/b/c/g?y",
  ["#s"] = "http://a/b/c/d;p?q#s",
  ["g#s"] = "http://a/b/c/g#s",
  ["g?y#s"] = "http://a/b/c/g?y#s",
  [";x"] = "http://a/b/c/;x",
  ["g;x"] = "http://a/b/c/g;x",
  ["g;x?y#s"] = "http://a/b/c/g;x?y#s",
  [""] = "http://a/b/c/d;p?q",
  ["."] = "http://a/b/c/",
  ["./"] = "http://a/b/c/",
  [".."] = "http://a/b/",
  ["../"] = "http://a/b/",
  ["../g"] = "http://a/b/g",
  ["../.."] = "http://a/",
  ["../../"] = "http://a/",
  ["../../g"] = "http://a/g",
  -- 5.4.2
  ["../../../g"] = "http://a/g",
  ["../../../../g"] = "http://a/g",
  ["/./g"] = "http://a/g",
  ["/../g"] = "http://a/g",
  ["g."] = "http://a/b/c/g.",
  [".g"] = "http://a/b/c/.g",
  ["g.."] = "http://a/b/c/g..",
  ["..g"] = "http://a/b/c/..g",
  ["./../g"] = "http://a/b/g",
  ["./g/."] = "http://a/b/c/g/",
  ["g/./h"] = "http://a/b/c/g/h",
  ["g/../h"] = "http://a/b/c/h",
  ["g;x=1/./y"] = "http://a/b/c/g;x=1/y",
  ["g;x=1/../y"] = "http://a/b/c/y",
  ["g?y/./x"] = "http://a/b/c/g?y/./x",
  ["g?y/../x"] = "http://a/b/c/g?y/../x",
  ["g#s/./x"] = "http://a/b/c/g#s/./x",
  ["g#s/../x"] = "http://a/b/c/g#s/../x",
  ["http:g"] = "http:g",
}

describe("swarm.http.url", function()
  for part, whole in pairs(EXAMPLES) do
    it("joins " .. (part == "" and "nothing" or part), function()
      assert.equal(whole, swarm.http.url(BASE, part))
    end)
  end

  it("joins to a base without a path", function()
    assert.equal("http://a/g", swarm.http.url("http://a", "g"))
    assert.equal("http://a?y", swarm.http.url("http://a", "?y"))
    assert.equal("http://a:1/", swarm.http.url("http://a:1/x#part", "."))
  end)

  it("takes a long path without freezing", function()
    local long = ("../x/"):rep(100000)
    assert.equal("http://a/b/x/", swarm.http.url(BASE, long))
  end)

  it("takes a whole URL and a string", function()
    for _, given in ipairs { { "a/b", "c" }, { 5, "c" }, { BASE }, { BASE, 5 }, {} } do
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        swarm.http.url(given[1], given[2])
      end, { code = "invalid_argument" })
    end
  end)
end)
