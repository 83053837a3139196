-- Proves retries.md, "An attempt".
local notes = require "notes"
local swarm = require "swarm"
local stock = require "retries_stock"

local note, noted = notes.note, notes.noted
local hooks_seen, try, fail, pass = stock.hooks_seen, stock.try, stock.fail, stock.pass
local wait = stock.wait

swarm.worker "tries_to_read" {
  run = function(ctx)
    note(ctx.attempt .. ":" .. tostring(pcall(swarm.fs.exists, "x")))
    error "again"
  end,
}

swarm.worker "spawns_restricted" {
  role = "no_files",
  run = function(_, opts)
    swarm.join(swarm.spawn("tries_to_read", nil, opts))
  end,
}

swarm.worker "exits" {
  shell = 'echo "$SWARM_ATTEMPT:{"; exit "$CODE"',
  env = { CODE = "{prompt}" },
  output = { format = "text" },
  retries = { max = 2, backoff = 0 },
}

swarm.worker "exits_blocked" {
  shell = 'test "$SWARM_ATTEMPT" = 3 && echo good',
  output = { format = "text" },
  exit = "blocked",
  retries = { max = 4, backoff = 1, on = "blocked" },
}

swarm.worker "names_attempt" {
  command = { "sh", "-c", 'test "$1" = 2 && echo "$1"', "sh", "{attempt}" },
  output = { format = "text" },
  retries = { max = 1, backoff = 0 },
}

swarm.worker "ignores_sigterm" {
  shell = "trap '' TERM; echo begun >&2; while :; do sleep 0.05; done",
  kill_after = 0.1,
  timeout = 5,
  retries = { max = 1, backoff = 1, jitter = false },
}

describe("retries: an attempt", function()
  it("begins when the children of the one before have ended", function()
    local h = try({
      function()
        swarm.spawn(function()
          swarm.spawn(function()
            pcall(wait)
            swarm.shield(function()
              swarm.sleep(3)
              note "grandchild"
            end)
          end)
          wait()
        end)
        swarm.sleep(0)
        fail()
      end,
      pass,
    }, { max = 1, backoff = 1, jitter = false })
    assert.equal("passed", h:result())
    assert.equal("try1 grandchild try2", noted())
    assert.equal(4, swarm.monotonic())
  end)

  it("fails of children that nobody joined, and the next one is not to blame for them", function()
    local h = try({
      function()
        swarm.spawn(fail)
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
    assert.equal("try1 try2", noted())
  end)

  it("keeps children_failed as the error of a last attempt", function()
    local h = try({
      function()
        swarm.spawn(fail)
      end,
    }, { max = 1, backoff = 0 })
    local _, err = h:join()
    assert.equal("children_failed", err.code)
    assert.equal(1, #err.errors, "those of the last attempt only")
    assert.equal(2, err.attempts)
  end)

  it("gets the input as it was given", function()
    local input = { list = { 1 }, deep = { {} } } ---@type table
    local h = swarm.spawn(function(_, given)
      note(#given.list .. "/" .. #given.deep)
      given.list[#given.list + 1] = 2
      given.deep[1], given.extra = nil, {}
      error "again"
    end, input, { retries = { max = 2, backoff = 0 } })
    input.list[2] = "changed later"
    h:join()
    assert.equal("1/1 1/1 1/1", noted())
  end)

  it("gets it before hooks that replace it", function()
    local h = swarm.spawn("hooked", { text = "in", list = swarm.array {} })
    assert.equal("in!?", h:result())
    assert.equal("run in!1 run in!1 run in!1", noted())
  end)

  it("passes channels and handles in its input on, the same to each", function()
    local channel = swarm.channel(10)
    local h = swarm.spawn(function(_, input)
      input.to:send "here"
      error "again"
    end, { to = channel }, { retries = { max = 2, backoff = 0 } })
    h:join()
    channel:close()
    local n = 0
    for _ in channel:iter() do
      n = n + 1
    end
    assert.equal(3, n)
  end)

  it("has its own timeout, the definition's or spawn's", function()
    local h = swarm.spawn("brief", { 10, 4 })
    assert.equal("in time", h:result())
    assert.equal(10, swarm.monotonic())
    local late = swarm.spawn("brief", { 4, 4 }, { timeout = 2 })
    late:join()
    assert.equal("timeout", late.status)
    assert.equal(15, swarm.monotonic())
  end)

  it("has no clock while it waits for its slot again", function()
    local h = swarm.spawn("one_at_a_time", { works_at = 2, seconds = 1 }, { timeout = 5 })
    swarm.sleep(2)
    local holder = swarm.spawn("one_at_a_time", { seconds = 50, works_at = 1 })
    assert.equal("attempt 2", h:result())
    assert.equal(53, swarm.monotonic())
    holder:join()
  end)

  it("is bound by the deadlines from above in every attempt", function()
    local h
    swarm.timeout(1000, function()
      h = swarm.spawn(function(ctx)
        note(tostring(ctx.deadline))
        error "again"
      end, nil, { retries = { max = 1, backoff = 10, jitter = false }, timeout = 500 })
      h:join()
    end)
    assert.equal("500 510", noted())
  end)

  it("has the rights of its role, cut by those of who spawned it, each time", function()
    local policy = { max = 1, backoff = 0 }
    swarm.call("spawns_restricted", { retries = policy })
    assert.equal("1:false 2:false", noted())
  end)

  it("runs its hooks each, settled hooks too", function()
    swarm.join(swarm.spawn("hooked", { text = "in", list = swarm.array {} }))
    assert.same({ "1 failed", "2 failed", "3 pass" }, hooks_seen)
  end)

  it("knows its number, and the number of a first attempt is 1", function()
    assert.equal(
      1,
      swarm.call(function(ctx)
        return ctx.attempt
      end)
    )
    assert.equal("attempt 3", swarm.call("flaky", { works_at = 3 }))
  end)

  it("gives a process its number, and tries a program that exits with an error again", function()
    local h = swarm.spawn("exits", "3")
    local _, err = h:join()
    assert.equal("process_failed", err.code)
    assert.equal(3, err.exit_code)
    assert.equal(3, err.attempts)
    assert.equal("1:{", swarm.call("exits", "0"))
  end)

  it("tries a process that ends blocked again where `on` says so", function()
    assert.equal("good", swarm.call "exits_blocked")
  end)

  it("fills in {attempt} anew", function()
    assert.equal("2", swarm.call "names_attempt")
  end)

  it("kills a process that outlives its time before the next begins", function()
    local h = swarm.spawn "ignores_sigterm"
    local events = h:follow { attempt = "all" }
    assert.equal(1, events().attempt)
    clock.advance(5.05)
    assert.equal("running", h.status, "it is being killed")
    assert.equal(2, events().attempt)
    h:cancel "enough"
    h:join()
    assert.equal("cancelled", h.status)
  end)

  it("may run in a coroutine of its own, and leave it behind", function()
    local h = try({
      function()
        coroutine.wrap(function()
          swarm.sleep(1)
          fail()
        end)()
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
  end)

  it("may itself spawn what is tried again", function()
    local h = try({
      function()
        swarm.call("flaky", {})
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
    assert.equal(7, swarm.monotonic())
  end)
end)
