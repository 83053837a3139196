-- Calls of a function of Python's, so many at once: the seconds that they took.
swarm.worker "sync" { python = "python_calls:nothing" }
swarm.worker "async" { python = "python_calls:nothing_later" }

swarm.worker "calls" {
  run = function(_, input)
    local started = swarm.monotonic()
    local function caller(_, n)
      for _ = 1, n do
        swarm.call(input.name, { n = 1 })
      end
    end
    local callers = {}
    for i = 1, input.at_once do
      callers[i] = swarm.spawn(caller, input.count / input.at_once)
    end
    swarm.all(callers)
    return swarm.monotonic() - started
  end,
}
