-- The smallest swarm: three workers greet, main joins them in order.
swarm.worker "greet" {
  run = function(_, name)
    return "hello, " .. name
  end,
}

swarm.main(function(args)
  for _, name in ipairs(#args > 0 and args or { "swarm", "world", "you" }) do
    print(swarm.call("greet", name))
  end
end)
