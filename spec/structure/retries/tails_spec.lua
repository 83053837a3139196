-- Proves retries.md, "Tails".
local outcomes = require "outcomes"
local swarm = require "swarm"
local stock = require "retries_stock"

local code_of = outcomes.code_of
local try, fail, pass, block = stock.try, stock.fail, stock.pass, stock.block
local until_backoff = stock.until_backoff

describe("retries: tails", function()
  it("are the last attempt's, or those of the attempt that is asked for", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    h:join()
    assert.equal("3", h:output_tail()[1].note)
    assert.equal("final", h:output_tail()[2].type)
    for i = 1, 3 do
      local tail = swarm.output_tail(h, { attempt = i })
      assert.equal(tostring(i), tail[1].note)
      assert.equal(1, tail[1].seq)
      assert.equal(i < 3 and 1 or 2, #tail)
    end
  end)

  it("have the final of a blocked attempt that was tried again", function()
    local h = try({ block, pass }, { max = 1, backoff = 0, on = "blocked" })
    h:join()
    local tail = h:output_tail { attempt = 1 }
    assert.equal(1, #tail)
    assert.is_false(tail[1].ok)
    assert.equal("not enough", tail[1].reason)
    assert.equal("half", tail[1].content.value)
  end)

  it("have artifacts of the last attempt only", function()
    local h = try({
      function(ctx)
        ctx:artifact("a", 1)
        fail()
      end,
      function(ctx)
        ctx:artifact("b", 2)
      end,
    }, { max = 1, backoff = 0 })
    h:join()
    assert.is_nil(h:artifact "a")
    assert.equal(2, h:artifact "b")
  end)

  it("are empty between two attempts, and the one before is there", function()
    local h = swarm.spawn("flaky", {})
    until_backoff(h)
    assert.same({}, h:output_tail())
    assert.equal(1, #h:output_tail { attempt = 1 })
    h:cancel()
  end)

  it("of an attempt that is not there are refused", function()
    local h = swarm.spawn("flaky", { works_at = 2 })
    h:join()
    for _, attempt in ipairs { 0, 3, -1, 1.5, "2", "all", {} } do
      assert.equal("invalid_argument", code_of(swarm.output_tail, h, { attempt = attempt }))
    end
    assert.equal("invalid_argument", code_of(swarm.follow, h, { attempt = 3 }))
    local single = swarm.spawn("stubborn", { works_at = 1 })
    single:join()
    assert.equal(2, #single:output_tail { attempt = 1 })
  end)

  it("are kept for the last 100 attempts", function()
    local h = swarm.spawn(function(ctx)
      ctx:progress(tostring(ctx.attempt))
      error "again"
    end, nil, { retries = { max = 149, backoff = 0 } })
    h:join()
    assert.equal("150", h:output_tail()[1].stage)
    assert.equal("51", h:output_tail({ attempt = 51 })[1].stage)
    assert.equal("invalid_argument", code_of(swarm.output_tail, h, { attempt = 50 }))
    local n, first = 0, nil
    for event in h:follow { attempt = "all" } do
      n, first = n + 1, first or event.attempt
    end
    assert.equal(100, n)
    assert.equal(51, first)
  end)

  it("are followed for one attempt, the last by default", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local one = {}
    for event in h:follow() do
      one[#one + 1] = event.note or event.type
      assert.is_nil(event.attempt)
    end
    assert.same({ "1" }, one)
    local two = {}
    for event in h:follow() do
      two[#two + 1] = event.note or event.type
    end
    assert.same({ "2" }, two)
    assert.equal(1, swarm.monotonic())
  end)

  it("are followed across attempts with attempt = all, live and afterwards", function()
    local h = swarm.spawn("flaky", { works_at = 3 })
    local live = {}
    for event in h:follow { attempt = "all" } do
      live[#live + 1] = event.attempt .. (event.note or event.type) .. "@" .. swarm.monotonic()
    end
    assert.same({ "11@0", "22@1", "33@3", "3final@3" }, live)
    assert.equal("pass", h.status)
    local later = 0
    for _ in h:follow { attempt = "all" } do
      later = later + 1
    end
    assert.equal(4, later)
  end)

  it("are followed by many at once", function()
    local h = swarm.spawn("flaky", { works_at = 4 })
    local counts = {}
    for i = 1, 5 do
      swarm.spawn(function()
        for event in h:follow { attempt = i % 2 == 0 and "all" or nil } do
          counts[i] = (counts[i] or "") .. (event.note or "f")
        end
      end)
    end
    h:join()
    swarm.sleep(1)
    assert.same({ "1", "1234f", "1", "1234f", "1" }, counts)
  end)

  it("end with a cancel between two attempts, for followers of both kinds", function()
    local h = swarm.spawn("flaky", {})
    until_backoff(h)
    local all, one = 0, 0
    local a = swarm.spawn(function()
      for _ in h:follow { attempt = "all" } do
        all = all + 1
      end
    end)
    local b = swarm.spawn(function()
      for _ in h:follow() do
        one = one + 1
      end
    end)
    swarm.sleep(0.1)
    h:cancel()
    a:join()
    b:join()
    assert.equal(1, all)
    assert.equal(0, one)
    assert.equal(0.1, swarm.monotonic())
  end)

  it("of a pending attempt are followed until it has ended", function()
    local h = swarm.spawn("flaky", { works_at = 2 })
    until_backoff(h)
    local list = {}
    for event in h:follow() do
      list[#list + 1] = event.note or event.type
    end
    assert.same({ "2", "final" }, list)
  end)

  it("are closed with their attempt", function()
    local kept ---@type swarm.Ctx
    local h = try({
      function(ctx)
        kept = ctx
        fail()
      end,
      pass,
    }, { max = 1, backoff = 0 })
    h:join()
    assert.equal("invalid_argument", code_of(kept.progress, kept, "late"))
  end)
end)
