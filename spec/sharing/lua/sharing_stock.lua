-- The workers and words that several specs of this chapter share.
local outcomes = require "outcomes"
local stages = require "stages"
local swarm = require "swarm"

local code_of = outcomes.code_of
local started = stages.started

swarm.worker "receive_from" {
  run = function(_, input)
    return (input.from:recv())
  end,
}

---Calls a method, which must wait: it is left waiting for a second.
---@param object any
---@param method string
---@param value? any
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
---@param n integer
---@param fn fun(i: integer): any...
---@return any[] handles
local function crowd(n, fn)
  local list = {}
  for i = 1, n do
    list[i] = started(function()
      return fn(i)
    end)
  end
  return list
end

---@return number KiB
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
---@param fn fun(call: { wait: function, free: function }, name: string)
local function for_each_call(fn)
  local calls, unlocked = waiting_calls()
  for name, call in pairs(calls) do
    fn(call, name)
  end
  unlocked:set()
end

return {
  must_wait = must_wait,
  packed = packed,
  crowd = crowd,
  memory = memory,
  waiting_calls = waiting_calls,
  for_each_call = for_each_call,
}
