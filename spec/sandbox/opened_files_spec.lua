-- Proves sandbox.md, 8: os, io and files, by Lua's own names.
-- luacheck: ignore 111 112 113 122 143
-- What is called wrongly here is so on purpose.
---@diagnostic disable: discard-returns, missing-fields, param-type-mismatch
local swarm = require "swarm"
local bounded = require "bounded"

local refused, with_file = bounded.refused, bounded.with_file

describe("os", function()
  it("getenv is swarm.env, and asks for read_env", function()
    assert.equal(swarm.env "PATH", os.getenv "PATH")
    assert.is_nil(os.getenv "NO_SUCH_VARIABLE_AT_ALL")
    refused("nothing", "read_env", function()
      os.getenv "PATH"
    end)
  end)

  it("remove and rename answer as Lua's do", function()
    with_file(function(path)
      swarm.fs.write(path, "x")
      assert.is_true(os.rename(path, path .. ".new"))
      assert.is_true(os.remove(path .. ".new"))
      local done, problem, number = os.remove(path)
      assert.is_nil(done)
      assert.equal(path .. ": No such file or directory", problem)
      assert.equal(2, number)
    end)
  end)

  it("remove and rename ask for write_files", function()
    refused("reader", "write_files", function()
      os.remove "in/x"
    end)
    refused("reader", "write_files", function()
      os.rename("in/x", "in/y")
    end)
  end)

  it("tmpname makes a file, with write_files", function()
    local name = os.tmpname()
    assert.equal("", swarm.fs.read(name))
    assert.not_equal(name, os.tmpname())
    os.remove(name)
    refused("nothing", "read_env", os.tmpname)
  end)
end)

describe("io.open", function()
  it("reads lines, numbers, bytes and the rest", function()
    with_file(function(path)
      swarm.fs.write(path, "first\n 12 0x10 -3e2\nthird\nlast")
      local file = assert(io.open(path))
      assert.equal("first", file:read())
      assert.same({ 12, 16, -300 }, { file:read("*n", "*n", "*n") })
      assert.equal("\n", file:read "*L")
      assert.equal("th", file:read(2))
      assert.equal("ird\nlast", file:read "*a")
      assert.equal("", file:read "*a")
      assert.is_nil(file:read "*l")
      assert.is_true(file:close())
    end)
  end)

  it("writes, and what write was given is in the file when it returns", function()
    with_file(function(path)
      local file = assert(io.open(path, "w"))
      assert.is_true(file:write("a", 1, "\n"))
      assert.equal("a1\n", swarm.fs.read(path))
      file:write "b"
      file:close()
      assert.equal("a1\nb", swarm.fs.read(path))
    end)
  end)

  it("gathers where setvbuf asks for it, until flush or close", function()
    with_file(function(path)
      local file = assert(io.open(path, "w"))
      file:setvbuf("full", 1024)
      file:write "a"
      assert.equal("", swarm.fs.read(path))
      file:flush()
      assert.equal("a", swarm.fs.read(path))
      file:write "b"
      file:close()
      assert.equal("ab", swarm.fs.read(path))
    end)
  end)

  it("appends, and writes in the middle", function()
    with_file(function(path)
      swarm.fs.write(path, "0123456789")
      local file = assert(io.open(path, "a"))
      file:write "end"
      file:close()
      file = assert(io.open(path, "r+"))
      assert.equal(3, file:seek("set", 3))
      file:write "xyz"
      assert.equal("6789end", file:read "*a")
      assert.equal(13, file:seek "end")
      file:close()
      assert.equal("012xyz6789end", swarm.fs.read(path))
      file = assert(io.open(path, "w+b"))
      file:write "new"
      file:seek "set"
      assert.equal("new", file:read "*a")
      file:close()
    end)
  end)

  it("answers what the system refuses as Lua does", function()
    local file, problem, number = io.open "/no/such/file"
    assert.is_nil(file)
    assert.equal("/no/such/file: No such file or directory", problem)
    assert.equal(2, number)
    assert.is_nil((io.open("/no/such/folder/file", "w")))
  end)

  it("asks for read_files and write_files at each call, with the rights of who makes it", function()
    refused("nothing", "read_files", function()
      io.open "in/x"
    end)
    refused("reader", "write_files", function()
      io.open("in/x", "w")
    end)
    refused("reader", "read_files", function()
      io.open "/etc/passwd"
    end)
    with_file(function(path)
      local file = assert(io.open(path, "w"))
      refused("reader", "write_files", function()
        file:write "x"
      end)
      assert.equal("", swarm.fs.read(path))
    end)
  end)

  it("gives an object that cannot be changed or looked into", function()
    with_file(function(path)
      local file = assert(io.open(path, "w"))
      assert.equal("userdata", type(file))
      assert.equal("file", io.type(file))
      assert.equal("swarm.file_handle", getmetatable(file))
      assert.has_error(function()
        file.write = nil
      end)
      assert.has_error(function()
        setmetatable(file, {})
      end)
      assert.has_error(function()
        file.write({}, "x")
      end, { code = "invalid_argument" })
      file:close()
      assert.equal("closed file", io.type(file))
      assert.equal("file (closed)", tostring(file))
      assert.has_error(function()
        file:write "x"
      end, "closed file")
    end)
  end)

  it("does not write what was opened for reading, nor read what was for writing", function()
    with_file(function(path)
      local file = assert(io.open(path, "w"))
      assert.is_nil((file:read()))
      file:close()
      file = assert(io.open(path))
      assert.is_nil((file:write "x"))
      assert.equal("", swarm.fs.read(path))
    end)
  end)

  it("takes no other mode, name or format", function()
    for _, mode in ipairs { "x", "", 1, {}, "rw" } do
      assert.has_error(function()
        io.open("x", mode)
      end, { code = "invalid_argument" })
    end
    for _, name in ipairs { {}, "", "a\0b", false } do
      assert.has_error(function()
        io.open(name)
      end)
    end
    with_file(function(path)
      swarm.fs.write(path, "x")
      assert.has_error(function()
        io.open(path):read "*z"
      end, { code = "invalid_argument" })
    end)
  end)

  it("is no value that crosses", function()
    with_file(function(path)
      local file = io.open(path, "w")
      assert.has_error(function()
        swarm.call(function(_, given)
          return given
        end, { file = file })
      end, { code = "invalid_value" })
    end)
  end)
end)

describe("io.lines", function()
  it("goes through a file", function()
    with_file(function(path)
      swarm.fs.write(path, "a\n\nb")
      local lines = {}
      for line in io.lines(path) do
        lines[#lines + 1] = line
      end
      assert.same({ "a", "", "b" }, lines)
    end)
  end)

  it("raises where there is no file, and where it may not be read", function()
    assert.has_error(function()
      io.lines "/no/such/file"
    end, { code = "io_error" })
    refused("nothing", "read_files", function()
      io.lines "in/x"
    end)
  end)
end)

describe("io.popen", function()
  it("runs a command of a shell, and gives what it wrote", function()
    local pipe = io.popen "echo one; echo two; exit 3"
    assert.equal("one", pipe:read())
    assert.equal("two\n", pipe:read "*a")
    local done, how, code = pipe:close()
    assert.is_nil(done)
    assert.equal("exit", how)
    assert.equal(3, code)
  end)

  it("hands over what is written to it", function()
    with_file(function(path)
      local pipe = io.popen("cat > " .. path, "w")
      pipe:write("a", "b")
      assert.is_true((pipe:close()))
      assert.equal("ab", swarm.fs.read(path))
    end)
  end)

  it("asks for run_process, and for sh where programs are bounded", function()
    refused("nothing", "run_process", function()
      io.popen "true"
    end)
    refused("shell_less", "run_process", function()
      io.popen "true"
    end)
  end)
end)

describe("io.write", function()
  it("returns true, and follows io.output", function()
    with_file(function(path)
      assert.is_true(io.write "")
      assert.equal(io.stdout, io.output())
      io.output(path)
      io.write("in the file", 1)
      io.close()
      io.output(io.stdout)
      assert.equal("in the file1", swarm.fs.read(path))
    end)
  end)

  it("io.output takes a file or a name, with write_files", function()
    assert.has_error(function()
      io.output {}
    end, { code = "invalid_argument" })
    refused("nothing", "write_files", function()
      io.output "in/x"
    end)
  end)

  it("standard output and error are files that stay open", function()
    for _, file in ipairs { io.stdout, io.stderr } do
      assert.equal("file", io.type(file))
      assert.is_true(file:flush())
      assert.is_true(file:setvbuf "no")
      assert.is_nil((file:close()))
      assert.equal("file", io.type(file))
    end
    assert.is_nil(io.type(1))
  end)
end)

describe("loadfile and dofile", function()
  it("compile text of a file, with the script's globals or others", function()
    with_file(function(path)
      swarm.fs.write(path, "seen = 'here' return _G, ...")
      local env = {}
      assert.equal(nil, (assert(loadfile(path, "t", env))()))
      assert.equal("here", env.seen)
      assert.equal(_G, (dofile(path)))
      assert.equal("here", rawget(_G, "seen"))
    end)
  end)

  it("take no bytecode", function()
    with_file(function(path)
      swarm.fs.write(path, "\27LJ\2\2")
      local chunk, problem = loadfile(path)
      assert.is_nil(chunk)
      assert.matches("bytecode", problem)
      assert.has_error(function()
        dofile(path)
      end, "bytecode")
    end)
  end)

  it("ask for read_files", function()
    refused("nothing", "read_files", function()
      loadfile "in/x.lua"
    end)
    refused("reader", "read_files", function()
      dofile "/etc/passwd"
    end)
    assert.is_nil((loadfile "/no/such/file.lua"))
  end)
end)
