-- How streams flow: who waits for whom, for how long, and over what.
local swarm = require "swarm"

local TEXT = { format = "text" }

---@return swarm.Handle
---@return swarm.Error? err
local function ended(name, input)
  local h = swarm.spawn(name, input)
  local _, err = swarm.join(h)
  return h, err
end

local function from(ctx, input)
  return input.from == "self" and ctx or input.from
end

swarm.worker "numbers" { command = { "seq", "1", "{input}" }, output = { format = "lines" } }
swarm.worker "many" {
  command = { "seq", "1", "{input}" },
  output = { format = "lines", keep = 0 },
}
swarm.worker "endless" { shell = "yes", output = { format = "lines", keep = 0 } }
swarm.worker "cat" { command = { "cat" }, stdin = from, output = TEXT }
swarm.worker "count" { shell = "wc -lc", stdin = from, output = TEXT }
swarm.worker "first" { shell = "head -n 1", stdin = from, output = TEXT }
swarm.worker "whole" { shell = "sleep 0.1; echo all", output = TEXT }
swarm.worker "fails" { shell = "echo one; sleep 0.1; exit 7", output = { format = "lines" } }
swarm.worker "as file" { shell = "seq 1 3", output = { format = "file" } }
swarm.worker "second try" {
  shell = '[ -z "$FIRST" ] || echo "$FIRST"; [ $SWARM_ATTEMPT = 2 ] && echo second',
  env = { FIRST = "{prompt}" },
  output = { format = "lines" },
  retries = { max = 1, backoff = 0 },
}
swarm.worker "large lines" {
  shell = "yes $(head -c 100000 /dev/zero | tr '\\0' x) | head -n 300",
  output = { format = "lines", keep = 0 },
}
swarm.worker "floods stderr" {
  shell = "echo a; seq 1 20000 >&2; echo b",
  output = { format = "lines", keep = 0 },
}
swarm.worker "bad order" { command = { "cat" }, env = { X = "{input.x}" }, stdin = from }
local joins_after, joined ---@type number, swarm.Handle
swarm.worker "joins" {
  command = { "cat" },
  stdin = from,
  output = {
    format = "ndjson",
    event = function()
      swarm.sleep(joins_after)
      assert(swarm.join(joined))
    end,
  },
}
swarm.worker "open" { command = { "cat" }, stdin = from, output = { format = "lines" } }

swarm.worker "late" { shell = "sleep 0.5; wc -c", stdin = from, output = TEXT }

describe("input from another worker", function()
  it("comes line by line, while that runs", function()
    assert.equal("1\n2\n3", swarm.call("cat", { from = swarm.spawn("numbers", 3) }))
    local talker = swarm.spawn(function(ctx)
      ctx:partial "text"
      ctx:partial { a = 1 }
      swarm.yield()
      ctx:partial(swarm.null)
    end)
    assert.equal('text\n{"a":1}\nnull', swarm.call("cat", { from = talker }))
  end)

  it("is the result of one that says nothing before", function()
    assert.equal("all", swarm.call("cat", { from = swarm.spawn "whole" }))
    assert.equal("1\n2\n3", swarm.call("cat", { from = swarm.spawn "as file" }))
    assert.equal("", swarm.call("cat", { from = swarm.spawn(function() end) }))
  end)

  it("loses nothing: who is read from waits for its reader", function()
    local said = swarm.call("count", { from = swarm.spawn("many", 100000) })
    assert.matches("^%s*100000%s+588895$", said)
  end)

  it("fails where that fails, and where it lost something", function()
    local _, err = ended("cat", { from = swarm.spawn "fails" })
    assert.equal(7, err.cause.exit_code)
    local flood = swarm.spawn(function(ctx)
      for i = 1, 20000 do
        ctx:partial(i)
      end
    end)
    swarm.join(flood)
    _, err = ended("cat", { from = flood })
    assert.equal("budget_exceeded", (err.cause or err).code)
  end)

  it("is held back by bytes and by its stderr too", function()
    for name, size in pairs { ["large lines"] = "30000300", ["floods stderr"] = "4" } do
      assert.equal(size, swarm.call("late", { from = swarm.spawn(name) }))
    end
  end)

  it("holds its source back no longer than it can be read", function()
    local source = swarm.spawn("many", 5000)
    local _, err = ended("bad order", { from = source, x = "a\0b" })
    assert.equal("invalid_value", err.code)
    local opened = swarm.open "open"
    assert.has_error(function()
      opened:invoke { from = source }
    end)
    opened:close()
    assert.is_false(pcall(swarm.exec, { "cat", stdin = source, timeout = -1 }))
    assert.is_true(swarm.join(source))
  end)

  it("is that of the next attempt where nothing was read of the one before", function()
    assert.equal("second", swarm.call("cat", { from = swarm.spawn("second try", "") }))
    local source = swarm.spawn("second try", "first")
    local _, err = ended("cat", { from = source })
    assert.equal("process_failed", err.code)
    assert.matches("is tried again, after a part", err.message)
    assert.is_true(swarm.join(source))
  end)

  it("fails where something of it can be no text", function()
    local source = swarm.spawn(function(ctx)
      ctx:partial { it = swarm.channel() }
      return swarm.channel():recv()
    end)
    local _, err = ended("cat", { from = source })
    assert.equal("invalid_value", (err.cause or err).code)
    swarm.cancel(source)
  end)

  it("need not be read to its end", function()
    local source = swarm.spawn "endless"
    assert.equal("y", swarm.call("first", { from = source }))
    assert.equal("running", source.status)
    swarm.cancel(source, "enough", { wait = true })
  end)

  it("cannot be the worker's own, or what waits for it", function()
    local _, own = ended("cat", { from = "self" })
    assert.equal("deadlock", own.code)
    local h
    h = swarm.spawn(function()
      return swarm.call("cat", { from = h })
    end)
    local _, err = swarm.join(h)
    assert.equal("deadlock", err.cause.code)
  end)

  it("is not waited for by who reads it, in the middle of an item", function()
    for _, seconds in pairs { 0, 0.5 } do -- before its source waits, and after
      joins_after = seconds
      local source = swarm.spawn("many", 20000)
      joined = source
      local h, err = ended("joins", { from = source })
      assert.equal("failed", h.status)
      assert.equal("deadlock", (err.cause or err).code)
      swarm.cancel(source)
      swarm.join(source)
    end
  end)

  it("is taken by swarm.exec too", function()
    local got = swarm.exec { "cat", stdin = swarm.spawn("numbers", 2) }
    assert.equal("1\n2\n", got.stdout)
  end)
end)

describe("input from a file", function()
  it("is read as the program takes it", function()
    swarm.fs.temp_dir(function(folder)
      local path = folder .. "/big"
      swarm.fs.write(path, ("0123456789abcde\n"):rep(65536))
      assert.matches("^%s*65536%s+1048576$", swarm.call("count", { from = swarm.file(path) }))
      assert.equal("0123456789abcde", swarm.call("first", { from = swarm.file(path) }))
    end)
    local _, err = ended("count", { from = swarm.file "/no/such/file" })
    assert.equal("io_error", err.code)
  end)
end)

swarm.worker "silent" { shell = "echo once; sleep 60", idle = 0.1, output = TEXT }
swarm.worker "talkative" {
  shell = "for i in 1 2 3 4 5 6; do sleep 0.1; echo $i >&2; done; echo done",
  idle = 2,
  output = TEXT,
}
swarm.worker "again" { shell = "sleep 60", idle = 0.05, retries = 1 }

describe("idle", function()
  it("ends a program that writes nothing for so long", function()
    local h, err = ended "silent"
    assert.equal("failed", h.status)
    assert.equal("idle_timeout", err.code)
    assert.equal(0.1, err.seconds)
    assert.equal("done", swarm.call "talkative")
  end)

  it("may be tried again", function()
    local h, err = ended "again"
    assert.same({ 2, "idle_timeout" }, { h.attempt, err.code })
  end)
end)

local FINAL = [[{"type":"final","ok":true,"content":{"kind":"inline","value":"it"}}]]

swarm.worker "lingers" {
  shell = "cat; sleep 60",
  stdin = FINAL .. "\n",
  output = { format = "ndjson" },
  linger = 0.05,
}
swarm.worker "ends in time" {
  shell = "cat; exit 4",
  stdin = FINAL .. "\n",
  output = { format = "ndjson" },
  linger = 30,
}

swarm.worker "reads on" {
  shell = [[
    read line
    echo '{"type": "final", "ok": true, "content": {"kind": "inline", "value": "it"}}'
    while read line; do n=$((n + 1)); done
    echo "$n"
  ]],
  stdin = from,
  linger = 600,
  output = { format = "ndjson" },
}

describe("linger", function()
  it("bounds the life of a program behind its final, and the result stands", function()
    assert.equal("it", swarm.call "lingers")
  end)

  it("goes on to give a program its input", function()
    local h = swarm.spawn("reads on", { from = swarm.spawn("numbers", 5) })
    assert.equal("it", swarm.result(h))
    assert.equal(4, swarm.output_tail(h)[1].chunk.value)
  end)

  it("leaves its exit code to one that ends in time", function()
    local _, err = ended "ends in time"
    assert.equal(4, err.exit_code)
  end)
end)

swarm.worker "terminal" {
  shell = "test -t 0 && test -t 1 && test -t 2 && stty size; cat; printf '\\033[31mred\\033[0m'",
  pty = { rows = 10, cols = 33, plain = true },
  output = TEXT,
}
swarm.worker "counts keys" { shell = "cat | wc -c", pty = true, output = TEXT }
swarm.worker "password" {
  shell = [[
    exec 3<>/dev/tty
    printf "Password: " >&3; stty -echo <&3; read -r it <&3; stty echo <&3; echo "got $it" >&3
  ]],
  pty = true,
  output = TEXT,
}
swarm.worker "colours" { shell = "printf '\\033[31mred\\033[0m'", pty = true, output = TEXT }

describe("a terminal", function()
  it("has a size, does not echo, and may be plain", function()
    assert.equal("10 33\nhello\nred", swarm.call("terminal", "hello\n"))
    assert.equal("\27[31mred\27[0m", swarm.call "colours")
  end)

  it("takes lines of 4,095 bytes, and may be asked for a password", function()
    assert.equal("4096", swarm.call("counts keys", ("x"):rep(5000) .. "\n"))
    assert.equal("Password: got secret", swarm.call("password", "secret\n"))
  end)
end)

swarm.worker "bounded" {
  shell = "ulimit -n; ulimit -t",
  limits = { files = 33, cpu = 44 },
  output = TEXT,
}
swarm.worker "large" {
  shell = "head -c 100000 /dev/zero > $FILE",
  env = { FILE = "{input.path}" },
  limits = { file_size = 5000 },
  exit = "blocked",
}

describe("limits", function()
  it("are set before the program starts", function()
    assert.equal("33\n44", swarm.call "bounded")
    swarm.fs.temp_dir(function(folder)
      local path = folder .. "/large"
      local h = ended("large", { path = path })
      assert.equal("blocked", h.status)
      assert.is_true(swarm.fs.stat(path).size <= 5000)
    end)
  end)
end)
