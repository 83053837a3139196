-- One worker joins new children for ever. Beside it a timer of 10 ms, over and over, and ten
-- workers that only want their turn. Then a worker that is spawned and not joined: how long it
-- waits to begin, beside that one, and beside two that hand a value to and fro for ever.
swarm.worker "leaf" {
  run = function(_, x)
    return x
  end,
}

---The longest that a worker which nobody joins waits for its turn to begin, in milliseconds.
local function longest_wait(rounds)
  local longest = 0
  for _ = 1, rounds do
    local spawned, began = swarm.monotonic(), nil
    local h = swarm.spawn(function()
      began = swarm.monotonic()
    end)
    repeat
      swarm.sleep(0.001)
    until began
    longest = math.max(longest, (began - spawned) * 1000)
    swarm.join(h)
  end
  return longest
end

local function ping_pong()
  local there, back = swarm.channel(), swarm.channel()
  swarm.spawn(function()
    for value in there:iter() do
      back:send(value)
    end
  end)
  while true do
    there:send(1)
    back:recv()
  end
end

swarm.main(function(args)
  local rounds = tonumber(args[1] or 300)
  local busy = swarm.spawn(function()
    while true do
      swarm.result(swarm.spawn("leaf", 1))
    end
  end)
  local turns, others = {}, {}
  for i = 1, 10 do
    turns[i] = 0
    others[i] = swarm.spawn(function()
      while true do
        turns[i] = turns[i] + 1
        swarm.yield()
      end
    end)
  end
  local late = {}
  for i = 1, rounds do
    local started = swarm.monotonic()
    swarm.sleep(0.01)
    late[i] = (swarm.monotonic() - started) * 1000
  end
  for i = 1, 10 do
    swarm.cancel(others[i], nil, { wait = true })
  end
  local beside_joins = longest_wait(rounds / 10)
  swarm.cancel(busy, nil, { wait = true })
  local talk = swarm.spawn(ping_pong)
  local beside_channels = longest_wait(rounds / 10)
  swarm.cancel(talk, nil, { wait = true })
  table.sort(late)
  table.sort(turns)
  return {
    p50_ms = late[math.ceil(rounds * 0.5)],
    beside_joins_ms = beside_joins,
    beside_channels_ms = beside_channels,
    p99_ms = late[math.ceil(rounds * 0.99)],
    fewest_turns = turns[1],
    rounds = rounds,
  }
end)
