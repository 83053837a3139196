-- Ping-pong: a number goes to another worker and back, over two channels that hold nothing.
swarm.main(function(args)
  local n = tonumber(args[1] or 300000)
  local there, back = swarm.channel(), swarm.channel()
  local echo = swarm.spawn(function()
    for value in there:iter() do
      back:send(value)
    end
  end)
  local started = swarm.monotonic()
  for i = 1, n do
    there:send(i)
    assert(back:recv() == i)
  end
  local seconds = swarm.monotonic() - started
  there:close()
  assert(swarm.join(echo))
  return { us = seconds / n * 1e6 }
end)
