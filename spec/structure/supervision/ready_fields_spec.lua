-- Proves supervision.md, "Readiness": what a worker's fields may say.
local outcomes = require "outcomes"
local swarm = require "swarm"

describe("the fields", function()
  local function run() end

  ---Defines worker "x" with a `ready`, or these fields; what is said of it, or nil.
  local function said(ready, fields)
    fields = fields or { run = run }
    fields.ready = ready
    ---@diagnostic disable-next-line: redundant-parameter
    local ok, err = pcall(swarm.worker, "x", fields)
    if ok then
      return "nothing"
    end
    assert.equal("load_error", err.code)
    assert.matches("ready_fields_spec.lua:%d+$", err.where)
    return (err.message:gsub('^worker "x":? ', ""))
  end

  local function of_process(ready)
    return said(ready, { command = { "true" } })
  end

  local function of_pattern(pattern)
    return of_process { output = pattern }
  end

  ---A test of what was said while this file loaded, which is when workers are defined.
  local function says(title, ...)
    local pairs_of = { ... }
    it(title, function()
      for i = 1, #pairs_of, 2 do
        assert.equal(pairs_of[i], pairs_of[i + 1])
      end
    end)
  end

  local FORMS = 'ready is true, { output = "listening on" } or { port = 8080 }, and '

  swarm.worker "with_true" { run = run, ready = true, start_timeout = 0.5 }
  swarm.worker "with_output" { command = { "true" }, ready = { output = "^[%]%w]+ (on) .-:%d+$" } }
  swarm.worker "with_most" {
    shell = "true",
    ready = { output = "^a*(b+)[^]*]-%*%-%?[*-]()%f[%s]$" },
  }
  swarm.worker "with_port" { shell = "true", ready = { port = 1, host = "::1" } }
  swarm.worker "with_host" { run = run, ready = { port = 65535, host = "localhost" } }

  says(
    "refuse what is none of the forms, and say what may be meant",
    FORMS .. "got 5; did you mean { port = 5 }?",
    said(5),
    FORMS .. "got false",
    said(false),
    FORMS .. 'got "on"; did you mean { output = "on" }?',
    of_process "on",
    FORMS .. "has no port",
    said {},
    "ready has both output and port: it is one of them",
    of_process { output = "x", port = 1 },
    "ready.host goes with ready.port, and has no port",
    said { host = "x" }
  )

  says(
    "name the nearest key for one that does not exist",
    'ready has no field "prot"; did you mean port?',
    said { prot = 1 },
    'ready has no field "pattern"; did you mean output?',
    of_process { pattern = "x" },
    'ready has no field "timeout"; the time is the worker\'s field start_timeout',
    said { port = 1, timeout = 3 },
    'ready has no field "zzzzzz"; it has host, output, port',
    said { zzzzzz = 1 },
    "ready has no field 1; it has host, output, port",
    said { "on" }
  )

  says(
    "take a port that there can be, and a host",
    "ready.port is a whole number from 1 to 65535, and got 0",
    said { port = 0 },
    "ready.port is a whole number from 1 to 65535, and got 65536",
    said { port = 65536 },
    "ready.port is a whole number from 1 to 65535, and got 1.5",
    said { port = 1.5 },
    'ready.port is a whole number from 1 to 65535, and got "80"',
    said { port = "80" },
    'ready.host is a name or an address such as 127.0.0.1, and got "http://x/"',
    said { port = 1, host = "http://x/" }
  )

  says(
    "take an output of a process alone",
    "ready.output looks at what a process says, and this worker is of kind lua: write "
      .. "ready = true, and call ctx:ready()",
    said { output = "x" },
    "ready.output is a Lua pattern, and got 5",
    of_pattern(5),
    'ready.output is a Lua pattern, and got ""',
    of_pattern ""
  )

  local LONG = "can take very long on a line: two of * + - (and of ?) are the most, and one more "
    .. "of * + - after a ^. Look for less of the line"
  local wrong = {}
  for pattern, why in pairs {
    ["a[bc"] = "has a [ without its ]",
    ["[]"] = "has a [ without its ]",
    ["[%]"] = "has a [ without its ]",
    ["[^]"] = "has a [ without its ]",
    ["(a"] = "has a ( without its )",
    ["a)("] = "has a ) without its (",
    [("()"):rep(33)] = "has more than 32 captures, and needs none",
    ["a%"] = "has a % at its end (%% stands for one)",
    ["%bx"] = "has a %b without its two",
    ["%fx"] = "has a %f without its [set]",
    ["(a)%1"] = "has a %1, which cannot be used here",
    ["a*b+c-d"] = LONG,
    ["^a*b+c-d*"] = LONG,
    ["%b()%b[]%b{}"] = LONG,
    ["a?b?c?"] = LONG,
  } do
    wrong[#wrong + 1] = ("ready.output, the pattern %q, %s"):format(pattern, why)
    wrong[#wrong + 1] = of_pattern(pattern)
  end
  says("refuse patterns that are none, or that a line could make last for ever", unpack(wrong))

  says(
    "take start_timeout beside ready alone",
    "start_timeout bounds the time until it is ready, and goes with ready, which is "
      .. FORMS:match "^ready is (.*), and $",
    said(nil, { run = run, start_timeout = 5 }),
    "start_timeout must be a number of seconds above zero, and is 0",
    said(true, { run = run, start_timeout = 0 })
  )

  it("belong to the worker, not to the child", function()
    local err = outcomes.raised(swarm.supervise, { children = { { "with_true", ready = true } } })
    assert.matches("ready belongs to the worker's definition", err.message)
  end)
end)
