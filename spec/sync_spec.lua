-- Proves sync.md, in its order.
local swarm = require "swarm"
local outcomes = require "outcomes"
local stages = require "stages"

local raised, code_of = outcomes.raised, outcomes.code_of
local started, join_all = stages.started, stages.join_all

-- Made, and tried, while this file loads ------------------------------------------------------

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

-- Workers of this file ------------------------------------------------------------------------

swarm.worker "hand_back" {
  run = function(_, input)
    return input
  end,
}

swarm.worker "receive_from" {
  run = function(_, input)
    return (input.from:recv())
  end,
}

-- Words of this file --------------------------------------------------------------------------

---Calls a method, which must wait: it is left waiting for a second.
local function must_wait(object, method, value)
  assert.equal(
    "timeout",
    code_of(swarm.timeout, 1, function()
      object[method](object, value)
    end)
  )
end

local function packed(...)
  return { n = select("#", ...), ... }
end

---n workers that have begun and wait, in the order of their numbers.
local function crowd(n, fn)
  local list = {}
  for i = 1, n do
    list[i] = started(function()
      return fn(i)
    end)
  end
  return list
end

local function memory()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

---What waits, and how another worker lets it go on: each kind of call of this chapter.
local function waiting_calls()
  local empty, full = swarm.channel(), swarm.channel(1)
  local hurdle, event, lock = swarm.semaphore(1), swarm.event(), swarm.lock()
  local looped = swarm.channel(3)
  local held, unlocked = swarm.semaphore(1), swarm.event()
  full:send "before"
  hurdle:acquire()
  held:acquire()
  swarm.spawn(function()
    lock:with(function()
      swarm.shield(function()
        unlocked:wait()
      end)
    end)
  end)
  swarm.yield()
  return {
    recv = {
      wait = function()
        return (empty:recv())
      end,
      free = function()
        empty:send "value"
      end,
    },
    iter = {
      wait = function()
        return looped:iter()()
      end,
      free = function()
        looped:send "value"
      end,
    },
    send = {
      wait = function()
        full:send "mine"
      end,
      free = function()
        full:recv()
      end,
    },
    acquire = {
      wait = function()
        hurdle:acquire()
      end,
      free = function()
        hurdle:release()
      end,
    },
    semaphore_with = {
      wait = function()
        held:with(function() end)
      end,
      free = function()
        held:release()
      end,
    },
    wait = {
      wait = function()
        event:wait()
      end,
      free = function()
        event:set()
      end,
    },
    lock_with = {
      wait = function()
        lock:with(function() end)
      end,
      free = function()
        unlocked:set()
        swarm.yield()
      end,
    },
  },
    unlocked
end

---Runs a spec for each kind of waiting call, each with objects of its own.
local function for_each_call(fn)
  local calls, unlocked = waiting_calls()
  for name, call in pairs(calls) do
    fn(call, name)
  end
  unlocked:set()
end

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
    assert.matches("^event made at .*sync_spec%.lua:14$", early.made_at)
    assert.matches("^channel made at .*sync_spec%.lua:%d+$", tostring(swarm.channel()))
    assert.matches("^semaphore made at .*sync_spec%.lua:%d+$", tostring(swarm.semaphore(1)))
    assert.matches("^lock made at .*sync_spec%.lua:%d+$", tostring(swarm.lock()))
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
      channel.send "text"
    end, "write channel:send(value), with a colon")
    assert.has_error(channel.close, "write channel:close(), with a colon")
    assert.has_error(channel.iter, "write channel:iter(), with a colon")
    assert.has_error(semaphore.acquire, "write semaphore:acquire(), with a colon")
    assert.has_error(semaphore.release, "write semaphore:release(), with a colon")
    assert.has_error(function()
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
        assert.equal(guess, err.name)
        assert.matches(":" .. right .. "%?$", err.message)
        assert.matches("sync_spec%.lua:%d+$", err.where)
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
      channel()
    end, "cannot be called")
  end)

  it("are found by the names of other libraries", function()
    for guess, right in pairs { queue = "channel", chan = "channel", mutex = "lock" } do
      local err = raised(function()
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
        channel.recv()
      end,
      function()
        swarm.semaphore(1):release()
      end,
      function()
        swarm.channel(-1)
      end,
      function()
        swarm.lock():with()
      end,
    } do
      assert.matches("sync_spec%.lua:%d+$", raised(call).where)
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

describe("swarm.channel", function()
  it("takes a whole number of values, zero or more", function()
    for _, n in ipairs { -1, 1.5, 0 / 0, 1 / 0, -1 / 0, 1e300, 2 ^ 53, "3", true, {}, print } do
      local err = raised(swarm.channel, n)
      assert.equal("invalid_argument", err.code)
      assert.matches("whole number", err.message)
    end
    swarm.channel(nil)
    swarm.channel(0)
    swarm.channel(1e9)
  end)

  it("holds n values before a send waits", function()
    local channel, sent = swarm.channel(2), 0
    local h = started(function()
      for i = 1, 4 do
        channel:send(i)
        sent = i
      end
    end)
    assert.equal(2, sent)
    assert.equal(1, channel:recv())
    swarm.yield()
    assert.equal(3, sent)
    assert.same({ 2, 3, 4 }, { (channel:recv()), (channel:recv()), (channel:recv()) })
    assert.is_true(swarm.join(h))
  end)

  it("without n, makes a sender wait for a receiver", function()
    local channel, sent = swarm.channel(), false
    local h = started(function()
      channel:send "value"
      sent = true
    end)
    assert.is_false(sent)
    assert.same({ n = 2, "value", true }, packed(channel:recv()))
    swarm.join(h)
    assert.is_true(sent)
  end)

  it("gives to a receiver that waits, and the sender goes on", function()
    local channel, order = swarm.channel(), {}
    local h = started(function()
      local value = channel:recv() -- before the #order, which must be the length after the wait
      order[#order + 1] = value
    end)
    channel:send "value"
    order[#order + 1] = "sent"
    swarm.join(h)
    assert.same({ "sent", "value" }, order)
  end)

  it("send returns nothing", function()
    local channel = swarm.channel(1)
    assert.equal(0, select("#", channel:send(1)))
    local h = swarm.spawn(function()
      return select("#", channel:send(2))
    end)
    swarm.yield()
    channel:recv()
    assert.equal(0, swarm.result(h))
  end)

  it("sends on what recv returned", function()
    local a, b = swarm.channel(1), swarm.channel(1)
    a:send "value"
    b:send(a:recv())
    assert.equal("value", b:recv())
  end)

  it("carries every kind of value, nil and false too", function()
    local channel = swarm.channel(1)
    local function through(...)
      channel:send(...)
      return packed(channel:recv())
    end
    assert.same({ n = 2, nil, true }, through(nil))
    assert.same({ n = 2, nil, true }, through())
    assert.same({ n = 2, false, true }, through(false))
    assert.same({ n = 2, "", true }, through "")
    assert.same({ n = 2, 0.5, true }, through(0.5))
    assert.same({ n = 2, { a = { 1, 2 } }, true }, through { a = { 1, 2 } })
    assert.equal(swarm.null, through(swarm.null)[1])
  end)

  it("hands nil to a receiver that waits, and takes it from a sender that does", function()
    local channel = swarm.channel()
    local h = started(function()
      local value, open = channel:recv()
      return { type(value), open }
    end)
    channel:send(nil)
    assert.same({ "nil", true }, swarm.result(h))
    swarm.spawn(function()
      channel:send(nil)
    end)
    swarm.yield()
    assert.same({ n = 2, nil, true }, packed(channel:recv()))
  end)

  it("copies what crosses, whichever way it crosses", function()
    for capacity = 0, 1 do
      local channel, sent = swarm.channel(capacity), { list = { 1 } }
      local h = started(function()
        local got = channel:recv()
        swarm.sleep(1)
        return got
      end)
      channel:send(sent) -- to one that waits
      sent.list[1] = "changed"
      assert.same({ list = { 1 } }, swarm.result(h))

      local other = { list = { 1 } }
      swarm.spawn(function()
        channel:send(other) -- held, or by one that waits
      end)
      swarm.yield()
      other.list[1] = "changed"
      local got = channel:recv()
      assert.same({ list = { 1 } }, got)
      assert.not_equal(other, got)
    end
  end)

  it("refuses what cannot cross, with the path, and sends nothing", function()
    local channel = swarm.channel(1)
    local err = raised(channel.send, channel, { items = { print } })
    assert.equal("invalid_value", err.code)
    assert.equal("value.items[1]", err.path)
    assert.equal("invalid_value", code_of(channel.send, channel, print))
    assert.equal("invalid_value", code_of(channel.send, channel, 0 / 0))
    assert.equal("invalid_value", code_of(channel.send, channel, coroutine.create(print)))
    channel:send "first"
    assert.equal("first", channel:recv())
  end)

  it("is first in, first out, held or not", function()
    for capacity = 0, 5 do
      local channel, got = swarm.channel(capacity), {}
      local h = swarm.spawn(function()
        for i = 1, 100 do
          channel:send(i)
        end
        channel:close()
      end)
      for value in channel:iter() do
        got[#got + 1] = value
        if value % 7 == 0 then
          swarm.yield()
        end
      end
      swarm.join(h)
      assert.equal(100, #got)
      for i = 1, 100 do
        assert.equal(i, got[i])
      end
    end
  end)

  it("keeps the order while what it holds grows and shrinks", function()
    local channel, sent, got = swarm.channel(100000), 0, 0
    local function send(n)
      for _ = 1, n do
        sent = sent + 1
        channel:send(sent)
      end
    end
    local function recv(n)
      for _ = 1, n do
        got = got + 1
        assert.equal(got, (channel:recv()))
      end
    end
    for _ = 1, 3 do
      send(10)
      recv(3)
      send(1000)
      recv(900)
      send(33)
      recv(140)
      assert.equal(sent, got)
      send(16)
      recv(16)
      send(17)
      recv(17)
    end
  end)

  it("serves its receivers in the order in which they wait", function()
    local channel, order = swarm.channel(), {}
    local list = crowd(5, function(i)
      local value = channel:recv()
      order[#order + 1] = i .. "=" .. value
    end)
    for value = 1, 5 do
      channel:send(value)
    end
    join_all(list)
    assert.same({ "1=1", "2=2", "3=3", "4=4", "5=5" }, order)
  end)

  it("serves its senders in the order in which they wait", function()
    for capacity = 0, 2 do
      local channel, order, got = swarm.channel(capacity), {}, {}
      for i = 1, capacity do
        channel:send("held " .. i)
      end
      local list = crowd(5, function(i)
        channel:send(i)
        order[#order + 1] = i
      end)
      for i = 1, capacity do
        assert.equal("held " .. i, (channel:recv()))
      end
      for i = 1, 5 do
        got[i] = channel:recv()
      end
      join_all(list)
      assert.same({ 1, 2, 3, 4, 5 }, got)
      assert.same({ 1, 2, 3, 4, 5 }, order)
    end
  end)

  it("lets nobody pass a sender that waits", function()
    local channel = swarm.channel(1)
    channel:send "held"
    local h = started(function()
      channel:send "waited"
    end)
    assert.equal("held", (channel:recv()))
    local late = swarm.spawn(function()
      channel:send "late"
    end)
    assert.same({ "waited", "late" }, { (channel:recv()), (channel:recv()) })
    join_all { h, late }
  end)

  it("keeps the order of those that go on where one in the middle is cancelled", function()
    local channel, order = swarm.channel(), {}
    local list = crowd(5, function(i)
      local value = channel:recv()
      order[#order + 1] = i .. "=" .. value
    end)
    swarm.cancel(list[3])
    for value = 1, 4 do
      channel:send(value)
    end
    for _, h in ipairs(list) do
      swarm.join(h)
    end
    assert.same({ "1=1", "2=2", "4=3", "5=4" }, order)
  end)

  it("shares work evenly among receivers that never wait for anything else", function()
    local channel, counts = swarm.channel(), { 0, 0, 0, 0 }
    local list = {}
    for i = 1, 4 do
      list[i] = swarm.spawn(function()
        for _ in channel:iter() do
          counts[i] = counts[i] + 1
        end
      end)
    end
    for n = 1, 4000 do
      channel:send(n)
    end
    channel:close()
    join_all(list)
    for i = 1, 4 do
      assert(counts[i] > 500, i .. " received " .. counts[i])
    end
  end)

  it("two that talk without end do not keep others from their turn", function()
    local ping, pong, turns = swarm.channel(), swarm.channel(), 0
    local a = swarm.spawn(function()
      while true do
        ping:send(pong:recv())
      end
    end)
    local b = swarm.spawn(function()
      pong:send(0)
      while turns < 100 do
        pong:send((ping:recv()) + 1)
      end
      return (ping:recv())
    end)
    for _ = 1, 100 do
      swarm.yield()
      turns = turns + 1
    end
    assert.equal(3200, swarm.result(b)) -- others have a turn once in 64 hand-overs
    swarm.cancel(a)
  end)

  it("loses nobody who is spawned or woken beside it", function()
    local channel, begun, received = swarm.channel(), 0, 0
    for _ = 1, 200 do
      crowd(3, function()
        channel:recv()
        received = received + 1
      end)
      for value = 1, 3 do
        channel:send(value)
        if value > 1 then
          swarm.spawn(function()
            begun = begun + 1
          end)
        end
      end
      swarm.sleep(1)
    end
    assert.equal(400, begun)
    assert.equal(600, received)
  end)

  it("loses no value and doubles none, whoever is cancelled and whenever", function()
    local seed = 1
    local function random(n) -- the same numbers every time
      seed = (seed * 16807) % 2147483647
      return seed % n
    end
    for round = 1, 60 do
      local channel = swarm.channel(random(4))
      local sent, received, list = {}, {}, {}
      local function note(value)
        assert.is_nil(received[value])
        received[value] = true
      end
      for i = 1, 6 do
        local pause = random(3)
        list[#list + 1] = swarm.spawn(function()
          for n = 1, 10 do
            local value = i * 100 + n
            local ok, err = pcall(swarm.timeout, 1 + pause, function()
              channel:send(value)
              sent[value] = true
            end)
            if pause > 0 or not ok and err.code == "cancelled" then
              swarm.sleep(pause)
            end
          end
        end)
        list[#list + 1] = swarm.spawn(function()
          for _ = 1, 10 do
            local value, open = channel:recv()
            if not open then
              return
            end
            note(value)
            if pause < 2 then
              swarm.sleep(pause)
            end
          end
        end)
      end
      for i = 1, #list do
        if random(3) == 0 then
          if random(2) == 0 then
            swarm.sleep(random(3))
          end
          swarm.cancel(list[i])
        end
      end
      swarm.sleep(100)
      channel:close()
      for value in channel:iter() do
        note(value)
      end
      for i = 1, #list do
        swarm.join(list[i])
      end
      assert.same(sent, received, round)
    end
  end)

  it("never sends what a cancelled sender waited with", function()
    for capacity = 0, 1 do
      local channel = swarm.channel(capacity)
      for _ = 1, capacity do
        channel:send "held"
      end
      local list = crowd(3, function(i)
        channel:send(i)
      end)
      swarm.cancel(list[1])
      swarm.cancel(list[3])
      for _ = 1, capacity do
        assert.equal("held", (channel:recv()))
      end
      assert.equal(2, (channel:recv()))
      must_wait(channel, "recv")
    end
  end)

  it("gives a value to the second where the first was cancelled in the same turn", function()
    local channel = swarm.channel()
    local list = crowd(2, function()
      return (channel:recv())
    end)
    swarm.cancel(list[1])
    channel:send "value"
    assert.equal("value", swarm.result(list[2]))
    swarm.join(list[1])
    assert.equal("cancelled", list[1].status)
  end)

  it("keeps a value where the only receiver was cancelled in the same turn", function()
    local channel = swarm.channel(1)
    local h = started(function()
      channel:recv()
    end)
    swarm.cancel(h)
    channel:send "value"
    swarm.join(h)
    assert.equal("value", (channel:recv()))
  end)

  it("is not disturbed by timeouts that come with the value", function()
    -- The values and the deadlines are due at the same instants, in both orders.
    for first = 0, 1 do
      local channel, got, given = swarm.channel(), 0, 0
      local function receiver()
        for _ = 1, 50 do
          pcall(swarm.timeout, 1, function()
            local value = channel:recv()
            got = got + (value and 1 or 0)
          end)
        end
      end
      local function sender()
        for _ = 1, 50 do
          swarm.sleep(1)
          local ok = pcall(swarm.timeout, 0.5, function()
            channel:send(1)
            given = given + 1
          end)
          swarm.sleep(ok and 0 or 0.5)
        end
      end
      local a = swarm.spawn(first == 0 and receiver or sender)
      local b = swarm.spawn(first == 0 and sender or receiver)
      join_all { a, b }
      assert.equal(given, got)
      assert(given > 0)
    end
  end)

  it("is a matter of one worker, too", function()
    local channel = swarm.channel(1)
    for i = 1, 10 do
      channel:send(i)
      assert.equal(i, (channel:recv()))
    end
    must_wait(swarm.channel(), "send", "to myself")
  end)

  it("close lets out what is held, then ends", function()
    local channel = swarm.channel(3)
    channel:send "a"
    channel:send(nil)
    channel:close()
    assert.same({ n = 2, "a", true }, packed(channel:recv()))
    assert.same({ n = 2, nil, true }, packed(channel:recv()))
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
  end)

  it("close ends every receiver that waits, in their order", function()
    local channel, order = swarm.channel(), {}
    local list = crowd(3, function(i)
      local got = packed(channel:recv())
      order[#order + 1] = { i, got }
    end)
    channel:close()
    join_all(list)
    local over = { n = 2, nil, false }
    assert.same({ { 1, over }, { 2, over }, { 3, over } }, order)
  end)

  it("close fails every sender that waits, and their values are not received", function()
    local channel = swarm.channel(1)
    channel:send "held"
    local list = crowd(3, function(i)
      channel:send(i)
    end)
    channel:close()
    for _, h in ipairs(list) do
      local _, err = swarm.join(h)
      assert.equal("closed", err.code)
      assert.matches("while this value waited", err.message)
      assert.matches("sync_spec%.lua:%d+$", err.where)
    end
    assert.same({ n = 2, "held", true }, packed(channel:recv()))
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
  end)

  it("close again does nothing", function()
    local channel = swarm.channel(1)
    channel:send "held"
    channel:close()
    channel:close()
    assert.equal("held", (channel:recv()))
    channel:close()
    assert.same({ n = 2, nil, false }, packed(channel:recv()))
  end)

  it("send on a closed one raises closed, and says where it was made", function()
    local channel = swarm.channel(1)
    channel:close()
    local err = raised(channel.send, channel, 1)
    assert.equal("closed", err.code)
    assert.matches("the channel made at .*sync_spec%.lua:%d+ is closed", err.message)
  end)

  it("a value given before the close is received", function()
    local channel = swarm.channel()
    local receiver = started(function()
      return (channel:recv())
    end)
    channel:send "value"
    channel:close()
    assert.equal("value", swarm.result(receiver))
  end)

  it("a worker that is cancelled as its channel is closed ends cancelled", function()
    local channel = swarm.channel()
    local h = started(function()
      channel:send "value"
    end)
    channel:close()
    swarm.cancel(h)
    swarm.join(h)
    assert.equal("cancelled", h.status)
    local other = swarm.channel()
    h = started(function()
      other:send "value"
    end)
    swarm.cancel(h)
    other:close()
    swarm.join(h)
    assert.equal("cancelled", h.status)
  end)

  it("iter ends where it is closed and drained, and again at once", function()
    local channel = swarm.channel(3)
    channel:send(1)
    channel:send(2)
    channel:close()
    local step = channel:iter()
    assert.same({ 1, 2 }, { step(), step() })
    assert.is_nil(step())
    assert.is_nil(step())
    for _ in channel:iter() do
      error "there is nothing left"
    end
  end)

  it("iter can be left, and another goes on with the next value", function()
    local channel, got = swarm.channel(5), {}
    for i = 1, 5 do
      channel:send(i)
    end
    channel:close()
    for value in channel:iter() do
      got[#got + 1] = value
      if value == 2 then
        break
      end
    end
    for value in channel:iter() do
      got[#got + 1] = value
    end
    assert.same({ 1, 2, 3, 4, 5 }, got)
  end)

  it("iter gives a nil as swarm.null, and a false as it is", function()
    local channel, got = swarm.channel(4), {}
    channel:send(nil)
    channel:send(false)
    channel:send "last"
    channel:close()
    for value in channel:iter() do
      got[#got + 1] = value
    end
    assert.equal(3, #got)
    assert.equal(swarm.null, got[1])
    assert.is_false(got[2])
  end)

  it("several loops share the values, each once", function()
    local channel, seen = swarm.channel(), {}
    local list = {}
    for i = 1, 3 do
      list[i] = swarm.spawn(function()
        for value in channel:iter() do
          assert.is_nil(seen[value])
          seen[value] = i
          swarm.sleep(i)
        end
      end)
    end
    for value = 1, 30 do
      channel:send(value)
    end
    channel:close()
    join_all(list)
    assert.equal(30, #seen)
  end)

  it("iter is left by an error or a cancel like any loop", function()
    local channel = swarm.channel(2)
    channel:send(1)
    channel:send(2)
    assert.has_error(function()
      for _ in channel:iter() do
        error "stop"
      end
    end, "stop")
    assert.equal(2, (channel:recv()))
    local h = started(function()
      for _ in channel:iter() do
        error "there is nothing"
      end
    end)
    swarm.cancel(h, "enough", { wait = true })
    assert.equal("cancelled", h.status)
  end)

  it("a million sends do not grow memory", function()
    local channel = swarm.channel(10)
    local function run(n)
      local h = swarm.spawn(function()
        for i = 1, n do
          channel:send(i)
        end
      end)
      for _ = 1, n do
        channel:recv()
      end
      swarm.join(h)
    end
    run(1000)
    local before = memory()
    run(1000000)
    assert(memory() - before < 50, "it grew")
  end)

  it("gives back the room of what it held", function()
    local channel = swarm.channel(1000000)
    local before = memory()
    for i = 1, 200000 do
      channel:send(i)
    end
    assert(memory() - before > 1000, "it holds them")
    for _ = 1, 199990 do
      channel:recv()
    end
    assert(memory() - before < 50, "ten are left")
  end)

  it("does not hold on to a value that was received", function()
    local channel, received = swarm.channel(4), setmetatable({}, { __mode = "k" })
    assert(swarm.join(swarm.spawn(function()
      channel:send { "held" }
      received[channel:recv()] = true
      swarm.spawn(function()
        received[channel:recv()] = true
      end)
      swarm.yield()
      channel:send { "handed over" }
    end)) == true)
    memory()
    assert.is_nil(next(received))
  end)

  it("room is promised, not taken: a large n costs nothing", function()
    local before = memory()
    local channel = swarm.channel(1000000000)
    channel:send(1)
    assert(memory() - before < 10)
    assert.equal(1, (channel:recv()))
  end)

  it("forgets ten thousand waiters that were cancelled", function()
    local channel = swarm.channel()
    local group = started(function()
      for _ = 1, 10000 do
        swarm.spawn(function()
          channel:recv()
        end)
      end
    end)
    swarm.sleep(1)
    swarm.cancel(group, "enough", { wait = true })
    local h = swarm.spawn("receive_from", { from = channel })
    swarm.yield()
    channel:send "value"
    assert.equal("value", swarm.result(h))
  end)
end)

describe("swarm.semaphore", function()
  it("takes a whole number of permits, one or more", function()
    for _, n in ipairs { 0, -1, 1.5, 0 / 0, 1 / 0, 1e300, "3", true, {} } do
      local err = raised(swarm.semaphore, n)
      assert.equal("invalid_argument", err.code)
      assert.matches("whole number from 1", err.message)
    end
    assert.equal("invalid_argument", code_of(swarm.semaphore))
  end)

  it("lets n in at once, and not one more", function()
    local semaphore, inside, most = swarm.semaphore(3), 0, 0
    local list = {}
    for i = 1, 10 do
      list[i] = swarm.spawn(function()
        semaphore:acquire()
        inside = inside + 1
        most = math.max(most, inside)
        swarm.sleep(1)
        inside = inside - 1
        semaphore:release()
      end)
    end
    join_all(list)
    assert.equal(3, most)
    assert.equal(4, swarm.monotonic())
  end)

  it("serves who waits in their order, and they go on in it", function()
    local semaphore, order = swarm.semaphore(3), {}
    for _ = 1, 3 do
      semaphore:acquire()
    end
    local list = crowd(6, function(i)
      semaphore:acquire()
      order[#order + 1] = i
    end)
    for _ = 1, 3 do
      semaphore:release()
    end
    join_all { list[1], list[2], list[3] }
    assert.same({ 1, 2, 3 }, order)
    for _ = 1, 3 do
      semaphore:release()
    end
    join_all(list)
    assert.same({ 1, 2, 3, 4, 5, 6 }, order)
  end)

  it("hands a permit over: who comes in between waits", function()
    local semaphore, order = swarm.semaphore(1), {}
    semaphore:acquire()
    local h = started(function()
      semaphore:acquire()
      order[#order + 1] = "waited"
      semaphore:release()
    end)
    semaphore:release()
    semaphore:acquire()
    order[#order + 1] = "came later"
    semaphore:release()
    swarm.join(h)
    assert.same({ "waited", "came later" }, order)
  end)

  it("release without acquire is an error, and changes nothing", function()
    local semaphore = swarm.semaphore(2)
    local err = raised(semaphore.release, semaphore)
    assert.equal("invalid_argument", err.code)
    assert.matches("more often than it was acquired", err.message)
    assert.matches("semaphore:with", err.message)
    semaphore:acquire()
    semaphore:release()
    assert.equal("invalid_argument", code_of(semaphore.release, semaphore))
    semaphore:acquire()
    semaphore:acquire()
    must_wait(semaphore, "acquire")
  end)

  it("a permit may be released by another worker", function()
    local semaphore = swarm.semaphore(1)
    semaphore:acquire()
    swarm.result(swarm.spawn(function()
      semaphore:release()
    end))
    semaphore:acquire()
  end)

  it("a worker that ends keeps what it acquired without with", function()
    local semaphore = swarm.semaphore(1)
    swarm.result(swarm.spawn(function()
      semaphore:acquire()
    end))
    must_wait(semaphore, "acquire")
    semaphore:release()
    semaphore:acquire()
  end)

  it("passes a permit on past ten thousand waiters that were cancelled", function()
    local semaphore = swarm.semaphore(1)
    semaphore:acquire()
    local group = started(function()
      for _ = 1, 10000 do
        swarm.spawn(function()
          semaphore:with(error)
        end)
      end
    end)
    swarm.sleep(1)
    local h = started(function()
      semaphore:acquire()
      return "acquired"
    end)
    swarm.cancel(group, "enough", { wait = true })
    semaphore:release()
    assert.equal("acquired", swarm.result(h))
  end)

  it("loses no permit, however acquires are cancelled and released", function()
    local semaphore = swarm.semaphore(3)
    for round = 1, 50 do
      local list = {}
      for i = 1, 20 do
        list[i] = swarm.spawn(function()
          semaphore:with(function()
            swarm.sleep((i * 7 + round) % 5)
          end)
        end)
      end
      for i = 1, 20 do
        if (i * round) % 3 == 0 then
          swarm.sleep((i + round) % 2)
          swarm.cancel(list[i])
        end
      end
      for i = 1, 20 do
        swarm.join(list[i])
      end
    end
    for _ = 1, 3 do
      semaphore:acquire()
    end
    must_wait(semaphore, "acquire")
  end)

  it("with returns all that its function returned", function()
    local semaphore = swarm.semaphore(1)
    assert.same(
      { n = 4, 1, nil, "x", nil },
      packed(semaphore:with(function()
        return 1, nil, "x", nil
      end))
    )
    assert.same({ n = 0 }, packed(semaphore:with(function() end)))
  end)

  it("with may be nested where there are permits", function()
    local semaphore = swarm.semaphore(2)
    assert.equal(
      "inner",
      semaphore:with(function()
        return semaphore:with(function()
          return "inner"
        end)
      end)
    )
  end)

  it("a release too many inside with is an error, but no error of its function is lost", function()
    local semaphore = swarm.semaphore(1)
    assert.equal(
      "invalid_argument",
      code_of(semaphore.with, semaphore, function()
        semaphore:release()
      end)
    )
    assert.has_error(function()
      semaphore:with(function()
        semaphore:release()
        error "mine"
      end)
    end, "mine")
    semaphore:acquire()
    semaphore:release()
  end)
end)

describe("swarm.event", function()
  it("is not set at first, and wakes all when it is, in their order", function()
    local event, order = swarm.event(), {}
    local list = crowd(4, function(i)
      event:wait()
      order[#order + 1] = i
    end)
    assert.same({}, order)
    event:set()
    join_all(list)
    assert.same({ 1, 2, 3, 4 }, order)
  end)

  it("lets through who comes while it is set", function()
    local event = swarm.event()
    event:set()
    event:set()
    event:wait()
    event:wait()
  end)

  it("wakes who waited even where clear follows at once; who comes later waits", function()
    local event, order = swarm.event(), {}
    local list = crowd(2, function(i)
      event:wait()
      order[#order + 1] = i
    end)
    event:set()
    event:clear()
    must_wait(event, "wait")
    join_all(list)
    assert.same({ 1, 2 }, order)
  end)

  it("stays set after it has woken those who waited", function()
    local event = swarm.event()
    local list = crowd(2, function()
      event:wait()
      event:wait()
    end)
    event:set()
    event:wait()
    join_all(list)
  end)

  it("can be set and cleared again and again", function()
    local event, woken = swarm.event(), 0
    local h = swarm.spawn(function()
      for _ = 1, 5 do
        event:wait()
        woken = woken + 1
        event:clear()
      end
    end)
    for i = 1, 5 do
      swarm.sleep(1)
      assert.equal(i - 1, woken)
      event:set()
    end
    swarm.join(h)
    assert.equal(5, woken)
  end)

  it("set while the woken have not run yet changes nothing for them", function()
    local event, runs = swarm.event(), 0
    local h = started(function()
      event:wait()
      runs = runs + 1
    end)
    event:set()
    event:clear()
    event:set()
    swarm.join(h)
    assert.equal(1, runs)
  end)

  it("wait, set and clear return nothing", function()
    local event = swarm.event()
    assert.equal(0, select("#", event:set()))
    assert.equal(0, select("#", event:wait()))
    assert.equal(0, select("#", event:clear()))
  end)
end)

describe("swarm.lock", function()
  it("lets one worker in at a time, in their order", function()
    local lock, order, inside = swarm.lock(), {}, 0
    local list = {}
    for i = 1, 5 do
      list[i] = swarm.spawn(function()
        lock:with(function()
          inside = inside + 1
          assert.equal(1, inside)
          swarm.sleep(1)
          order[#order + 1] = i
          inside = inside - 1
        end)
      end)
    end
    join_all(list)
    assert.same({ 1, 2, 3, 4, 5 }, order)
    assert.equal(5, swarm.monotonic())
  end)

  it("is fair to those who wait while its holder takes it again and again", function()
    local lock, order = swarm.lock(), {}
    local list = {}
    for i = 1, 2 do
      list[i] = swarm.spawn(function()
        for _ = 1, 3 do
          lock:with(function()
            order[#order + 1] = i
            swarm.yield()
          end)
        end
      end)
    end
    join_all(list)
    assert.same({ 1, 2, 1, 2, 1, 2 }, order)
  end)

  it("raises deadlock where its holder takes it again, and stays held meanwhile", function()
    local lock, other = swarm.lock(), nil
    local got = false
    lock:with(function()
      local err = raised(function()
        lock:with(print)
      end)
      assert.equal("deadlock", err.code)
      assert.matches("holds the lock made at .*sync_spec%.lua:%d+ already", err.message)
      assert.matches("take it once", err.message)
      assert.matches("sync_spec%.lua:%d+$", err.where)
      other = started(function()
        lock:with(function()
          got = true
        end)
      end)
      assert.is_false(got)
    end)
    swarm.join(other)
    assert.is_true(got)
  end)

  it("raises deadlock also from inside a coroutine, a timeout or a shield", function()
    local lock = swarm.lock()
    lock:with(function()
      assert.equal(
        "deadlock",
        code_of(coroutine.wrap(function()
          lock:with(print)
        end))
      )
      assert.equal(
        "deadlock",
        code_of(swarm.timeout, 1, function()
          lock:with(print)
        end)
      )
      assert.equal(
        "deadlock",
        code_of(swarm.shield, function()
          lock:with(print)
        end)
      )
    end)
  end)

  it("can be taken again by the same worker once it is free", function()
    local lock = swarm.lock()
    for i = 1, 3 do
      assert.equal(
        i,
        lock:with(function()
          return i
        end)
      )
    end
  end)

  it("takes nothing else: a lock beside it is another", function()
    local a, b = swarm.lock(), swarm.lock()
    assert.equal(
      "both",
      a:with(function()
        return b:with(function()
          return "both"
        end)
      end)
    )
  end)

  it("passes on where its holder is cancelled, and where the next is cancelled as well", function()
    local lock = swarm.lock()
    local list = crowd(3, function()
      lock:with(function()
        swarm.sleep(100)
      end)
    end)
    local last = started(function()
      return lock:with(function()
        return "mine"
      end)
    end)
    swarm.cancel(list[2])
    swarm.cancel(list[1])
    swarm.sleep(1)
    swarm.cancel(list[3])
    assert.equal("mine", swarm.result(last))
    assert.equal(1, swarm.monotonic())
  end)
end)

describe("with", function()
  ---Runs a spec with a semaphore of one permit, and with a lock.
  local function for_both(fn)
    fn(swarm.semaphore(1), "semaphore")
    fn(swarm.lock(), "lock")
  end

  local function is_free(object)
    return (pcall(swarm.timeout, 0.001, function()
      object:with(function() end)
    end))
  end

  it("takes a function", function()
    for_both(function(object, name)
      for _, value in ipairs { 1, "print", {}, false } do
        local err = raised(object.with, object, value)
        assert.equal("invalid_argument", err.code)
        assert.matches(name .. ":with takes a function", err.message)
      end
      assert.equal("invalid_argument", code_of(object.with, object))
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where the function raises, and the error comes out as it is", function()
    for_both(function(object)
      local mine = { code = "mine" }
      assert.equal(
        mine,
        raised(object.with, object, function()
          error(mine)
        end)
      )
      assert.is_true(is_free(object))
      assert.has_error(function()
        object:with(function()
          error "text"
        end)
      end, "text")
      assert.is_true(is_free(object))
      assert.is_false((pcall(object.with, object, function()
        error(nil)
      end)))
      assert.is_true(is_free(object))
    end)
  end)

  it("keeps the traceback of an error inside", function()
    for_both(function(object)
      local function deep()
        error "inside"
      end
      local h = swarm.spawn(function()
        object:with(function()
          deep()
          return nil
        end)
      end)
      local _, err = swarm.join(h)
      assert.matches("deep", err.traceback)
    end)
  end)

  it("gives back where its worker is cancelled inside, or while it waits", function()
    for_both(function(object)
      local h = started(function()
        object:with(function()
          swarm.sleep(100)
        end)
      end)
      local second = started(function()
        object:with(error)
      end)
      swarm.cancel(second)
      swarm.cancel(h, "stop", { wait = true })
      assert.equal("cancelled", h.status)
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where a timeout around it, or inside it, ends it", function()
    for_both(function(object)
      assert.equal(
        "timeout",
        code_of(swarm.timeout, 1, function()
          object:with(function()
            swarm.sleep(100)
          end)
        end)
      )
      assert.is_true(is_free(object))
      assert.equal(
        "timeout",
        code_of(object.with, object, function()
          swarm.timeout(1, function()
            swarm.sleep(100)
          end)
        end)
      )
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where the function runs out of stack", function()
    for_both(function(object)
      local function endless()
        return 1 + endless()
      end
      assert.is_false((pcall(object.with, object, endless)))
      assert.is_true(is_free(object))
    end)
  end)

  it("gives back where the stack has hardly room for it", function()
    for_both(function(object)
      local function at_depth(n)
        if n == 0 then
          object:with(function() end)
          return 0
        end
        return 1 + at_depth(n - 1)
      end
      local low, high = 100, 100000 -- the deepest that has room lies between
      while high - low > 1 do
        local middle = math.floor((low + high) / 2)
        if pcall(at_depth, middle) then
          low = middle
        else
          high = middle
        end
        assert.is_true(is_free(object))
      end
      for depth = low - 60, low + 60 do
        pcall(at_depth, depth)
        assert.is_true(is_free(object), depth)
      end
    end)
  end)

  it("holds during clean-up that waits, and is given back after it", function()
    for_both(function(object)
      local h = started(function()
        object:with(function()
          pcall(swarm.sleep, 100)
          swarm.shield(function()
            swarm.sleep(5)
          end)
        end)
      end)
      swarm.cancel(h)
      swarm.yield()
      assert.is_false(is_free(object))
      swarm.join(h)
      assert.is_true(is_free(object))
    end)
  end)

  it("is no cancel scope: children spawned inside outlive it", function()
    for_both(function(object)
      local child
      local at = swarm.monotonic()
      local h = swarm.spawn(function()
        object:with(function()
          child = swarm.spawn(function()
            swarm.sleep(5)
            return "done"
          end)
        end)
        assert.equal(at, swarm.monotonic())
        pcall(object.with, object, error)
        swarm.yield()
        assert.equal("running", child.status)
      end)
      assert.is_true(swarm.join(h))
      assert.equal("done", swarm.result(child))
      assert.equal(at + 5, swarm.monotonic())
    end)
  end)

  it("inside a coroutine of the author's, it may wait", function()
    for_both(function(object)
      local step = coroutine.wrap(function()
        local value = object:with(function()
          swarm.sleep(1)
          return "inside"
        end)
        coroutine.yield(value)
        return "after"
      end)
      assert.equal("inside", step())
      assert.is_true(is_free(object))
      assert.equal("after", step())
    end)
  end)

  it("cannot be left by a coroutine.yield of the coroutine that opened it", function()
    for_both(function(object)
      local step = coroutine.wrap(function()
        object:with(function()
          coroutine.yield "out"
        end)
      end)
      local err = raised(step)
      assert.equal("invalid_argument", err.code)
      assert.matches("coroutine.yield out of a with block", err.message)
      assert.matches("leave the block first", err.message)
      assert.is_true(is_free(object))
    end)
  end)

  it("may be caught there, and the coroutine yields again after it", function()
    for_both(function(object)
      local step = coroutine.wrap(function()
        local caught = object:with(function()
          return object ~= nil and code_of(coroutine.yield, "out")
        end)
        coroutine.yield(caught)
        coroutine.yield "later"
      end)
      assert.equal("invalid_argument", step())
      assert.equal("later", step())
    end)
  end)

  it("of two nested, the outer one still bars the yield", function()
    local lock, semaphore = swarm.lock(), swarm.semaphore(1)
    local step = coroutine.wrap(function()
      lock:with(function()
        semaphore:with(function() end)
        pcall(semaphore.with, semaphore, error)
        coroutine.yield "out"
      end)
    end)
    assert.equal("invalid_argument", code_of(step))
    assert.is_true(is_free(lock) and is_free(semaphore))
  end)

  it("lets coroutines that are resumed inside it yield freely", function()
    for_both(function(object)
      local outer = coroutine.wrap(function()
        for n = 1, 3 do
          coroutine.yield(n)
        end
      end)
      assert.equal(1, outer())
      local inside = object:with(function()
        local inner = coroutine.wrap(function()
          coroutine.yield "inner"
        end)
        return { outer(), inner() }
      end)
      assert.same({ 2, "inner" }, inside)
      assert.equal(3, outer())
      assert.same(
        { 2 },
        coroutine.wrap(function()
          return object:with(function()
            local deep = coroutine.wrap(function()
              coroutine.yield(2)
            end)
            return { deep() }
          end)
        end)()
      )
    end)
  end)

  it("at the top of a worker does not bar the yields of coroutines around", function()
    for_both(function(object)
      local h = swarm.spawn(function()
        local step = coroutine.wrap(function()
          coroutine.yield(1)
          coroutine.yield(2)
        end)
        return { object:with(step), object:with(step) }
      end)
      assert.same({ 1, 2 }, swarm.result(h))
    end)
  end)
end)
