-- Proves testing.md, Mocks: programs and files that answer in place of the machine's.
local swarm = require "swarm"

swarm.worker "hash" { command = { "sha256sum", "{input.path}" }, output = { format = "text" } }
swarm.worker "lines" { command = { "ls" }, output = { format = "lines" } }
swarm.role "no_programs" { extends = "worker", deny = { "run_process" } }
swarm.worker "weak" {
  role = "no_programs",
  run = function()
    swarm.exec { "ls" }
  end,
}

describe("mock.exec", function()
  it("answers programs that swarm.exec starts, with what they are given", function()
    local seen ---@type swarm.MockedInput
    local exec = mock.exec(function(command, given)
      seen = given
      return { exit_code = 3, stdout = "out of " .. command[1], stderr = "bad" }
    end)
    local ended = swarm.exec { "git", "status", stdin = "in", env = { A = "1" }, cwd = "/x" }
    assert.same(3, ended.exit_code)
    assert.equal("out of git", ended.stdout)
    assert.equal("bad", ended.stderr)
    assert.same({ { "git", "status" } }, exec.calls)
    assert.equal("in", seen.stdin)
    assert.equal("/x", seen.cwd)
    assert.equal("1", seen.env.A)
  end)

  it("answers workers that are programs", function()
    mock.exec(function(command)
      return "hash of " .. command[2]
    end)
    assert.equal("hash of a.txt", swarm.call("hash", { path = "a.txt" }))
  end)

  it("answers a stream of items", function()
    mock.exec(function()
      return "a\nb\n"
    end)
    local h = swarm.spawn "lines"
    assert.is_true(h:join())
    local chunks = {}
    for _, event in ipairs(h:output_tail()) do
      if event.type == "partial" then
        chunks[#chunks + 1] = event.chunk.value
      end
    end
    assert.same({ "a", "b" }, chunks)
  end)

  it("takes nothing for a program that ended well, and a signal for one that did not", function()
    mock.exec(function(command)
      return command[1] == "kill" and { signal = "SIGTERM" } or nil
    end)
    assert.equal(0, swarm.exec({ "true" }).exit_code)
    assert.equal("SIGTERM", swarm.exec({ "kill" }).signal)
  end)

  it("stands behind the verb", function()
    mock.exec(function()
      error "it is not asked"
    end)
    assert.has_error(function()
      swarm.call "weak"
    end, { code = "role_violation" })
  end)

  it("refuses what is no answer", function()
    for _, wrong in ipairs { 5, true, { stdout = 5 } } do
      mock.exec(function()
        ---@diagnostic disable-next-line: return-type-mismatch
        return wrong
      end)
      assert.has_error(function()
        swarm.exec { "x" }
      end, { code = "invalid_value" })
    end
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      mock.exec "x"
    end, { code = "invalid_argument" })
  end)
end)

describe("mock.fs", function()
  it("has the files that it is given, and takes more", function()
    local fs = mock.fs { ["in/a.txt"] = "A", src = { ["b.lua"] = "B", deep = { c = "C" } } }
    assert.equal("A", swarm.fs.read "in/a.txt")
    assert.equal("C", swarm.fs.read "./src//deep/c")
    assert.same({ "b.lua", "deep" }, swarm.fs.list "src")
    swarm.fs.write("in/new.txt", "1")
    swarm.fs.append("in/new.txt", "2")
    assert.equal("12", fs.files["in/new.txt"])
    assert.is_true(swarm.fs.exists "in")
    assert.is_false(swarm.fs.exists "out")
    assert.equal(2, swarm.fs.stat("in/new.txt").size)
    assert.equal("directory", swarm.fs.stat("src").type)
    assert.is_nil(swarm.fs.stat "none")
  end)

  it("finds by globs as files do", function()
    local x = { ["b.md"] = "", ["y/c.md"] = "", [".h/d.md"] = "" }
    mock.fs { ["a.md"] = "", ["e.txt"] = "", x = x }
    assert.same({ "a.md" }, swarm.fs.glob "*.md")
    assert.same({ "a.md", "x/b.md", "x/y/c.md" }, swarm.fs.glob "**/*.md")
    assert.same({ "x/b.md" }, swarm.fs.glob "x/?.md")
  end)

  it("moves, copies, makes and removes", function()
    local fs = mock.fs { ["d/a"] = "A" }
    swarm.fs.copy("d/a", "d/b")
    swarm.fs.move("d/a", "d/c")
    swarm.fs.mkdir "new/deep"
    swarm.fs.move("d", "moved")
    assert.same(
      { ["moved/b"] = "A", ["moved/c"] = "A", moved = true, new = true, ["new/deep"] = true },
      fs.files
    )
    assert.has_error(function()
      swarm.fs.remove "moved"
    end, { code = "io_error", reason = "directory not empty" })
    swarm.fs.remove "new/deep"
    assert.is_nil(fs.files["new/deep"])
  end)

  it("has temporary folders that go", function()
    local fs = mock.fs {}
    swarm.fs.temp_dir(function(dir)
      swarm.fs.write(dir .. "/x", "1")
      assert.equal("1", fs.files[dir .. "/x"])
    end)
    assert.same({ ["/tmp"] = true }, fs.files)
  end)

  it("refuses as files do", function()
    mock.fs { d = {} }
    for call, reason in pairs {
      ["read none"] = "no such file or directory",
      ["read d"] = "is a directory",
      ["list none"] = "no such file or directory",
      ["remove none"] = "no such file or directory",
    } do
      local op, path = call:match "(%S+) (%S+)"
      assert.has_error(function()
        swarm.fs[op](path)
      end, { code = "io_error", reason = reason })
    end
    assert.has_error(function()
      swarm.fs.write("no/such/folder", "")
    end, { code = "io_error" })
    assert.has_error(function()
      ---@diagnostic disable-next-line: assign-type-mismatch
      mock.fs { a = 5 }
    end, { code = "invalid_argument" })
  end)

  it("answers Lua's own names too", function()
    mock.fs { ["a.txt"] = "one\ntwo" }
    local lines = {}
    for line in io.lines "a.txt" do
      lines[#lines + 1] = line
    end
    assert.same({ "one", "two" }, lines)
  end)
end)
