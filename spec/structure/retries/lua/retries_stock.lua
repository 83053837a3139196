-- The workers and words that several specs of this chapter share.
local notes = require "notes"
local swarm = require "swarm"

local note = notes.note

-- Fails until attempt `works_at`, each attempt after `seconds`.
local function flaky(ctx, plan)
  note("try" .. ctx.attempt .. "@" .. swarm.monotonic())
  ctx:progress("try", tostring(ctx.attempt))
  swarm.sleep(plan.seconds or 0)
  if ctx.attempt < (plan.works_at or 1e9) then
    error { code = plan.code or "broke", attempt = ctx.attempt }
  end
  return "attempt " .. ctx.attempt
end

swarm.worker "flaky" { retries = { max = 3, backoff = 1, jitter = false }, run = flaky }
swarm.worker "stubborn" { run = flaky }

swarm.worker "one_at_a_time" {
  concurrency = 1,
  retries = { max = 2, backoff = 10, jitter = false },
  run = flaky,
}

swarm.worker "brief" {
  timeout = 5,
  retries = { max = 1, backoff = 1, jitter = false },
  run = function(ctx, seconds)
    note("try" .. ctx.attempt)
    swarm.sleep(seconds[ctx.attempt])
    return "in time"
  end,
}

swarm.role "no_files" { extends = "worker", deny = { "read_files" } }

swarm.worker "tells_rights" {
  role = "no_files",
  retries = {
    max = 1,
    backoff = 0,
    on = function()
      note("on:" .. tostring(pcall(swarm.fs.exists, "x")))
      return true
    end,
  },
  run = function(ctx)
    note("run" .. ctx.attempt .. ":" .. tostring(pcall(swarm.fs.exists, "x")))
    error "again"
  end,
}

local hooks_seen = {} ---@type string[]

swarm.worker "hooked" {
  retries = { max = 2, backoff = 0 },
  run = function(ctx, input)
    note("run " .. input.text .. #input.list)
    input.list[#input.list + 1] = "changed"
    if ctx.attempt < 3 then
      error "again"
    end
    return input.text
  end,
}

swarm.before("hooked", function(_, input)
  input.text = input.text .. "!"
  input.list[#input.list + 1] = "hook"
  return input
end)

swarm.after("hooked", function(_, result)
  result.value = result.value .. "?"
  return result
end)

swarm.settled({ "hooked", "settles", "tells_rights" }, function(ctx, outcome)
  hooks_seen[#hooks_seen + 1] = ctx.attempt .. " " .. outcome.status
  if ctx.meta.cancel_in_hook then
    note(tostring(swarm.cancel(ctx)))
  elseif ctx.meta.seconds then
    swarm.sleep(ctx.meta.seconds)
  end
end)

swarm.worker "settles" { retries = { max = 2, backoff = 10, jitter = false }, run = flaky }

---Spawns a function whose attempt n does what plan[n] says; the last stands for all further ones.
---@param plan swarm.Run[]
---@param retries any
---@param opts? table of `swarm.spawn`
---@return swarm.Handle
local function try(plan, retries, opts)
  opts = opts or {}
  opts.retries = retries
  return swarm.spawn(function(ctx)
    note("try" .. ctx.attempt)
    return (plan[ctx.attempt] or plan[#plan])(ctx)
  end, nil, opts)
end

local function fail()
  error { code = "broke" }
end

local function pass()
  return "passed"
end

local function block()
  return "half", "not enough"
end

local function wait()
  swarm.sleep(1e6)
end

---Parks until a task backs off: its attempt has failed, and the next has a timer.
---@param h swarm.Handle
local function until_backoff(h)
  while not (h.status == "pending" and h.attempt > 1) do
    swarm.sleep(0)
  end
end

return {
  flaky = flaky,
  hooks_seen = hooks_seen,
  try = try,
  fail = fail,
  pass = pass,
  block = block,
  wait = wait,
  until_backoff = until_backoff,
}
