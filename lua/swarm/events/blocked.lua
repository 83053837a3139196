-- Tasks of a run that ended blocked. Blocked is no failure, so nobody need take it; but each wants
-- something of somebody, and is told of at the run's end.
local record = require "swarm.scheduler.record"
local shown = require "swarm.ground.shown"
local sub = string.sub

local blocked = {}

local MOST = 20 -- told one by one
local MOST_REASON = 1000 -- bytes of a reason

local first, many = {}, 0 -- the first MOST, as people are told; how many there are

---A run begins.
function blocked.begin()
  first, many = {}, 0
end

---A task ended blocked.
function blocked.add(task, err)
  many = many + 1
  if many <= MOST + 1 then -- one may be main
    first[many] = {
      id = task.id,
      name = task.def.name or record.title(task),
      label = record.label(task),
      reason = sub(shown.field(err.reason), 1, MOST_REASON),
    }
  end
end

---How many there are, and the first of them in the order in which they ended.
---@param main table? the task that is the run: its end is told as the run's
---@return integer many
---@return table list of { name, label?, task_id, reason }
function blocked.told(main)
  local list = {}
  for i = 1, #first do
    local one = first[i]
    if #list < MOST and not (main and one.id == main.id) then
      local task_id = "T-" .. one.id
      list[#list + 1] =
        { name = one.name, label = one.label, task_id = task_id, reason = one.reason }
    end
  end
  return main and main.status == "blocked" and many - 1 or many, list
end

return blocked
