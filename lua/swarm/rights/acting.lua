-- Lending rights. Author's code runs with its own rights, whoever calls it: a hook has those of its
-- layer while it runs, a policy those of who gave it. They are lent here and nowhere else, and
-- given back however the code ends. What a worker is (`ctx.role`) is never read from what it has
-- been lent.
local frames = require "swarm.ground.frames"
local record = require "swarm.scheduler.record"
local unpack, xpcall = unpack, xpcall

local acting = {}

local ROOM = {} -- nothing: unpacking it asks for stack

local function give_back(me, own, ...)
  me.rights = own
  return ...
end

---Calls a function with other rights.
---@param me table the running worker
---@param rights table
---@param fn function
---@return boolean ok, any ... what it returned, or what it raised, passed on as it is
function acting.as(me, rights, fn, ...)
  local own, task = me.rights, me.task
  if own ~= rights and not task.def.role then
    local extra = record.extra(task)
    extra.own_rights = extra.own_rights or own
  end
  unpack(ROOM, 1, 100) -- a stack that is all but full ends here, before anything is lent
  me.rights = rights
  return give_back(me, own, xpcall(fn, frames.passing, ...))
end

---The role of a task: its definition's, or that of who spawned it.
---@param task table
---@return string
function acting.role_of(task)
  local role, at = task.def.role, task
  while not role and at do
    local extra, w = at.extra, at.worker
    local own = extra and extra.own_rights or w and w.rights
    at = at.parent
    role = own and own.role or at and at.def.role
  end
  return role or "operator"
end

return acting
