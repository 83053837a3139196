-- A tree of 1,111,111 workers: ten children each, six deep; every parent joins its children.
-- Beside it one worker looks at the Lua heap in every tick.
swarm.worker "node" {
  run = function(_, input)
    local number, size = input[1], input[2]
    if size == 1 then
      return number
    end
    local children, part, sum = {}, size / 10, 0
    for i = 0, 9 do
      children[i + 1] = swarm.spawn("node", { number + i * part, part })
    end
    for i = 1, 10 do
      sum = sum + swarm.result(children[i])
    end
    return sum
  end,
}

swarm.main(function(args)
  local leaves = tonumber(args[1] or 1000000)
  local peak = 0
  local looking = swarm.spawn(function()
    while true do
      peak = math.max(peak, collectgarbage "count")
      swarm.sleep(0.002)
    end
  end)
  local started = swarm.monotonic()
  local sum = swarm.call("node", { 0, leaves })
  local seconds = swarm.monotonic() - started
  swarm.cancel(looking)
  return { sum = sum, seconds = seconds, lua_mb = peak / 1024 }
end)
