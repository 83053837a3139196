-- Proves sync.md, "All of them".
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"
local stock = require "sharing_stock"

local raised, code_of = outcomes.raised, outcomes.code_of
local started, join_all = stages.started, stages.join_all
local must_wait, memory, for_each_call = stock.must_wait, stock.memory, stock.for_each_call

-- Made, and tried, while this file loads.
local early = {
  channel = swarm.channel(1),
  semaphore = swarm.semaphore(2),
  event = swarm.event(),
  lock = swarm.lock(),
}

early.made_at = tostring(early.event)
early.set = swarm.event()
early.set:set()

local refused = {}
for name, call in pairs {
  send = function()
    early.channel:send(1)
  end,
  recv = function()
    early.channel:recv()
  end,
  iter = function()
    early.channel:iter()()
  end,
  acquire = function()
    early.semaphore:acquire()
  end,
  with_semaphore = function()
    early.semaphore:with(print)
  end,
  wait = function()
    early.set:wait()
  end,
  with_lock = function()
    early.lock:with(print)
  end,
} do
  local ok, err = pcall(call)
  refused[name] = ok and "no error" or err.code
end

swarm.worker "hand_back" {
  run = function(_, input)
    return input
  end,
}

describe("all of them", function()
  it("may be made while a script loads, and used later", function()
    early.channel:send(1)
    assert.equal(1, early.channel:recv())
    assert.equal(
      2,
      early.semaphore:with(function()
        return 2
      end)
    )
    assert.equal(
      3,
      early.lock:with(function()
        return 3
      end)
    )
    early.set:wait()
  end)

  it("are not_while_loading where they may wait, though they need not", function()
    assert.same({
      send = "not_while_loading",
      recv = "not_while_loading",
      iter = "not_while_loading",
      acquire = "not_while_loading",
      with_semaphore = "not_while_loading",
      wait = "not_while_loading",
      with_lock = "not_while_loading",
    }, refused)
  end)

  it("say what they are and where they were made", function()
    assert.matches("^event made at .*all_spec%.lua:15$", early.made_at)
    assert.matches("^channel made at .*all_spec%.lua:%d+$", tostring(swarm.channel()))
    assert.matches("^semaphore made at .*all_spec%.lua:%d+$", tostring(swarm.semaphore(1)))
    assert.matches("^lock made at .*all_spec%.lua:%d+$", tostring(swarm.lock()))
  end)

  it("are the same object on both sides of an input, a result and a channel", function()
    local objects = { swarm.channel(), swarm.semaphore(1), swarm.event(), swarm.lock() }
    local through = swarm.channel(1)
    for _, object in ipairs(objects) do
      assert.equal(object, swarm.call("hand_back", object))
      assert.equal(object, swarm.call("hand_back", { deep = { object } }).deep[1])
      through:send { it = object }
      assert.equal(object, through:recv().it)
    end
  end)

  it("work from whichever worker has them", function()
    local channel = swarm.channel()
    local h = swarm.spawn("receive_from", { from = channel })
    channel:send "hello"
    assert.equal("hello", swarm.result(h))
  end)

  it("carry a channel for the answer", function()
    local questions = swarm.channel()
    swarm.spawn(function()
      for question in questions:iter() do
        question.answer_to:send(question.n * 2)
      end
    end)
    local mine = swarm.channel()
    for n = 1, 3 do
      questions:send { n = n, answer_to = mine }
      assert.equal(n * 2, mine:recv())
    end
    questions:close()
  end)

  it("cannot go out of the program", function()
    for name, object in pairs {
      channel = swarm.channel(),
      semaphore = swarm.semaphore(1),
      event = swarm.event(),
      lock = swarm.lock(),
    } do
      local err = raised(swarm.json.encode, { a = { object } })
      assert.equal("invalid_value", err.code)
      assert.equal("value.a[1]", err.path)
      assert.matches((name == "event" and "an " or "a ") .. name, err.message)
    end
  end)

  it("hide their state, and cannot be written to", function()
    local channel = swarm.channel(2)
    channel:send "secret"
    assert.is_nil(next(channel))
    assert.equal("swarm.channel", getmetatable(channel))
    local err = raised(function()
      ---@diagnostic disable-next-line: inject-field
      channel.count = 5
    end)
    assert.equal("unknown_name", err.code)
    assert.has_error(function()
      setmetatable(channel, {})
    end, "protected metatable")
  end)

  it("cannot be forged", function()
    local fake = setmetatable({}, { __metatable = "swarm.channel", kind = "channel" })
    assert.equal("invalid_argument", code_of(swarm.channel().recv, fake))
    local trap = setmetatable({}, {
      __index = function()
        error "touched"
      end,
    })
    assert.equal("invalid_argument", code_of(swarm.channel().recv, setmetatable({}, trap)))
  end)

  it("say what to write where the colon is missing or the object is another", function()
    local channel, semaphore = swarm.channel(), swarm.semaphore(1)
    assert.has_error(channel.recv, "write channel:recv(), with a colon")
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      channel.send "text"
    end, "write channel:send(value), with a colon")
    assert.has_error(channel.close, "write channel:close(), with a colon")
    assert.has_error(channel.iter, "write channel:iter(), with a colon")
    assert.has_error(semaphore.acquire, "write semaphore:acquire(), with a colon")
    assert.has_error(semaphore.release, "write semaphore:release(), with a colon")
    assert.has_error(function()
      ---@diagnostic disable-next-line: missing-parameter, param-type-mismatch
      semaphore.with(print)
    end, "write semaphore:with(fn), with a colon")
    assert.has_error(swarm.event().set, "write event:set(), with a colon")
    assert.has_error(swarm.event().clear, "write event:clear(), with a colon")
    assert.has_error(swarm.event().wait, "write event:wait(), with a colon")
    assert.has_error(swarm.lock().with, "write lock:with(fn), with a colon")
    assert.equal("invalid_argument", code_of(channel.send, semaphore, 1))
    assert.equal("invalid_argument", code_of(semaphore.with, swarm.lock(), print))
  end)

  it("name the method that does what people try first", function()
    for object, guesses in pairs {
      [swarm.channel()] = {
        put = "send",
        push = "send",
        write = "send",
        get = "recv",
        receive = "recv",
        pop = "recv",
        read = "recv",
        sned = "send",
        clos = "close",
      },
      [swarm.semaphore(1)] = { lock = "acquire", unlock = "release", aquire = "acquire" },
      [swarm.event()] = { notify = "set", fire = "set", reset = "clear", wai = "wait" },
      [swarm.lock()] = { acquire = "with", release = "with", lock = "with", unlock = "with" },
    } do
      for guess, right in pairs(guesses) do
        local err = raised(function()
          return object[guess]
        end)
        assert.equal("unknown_name", err.code)
        assert.equal(guess, err.unknown)
        assert.matches(":" .. right .. "%?$", err.message)
        assert.matches("all_spec%.lua:%d+$", err.where)
      end
    end
  end)

  it("list their methods where nothing is near, whatever the key is", function()
    local channel = swarm.channel()
    for _, key in ipairs { "zzzzzz", 1, true } do
      local err = raised(function()
        return channel[key]
      end)
      assert.equal("unknown_name", err.code)
      assert.matches("its methods are close, iter, recv, send", err.message)
    end
    assert.has_error(function()
      ---@diagnostic disable-next-line: call-non-callable
      channel()
    end, "cannot be called")
  end)

  it("are found by the names of other libraries", function()
    for guess, right in pairs { queue = "channel", chan = "channel", mutex = "lock" } do
      local err = raised(function()
        ---@diagnostic disable-next-line: undefined-field
        return swarm[guess]
      end)
      assert.matches("use swarm%." .. right .. "$", err.message)
    end
  end)

  it("raise cancelled before they wait, though they need not, again and again", function()
    local codes = {}
    local h = started(function()
      pcall(swarm.sleep, 100)
      local channel, semaphore = swarm.channel(5), swarm.semaphore(5)
      local event, lock = swarm.event(), swarm.lock()
      event:set()
      for _ = 1, 2 do
        codes[#codes + 1] = code_of(channel.send, channel, 1)
        codes[#codes + 1] = code_of(channel.recv, channel)
        codes[#codes + 1] = code_of(channel:iter())
        codes[#codes + 1] = code_of(semaphore.acquire, semaphore)
        codes[#codes + 1] = code_of(semaphore.with, semaphore, print)
        codes[#codes + 1] = code_of(event.wait, event)
        codes[#codes + 1] = code_of(lock.with, lock, print)
      end
    end)
    swarm.cancel(h, "stop", { wait = true })
    assert.equal(14, #codes)
    for _, code in ipairs(codes) do
      assert.equal("cancelled", code)
    end
  end)

  it("close, release, set and clear in a worker that is cancelled", function()
    local channel, semaphore = swarm.channel(), swarm.semaphore(1)
    local event, other = swarm.event(), swarm.event()
    other:set()
    local h = started(function()
      semaphore:acquire()
      pcall(swarm.sleep, 100)
      channel:close()
      semaphore:release()
      event:set()
      other:clear()
    end)
    local receiver = started(function()
      return select("#", channel:recv())
    end)
    local next_in_line = started(function()
      semaphore:acquire()
      return "acquired"
    end)
    swarm.cancel(h, "stop", { wait = true })
    assert.equal("cancelled", h.status)
    assert.equal(2, swarm.result(receiver))
    assert.equal("acquired", swarm.result(next_in_line))
    event:wait()
    must_wait(other, "wait")
  end)

  it("wait for what comes, each of them", function()
    for_each_call(function(call, name)
      local h = started(call.wait)
      swarm.sleep(1)
      assert.equal("running", h.status, name)
      call.free()
      assert.is_true(swarm.join(h), name)
    end)
  end)

  it(
    "let who is handed something go on next, before who was handed before and has yielded",
    function()
      local semaphore, event, order = swarm.semaphore(1), swarm.event(), {}
      semaphore:acquire()
      local first = started(function()
        semaphore:acquire()
        swarm.yield()
        order[#order + 1] = "first"
      end)
      local second = started(function()
        event:wait()
        order[#order + 1] = "second"
      end)
      semaphore:release()
      swarm.yield()
      event:set()
      join_all { first, second }
      assert.same({ "second", "first" }, order)
    end
  )

  it("cost no time on the clock", function()
    for_each_call(function(call, name)
      local h = started(call.wait)
      local at = swarm.monotonic()
      call.free()
      swarm.join(h)
      assert.equal(at, swarm.monotonic(), name)
    end)
  end)

  it("end cancelled where they are cancelled while they wait", function()
    for_each_call(function(call, name)
      local h = started(call.wait)
      assert.is_true(swarm.cancel(h, "enough"), name)
      local _, err = swarm.join(h)
      assert.equal("cancelled", h.status, name)
      assert.equal("enough", err.reason, name)
    end)
  end)

  it("leave what comes to the next, where the first was cancelled before it came", function()
    for_each_call(function(call, name)
      local first, second = started(call.wait), started(call.wait)
      swarm.cancel(first)
      call.free()
      assert.is_true(swarm.join(second), name)
      swarm.join(first)
      assert.equal("cancelled", first.status, name)
    end)
  end)

  it("return with what was handed over before the cancel; the next call raises", function()
    for name, make in pairs {
      recv = function(note)
        local channel = swarm.channel()
        local h = started(function()
          note(channel:recv())
          note(code_of(channel.recv, channel))
        end)
        channel:send "value"
        return h, { "value", "cancelled" }
      end,
      send = function(note)
        local channel = swarm.channel()
        local h = started(function()
          channel:send "value"
          note "sent"
          note(code_of(channel.send, channel, 1))
        end)
        assert.equal("value", channel:recv())
        return h, { "sent", "cancelled" }
      end,
      acquire = function(note)
        local semaphore = swarm.semaphore(1)
        semaphore:acquire()
        local h = started(function()
          semaphore:acquire()
          note "acquired"
          note(code_of(semaphore.acquire, semaphore))
        end)
        semaphore:release()
        return h, { "acquired", "cancelled" }
      end,
      wait = function(note)
        local event = swarm.event()
        local h = started(function()
          event:wait()
          note "woken"
          note(code_of(event.wait, event))
        end)
        event:set()
        return h, { "woken", "cancelled" }
      end,
      with = function(note)
        local lock, go = swarm.lock(), swarm.event()
        swarm.spawn(function()
          lock:with(function()
            go:wait()
          end)
        end)
        local h = started(function()
          lock:with(function()
            note "inside"
            note(code_of(swarm.yield))
          end)
        end)
        local canceller = started(function()
          go:wait()
          swarm.cancel(h)
        end)
        go:set() -- the holder goes on first and hands the lock over, then the canceller
        swarm.join(canceller)
        return h, { "inside", "cancelled" }
      end,
    } do
      local notes = {}
      local h, wanted = make(function(text)
        notes[#notes + 1] = text
      end)
      swarm.cancel(h, "late", { wait = true })
      assert.equal("cancelled", h.status, name)
      assert.same(wanted, notes, name)
    end
  end)

  it("raise timeout where the time of a block runs out while they wait", function()
    for_each_call(function(call, name)
      local at = swarm.monotonic()
      assert.equal("timeout", code_of(swarm.timeout, 2, call.wait), name)
      assert.equal(at + 2, swarm.monotonic(), name)
      local h = started(call.wait) -- what comes now is not for the one that gave up
      call.free()
      assert.is_true(swarm.join(h), name)
    end)
  end)

  it("leave no timer behind where they were in time", function()
    for_each_call(function(call, name)
      local h = started(function()
        return swarm.timeout(50, call.wait)
      end)
      call.free()
      assert.is_true(swarm.join(h), name)
    end)
    assert.equal(0, swarm.monotonic())
    swarm.sleep(100)
    assert.equal(100, swarm.monotonic())
  end)

  it("end timeout where the worker's own time runs out while they wait", function()
    for_each_call(function(call, name)
      local h = swarm.spawn(call.wait, nil, { timeout = 3 })
      swarm.join(h)
      assert.equal("timeout", h.status, name)
    end)
  end)

  it("are hidden from a cancel by a shield", function()
    for_each_call(function(call, name)
      local over = false
      local h = started(function()
        swarm.shield(call.wait)
        over = true
      end)
      swarm.cancel(h)
      swarm.sleep(1)
      assert.is_false(over, name)
      call.free()
      swarm.join(h)
      assert.is_true(over, name)
      assert.equal("cancelled", h.status, name)
    end)
  end)

  it("are bounded by the shield's own time", function()
    for_each_call(function(call, name)
      assert.equal("timeout", code_of(swarm.shield, call.wait, { timeout = 2 }), name)
    end)
  end)

  it("wait inside the author's own coroutines", function()
    for_each_call(function(call, name)
      local h = started(function()
        local step = coroutine.wrap(function()
          coroutine.yield "before"
          call.wait()
          coroutine.yield "after"
        end)
        return { step(), step() }
      end)
      call.free()
      assert.same({ "before", "after" }, swarm.result(h), name)
    end)
  end)

  it("are cancelled inside the author's own coroutines", function()
    for_each_call(function(call, name)
      local seen
      local h = started(function()
        local co = coroutine.create(call.wait)
        local ok, err = coroutine.resume(co)
        seen = { ok, err.code, coroutine.status(co) }
        swarm.checkpoint()
      end)
      swarm.cancel(h, "stop", { wait = true })
      assert.same({ false, "cancelled", "dead" }, seen, name)
      local after = started(call.wait)
      call.free()
      assert.is_true(swarm.join(after), name)
    end)
  end)

  it("cannot wait inside a callback of string.gsub, and take nothing there", function()
    for_each_call(function(call, name)
      local err = raised(string.gsub, "x", "x", call.wait)
      assert.equal("invalid_argument", err.code, name)
      assert.matches("string%.gsub", err.message, name)
      local inside = raised(string.gsub, "x", "x", function()
        coroutine.wrap(call.wait)()
      end)
      assert.equal("invalid_argument", inside.code, name)
      local h = started(call.wait)
      call.free()
      assert.is_true(swarm.join(h), name)
    end)
  end)

  it("work inside a callback of string.gsub where they need not wait", function()
    local channel, semaphore, event = swarm.channel(9), swarm.semaphore(1), swarm.event()
    local lock = swarm.lock()
    event:set()
    assert.equal("<a><b>", (string.gsub("ab", ".", function(letter)
      channel:send(letter)
      event:wait()
      return semaphore:with(function()
        return lock:with(function()
          return "<" .. channel:recv() .. ">"
        end)
      end)
    end)))
  end)

  it("name the place of the caller in their errors", function()
    local channel = swarm.channel()
    channel:close()
    for _, call in ipairs {
      function()
        channel:send(1)
      end,
      function()
        ---@diagnostic disable-next-line: missing-parameter
        channel.recv()
      end,
      function()
        swarm.semaphore(1):release()
      end,
      function()
        swarm.channel(-1)
      end,
      function()
        ---@diagnostic disable-next-line: missing-parameter
        swarm.lock():with()
      end,
    } do
      assert.matches("all_spec%.lua:%d+$", raised(call).where)
    end
  end)

  it("are collected with what they hold", function()
    local before = memory()
    for _ = 1, 20000 do
      local channel = swarm.channel(1)
      channel:send("x" .. swarm.monotonic())
      swarm.semaphore(1):acquire()
      swarm.event():set()
    end
    assert(memory() - before < 200, "20,000 objects must not stay")
  end)
end)
