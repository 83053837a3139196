-- Takes what agents/writer.py writes. Arguments: the agent, MB.
local name, megabytes = unpack(swarm.args)
swarm.worker "agent" {
  agent = name,
  prompt = "look",
  env = { MEGABYTES = megabytes },
}

swarm.main(function()
  local started = swarm.monotonic()
  local h = swarm.spawn "agent"
  local value = swarm.result(h)
  return { seconds = swarm.monotonic() - started, answered = value ~= nil }
end)
