-- An interpreter of small swarms (tests/journal/swarms.py): each worker runs a list of commands and
-- returns a list of what came of them, the same in every order of ends. Whoever begins says so in a
-- file.
local log = swarm.args[1]

local run_all

local function say(ctx, id)
  swarm.exec { "sh", "-c", 'echo "$1 $2" >> "$3"', "sh", ctx.task_id, tostring(id), log }
end

swarm.worker "node" {
  label = "{input.id}",
  run = function(ctx, input)
    say(ctx, input.id)
    return run_all(ctx, input.commands)
  end,
}

swarm.worker "again" {
  run = function(ctx, input)
    say(ctx, input.id)
    return run_all(ctx, input.commands)
  end,
}

swarm.worker "flaky" {
  retries = { max = 3, backoff = 0 },
  run = function(ctx, input)
    say(ctx, input.id)
    if ctx.attempt <= input.failures then
      error("attempt " .. ctx.attempt)
    end
    return input.value
  end,
}

swarm.worker "program" {
  command = {
    "sh",
    "-c",
    'echo "$1 $2" >> "$3"; sleep "$4"; echo "$5"',
    "sh",
    "{task_id}",
    "{input.id}",
    log,
    "{input.seconds}",
    "{input.value}",
  },
}

swarm.worker "sleeper" {
  run = function()
    swarm.sleep(60)
  end,
}

swarm.worker "failing" {
  run = function(_, input)
    swarm.sleep(input.seconds)
    error("never")
  end,
}

swarm.worker "sender" {
  run = function(ctx, input)
    say(ctx, input.id)
    for i = 1, input.count do
      input.channel:send(i)
    end
    input.channel:close()
    return input.count
  end,
}

local commands = {}

function commands.spawn(_, c)
  return swarm.result(swarm.spawn("node", c.node))
end

function commands.pair(_, c)
  local a, b = swarm.spawn("node", c.first), swarm.spawn("node", c.second)
  return { swarm.result(b), swarm.result(a) }
end

function commands.map(_, c)
  return swarm.map("node", c.nodes)
end

function commands.all(_, c)
  local fns = {}
  for i, node in ipairs(c.nodes) do
    fns[i] = function()
      return swarm.call("node", node)
    end
  end
  return swarm.all(fns)
end

function commands.any(_, c)
  return swarm.any {
    function()
      return swarm.call("failing", { seconds = c.seconds })
    end,
    function()
      return swarm.call("node", c.node)
    end,
  }
end

function commands.cancel(_, c)
  local h = swarm.spawn("sleeper")
  local value = swarm.call("node", c.node)
  swarm.cancel(h)
  swarm.join(h)
  return { value, h.status }
end

function commands.flaky(_, c)
  return swarm.call("flaky", { id = c.id, failures = c.failures, value = c.value })
end

function commands.retry(_, c)
  local h = swarm.spawn("again", c.node)
  swarm.join(h)
  swarm.retry(h)
  return swarm.result(h)
end

function commands.channel(_, c)
  local channel = swarm.channel(c.size)
  local h = swarm.spawn("sender", { id = c.id, channel = channel, count = c.count })
  local sum = 0
  for value in channel:iter() do
    sum = sum + value
  end
  return { sum, swarm.result(h) }
end

function commands.sleep(_, c)
  swarm.sleep(c.seconds)
  return "slept"
end

function commands.program(_, c)
  return swarm.call(
    "program",
    { id = c.id, seconds = tostring(c.seconds), value = tostring(c.value) }
  )
end

function commands.scope(ctx, c)
  local out
  swarm.scope(function()
    swarm.spawn("node", c.node)
    out = run_all(ctx, c.commands)
  end)
  return out
end

function commands.random(ctx, c)
  ctx:progress("random", tostring(c.value))
  return { math.random(1000) > 0, #swarm.uuid(), swarm.recorded("id" .. c.id, swarm.uuid) ~= nil }
end

function run_all(ctx, list)
  local out = swarm.array {}
  for i, c in ipairs(list) do
    out[i] = commands[c.op](ctx, c)
  end
  return out
end

swarm.main(function(_, ctx)
  return run_all(ctx, ctx.input)
end)
