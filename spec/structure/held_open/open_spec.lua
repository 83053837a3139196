-- Proves held_open.md, "swarm.open".
local outcomes = require "outcomes"
local swarm = require "swarm"
require "held_open_stock"

local raised, code_of = outcomes.raised, outcomes.code_of

swarm.worker "script" { command = { "cat" } }
swarm.role "no_files" { extends = "worker", deny = { "read_files" } }
swarm.role "no_tasks" { extends = "worker", deny = { "start_task" } }

swarm.worker "reads" {
  run = function()
    return pcall(swarm.fs.exists, "x")
  end,
}

swarm.worker "opens_restricted" {
  role = "no_files",
  run = function(_, name)
    local s = swarm.open(name or "reads")
    local value = s:invoke()
    s:close()
    return value
  end,
}

swarm.worker "may_not_open" {
  role = "no_tasks",
  run = function()
    swarm.open "unit"
  end,
}

describe("sessions: swarm.open", function()
  it("returns a handle at once, of a worker that runs until it is closed", function()
    local s = swarm.open "unit"
    assert.equal("pending", s.status)
    assert.equal(1, s:invoke())
    assert.equal("running", s.status)
    assert.equal("unit", s.name)
    s:close()
    assert.is_true(s:join())
    assert.equal("pass", s.status)
    assert.equal(0, swarm.monotonic())
  end)

  it("refuses what cannot be held open", function()
    assert.equal("not_registered", code_of(swarm.open, "unti"))
    assert.matches("unit", raised(swarm.open, "unti").message)
    local err = raised(swarm.open, "script")
    assert.equal("invalid_argument", err.code)
    assert.matches("needs output.format lines, ndjson or frames", err.message)
    for _, name in ipairs { 5, false, {}, print } do
      assert.equal("invalid_argument", code_of(swarm.open, name))
    end
    assert.equal("invalid_argument", code_of(swarm.open))
  end)

  it("refuses wrong options, and names them", function()
    local wrong = {
      { ttl = -1 },
      { ttl = "1" },
      { ttl = false },
      { ttl = 1 / 0 },
      { uses = 0 },
      { uses = 1.5 },
      { uses = "2" },
      { timeout = -1 },
      { timeout = false },
      { tll = 1 },
      5,
    }
    for i, opts in ipairs(wrong) do
      local err = raised(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        swarm.open("unit", opts)
      end)
      assert.equal("invalid_argument", err.code, i)
      assert.matches("open_spec.lua:%d+$", err.where)
    end
    assert.matches("did you mean ttl", raised(swarm.open, "unit", { tll = 1 }).message)
  end)

  it("needs start_task", function()
    local _, err = swarm.join(swarm.spawn "may_not_open")
    assert.equal("role_violation", err.code)
    assert.equal("start_task", err.verb)
  end)

  it("cuts the rights of its invocations by those of who opened it", function()
    assert.is_false(swarm.call "opens_restricted")
    local s = swarm.open "reads"
    assert.is_true(s:invoke())
  end)

  it("gives its invocations nothing of who invokes", function()
    local s = swarm.open "reads"
    local h = swarm.spawn("opens_restricted", nil)
    assert.is_false(h:result())
    local other = swarm.spawn(function(_, held)
      return held:invoke()
    end, s, { meta = { who = "invoker" } })
    assert.is_true(other:result())
  end)

  it("gives its invocations the meta of who opened it", function()
    local who = swarm.call(function()
      local s = swarm.open "identity"
      return s:invoke().who
    end, nil, { meta = { who = "opener" } })
    assert.equal("opener", who)
  end)

  it("is refused in a cancelled block", function()
    local h = swarm.spawn(function()
      pcall(swarm.sleep, 100)
      swarm.open "unit"
    end)
    swarm.sleep(1)
    h:cancel()
    h:join()
    assert.equal("cancelled", h.status)
  end)

  it("gives many sessions of one worker states of their own", function()
    local a, b = swarm.open "unit", swarm.open "unit"
    a:invoke()
    a:invoke()
    assert.equal(3, a:invoke())
    assert.equal(1, b:invoke())
  end)
end)
