-- One worker joins new children for ever. Beside it a timer of 10 ms, over and over, and ten
-- workers that only want their turn.
swarm.worker "leaf" {
  run = function(_, x)
    return x
  end,
}

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
  swarm.cancel(busy)
  for i = 1, 10 do
    swarm.cancel(others[i])
  end
  table.sort(late)
  table.sort(turns)
  return {
    p50_ms = late[math.ceil(rounds * 0.5)],
    p99_ms = late[math.ceil(rounds * 0.99)],
    fewest_turns = turns[1],
    rounds = rounds,
  }
end)
