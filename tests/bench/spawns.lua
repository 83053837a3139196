-- Short processes, so many at once. Input: { count, at_once }.
swarm.worker "true" { command = { "true" }, output = { format = "text" } }

swarm.worker "spawns" {
  run = function(_, input)
    local items = {}
    for i = 1, input.count do
      items[i] = i
    end
    local started = swarm.monotonic()
    swarm.map("true", items, { concurrency = input.at_once })
    return swarm.monotonic() - started
  end,
}
