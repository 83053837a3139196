-- Raises what no script should raise, everywhere an error passes: ODD is a list of values, and the
-- argument names where they are raised. Whatever is raised ends its worker and nothing else.
local swarm = require "swarm"

local function never()
  error "nobody calls this"
end

local function bad(metamethods)
  return function()
    return setmetatable({ code = "mine" }, metamethods)
  end
end

local round = { code = "round" }
round.cause, round.errors, round.others = round, { round, round }, { round }
setmetatable(round, { __index = round })

-- The fields that the host reads of an error, each with values of every wrong type.
local FIELDS = {
  "code", "message", "where", "traceback", "attempts", "others", "errors", "cause", "name",
  "task_id", "spawned_at", "spawned_by", "reason", "refused", "cancel_reason", "value",
  "waiting", "abandoned",
}
local WRONG = {
  true,
  false,
  5,
  0 / 0,
  "text",
  {},
  { 1, true, "x" },
  { { others = 5 }, { message = {} } },
  never,
  swarm,
  swarm.null,
  coroutine.create(never),
}

-- Functions, for an error is a new one each time.
local ODD = {
  function() return nil end,
  function() return true end,
  function() return 0 / 0 end,
  function() return never end,
  function() return "" end,
  function() return ("x"):rep(100000) end,
  function() return "\255\0\n" end,
  function() return swarm end,
  function() return swarm.null end,
  function() return swarm.file "x" end,
  function() return round end,
  function() return coroutine.create(never) end,
  bad { __index = never },
  bad { __newindex = never },
  bad { __tostring = never },
  bad { __tostring = function() return {} end },
  bad { __len = never, __call = never, __concat = never, __eq = never, __lt = never },
  bad { __index = never, __newindex = never, __tostring = never, __metatable = false },
  bad { __mode = "kv", __gc = never },
  function() return select(2, pcall(swarm.sleep, "x")) end,
}
for i, field in ipairs(FIELDS) do
  for j, wrong in ipairs(WRONG) do
    if (i + j) % 3 == 0 then
      ODD[#ODD + 1] = function()
        return { [field] = wrong }
      end
    elseif (i + j) % 3 == 1 then
      ODD[#ODD + 1] = function() -- on an error of the host's
        local _, err = pcall(swarm.sleep, "x")
        err[field] = wrong
        return err
      end
    end
  end
end
for _, wrong in ipairs(WRONG) do
  ODD[#ODD + 1] = function() -- on everything at once
    local all = {}
    for _, field in ipairs(FIELDS) do
      all[field] = wrong
    end
    return all
  end
end

local odd -- the one that is raised now
local function raise()
  error(odd(), 0)
end

---Another worker's error, or a cancel, that was caught and is raised again with the same fields.
local function raise_caught(err)
  local made = odd()
  if type(made) == "table" and type(err) == "table" and made ~= swarm then
    for key, value in next, made do
      err[key] = value
    end
  end
  error(err, 0)
end

swarm.worker "raises" { run = raise }
swarm.worker "raises in before" { run = never }
swarm.before("raises in before", raise)
swarm.worker "raises in after" { run = function() end }
swarm.after("raises in after", raise)
swarm.worker "raises in around" { run = raise }
swarm.around("raises in around", function(_, following)
  raise_caught(select(2, pcall(following)))
end)
swarm.worker "raises in settled" { run = raise }
swarm.settled("raises in settled", function(_, outcome)
  raise_caught(outcome.err)
end)
swarm.worker "is tried again" { run = raise, retries = { max = 2, backoff = 0 } }
swarm.worker "is not tried again" {
  run = raise,
  retries = { max = 2, backoff = 0, on = raise_caught },
}
swarm.layer "refuses" { event = raise }
swarm.worker "raises in event" { layers = { "refuses" }, run = function() end }
swarm.worker "blocks" {
  run = function()
    return odd(), odd()
  end,
}

local function spawned(name)
  swarm.spawn(name)
  swarm.yield()
end

local function waits_and_raises()
  local _, err = pcall(swarm.sleep, 60)
  raise_caught(err)
end

local WAYS = {
  spawn = function() spawned "raises" end,
  told = function()
    swarm.spawn "raises"
    swarm.spawn "is tried again"
    swarm.sleep(0.001)
    swarm.spawn "raises"
    swarm.sleep(0.001)
    raise()
  end,
  detached = function()
    swarm.spawn("raises", nil, { detached = true })
    swarm.yield()
  end,
  join = function() print(select(2, swarm.join(swarm.spawn "raises")) == nil) end,
  call = function() swarm.call "raises" end,
  again = function()
    raise_caught(select(2, swarm.join(swarm.spawn "raises")))
  end,
  all = function() swarm.all { swarm.spawn "raises", swarm.spawn "is tried again", raise } end,
  any = function() swarm.any { swarm.spawn "raises", swarm.spawn "is tried again", raise } end,
  settle = function() swarm.settle { swarm.spawn "raises", raise } end,
  map = function() swarm.map(raise, { 1, 2, 3 }) end,
  scope = function()
    swarm.scope(function(scope)
      scope:spawn(raise)
      scope:spawn(waits_and_raises)
      swarm.sleep(0.001)
      raise()
    end)
  end,
  timeout = function() swarm.timeout(0.001, waits_and_raises) end,
  times_out = function() swarm.join(swarm.spawn(waits_and_raises, nil, { timeout = 0.001 })) end,
  cancelled = function()
    local h = swarm.spawn(function()
      swarm.spawn(waits_and_raises)
      waits_and_raises()
    end)
    swarm.sleep(0)
    h:cancel "no more"
    swarm.yield()
  end,
  cancelled_unseen = function()
    swarm.spawn(waits_and_raises):cancel "before it began"
    swarm.spawn(waits_and_raises)
    swarm.yield()
    raise()
  end,
  shield = function() swarm.shield(raise) end,
  retries = function() spawned "is tried again" end,
  refused_retries = function() spawned "is not tried again" end,
  before = function() spawned "raises in before" end,
  after = function() spawned "raises in after" end,
  around = function() spawned "raises in around" end,
  event = function() spawned "raises in event" end,
  settled = function() spawned "raises in settled" end,
  blocked = function() swarm.result(swarm.spawn "blocks") end,
  open = function()
    local h = swarm.open "raises"
    pcall(h.invoke, h, 1)
    h:invoke(2)
  end,
  supervise = function()
    local sup = swarm.supervise {
      children = {
        { "raises", restart = "transient" },
        { "is tried again", restart = "temporary" },
      },
      intensity = 1,
      period = 5,
    }
    sup:join()
  end,
  coroutine = function() coroutine.wrap(raise)() end,
}

swarm.main(function(args)
  local count = 0
  for _, made in ipairs(ODD) do
    odd, count = made, count + 1
    swarm.join(swarm.spawn(WAYS[args[1]])) -- joined: what fails there ends nothing here
  end
  print("raised", count)
end)
