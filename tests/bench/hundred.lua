-- A hundred agents in worktrees, eight at once: some hang, linger, meet a limit and fail. Says what
-- became of them, and how long it took. The folder that it is given has the fakes' sessions.
local folder, word, seconds = swarm.args[1], swarm.args[2], swarm.args[3]

swarm.pool "eight" { slots = 8, park = true }

swarm.worker "agent" {
  label = "{input.mode} {input.n}",
  agent = "claude",
  pool = "eight",
  worktree = { branch = "hundred/{input.mode}-{input.n}" },
  idle = 4,
  linger = 0.2,
  kill_after = 0.2,
  args = { word }, -- by which its processes are known
  env = {
    FAKE_AGENT = "{input.mode}",
    FAKE_AGENT_LIMIT = "2",
    FAKE_AGENT_SECONDS = seconds,
    FAKE_AGENT_STATE = folder .. "/sessions",
    FAKE_AGENT_TIMES = folder .. "/times",
  },
}

swarm.main(function(_, ctx)
  local handles, modes = {}, {}
  local function spawn(mode, count)
    for n = 1, count do
      handles[#handles + 1] = swarm.spawn("agent", { mode = mode, n = n, prompt = "look" })
      modes[#modes + 1] = mode
    end
  end
  local began = swarm.monotonic()
  spawn("limit", 4)
  spawn("hang", 5)
  spawn("linger", 3)
  spawn("fail", 2)
  spawn("tools", 86)
  local ended = swarm.settle(handles)
  local took = swarm.monotonic() - began
  local ends, sessions, trees = {}, {}, {}
  for i, h in ipairs(handles) do
    local err = ended[i].err
    local how = modes[i] .. " " .. ended[i].status .. (err and " " .. err.code or "")
    how = how .. " " .. h.attempt
    ends[how] = (ends[how] or 0) + 1
    sessions[h.session], trees[h.worktree] = true, true
  end
  local function count(set)
    local n = 0
    for _ in pairs(set) do
      n = n + 1
    end
    return n
  end
  local found = { ends = ends, sessions = count(sessions), trees = count(trees) }
  found.seconds, found.used = took, ctx.usage
  return found
end)
