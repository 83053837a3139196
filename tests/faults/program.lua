-- A program made by chance, of all that workers share and of every block: the same for the same
-- seed. However it goes, afterwards no value was lost or received twice, no permit and no lock is
-- still held, and nobody is alive.
local seed = tonumber(swarm.args[1])

local state = seed
local function chance(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return math.floor(state / 65536) % n + 1
end

local channels, semaphores, locks, events = {}, {}, {}, {}
local made = { sends = 0, ops = 0 }
local sent, got = {}, {}
local wrong = {}

local EXPECTED = {
  cancelled = true,
  timeout = true,
  children_failed = true,
  none_passed = true,
  deadlock = true,
  closed = true,
  by_chance = true,
  failed = true, -- another worker's error, raised again
  token_expired = true,
  token_uses_exhausted = true,
  token_revoked = true,
  spawn_depth_exceeded = true,
}

---Runs `fn`; an error that no program can mean is a fault.
local function try(fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok and not EXPECTED[type(err) == "table" and err.code or ""] then
    wrong[#wrong + 1] = "unexpected error: " .. tostring(err)
  end
  return ok, err
end

local function take(channel)
  local value, open = channel:recv()
  if open then
    got[value] = (got[value] or 0) + 1
  end
end

---At most `most` are inside at once.
local function guarded(place, most, fn)
  place.inside = place.inside + 1
  if place.inside > most then
    wrong[#wrong + 1] = place.inside .. " are inside, where " .. most .. " may be"
  end
  local ok, err = pcall(fn)
  place.inside = place.inside - 1
  if not ok then
    error(err, 0)
  end
end

swarm.worker "held" {
  run = function(ctx, input)
    ctx.state.count = (ctx.state.count or 0) + 1
    swarm.sleep(input.seconds)
    if input.fails then
      error { code = "by_chance" }
    end
    return ctx.state.count
  end,
}

local function send()
  made.sends = made.sends + 1
  local value = made.sends
  channels[chance(#channels)]:send(value)
  sent[value] = true
end

local function recv()
  take(channels[chance(#channels)])
end

local OPS = {
  send,
  send,
  send,
  recv,
  recv,
  recv,
  function(op)
    swarm.sleep(op.seconds)
  end,
  function(op)
    local one = semaphores[chance(#semaphores)]
    one.it:with(function()
      guarded(one, one.permits, op.inner)
    end)
  end,
  function(op)
    local one = semaphores[chance(#semaphores)]
    one.it:acquire()
    local ok, err = pcall(guarded, one, one.permits, op.inner)
    one.it:release()
    if not ok then
      error(err, 0)
    end
  end,
  function(op)
    local one = locks[chance(#locks)]
    one.it:with(function()
      guarded(one, 1, op.inner)
    end)
  end,
  function()
    local event = events[chance(#events)]
    if chance(3) == 1 then
      event:clear()
    else
      event:set()
    end
  end,
  function(op)
    swarm.timeout(op.seconds, function()
      events[chance(#events)]:wait()
    end)
  end,
  function(op)
    swarm.scope(function(scope)
      scope:spawn(op.inner)
      op.other()
    end)
  end,
  function(op)
    swarm.shield(op.inner, { timeout = op.seconds })
  end,
  function(op)
    swarm.timeout(op.seconds, op.inner)
  end,
  function(op)
    local handle = swarm.spawn(op.inner)
    swarm.sleep(op.seconds)
    handle:cancel("by chance")
    swarm.join(handle)
  end,
  function(op)
    swarm.result(swarm.spawn(op.inner, nil, { timeout = op.seconds }))
  end,
  function(op)
    local session = swarm.open("held", { uses = chance(4) })
    for _ = 1, chance(3) do
      try(session.invoke, session, { seconds = op.seconds / 4, fails = chance(4) == 1 })
    end
    session:close()
    swarm.join(session)
  end,
  function(op)
    swarm.all { op.inner, op.other }
  end,
  function(op)
    swarm.any { op.inner, op.other }
  end,
  function()
    error { code = "by_chance" }
  end,
}

local function body(depth)
  local list = {}
  for i = 1, chance(4) do
    local below = depth > 0 and body(depth - 1) or function()
      swarm.sleep(chance(3) / 10)
    end
    list[i] = {
      run = OPS[chance(#OPS)],
      seconds = chance(20) / 10,
      inner = below,
      other = depth > 0 and body(depth - 1) or below,
      tries = chance(3) > 1,
    }
  end
  return function()
    for _, op in ipairs(list) do
      made.ops = made.ops + 1
      if op.tries then
        try(op.run, op)
      else
        op.run(op)
      end
    end
  end
end

---What is left in a channel, and that everything that was sent has been received, once.
local function check_values()
  for _, channel in ipairs(channels) do
    channel:close()
    for value in channel:iter() do
      got[value] = (got[value] or 0) + 1
    end
  end
  for value = 1, made.sends do
    local times = got[value] or 0
    if times ~= (sent[value] and 1 or 0) then
      local how = sent[value] and "was sent" or "was not sent"
      wrong[#wrong + 1] = "value " .. value .. " " .. how .. ", and received " .. times .. " times"
    end
  end
end

local function check_permits()
  for number, one in ipairs(semaphores) do
    local ok = pcall(swarm.timeout, 1, function()
      for _ = 1, one.permits do
        one.it:acquire()
      end
    end)
    if not ok or one.inside ~= 0 then
      wrong[#wrong + 1] = "semaphore " .. number .. " has lost a permit"
    end
  end
  for number, one in ipairs(locks) do
    local ok = pcall(swarm.timeout, 1, function()
      one.it:with(function() end)
    end)
    if not ok or one.inside ~= 0 then
      wrong[#wrong + 1] = "lock " .. number .. " is still held"
    end
  end
end

swarm.main(function()
  for i = 1, 3 do
    channels[i] = swarm.channel(chance(4) - 1)
  end
  for i = 1, 2 do
    local permits = chance(3)
    semaphores[i] = { it = swarm.semaphore(permits), permits = permits, inside = 0 }
    locks[i] = { it = swarm.lock(), inside = 0 }
    events[i] = swarm.event()
  end
  local roots = {}
  for i = 1, 6 do
    roots[i] = swarm.spawn(body(2), nil, { timeout = chance(8) })
  end
  for _, root in ipairs(roots) do
    if chance(4) == 1 then
      swarm.sleep(chance(30) / 10)
      root:cancel("by chance")
    end
    local ok, err = swarm.join(root)
    if not ok and not EXPECTED[err.code] then
      wrong[#wrong + 1] = "unexpected end: " .. tostring(err)
    end
  end
  check_values()
  check_permits()
  return { ops = made.ops, sends = made.sends, wrong = swarm.array(wrong) }
end)
