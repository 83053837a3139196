-- A review of what a range of commits changed: a command-line agent reads each file, in a git
-- worktree of its own, and says what is wrong with it. Run it in the repository:
--
--   swarm-host --budget cost=5 scripts/review.lua [OPTIONS] [RANGE]
--
--   RANGE         such as main..HEAD; HEAD~1..HEAD by default
--   --agent NAME  claude, codex, gemini or opencode; $SWARM_REVIEW_AGENT, else claude
--   --slots N     so many agents at once: 4
--   --out FILE    the findings as JSON, besides
--
-- The report is on stdout. Exit status 0: nothing serious was found; 3: something was, or a file
-- could not be reviewed.

local options = { agent = swarm.env "SWARM_REVIEW_AGENT" or "claude", slots = "4" }
local wanted ---@type string?
for _, word in ipairs(swarm.args) do
  local name = word:match "^%-%-(%a+)$"
  if wanted then
    options[wanted], wanted = word, nil
  elseif name == "agent" or name == "slots" or name == "out" then
    wanted = name
  else
    assert(not options.range and word:sub(1, 1) ~= "-", "what is " .. word .. "?")
    options.range = word
  end
end
assert(not wanted, "--" .. tostring(wanted) .. " needs a value")

-- What an agent answers. An answer that does not fit is asked for again in the same conversation.
local SEVERITIES = { "high", "medium", "low" }
local FINDINGS = {
  type = "object",
  properties = {
    findings = {
      type = "array",
      items = {
        type = "object",
        properties = {
          line = { type = "integer" },
          severity = { enum = SEVERITIES },
          problem = { type = "string" },
          advice = { type = "string" },
        },
        required = { "line", "severity", "problem", "advice" },
        additionalProperties = false,
      },
    },
  },
  required = { "findings" },
  additionalProperties = false,
}

-- At most so many agents at once. A usage limit parks all of them until it is over.
swarm.pool "agents" { slots = assert(tonumber(options.slots), "--slots N"), park = true }

swarm.worker "review" {
  label = "{input.path}", -- says which of many, at the screen and in errors
  agent = options.agent,
  permissions = "read", -- it changes nothing
  worktree = { base = "{input.head}" }, -- the files as the range leaves them; gone at its end
  pool = "agents",
  timeout = 1800,
  idle = 300, -- silent for so long: it hangs
  retries = { max = 1, on = { "idle_timeout" } }, -- then once more, in the same conversation
  output_schema = FINDINGS,
  prompt = [[
Review what changed in {input.path}. The whole file is in this folder, and so is all that it uses.
Report faults that the change brings: wrong results, lost errors, races, leaks, broken callers.
Leave out style, and what you have not checked. `line` is the line in the new file; `severity` is
"high" where something breaks in ordinary use. No finding is a good answer.

{input.diff}]],
}

local function git(...)
  local done = swarm.exec { "git", "--literal-pathspecs", ... }
  assert(done.exit_code == 0, (done.stderr:gsub("%s+$", "")))
  return done.stdout
end

local function changes(range)
  local head = range:match "%.%.(.+)$" or "HEAD"
  local items = {}
  local top = git("rev-parse", "--show-toplevel"):gsub("\n$", "")
  for path in git("diff", "--name-only", "--diff-filter=d", "-z", range, "--"):gmatch "%Z+" do
    local diff = git("-C", top, "diff", "--no-color", "--no-ext-diff", range, "--", path)
    if not diff:find "\nBinary files " then
      items[#items + 1] = { path = path, head = head, diff = diff }
    end
  end
  return items
end

-- What an agent has written, as one line that orders no terminal about.
local function line(text)
  return (text:gsub("%c+", " "))
end

-- The report: findings by file, the worst first; then who failed, and what it cost.
local function report(items, answers, errors, usage)
  local rank, counts, all, unread = {}, {}, {}, {}
  for i, severity in ipairs(SEVERITIES) do
    rank[severity], counts[severity] = i, 0
  end
  for i, item in ipairs(items) do
    if errors and errors[i] then
      unread[#unread + 1] = { path = item.path, why = errors[i].reason or errors[i].message }
    else
      local findings = answers[i].findings
      table.sort(findings, function(a, b)
        if a.severity ~= b.severity then
          return rank[a.severity] < rank[b.severity]
        end
        return a.line < b.line
      end)
      print(item.path .. (findings[1] and "" or ": nothing found"))
      for _, found in ipairs(findings) do
        print(("  %-6s %4d  %s"):format(found.severity, found.line, line(found.problem)))
        print("               " .. line(found.advice))
        counts[found.severity] = counts[found.severity] + 1
        found.path = item.path
        all[#all + 1] = found
      end
    end
  end
  for _, file in ipairs(unread) do
    print(file.path .. ": NOT REVIEWED, " .. line(file.why))
  end
  print(
    ("\n%d files: %d high, %d medium, %d low; %d not reviewed; %d tokens, %s"):format(
      #items,
      counts.high,
      counts.medium,
      counts.low,
      #unread,
      usage.tokens or 0,
      usage.cost and ("%.2f USD"):format(usage.cost) or "no cost told"
    )
  )
  return { findings = swarm.array(all), not_reviewed = swarm.array(unread), usage = usage }, counts
end

swarm.main(function(_, ctx)
  local range = options.range or "HEAD~1..HEAD"
  local items = changes(range)
  if #items == 0 then
    print("nothing changed in " .. range)
    return
  end
  -- keep_going: one that fails ends none of the others.
  local answers, errors = swarm.map("review", items, { keep_going = true })
  local found, counts = report(items, answers, errors, ctx.usage or {})
  if options.out then
    swarm.fs.write(options.out, swarm.json.encode(found))
  end
  if counts.high > 0 or #found.not_reviewed > 0 then
    local reason = "findings of high severity: %d, files not reviewed: %d"
    return swarm.blocked(nil, reason:format(counts.high, #found.not_reviewed))
  end
end)
