-- Where an object belongs. What a script makes while it loads is its generation's: the next loading
-- makes another at the same place, and workers of the two generations would wait for each other in
-- vain. So a generation knows what it made, and a reload can tell what it leaves behind in use.
local opaque = require "swarm.ground.opaque"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shared = require "swarm.journal.shared"
local concat = table.concat

local made = {}

local MOST_NAMED = 3 -- workers that wait for an object, in a message; the rest is counted

local LISTS = { "receivers", "senders", "waiters" } -- of those who wait, whatever the kind

---Makes the object of a record, and notes it where a script is loaded.
---@param kind table
---@param of table the record
---@param site any where it is made
---@return table object
function made.seal(kind, of, site)
  local object = opaque.seal(kind, of, site)
  local me = S.current
  local generation = me and me.task.def.loading
  of.maker = not generation and me and me.task or nil
  if generation then
    of.generation = generation.number
    generation.made[#generation.made + 1] = of
    for i = 1, #LISTS do
      local list = of[LISTS[i]]
      if list then
        list.of = of -- a report of a deadlock finds it by who waits in the list
      end
    end
  end
  return object
end

---The record behind an object that the running worker uses: what comes of it is not its own alone.
---@param kind table
---@param object any
---@param call string as opaque.record has it
---@return table
function made.used(kind, object, call)
  local of = opaque.record(kind, object, call)
  shared.use(of.maker)
  return of
end

---The object belongs to the run and to no generation: it is in swarm.state.
function made.keep(of)
  of.generation, of.maker = nil, nil
end

---Who uses an object, in words; nil where nobody does.
---@param of table the record
---@return string?
function made.in_use(of)
  local parts, named, more = {}, {}, 0
  for i = 1, #LISTS do
    local w = of[LISTS[i]] and of[LISTS[i]].head
    while w do
      if #named < MOST_NAMED then
        named[#named + 1] = "worker " .. record.title(w.task) .. " (T-" .. w.task.id .. ")"
      else
        more = more + 1
      end
      w = w.queue_next
    end
  end
  if more > 0 then
    named[#named + 1] = more .. " more"
  end
  if named[1] then
    parts[1] = concat(named, ", ") .. (#named + more > 1 and " wait for it" or " waits for it")
  end
  parts[#parts + 1] = of.kind.in_use and of.kind.in_use(of)
  return parts[1] and concat(parts, ", and ") or nil
end

return made
