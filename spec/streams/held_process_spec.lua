-- Processes that are held open.
local swarm = require "swarm"

swarm.worker "upper" {
  shell = [[while read -r line; do echo "$line" | tr a-z A-Z; done]],
  output = { format = "lines" },
}
swarm.worker "adder" {
  shell = [[sum=0
    while read -r n; do
      sum=$((sum + n))
      echo '{"type":"progress","stage":"adding"}'
      echo "{\"sum\":$sum}"
    done]],
  output = { format = "ndjson" },
}
swarm.worker "frames" { command = { "cat" }, output = { format = "frames" } }
swarm.worker "dies" {
  shell = [[while read -r line; do
      case $line in die) echo gone >&2; exit 3;; esac
      echo "$line"
    done]],
  output = { format = "lines" },
}
swarm.worker "stays dead" {
  shell = [[read -r line; echo "$line"]],
  output = { format = "lines" },
  restart = false,
}
swarm.worker "dies at once" { -- but what it has started holds its output
  shell = "sleep 600 & read -r _; echo $!",
  output = { format = "lines" },
}
swarm.worker "slow" { shell = "read -r line; sleep 60", output = { format = "lines" } }
swarm.worker "verdict" {
  shell = [[while read -r n; do
      echo '{"type":"final","ok":false,"reason":"no","content":{"kind":"inline","value":1}}'
    done]],
  output = { format = "ndjson" },
}
swarm.worker "chatty" {
  shell = [[while read -r n; do echo "$n"; echo "$n again"; done]],
  output = { format = "lines" },
}
swarm.worker "repl" {
  shell = [[n=0; echo Welcome; while read -r _; do n=$((n + 1)); echo; echo "= $n"; done]],
  output = {
    format = "lines",
    event = function(line)
      local answer = line:match "^= (.*)"
      return answer and { type = "final", value = answer } or nil
    end,
  },
}
swarm.worker "picky" {
  shell = [[while read -r n; do printf '{"n":%s}\n{"bad":1}\n' "$n"; done]],
  output = {
    format = "ndjson",
    event = function(item)
      if item.bad then
        error "no such thing"
      end
      return { type = "final", value = item.n }
    end,
  },
}
local TALKS = [[read -r line; echo $$; for i in 1 2 3 4 5; do echo $i >&2; sleep 0.02; done]]
swarm.worker "ends talking" { shell = TALKS, output = { format = "lines" } }
swarm.worker "ends for good" { shell = TALKS, output = { format = "lines" }, restart = false }
swarm.worker "never reads" { shell = "exec <&-; exit 4", output = { format = "lines" } }
swarm.worker "text" { command = { "cat" }, output = { format = "text" } }

describe("a process that is held open", function()
  it("answers an item with an item, in the same child", function()
    local s = swarm.open "upper"
    assert.equal("ONE", s:invoke "one")
    assert.equal("TWO", s:invoke "two")
    s:close()
    assert.is_true(swarm.join(s))
    s = swarm.open "adder"
    assert.same({ sum = 2 }, s:invoke(2))
    assert.same({ sum = 5 }, s:invoke(3))
    s = swarm.open "frames"
    assert.same({ { a = "\0" } }, s:invoke { { a = "\0" } })
  end)

  it("fails the invocation before which it ended, and is started anew", function()
    local s = swarm.open "dies"
    assert.equal("a", s:invoke "a")
    local err = assert.has_error(function()
      s:invoke "die"
    end)
    assert.same({ "process_failed", 3, "gone\n" }, { err.code, err.exit_code, err.stderr })
    assert.equal("b", s:invoke "b")
    s:close()
  end)

  it("is not started anew where its worker says so", function()
    local s = swarm.open "stays dead"
    assert.equal("a", s:invoke "a")
    for _ = 1, 2 do
      local err = assert.has_error(function()
        s:invoke "b"
      end)
      assert.equal("process_failed", err.code)
    end
  end)

  it("is ended by a cancel of an invocation, which closes the worker", function()
    local s = swarm.open "slow"
    local invoker = swarm.spawn(function()
      return s:invoke "x"
    end)
    local seen = swarm.spawn(function()
      swarm.exec { "sleep", "0.1" }
    end)
    swarm.join(seen)
    swarm.cancel(invoker, "enough", { wait = true })
    assert.has_error(function()
      s:invoke "y"
    end, "not held open any more")
    assert.is_true(swarm.join(s))
  end)

  it("leaves nobody where it is closed while an invocation is about to start it anew", function()
    local s = swarm.open "dies at once"
    local pid = s:invoke "a"
    local invoker = swarm.spawn(function()
      return s:invoke "b"
    end)
    swarm.yield()
    s:close()
    -- Where nobody has seen yet that it has ended, the invocation is for the one that has.
    local ok, last = pcall(swarm.result, invoker)
    assert.is_true(ok or last.message:find "ended before it answered" ~= nil)
    assert.is_true(swarm.join(s) or not ok)
    for _, one in ipairs { pid, ok and last or nil } do
      assert.equal(1, swarm.exec({ "sh", "-c", "kill -0 $1 2>/dev/null", "sh", one }).exit_code)
    end
  end)

  it("may say no", function()
    local value, err = swarm.open("verdict"):invoke(1)
    assert.same({ 1, "blocked", "no" }, { value, err.code, err.reason })
  end)

  it("has what it wrote behind an answer for the next one", function()
    local s = swarm.open "chatty"
    assert.equal("a", s:invoke "a")
    assert.equal("a again", s:invoke "b")
    s:close()
  end)

  it("may have a banner and prompts that are no answers", function()
    local s = swarm.open "repl"
    assert.equal("1", s:invoke "a")
    assert.equal("2", s:invoke "b")
  end)

  it("is ended by what its event function raises, also for what stands behind an answer", function()
    local s = swarm.open "picky"
    for n = 1, 2 do
      assert.equal(n, s:invoke(n))
      assert.has_error(function()
        s:invoke(n)
      end, "no such thing")
    end
  end)

  it("is started anew where it has ended since, whatever it said by then", function()
    local function invoke_and_see_its_end(s)
      local pid = s:invoke "a"
      while swarm.exec({ "sh", "-c", 'kill -0 "$1"', "sh", pid }).exit_code == 0 do
        swarm.exec { "sleep", "0.01" }
      end
      return pid
    end
    local s = swarm.open "ends talking"
    assert.not_equal(invoke_and_see_its_end(s), s:invoke "b")
    s = swarm.open "ends for good"
    invoke_and_see_its_end(s)
    assert.has_error(function()
      s:invoke "b"
    end, "it ended before this invocation (restart = false)")
  end)

  it("is started once for an invocation that it does not read", function()
    local err = assert.has_error(function()
      swarm.open("never reads"):invoke "a"
    end)
    assert.same({ "process_failed", 4, "it ended before it answered" }, {
      err.code,
      err.exit_code,
      err.reason,
    })
  end)

  it("is not answered by a mock of its port, which has no pieces", function()
    mock.port("process", function()
      return { exit_code = 0 }
    end)
    assert.has_error(function()
      swarm.open("upper"):invoke "a"
    end, "mock.worker")
  end)

  it("takes one line at a time", function()
    local s = swarm.open "upper"
    assert.has_error(function()
      s:invoke "a\nb"
    end, "one line")
    assert.equal("C", s:invoke "c")
  end)

  it("needs a format of items", function()
    assert.has_error(function()
      swarm.open "text"
    end, "lines, ndjson or frames")
  end)
end)
