-- The executable side of processes.md, in its order, against real programs.
local swarm = require "swarm"

local TEXT = { format = "text" }

swarm.worker "echo" { command = { "printf", "%s", "{input.a}" }, output = TEXT }
swarm.worker "cat" { command = { "cat" }, output = TEXT }
swarm.worker "auto" { command = { "cat" } }
swarm.worker "json" { command = { "cat" }, output = { format = "json" } }
swarm.worker "exit" {
  shell = "cat; echo why >&2; exit $CODE",
  env = { CODE = "{input.code}" },
  stdin = "{input.say}",
}
for name, fields in pairs {
  ["exit, a verdict"] = { exit = "blocked" },
  ["exit, text"] = { output = TEXT },
  ["exit, file"] = { output = { format = "file" } },
  ["exit, json"] = { output = { format = "json" } },
  ["exit, json, a verdict"] = { output = { format = "json" }, exit = "blocked" },
  judged = { output = { ok = "/done" } },
  ["judged twice"] = { output = { ok = "/done" }, exit = "blocked" },
  ["judged in a list"] = { output = { ok = "/0" } },
} do
  swarm.worker(name, {
    shell = "cat; echo why >&2; exit $CODE",
    env = { CODE = "{input.code}" },
    stdin = "{input.say}",
    output = fields.output,
    exit = fields.exit,
  })
end

local function printing(pieces)
  local command = { "printf", "%s|" }
  for i = 1, #pieces do
    command[#command + 1] = pieces[i]
  end
  return command
end

swarm.worker "forms" {
  command = printing {
    "{prompt}",
    "{input}",
    "{input.a.b}",
    "{input.list.2}",
    "{input.n}",
    "{attempt}",
    "{name}",
    "x{input.a.b}y{input.n}z",
    "{{prompt}} {other} { prompt } {prompt",
  },
  output = TEXT,
}
swarm.worker "task" { command = { "printf", "%s", "{task_id}" }, output = TEXT }
swarm.worker "prompt_file" {
  shell = 'cat "$FILE"; printf "|%s|" "$FILE"; stat -c %a "$FILE"',
  env = { FILE = "{prompt_file}" },
  output = TEXT,
}
swarm.worker "prompt_file in stdin" {
  command = { "cat" },
  stdin = "a {prompt_file} b",
  output = TEXT,
}

swarm.worker "told" { command = { "cat" }, prompt = "look at {input.path}", output = TEXT }
swarm.worker "told in a file" {
  shell = 'cat "$FILE"; printf "|"',
  prompt = "look at {input.path}",
  env = { FILE = "{prompt_file}" },
  output = TEXT,
}

swarm.worker "no stdin" { command = { "cat" }, stdin = false, output = TEXT }
swarm.worker "named" { command = { "sh", "-c", "cat", "sh", "{prompt}" }, output = TEXT }
swarm.worker "made" {
  command = { "cat" },
  stdin = function(ctx, input)
    return ctx.name .. ":" .. input
  end,
  output = TEXT,
}
swarm.worker "of a handle" {
  command = { "cat" },
  stdin = function(_, input)
    return swarm.spawn("cat", input .. "!")
  end,
  output = TEXT,
}
swarm.worker "of a file" {
  command = { "wc", "-l" },
  stdin = swarm.file "/etc/passwd",
  output = TEXT,
}

swarm.worker "shell" { shell = 'printf "%s|%s" "$SWARM_PROMPT" "$SWARM_INPUT"', output = TEXT }
swarm.worker "here" { command = { "pwd" }, cwd = "{prompt}", output = TEXT }

swarm.worker "file" { command = { "cat" }, output = { format = "file" } }
swarm.worker "part" { command = { "cat" }, output = { result = "/a/1/b~1c" } }
swarm.worker "part of json" {
  command = { "cat" },
  exit = "blocked",
  output = { format = "json", result = "/1" },
}

swarm.worker "picky" { shell = "exit 3", ok_codes = { 0, 3 } }
swarm.worker "killed" { shell = "kill -9 $$" }
swarm.worker "killed, a verdict" { shell = "kill -9 $$", exit = "blocked" }
swarm.worker "unlucky once" {
  shell = 'echo "$SWARM_ATTEMPT"; test "$SWARM_ATTEMPT" = 2',
  output = TEXT,
  retries = { max = 1, backoff = 0 },
}
swarm.worker "missing" { command = { "no-such-program" } }
swarm.worker "deaf" { command = { "true" } }
swarm.worker "long line" {
  shell = "printf '0123456789\nab\n' >&2",
  limits = { line = 4 },
}

swarm.command "print" {
  command = { "sh", "-c", "printf %s-%s $A $B" },
  env = { A = "1", B = "2" },
  output = TEXT,
}
swarm.worker "as it is" { command = "print" }
swarm.worker "with another" { command = "print", env = { B = "3" } }

swarm.role "no processes" { extends = "worker", deny = { "run_process" } }
swarm.role "only git" { extends = "worker", allow = { run_process = { "git" } } }
swarm.role "no environment" { extends = "worker", deny = { "read_env" } }
swarm.role "no events" { extends = "worker", deny = { "emit_output" } }
swarm.worker "denied" { role = "no processes", command = { "true" } }
swarm.worker "bounded" { role = "only git", shell = "true" }
swarm.worker "in bounds" { role = "only git", command = { "git", "--version" }, output = TEXT }
swarm.worker "curious" {
  role = "no environment",
  command = { "true" },
  env = { H = swarm.secret "HOME" },
}
swarm.worker "quiet" { role = "no events", shell = "echo x >&2", output = TEXT }
swarm.worker "runs git" {
  role = "only git",
  run = function()
    return {
      git = swarm.exec({ "git", "--version" }).exit_code,
      sh = pcall(swarm.exec, { "sh" }),
    }
  end,
}

---Calls a worker that must not pass, and returns its error and status.
local function failing(name, input)
  local h = swarm.spawn(name, input)
  local ok, err = swarm.join(h)
  assert.is_nil(ok)
  return err, h.status
end

describe("placeholders", function()
  it("stand for the prompt, the input, its parts and the task", function()
    local input = { prompt = "say", a = { b = "it's" }, list = { "x", { 1, 2 } }, n = 7 }
    local got = swarm.call("forms", input)
    local json = swarm.json.encode(input)
    assert.equal(
      "say|" .. json .. "|it's|[1,2]|7|1|forms|xit'sy7z|{prompt} {other} { prompt } {prompt|",
      got
    )
    local h = swarm.spawn("task")
    assert.equal(h.task_id, swarm.result(h))
  end)

  it("fail the worker where one has no value", function()
    local err, status = failing("echo", { b = 1 })
    assert.equal("failed", status)
    assert.equal("invalid_value", err.code)
    assert.equal("input.a", err.path)
    assert.matches("placeholder {input.a} has no value", err.message)
    assert.equal("invalid_value", failing("echo").code)
    assert.equal("invalid_value", failing("echo", "a string").code)
    assert.equal("invalid_value", failing("echo", { a = swarm.null }).code)
  end)

  it("take any bytes but NUL", function()
    assert.equal("\255\1 ", swarm.call("echo", { a = "\255\1 " }))
    assert.matches("NUL", failing("echo", { a = "a\0b" }).message)
    assert.equal("", swarm.call("echo", { a = "" }))
  end)

  it("hold no worker's handle, which means nothing outside", function()
    local err = failing("echo", { a = swarm.spawn "deaf" })
    assert.equal("invalid_value", err.code)
  end)

  it("give the prompt as a file of its own that is gone afterwards", function()
    local said = swarm.call("prompt_file", "hello")
    local text, path, mode = said:match "^(.-)|(.-)|(.*)$"
    assert.same({ "hello", "600" }, { text, mode })
    assert.is_false(swarm.fs.exists(path))
    assert.matches("^a /.+ b$", swarm.call("prompt_file in stdin", "hello"))
  end)
end)

describe("the prompt and stdin", function()
  it("is the input where that is a string, else its prompt, else its JSON", function()
    assert.equal("a string", swarm.call("cat", "a string"))
    assert.equal("its prompt", swarm.call("cat", { prompt = "its prompt" }))
    assert.equal('{"a":[1]}', swarm.call("cat", { a = { 1 } }))
    assert.equal("", swarm.call "cat")
  end)

  it("may be a text of the definition's, with placeholders", function()
    assert.equal("look at a.c", swarm.call("told", { path = "a.c" }))
    assert.equal("look at a.c|", swarm.call("told in a file", { path = "a.c" }))
    assert.equal("invalid_value", failing("told", "x").code)
  end)

  it("is empty where command or env name the input, or stdin is false", function()
    assert.equal("", swarm.call("named", "x"))
    assert.equal("", swarm.call("no stdin", "x"))
  end)

  it("may be made by a function, come from a file or from another worker", function()
    assert.equal("made:x", swarm.call("made", "x"))
    assert.equal("x!", swarm.call("of a handle", "x"))
    assert.matches("^%s*%d+$", swarm.call "of a file")
  end)

  it("need not be read", function()
    assert.same({ raw = "", stderr = "" }, swarm.call("deaf", ("x"):rep(1000000)))
  end)
end)

describe("shell and cwd", function()
  it("have the prompt and the input as variables", function()
    assert.equal('$(id)|"$(id)"', swarm.call("shell", "$(id)"))
  end)

  it("run where cwd says", function()
    assert.equal("/", swarm.call("here", "/"))
    local err = failing("here", "/no/such")
    assert.equal("process_failed", err.code)
    assert.matches('working directory "/no/such" does not exist', err.message)
  end)
end)

describe("output", function()
  it("is parsed by itself where it is an object or a list, else raw", function()
    assert.same({ a = 1 }, swarm.call("auto", ' {"a":1}\n'))
    assert.same({ raw = "12\n", stderr = "" }, swarm.call("auto", "12\n"))
    assert.same({ raw = "{oh", stderr = "" }, swarm.call("auto", "{oh"))
  end)

  it("as text loses its last newline only", function()
    assert.equal("a\n", swarm.call("cat", "a\n\n"))
  end)

  it("as json that does not parse fails, whatever exit says, with the text", function()
    assert.equal(12, swarm.call("json", "12"))
    local err, status = failing("json", "{oh")
    assert.equal("failed", status)
    assert.same({ "process_failed", "{oh", 0 }, { err.code, err.stdout, err.exit_code })
    assert.matches("not JSON", err.reason)
    assert.matches('worker "json": its output is not JSON', err.message)
    for _, name in ipairs { "exit, json", "exit, json, a verdict" } do
      err, status = failing(name, { code = "3", say = "" })
      assert.equal("failed", status)
      assert.same({ "process_failed", "", 3 }, { err.code, err.stdout, err.exit_code })
      assert.matches("not JSON", err.reason)
      assert.matches("exit code 3: why; its output is not JSON", err.message)
    end
  end)

  it("as a file is a swarm.file", function()
    local file = swarm.call("file", "content")
    assert.equal("content", swarm.fs.read(file.path))
    assert.equal("content", swarm.exec({ "cat", stdin = file }).stdout)
    swarm.fs.remove(file.path)
  end)

  it("may be a part of it, by a JSON Pointer", function()
    assert.equal(5, swarm.call("part", '{"a":[0,{"b/c":5}]}'))
    assert.is_false(swarm.call("part of json", "[1,false]"))
  end)

  it("that has no such part fails, whatever exit says, with the text", function()
    local err = failing("part", '{"a":[]}')
    assert.same({ "process_failed", '{"a":[]}' }, { err.code, err.stdout })
    assert.equal("its output has nothing at /a/1/b~1c", err.reason)
    assert.equal("its output has nothing at /1", failing("part of json", "[1]").reason)
  end)

  it("may say by itself whether it is ok", function()
    local said = { code = "0", say = '{"done":true,"n":1}' }
    assert.same({ done = true, n = 1 }, swarm.call("judged", said))
    said.code = "3"
    assert.equal("process_failed", failing("judged", said).code)
    assert.equal("exit code 3: why", select(2, swarm.call("judged twice", said)).reason)
  end)

  it("that says it is not ok is blocked, whatever the exit code", function()
    for _, code in ipairs { 0, 3 } do
      local input = { code = tostring(code), say = '{"done":false,"n":1}' }
      local value, err = swarm.call("judged", input)
      assert.equal("blocked", err.code)
      assert.equal("its output says so: /done is false", err.reason)
      local stdout = { done = false, n = 1 }
      assert.same({ exit_code = code, stderr = "why\n", stdout = stdout }, value)
    end
    local _, err = swarm.call("judged in a list", { code = "0", say = "[false]" })
    assert.equal("blocked", err.code)
  end)

  it("that has to say whether it is ok and does not fails, with the text", function()
    for _, say in ipairs { "[]", '{"done":1}', '{"done":null}', "no JSON" } do
      for _, name in ipairs { "judged", "judged twice" } do
        local err = failing(name, { code = "0", say = say })
        assert.same({ "process_failed", say }, { err.code, err.stdout })
        assert.equal("its output has no boolean at /done", err.reason)
      end
    end
    local err = failing("judged", { code = "3", say = "[]" })
    assert.matches("exit code 3: why$", err.message)
    local _, blocked = swarm.call("judged twice", { code = "3", say = "[]" })
    assert.equal("exit code 3: why", blocked.reason)
  end)
end)

describe("an exit code", function()
  it("that is not ok fails, with what the child left", function()
    local err, status = failing("exit", { code = "3", say = '{"a":[1]}' })
    assert.equal("failed", status)
    assert.equal('worker "exit": exit code 3: why', err.message)
    assert.same({ "process_failed", 3, "why\n" }, { err.code, err.exit_code, err.stderr })
    assert.same({ a = { 1 } }, err.stdout)
    assert.is_nil(err.reason)
    assert.same(
      { raw = "12", stderr = "why\n" },
      failing("exit", { code = "3", say = "12" }).stdout
    )
    assert.equal("12", failing("exit, text", { code = "3", say = "12\n" }).stdout)
    assert.same({}, failing("exit, json", { code = "3", say = "[]" }).stdout)
    local file = failing("exit, file", { code = "3", say = "12" }).stdout
    assert.equal("12", swarm.fs.read(file.path))
    swarm.fs.remove(file.path)
  end)

  it("that is not ok is tried again", function()
    assert.equal("2", swarm.call "unlucky once")
  end)

  it("that is a verdict blocks, with what the child left", function()
    local value, err = swarm.call("exit, a verdict", { code = "3", say = '{"a":1}' })
    assert.equal("blocked", err.code)
    assert.equal("exit code 3: why", err.reason)
    assert.same({ exit_code = 3, stderr = "why\n", stdout = { a = 1 } }, value)
  end)

  it("may be among ok_codes", function()
    assert.same({ raw = "", stderr = "" }, swarm.call "picky")
  end)

  it("is the name of a signal where one ended the child", function()
    local failed = failing "killed"
    assert.equal('worker "killed": ended by SIGKILL', failed.message)
    assert.equal("SIGKILL", failed.signal)
    assert.is_nil(failed.exit_code)
    assert.same({ raw = "", stderr = "" }, failed.stdout)
    local value, err = swarm.call "killed, a verdict"
    assert.equal("ended by SIGKILL", err.reason)
    assert.same({ signal = "SIGKILL", stderr = "", stdout = { raw = "", stderr = "" } }, value)
  end)

  it("is not what a program has that cannot start", function()
    local err, status = failing "missing"
    assert.equal("failed", status)
    assert.equal("process_failed", err.code)
    assert.matches('worker "missing": there is no program "no%-such%-program"', err.message)
    assert.matches("processes_spec.lua:%d+$", err.where)
  end)
end)

local release, heard = swarm.event(), {}

swarm.layer("hears slowly", {
  event = function(_, event)
    if event.note == "1" then
      release:wait()
    end
    heard[#heard + 1] = event.note or event.type
  end,
})

swarm.worker "speaks" {
  shell = "for n in 1 2 3; do echo $n >&2; sleep 0.05; done; echo done",
  layers = { "hears slowly" },
  output = TEXT,
}
swarm.worker "takes its time" { shell = "sleep 0.5", output = TEXT }

swarm.layer("deaf to cancels", {
  event = function(_, event)
    heard[#heard + 1] = event.note or event.type
    pcall(swarm.sleep, 1000)
  end,
})

swarm.worker "speaks twice" {
  shell = "echo once >&2; sleep 3; echo twice >&2",
  layers = { "deaf to cancels" },
  output = TEXT,
}

describe("stderr", function()
  it("leaves a cancel to the process, whatever its listener makes of that", function()
    heard = {}
    local h = swarm.spawn "speaks twice"
    while #heard == 0 do
      swarm.call "takes its time"
    end
    h:cancel("enough", { wait = true })
    assert.equal("cancelled", h.status)
    assert.same({ "once" }, heard)
  end)

  it("is heard in order, and before the end, by who is slow to listen", function()
    heard = {}
    local h = swarm.spawn "speaks"
    swarm.call "takes its time"
    assert.same({}, heard)
    release:set()
    assert.equal("done", h:result())
    assert.same({ "1", "2", "3", "final" }, heard)
  end)

  it("comes as progress, line by line, before the final", function()
    local h = swarm.spawn("exit", { code = "0", say = "x" })
    swarm.join(h)
    local first, last = h:output_tail()[1], h:output_tail()[2]
    assert.same({ "progress", "stderr", "why" }, { first.type, first.stage, first.note })
    assert.equal("final", last.type)
  end)

  it("has lines no longer than limits.line, and says what it dropped", function()
    local h = swarm.spawn "long line"
    swarm.join(h)
    assert.equal("0123 [6 bytes dropped]", h:output_tail()[1].note)
    assert.equal("ab", h:output_tail()[2].note)
  end)

  it("is no event where the role may not emit", function()
    local h = swarm.spawn "quiet"
    assert.equal("", swarm.result(h))
    assert.equal(1, #h:output_tail())
  end)
end)

describe("swarm.command", function()
  it("is an invocation that workers share, each with fields of its own", function()
    assert.equal("1-2", swarm.call "as it is")
    assert.equal("1-3", swarm.call "with another")
  end)
end)

describe("swarm.exec", function()
  it("returns how a program ended and what it said, whatever its exit code", function()
    local got = swarm.exec { "sh", "-c", "cat; echo e >&2; exit 4", stdin = "in" }
    assert.same({ exit_code = 4, stdout = "in", stderr = "e\n" }, got)
    assert.equal("SIGTERM", swarm.exec({ "sh", "-c", "kill $$" }).signal)
  end)

  it("takes env, cwd and a timeout", function()
    local got = swarm.exec { "sh", "-c", "printf $A; pwd", env = { A = "b" }, cwd = "/" }
    assert.equal("b/\n", got.stdout)
    local err = assert.has_error(function()
      swarm.exec { "sleep", "60", timeout = 0.05 }
    end, { code = "timeout" })
    assert.matches("0.05 s", err.message)
  end)

  it("hashes and keeps history with the programs that do it", function()
    local hash = swarm.exec({ "sha256sum", stdin = "" }).stdout
    assert.matches("^e3b0c44298fc1c149afbf4c8996fb924", hash)
    assert.matches("^git version", swarm.exec({ "git", "--version" }).stdout)
    assert.equal("3\n", swarm.exec({ "python3", "-c", "print(1 + 2)" }).stdout)
  end)

  it("raises where a program cannot start, and names the author's line", function()
    local err = assert.has_error(function()
      swarm.exec { "no-such-program" }
    end, { code = "process_failed" })
    assert.matches("processes_spec.lua:%d+$", err.where)
  end)

  it("refuses what is no command", function()
    for _, wrong in ipairs {
      "git status",
      {},
      { 1 },
      { "a", shell = true },
      { "a", env = { 1 } },
      { "a", env = { A = 1 } },
      { "a", stdin = 1 },
      { "a", cwd = 1 },
      { "a", timeout = "1" },
    } do
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        swarm.exec(wrong)
      end, { code = "invalid_argument" })
    end
    assert.has_error(function()
      swarm.exec { "a\0b" }
    end, { code = "invalid_value" })
  end)

  it("ends with the block that it runs in", function()
    local err = assert.has_error(function()
      swarm.scope(function(scope)
        scope:spawn(function()
          swarm.exec { "sleep", "60" }
        end)
        swarm.yield()
        error "enough"
      end)
    end)
    assert.matches("enough", err)
  end)
end)

swarm.worker "bar" {
  shell = [[printf '\r%100000d%%\n' 7 >&2; echo "disk quota exceeded" >&2; exit 1]],
}
swarm.worker "talkative" {
  shell = [[(for i in 1 2 3 4 5 6; do sleep 0.1; echo $i; done) & exit 0]],
  output = TEXT,
}

describe("an end", function()
  it("is told by the last line of stderr, however long those before it are", function()
    local err = failing "bar"
    assert.equal('worker "bar": exit code 1: disk quota exceeded', err.message)
  end)

  it("waits for who still talks on its output", function()
    assert.equal("1\n2\n3\n4\n5\n6", swarm.call "talkative")
  end)
end)

describe("a secret", function()
  it("is a value for env only", function()
    local secret = swarm.secret "HOME"
    assert.equal('swarm.secret "HOME"', tostring(secret))
    assert.has_error(function()
      return "x" .. secret
    end, { code = "invalid_argument" })
    assert.has_error(function()
      swarm.spawn("cat", secret)
    end, { code = "invalid_value" })
    assert.has_error(function()
      swarm.secret "not a name"
    end, { code = "invalid_argument" })
  end)

  it("is masked in what comes back", function()
    local got = swarm.exec { "sh", "-c", 'echo "$H"', env = { H = swarm.secret "HOME" } }
    assert.equal("***\n", got.stdout)
  end)

  it("needs read_env", function()
    assert.equal("role_violation", failing("curious").code)
  end)
end)

describe("the gate", function()
  it("asks for run_process before anything happens", function()
    local err = failing "denied"
    assert.same(
      { "role_violation", "no processes", "run_process" },
      { err.code, err.role, err.verb }
    )
  end)

  it("compares the program with the bounds, and a shell is the program sh", function()
    local err = failing "bounded"
    assert.same({ "role_violation", "only git", "run_process" }, { err.code, err.role, err.verb })
    assert.matches("sh", err.message)
    assert.matches("^git version", swarm.call "in bounds")
    local got = swarm.call "runs git"
    assert.equal(0, got.git)
    assert.is_false(got.sh)
  end)
end)
