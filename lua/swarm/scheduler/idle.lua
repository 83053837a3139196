-- Workers that have ended, to be used again (scheduler/record.lua).
local idle = {
  poisoned = false, -- specs: nobody may touch a worker past its end, and it is not used again
}

local MOST = 4096 -- kept

local list, n = {}, 0

local function throw_past_end(_, key)
  -- Not for scripts: it is a fault of the host's, and its frames tell where.
  return error("swarm-host: a worker was used past its end (" .. tostring(key) .. ")", 2)
end

local POISON = { __index = throw_past_end, __newindex = throw_past_end }

---@return table? worker with every field nil, `queue` false
function idle.take()
  if n > 0 then
    local w = list[n]
    list[n] = nil
    n = n - 1
    return w
  end
end

---Takes a worker that has ended; it stands in no list and has no children.
function idle.give(w)
  w.task, w.owner, w.rights, w.co, w.waiting = nil, nil, nil, nil, nil
  w.joiners, w.scope, w.cancel, w.failed = nil, nil, nil, nil
  if idle.poisoned then
    w.depth, w.queue = nil, nil
    setmetatable(w, POISON)
  elseif n < MOST then
    n = n + 1
    list[n] = w
  end
end

return idle
