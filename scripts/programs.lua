-- The common shapes of programs, each with a small stand-in that a shell can play. Put your own in
-- place of `command` or `shell`, and keep the rest.
--
--   swarm-host scripts/programs.lua

-- 1. It prints JSON, and its exit code says whether it went well.
swarm.worker "measure" {
  shell = [[printf '{"file": "%s", "answer": {"lines": 3}}\n' "$FILE"]],
  env = { FILE = "{input.file}" },
  output = { format = "json", result = "/answer/lines" },
  timeout = 10,
}

-- 2. It streams JSON lines of a kind of its own. `event` says what each of them is.
swarm.worker "agent" {
  shell = [[
    echo '{"kind": "thought", "text": "looking around"}'
    echo '{"kind": "tokens", "in": 120, "out": 30}'
    echo '{"kind": "answer", "text": "it is done"}'
  ]],
  output = {
    format = "ndjson",
    event = function(item)
      if item.kind == "thought" then
        return { type = "progress", stage = "thought", note = item.text }
      elseif item.kind == "tokens" then
        return { type = "usage", input = item["in"], output = item.out }
      elseif item.kind == "answer" then
        return { type = "final", value = item.text }
      end
    end,
  },
  idle = 60, -- no word for a minute: it hangs
  linger = 5, -- it has answered, and has five seconds to end
}

-- 3. It reads its prompt on stdin: that is where a prompt goes that nothing else names.
swarm.worker "summary" {
  command = { "wc", "-w" },
  prompt = "Say in a few words what {input.file} is about.",
  output = { format = "json" },
}

-- 4. It wants its prompt in a file, which is gone afterwards.
swarm.worker "from file" {
  command = { "head", "-n", "1", "{prompt_file}" },
  output = { format = "text" },
}

-- 5. It is a service: it is ready once it says so, and runs until it is stopped.
swarm.worker "service" {
  shell = "sleep 0.1; echo listening on 8080; exec sleep 1000",
  ready = { output = "^listening on %d+" },
  output = { format = "lines", keep = 0 },
}

-- 6. It answers a line with a line, and is started once for many.
swarm.worker "oracle" {
  shell = [[while read -r line; do echo "yes, $line"; done]],
  output = { format = "lines" },
}

-- 7. A filter between two workers: lines go through it as they come.
swarm.worker "numbers" { command = { "seq", "1", "5" }, output = { format = "lines" } }
swarm.worker "odd" {
  shell = "grep '[13579]$'",
  stdin = function(_, input)
    return input.from
  end,
  output = { format = "lines" },
}

swarm.main(function()
  print("measure", swarm.call("measure", { file = "a.c" }))

  local agent = swarm.spawn "agent"
  for event in swarm.follow(agent) do
    print("agent", event.type, event.note or event.input or event.content and event.content.value)
  end

  print("summary", swarm.call("summary", { file = "a.c" }))
  print("from file", swarm.call("from file", "first line\nsecond line"))

  local services = swarm.supervise { children = { { "service" } } }
  print("service", services:ready())
  swarm.cancel(services)

  local oracle = swarm.open "oracle"
  print("oracle", oracle:invoke "is it", oracle:invoke "is it still")

  print("odd", table.concat(swarm.call("odd", { from = swarm.spawn "numbers" }), " "))
end)
