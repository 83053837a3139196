-- A release that people have to allow. Three checks run at once; one that is blocked is put to a
-- senior, who may let it pass; a person sees what was found and approves; then it is published.
--
--   swarm-host scripts/approval.lua VERSION [FOLDER]
--
--   FOLDER  what is released: the working directory by default
--
-- Without a terminal the run ends with status 75 and says how to answer and how to resume it: no
-- check runs twice. Exit status 0: published; 3: somebody said no.

local version, folder = swarm.args[1] or "0.0.0", swarm.args[2] or "."
local MOST_KIB = 4096 -- what a release may have without a senior

swarm.worker "notes" {
  description = "What has changed, for the one who approves.",
  command = { "git", "-C", folder, "log", "--oneline", "-20" },
  output = { format = "text" },
}

swarm.worker "clean" {
  description = "Nothing is left uncommitted.",
  run = function()
    local left = swarm.exec { "git", "-C", folder, "status", "--porcelain" }
    if left.stdout ~= "" then
      return swarm.blocked(left.stdout, "the folder has changes that are not committed")
    end
    return "clean"
  end,
}

swarm.worker "size" {
  description = "It has not grown beyond what a release may have.",
  run = function()
    local listed = swarm.exec { "git", "-C", folder, "count-objects", "-v" }
    local kib = tonumber(listed.stdout:match "size%-pack: (%d+)") or 0
    if kib > MOST_KIB then
      return swarm.blocked(kib, ("it has %d KiB, and may have %d"):format(kib, MOST_KIB))
    end
    return kib
  end,
}

-- Who decides about what is blocked: the senior is a person too, so this is a question like any
-- other. Seniors alone may override.
swarm.worker "senior" {
  label = "about {input.name}",
  role = "senior-who-asks",
  authority = "own",
  run = function(_, blocked)
    local answer = swarm.ask(
      ("%s is blocked: %s. Let it pass?"):format(blocked.name, blocked.reason),
      { to = "senior", choices = { "pass", "stop" } }
    )
    if answer == "pass" then
      swarm.override(blocked.task, blocked.value, true, "a senior let it pass")
    end
    return answer
  end,
}

swarm.role "senior-who-asks" { extends = "senior", allow = { "query_senior", "post_result" } }

swarm.worker "publish" {
  command = { "sh", "-c", 'echo "published $1"', "sh", "{input.version}" },
  output = { format = "text" },
  on_resume = "ask", -- a release that was broken off half way is not begun again unasked
}

swarm.main(function()
  local checks = {}
  for _, name in ipairs { "clean", "size" } do
    checks[name] = swarm.spawn(name)
  end
  local notes = swarm.call "notes"
  for _, name in ipairs { "clean", "size" } do
    local value, err = swarm.result(checks[name])
    if err then
      local asked = { name = name, reason = err.reason, value = value, task = checks[name] }
      if swarm.call("senior", asked) == "stop" then
        return swarm.blocked(name, "a senior stopped it: " .. err.reason)
      end
    end
  end
  local answer = swarm.ask("Publish " .. version .. "?", {
    choices = { "yes", "no" },
    show = notes,
  })
  if answer == "no" then
    return swarm.blocked(version, "it was not approved")
  end
  return swarm.call("publish", { version = version })
end)
