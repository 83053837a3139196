-- Programs that write lines to their standard error, each so many a second for so many seconds.
swarm.worker "chatter" {
  label = "{input.number}",
  command = { "{input.python}", "tests/bench/chatter.py", "{input.rate}", "{input.seconds}" },
}

swarm.main(function(args)
  local handles = {}
  for i = 1, tonumber(args[1]) do
    local input = { number = i, python = args[2], rate = args[3], seconds = args[4] }
    handles[i] = swarm.spawn("chatter", input)
  end
  for _, ended in ipairs(swarm.settle(handles)) do
    assert(ended.status == "pass")
  end
  return { ended = #handles }
end)
