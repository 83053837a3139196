-- What the result of a worker has come of: each file and variable that was read through the host by
-- it or by a worker below it, with a digest of what was read, which workers it started, and whether
-- anything besides was asked for or done. Only workers whose results may be used again are noted.
local record = require "swarm.scheduler.record"
local next = next

local noting = {
  on = false, -- there are such workers
}

local READS = {
  exists = true,
  first = true,
  glob = true,
  list = true,
  read = true,
  source = true,
  stat = true,
}
-- Ports whose answers follow from what they are given.
local NOTHING = { schema = true, reuse = true }

---Begins to note what comes of a task.
function noting.begin(task)
  record.extra(task).came_of = { reads = {}, workers = {}, outside = false }
end

---What was noted of a task; it is noted no longer.
---@return table { reads: digests by request, workers: name → true, outside }
function noting.take(task)
  local came_of = task.extra.came_of
  task.extra.came_of = nil
  return came_of
end

---Calls see(came_of) for each of a task and those above it that is noted.
local function each(task, see)
  while task do
    local came_of = task.extra and task.extra.came_of
    if came_of then
      see(came_of)
    end
    task = task.parent
  end
end

---A worker is about to ask a port.
---@param payload table
---@return boolean noted its answer is to say its digest
function noting.asks(task, port, payload)
  local is_read = port == "env" or (port == "files" and READS[payload.op])
  local noted = false
  if not NOTHING[port] then
    each(task, function(came_of)
      noted = true
      came_of.outside = came_of.outside or not is_read
    end)
  end
  return noted and is_read or false
end

---What was read.
---@param text string the payload, as JSON
---@param digest string
function noting.has_read(task, port, text, digest)
  local key = port .. " " .. text
  each(task, function(came_of)
    came_of.reads[key] = came_of.reads[key] or digest -- what it read first, it may have changed
  end)
end

---A worker is spawned.
function noting.spawned(task)
  local name = task.def.name
  if name and task.parent then
    each(task.parent, function(came_of)
      came_of.workers[name] = true
    end)
  end
end

---A result was used again: what it had come of, the ones above have come of too.
---@param entry table { reads, workers, outside }
function noting.inherit(task, entry)
  each(task.parent, function(came_of)
    for key, digest in next, entry.reads do
      came_of.reads[key] = came_of.reads[key] or digest
    end
    for name in next, entry.workers do
      came_of.workers[name] = true
    end
    came_of.outside = came_of.outside or entry.outside
  end)
end

return noting
