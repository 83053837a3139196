-- A pipeline: each step checks what the last one made. A step that fails its check is tried again;
-- one that never passes blocks the whole, with what there was.
--
--   swarm-host scripts/pipeline.lua [TEXT]

local TRIES = 3

-- A draft: here a shell command, in earnest a command-line agent. It gets better with each try.
swarm.worker "draft" {
  command = { "cut", "-c", "{input.from}-{input.to}" },
  stdin = "{input.text}",
  output = { format = "text" },
  timeout = 10,
}

-- A check: blocked says no, with a reason.
swarm.worker "check" {
  run = function(_, draft)
    if #draft.text < draft.least then
      return draft.text, ("only %d of %d characters"):format(#draft.text, draft.least)
    end
    return draft.text
  end,
}

swarm.worker "publish" {
  role = "publisher",
  command = { "tr", "a-z", "A-Z" },
  output = { format = "text" },
}

swarm.role "publisher" {
  extends = "worker",
  allow = { run_process = { "tr" } },
  deny = { "write_files", "use_network" },
}

-- After every check: count what it said.
local checks = { passed = 0, refused = 0 }
swarm.after("check", function(_, result)
  local word = result.ok and "passed" or "refused"
  checks[word] = checks[word] + 1
end)

---Draft and check until the check passes.
local function checked_draft(text)
  local draft, refusal ---@type string, string?
  for try = 1, TRIES do
    draft = swarm.call("draft", { text = text, from = 1, to = 8 * try })
    local value, err = swarm.call("check", { text = draft, least = math.min(#text, 20) })
    if not err then
      return value
    end
    refusal = err.reason
    swarm.log.info("tried again", { try = try, reason = refusal })
  end
  return draft, refusal
end

swarm.main(function(args)
  local draft, refusal = checked_draft(args[1] or "one spawn, one worker, one join")
  if refusal then
    return draft, refusal
  end
  return { published = swarm.call("publish", draft), checks = checks }
end)
