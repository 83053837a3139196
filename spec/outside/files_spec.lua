-- The executable side of files.md.
local swarm = require "swarm"

swarm.role "reader" { extends = "worker", deny = { "write_files" } }
swarm.role "bounded" { extends = "worker", allow = { write_files = { "out/**" } } }
swarm.worker "may not" {
  role = "reader",
  run = function()
    return swarm.fs.temp_dir(function() end)
  end,
}
swarm.worker "within bounds" {
  role = "bounded",
  run = function()
    return swarm.fs.temp_dir(function() end)
  end,
}

local _, loading = pcall(swarm.fs.temp_dir, print)

describe("swarm.fs.lines", function()
  local function lines_of(text)
    return swarm.fs.temp_dir(function(folder)
      local path, list = folder .. "/lines.txt", {}
      swarm.fs.write(path, text)
      for line in swarm.fs.lines(path) do
        list[#list + 1] = line
      end
      return list
    end)
  end

  it("gives one line after the other, without their breaks", function()
    assert.same({ "a", "", "b" }, lines_of "a\n\nb\n")
    assert.same({ "a", "b" }, lines_of "a\nb")
    assert.same({ "" }, lines_of "\n")
    assert.same({}, lines_of "")
    assert.same({ "a\r", "\0\255" }, lines_of "a\r\n\0\255")
  end)

  it("fails as read does, before the first line", function()
    local err = assert.has_error(function()
      swarm.fs.lines "no-such-file"
    end, { code = "io_error" })
    assert.equal("no-such-file", err.path)
    assert.has_error(swarm.fs.lines, "swarm.fs.lines takes a path")
  end)
end)

describe("swarm.fs.temp_dir", function()
  it("gives a folder of one's own, and removes it with all that is in it", function()
    local where ---@type string
    local value = swarm.fs.temp_dir(function(folder)
      where = folder
      swarm.fs.write(folder .. "/a", "x")
      swarm.fs.mkdir(folder .. "/b/c")
      swarm.fs.write(folder .. "/b/c/d", "y")
      swarm.exec { "sh", "-c", "ln -s / " .. folder .. "/link; chmod 500 " .. folder .. "/b/c" }
      assert.equal(448, swarm.fs.stat(folder).mode) -- 0700
      return #swarm.fs.list(folder)
    end)
    assert.equal(3, value)
    assert.is_false(swarm.fs.exists(where))
    assert.is_true(swarm.fs.exists "/")
  end)

  it("gives each its own", function()
    swarm.fs.temp_dir(function(outer)
      swarm.fs.temp_dir(function(inner)
        assert.is_true(outer ~= inner)
      end)
      assert.is_true(swarm.fs.exists(outer))
    end)
  end)

  it("removes it where the function raises, and passes the error on", function()
    local where ---@type string
    local err = assert.has_error(function()
      swarm.fs.temp_dir(function(folder)
        where = folder
        error { code = "mine" }
      end)
    end)
    assert.equal("mine", err.code)
    assert.is_false(swarm.fs.exists(where))
  end)

  it("removes it when the workers of the block have settled", function()
    local where, seen ---@type string, boolean
    swarm.fs.temp_dir(function(folder)
      where = folder
      swarm.spawn(function()
        swarm.sleep(1)
        swarm.fs.write(folder .. "/late", "x")
        seen = swarm.fs.exists(folder .. "/late")
      end)
    end)
    assert.is_true(seen)
    assert.is_false(swarm.fs.exists(where))
  end)

  it("removes it where the worker is cancelled, or out of time", function()
    local where ---@type string
    local h = swarm.spawn(function()
      swarm.fs.temp_dir(function(folder)
        where = folder
        swarm.sleep(100)
      end)
    end)
    while not where do
      swarm.sleep(0.01)
    end
    swarm.cancel(h, "enough", { wait = true })
    assert.is_false(swarm.fs.exists(where))
    assert.has_error(function()
      swarm.timeout(1, function()
        swarm.fs.temp_dir(function(folder)
          where = folder
          swarm.sleep(100)
        end)
      end)
    end, { code = "timeout" })
    assert.is_false(swarm.fs.exists(where))
  end)

  it("may be removed by the function itself", function()
    local where ---@type string
    local value = swarm.fs.temp_dir(function(folder)
      where = folder
      swarm.fs.remove(folder)
      return swarm.fs.exists(folder)
    end)
    assert.is_false(value)
    assert.is_false(swarm.fs.exists(where))
  end)

  it("needs write_files, and bounds that admit it", function()
    for _, name in ipairs { "may not", "within bounds" } do
      assert.has_error(function()
        swarm.call(name)
      end, { code = "role_violation", verb = "write_files" })
    end
  end)

  it("is for workers, and takes a function", function()
    assert.equal("not_while_loading", loading.code)
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      swarm.fs.temp_dir "x"
    end, 'swarm.fs.temp_dir takes a function, and got "x"')
  end)
end)
