-- Proves retries.md, "What is never tried again".
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "retries_stock"

local note, noted = notes.note, notes.noted
local code_of = outcomes.code_of
local hooks_seen, try, fail, pass = stock.hooks_seen, stock.try, stock.fail, stock.pass
local wait = stock.wait

swarm.worker "any_number" {
  retries = 2,
  output_schema = { type = "number" },
  input_schema = { type = "array" },
  run = function(ctx, list)
    note("try" .. ctx.attempt)
    return list[ctx.attempt]
  end,
}

swarm.worker "reads" {
  role = "no_files",
  retries = { max = 2, backoff = 0, on = { "failed", "role_violation" } },
  run = function(ctx)
    note("try" .. ctx.attempt)
    return swarm.fs.read "anything"
  end,
}

swarm.worker "refused" {
  retries = { max = 2, backoff = 0, on = { "failed", "rejected_by_middleware" } },
  run = function()
    note "ran"
  end,
}

swarm.before("refused", function(ctx)
  note("before" .. ctx.attempt)
  error "no"
end)

describe("retries: what is never tried again", function()
  it("is a refusal of the gate, whatever `on` says", function()
    local _, err = swarm.join(swarm.spawn "reads")
    assert.equal("role_violation", err.code)
    assert.equal("try1", noted())
    assert.is_nil(err.attempts)
  end)

  it("is a refusal of a before hook", function()
    local _, err = swarm.join(swarm.spawn "refused")
    assert.equal("rejected_by_middleware", err.code)
    assert.equal("before1", noted())
  end)

  it("is an input that does not fit its schema", function()
    local h = swarm.spawn("any_number", { no = "list" })
    assert.equal("invalid_value", code_of(h.result, h))
    assert.equal("", noted())
    assert.equal(1, h.attempt)
  end)

  it("is a result that cannot cross", function()
    local h = try({
      function()
        return { fn = print }
      end,
    }, { max = 2, backoff = 0 })
    assert.equal("invalid_value", code_of(h.result, h))
    assert.equal(1, h.attempt)
  end)

  it("is not an output that does not fit its schema", function()
    local h = swarm.spawn("any_number", swarm.array { "one", "two", 3 })
    assert.equal(3, h:result())
    assert.equal("try1 try2 try3", noted())
  end)

  it("is not a refusal further down that the attempt fails of", function()
    local h = try({
      function()
        swarm.call "reads"
      end,
      pass,
    }, { max = 1, backoff = 0 })
    assert.equal("passed", h:result())
  end)

  it("is a task that was cancelled before it began", function()
    local h = try({ fail }, 3)
    assert.is_true(swarm.cancel(h, "enough"))
    local _, err = h:join()
    assert.equal("cancelled", h.status)
    assert.is_nil(err.attempts)
    assert.equal("", noted())
  end)

  it("is an attempt that was cancelled while it ran", function()
    local h = try({ wait }, 3)
    swarm.sleep(1)
    assert.is_true(swarm.cancel(h))
    h:join()
    assert.equal("cancelled", h.status)
    assert.equal("try1", noted())
  end)

  it("is one whose clean-up failed after a cancel", function()
    local h = try({
      function()
        pcall(wait)
        error { code = "clean_up_broke" }
      end,
    }, 3)
    swarm.sleep(1)
    h:cancel "enough"
    local _, err = h:join()
    assert.equal("failed", h.status)
    assert.equal("clean_up_broke", err.code)
    assert.equal("enough", err.cancel_reason)
    assert.equal("try1", noted())
  end)

  it("is one that is cancelled while it cleans up after its deadline", function()
    local h = try({
      function()
        pcall(wait)
        swarm.shield(function()
          swarm.sleep(10)
        end)
      end,
    }, 3, { timeout = 5 })
    swarm.sleep(6)
    assert.is_false(swarm.cancel(h), "it ends in timeout already")
    h:join()
    assert.equal("timeout", h.status)
    assert.equal("try1", noted())
  end)

  it(
    "is one that is cancelled by the block around while it cleans up after its deadline",
    function()
      local h
      local ok = pcall(swarm.timeout, 6, function()
        h = try({
          function()
            pcall(wait)
            swarm.shield(function()
              swarm.sleep(10)
            end)
          end,
        }, 3, { timeout = 5 })
        h:join()
      end)
      assert.is_false(ok)
      assert.equal("timeout", h.status)
      assert.equal("try1", noted())
    end
  )

  it("is one that is cancelled while `on` decides: too late for the attempt's end", function()
    local h = try({ fail, pass }, {
      max = 3,
      backoff = 0,
      on = function()
        swarm.sleep(2)
        note "decided"
        return true
      end,
    })
    swarm.sleep(1)
    assert.is_false(swarm.cancel(h))
    local _, err = h:join()
    assert.equal("failed", h.status)
    assert.equal("broke", err.code)
    assert.equal("try1 decided", noted())
  end)

  it("is one whose block is cancelled while `on` decides", function()
    local h
    pcall(swarm.timeout, 1, function()
      h = try({ fail, pass }, {
        max = 3,
        backoff = 0,
        on = function()
          swarm.sleep(2)
          return true
        end,
      })
      h:join()
    end)
    assert.equal("failed", h.status)
    assert.equal(2, swarm.monotonic())
    assert.equal("try1", noted())
  end)

  it("is one that its own settled hook cancels", function()
    local h = swarm.spawn("settles", {}, { meta = { cancel_in_hook = true } })
    h:join()
    assert.equal("failed", h.status)
    assert.equal("try1@0 false", noted())
    assert.same({ "1 failed" }, hooks_seen)
  end)

  it("is one that is cancelled while its settled hooks run", function()
    local h = swarm.spawn("settles", {}, { meta = { seconds = 2 } })
    swarm.sleep(1)
    assert.is_false(swarm.cancel(h))
    h:join()
    assert.equal("failed", h.status)
    assert.equal("try1@0", noted())
  end)

  it("is a loser of a race whose settled hooks run", function()
    local h = swarm.spawn("settles", {}, { meta = { seconds = 2 } })
    local _, i = swarm.race {
      h,
      function()
        swarm.sleep(1)
      end,
    }
    assert.equal(2, i)
    assert.equal("failed", h.status)
    assert.equal(2, swarm.monotonic())
    h:join()
  end)

  it("is a supervisor's child that is stopped while its settled hooks run", function()
    swarm.scope(function()
      local sup = swarm.supervise {
        children = { { "settles", { seconds = 1 }, restart = "temporary", id = "it" } },
      }
      swarm.sleep(0.5)
      assert.equal("it", sup:children()[1].id)
      sup:stop "it"
      swarm.cancel(sup)
    end)
    assert.is_true(swarm.monotonic() < 5)
  end)
end)
