-- Proves workers.md, "The output tail", and who follows it.
local stages = require "stages"
local swarm = require "swarm"
local stock = require "worker_stock"
require "stock_workers"

local started, end_of = stages.started, stages.end_of
local types_of = stock.types_of

describe("the output tail", function()
  it("is the events of the attempt in order, seq from 1, with their times", function()
    local h = swarm.spawn(function(ctx)
      ctx:progress("start", "a note")
      swarm.sleep(2)
      ctx:partial { n = 1 }
      ctx:artifact("report", "text")
      ctx:usage { tokens = 10 }
      return "done"
    end)
    local from = swarm.now()
    h:join()
    local tail = h:output_tail()
    assert.same({ "progress", "partial", "artifact", "usage", "final" }, types_of(tail))
    for i, event in ipairs(tail) do
      assert.equal(i, event.seq)
      assert.near(i == 1 and from or from + 2, event.at, 1e-6)
    end
    assert.equal("start", tail[1].stage)
    assert.equal("a note", tail[1].note)
    assert.same({ kind = "inline", value = { n = 1 } }, tail[2].chunk)
    assert.equal("report", tail[3].name)
    assert.same({ kind = "inline", value = "text" }, tail[3].content)
    assert.equal(10, tail[4].tokens)
    assert.is_true(tail[5].ok)
    assert.same({ kind = "inline", value = "done" }, tail[5].content)
  end)

  it("is a snapshot: what comes later is not in it", function()
    local h = started(function(ctx)
      ctx:progress("one")
      swarm.sleep(1)
      ctx:progress("two")
    end)
    local early = h:output_tail()
    h:join()
    assert.equal(1, #early)
    assert.equal(3, #h:output_tail())
  end)

  it("is empty before the worker begins", function()
    assert.same({}, swarm.output_tail(swarm.spawn("double", 1)))
  end)

  it("gives the events after a seq", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 5 do
        ctx:progress("step " .. i)
      end
    end)
    h:join()
    local function first_after(since)
      local list = h:output_tail { since = since }
      return #list, list[1] and list[1].seq
    end
    local count, seq = first_after(2)
    assert.equal(4, count)
    assert.equal(3, seq)
    assert.equal(6, (first_after(0)))
    assert.equal(6, (first_after(-5)))
    assert.equal(5, (first_after(1.5)))
    assert.equal(0, (first_after(6)))
    assert.equal(0, (first_after(1000)))
  end)

  it("has the attempts that were made, and options that exist", function()
    local h = swarm.spawn("double", 1)
    h:join()
    assert.equal(1, #h:output_tail { attempt = 1 })
    local wrongs = { { attempt = 2 }, { attempt = "all" }, { sinse = 1 }, { since = "1" } }
    for _, wrong in ipairs(wrongs) do
      assert.has_error(function()
        ---@diagnostic disable-next-line: param-type-mismatch
        h:output_tail(wrong)
      end, { code = "invalid_argument" })
    end
  end)

  it("says why in the final of a blocked worker", function()
    local h = swarm.spawn(function()
      return 5, "why"
    end)
    h:join()
    local final = h:output_tail()[1]
    assert.equal("final", final.type)
    assert.is_false(final.ok)
    assert.equal("why", final.reason)
    assert.equal(5, final.content.value)
  end)

  it("says when the worker ended, not when somebody looked", function()
    local h = swarm.spawn("sleeper", 3)
    local from = swarm.now()
    h:join()
    swarm.sleep(50)
    assert.near(from + 3, h:output_tail()[1].at, 1e-6)
  end)

  it("keeps partial output through a cancel, a failure and a timeout, without a final", function()
    local function talk(ctx, how)
      ctx:partial(how)
      if how == "fail" then
        error("failed")
      end
      swarm.sleep(100)
    end
    local cancelled = started(talk, "cancel")
    cancelled:cancel()
    local hs = { cancelled, swarm.spawn(talk, "fail"), swarm.spawn(talk, "late", { timeout = 1 }) }
    for _, h in ipairs(hs) do
      swarm.join(h)
      assert.same({ "partial" }, types_of(h:output_tail()))
    end
  end)

  it("stands for a file by its path", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("log", swarm.file("run.log", "text/plain"))
      return swarm.file "out.bin"
    end)
    h:join()
    local tail = h:output_tail()
    assert.same({ kind = "file_ref", path = "run.log", mime = "text/plain" }, tail[1].content)
    assert.equal("file_ref", tail[2].content.kind)
    assert.equal("out.bin", tail[2].content.path)
  end)

  it("is closed once the worker has settled", function()
    local h = swarm.spawn("double", 1)
    h:join()
    assert.has_error(function()
      ---@diagnostic disable-next-line: undefined-field
      h:progress("late")
    end, { code = "invalid_argument" })
    assert.equal(1, #h:output_tail())
  end)

  it("takes strings for stage, note and name", function(ctx)
    for _, wrong in ipairs {
      function()
        ---@diagnostic disable-next-line: missing-parameter
        ctx:progress()
      end,
      function()
        ---@diagnostic disable-next-line: param-type-mismatch
        ctx:progress(5)
      end,
      function()
        ---@diagnostic disable-next-line: param-type-mismatch
        ctx:progress("a", 5)
      end,
      function()
        ---@diagnostic disable-next-line: param-type-mismatch
        ctx:artifact(5, "x")
      end,
      function()
        ---@diagnostic disable-next-line: missing-parameter, param-type-mismatch
        ctx.progress("a")
      end,
    } do
      assert.has_error(wrong, { code = "invalid_argument" })
    end
    assert.same({}, ctx:output_tail())
  end)

  it("takes usage as named amounts only, and its own fields are its own", function(ctx)
    for _, wrong in ipairs { { 1, 2 }, swarm.array {}, ctx, swarm.file "x" } do
      assert.has_error(function()
        ctx:usage(wrong)
      end, { code = "invalid_argument" })
    end
    assert.has_error(function()
      ---@diagnostic disable-next-line: missing-parameter
      ctx:usage()
    end, { code = "invalid_argument" })
    ctx:usage { cost = 1, seq = 99, at = 0, type = "final", dropped = 7 }
    local tail = ctx:output_tail()
    assert.equal(1, #tail)
    assert.equal("usage", tail[1].type)
    assert.equal(1, tail[1].seq)
    assert.equal(swarm.now(), tail[1].at)
    assert.is_nil(tail[1].dropped)
  end)

  it("gives the last artifact of a name", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("a", 1)
      ctx:artifact("b", { n = 2 })
      ctx:artifact("a", 3)
    end)
    h:join()
    assert.equal(3, h:artifact "a")
    assert.same({ n = 2 }, h:artifact "b")
    assert.is_nil(h:artifact "c")
  end)

  it("holds 10,000 events: the oldest go, and the next one says how many", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 10003 do
        ctx:progress("step " .. i)
      end
      return "done"
    end)
    h:join()
    local tail = h:output_tail()
    assert.equal(10000, #tail)
    assert.equal(10004, tail[#tail].seq)
    assert.equal("final", tail[#tail].type)
    assert.equal(5, tail[1].seq)
    local dropped = 0
    for i, event in ipairs(tail) do
      assert.equal(i + 4, event.seq)
      dropped = dropped + (event.dropped or 0)
    end
    assert.equal(4, dropped)
    assert.equal(4, tail[1].dropped)
  end)

  it("counts all that went, however many", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 30000 do
        ctx:progress("step " .. i)
        if i == 15000 then
          ctx:artifact("middle", i)
        end
      end
    end)
    h:join()
    local tail = h:output_tail()
    assert.same({ "artifact", 15000 }, { tail[1].type, tail[1].dropped })
    assert.same({ "progress", 5002 }, { tail[2].type, tail[2].dropped })
    local left = 0
    for _, event in ipairs(tail) do
      left = left + 1 + (event.dropped or 0)
    end
    assert.equal(30002, left, "with the artifact and the final")
  end)

  it("counts no more and no less where somebody reads meanwhile", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 25000 do
        ctx:progress("step " .. i)
        if i == 12000 or i == 12001 or i == 21000 then
          local tail = ctx:output_tail()
          assert.same({ i - 9999, i - 10000 }, { tail[1].seq, tail[1].dropped })
          assert.equal("step " .. i, tail[#tail].stage)
          assert.equal(10000, #tail)
        end
      end
    end)
    h:join()
    local tail = h:output_tail()
    assert.same({ 15002, 15001 }, { tail[1].seq, tail[1].dropped })
    assert.is_nil(tail[2].dropped)
    local last = h:output_tail { since = 24998 }
    assert.same({ "step 24999", "step 25000", "final" }, {
      last[1].stage,
      last[2].stage,
      last[3].type,
    })
  end)

  it("holds 16 MiB", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 20 do
        ctx:partial(("%02d"):format(i) .. ("x"):rep(1024 * 1024))
      end
    end)
    h:join()
    local tail = h:output_tail()
    local bytes = 0
    for _, event in ipairs(tail) do
      bytes = bytes + (event.chunk and #event.chunk.value or 0)
    end
    assert.is_true(bytes <= 16 * 1024 * 1024)
    assert.is_true(bytes >= 14 * 1024 * 1024)
    assert.equal("20", tail[#tail - 1].chunk.value:sub(1, 2))
    assert.equal("final", tail[#tail].type)
  end)

  it("drops no artifact, usage or final", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("first", "kept")
      ctx:usage { tokens = 1 }
      for _ = 1, 20000 do
        ctx:progress("noise")
      end
      return "end"
    end)
    h:join()
    local tail = h:output_tail()
    assert.equal(10000, #tail)
    assert.equal("artifact", tail[1].type)
    assert.equal("usage", tail[2].type)
    assert.equal("final", tail[#tail].type)
    assert.equal("kept", h:artifact "first")
  end)

  it("raises where only what may not be dropped is left, and still takes the final", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 10000 do
        ctx:artifact("a" .. i, i)
      end
      assert.has_error(function()
        ctx:artifact("one more", 1)
      end, { code = "budget_exceeded", what = "output" })
      return "end"
    end)
    assert.equal("end", h:result())
    local tail = h:output_tail()
    assert.equal(10001, #tail)
    assert.equal("final", tail[#tail].type)
  end)

  it("gives back an artifact that is false", function()
    local h = swarm.spawn(function(ctx)
      ctx:artifact("verdict", false)
    end)
    assert.is_true(swarm.join(h))
    assert.is_false(h:artifact "verdict")
  end)
end)

describe("follow", function()
  it("gives events as they come, until the worker has settled", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 3 do
        swarm.sleep(1)
        ctx:partial(i)
      end
      swarm.sleep(1)
      return "end"
    end)
    local from, seen = swarm.monotonic(), {}
    for event in swarm.follow(h) do
      local at = math.floor(swarm.monotonic() - from + 0.5)
      seen[#seen + 1] = { at, event.type }
    end
    assert.same({ { 1, "partial" }, { 2, "partial" }, { 3, "partial" }, { 4, "final" } }, seen)
  end)

  it("gives what was there already, and since a seq only what came after", function()
    local h = swarm.spawn(function(ctx)
      ctx:progress("a")
      ctx:progress("b")
    end)
    h:join()
    local all, later = {}, {}
    for event in h:follow() do
      all[#all + 1] = event.seq
    end
    for event in h:follow { since = 2 } do
      later[#later + 1] = event.seq
    end
    assert.same({ 1, 2, 3 }, all)
    assert.same({ 3 }, later)
  end)

  it("ends for workers that say nothing and fail, and does not own the failure", function()
    local status, err = end_of(function()
      local count = 0
      for _ in swarm.follow(swarm.spawn("boom")) do
        count = count + 1
      end
      assert.equal(0, count)
    end)
    assert.equal("failed", status)
    assert.equal("children_failed", err.code)
  end)

  it("gives all followers all events", function()
    local h = swarm.spawn(function(ctx)
      for i = 1, 10 do
        swarm.sleep(1)
        ctx:partial(i)
      end
    end)
    local followers = {}
    for i = 1, 3 do
      followers[i] = swarm.spawn(function()
        local sum = 0
        for event in h:follow() do
          sum = sum + (event.chunk and event.chunk.value or 0)
        end
        return sum
      end)
    end
    for i = 1, 3 do
      assert.equal(55, followers[i]:result())
    end
  end)

  it("ends with the follower's cancel, and the worker goes on", function()
    local h = started("sleeper", 20)
    local follower = started(function()
      for _ in h:follow() do
        error("no event was to come")
      end
    end)
    follower:cancel()
    follower:join()
    assert.equal("cancelled", follower.status)
    assert.is_true(h:join())
  end)

  it("refuses options that do not exist", function()
    local h = swarm.spawn("double", 1)
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      h:follow { form = 1 }
    end, { code = "invalid_argument" })
    assert.equal("final", h:follow { attempt = "all" }().type)
  end)
end)
