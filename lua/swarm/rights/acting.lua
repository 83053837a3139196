-- Lending rights. Author's code runs with its own rights, whoever calls it: a hook has those of its
-- layer while it runs, a policy those of who gave it. They are lent here and nowhere else, and
-- given back however the code ends. What a worker is (`ctx.role`) is never read from what it has
-- been lent.
local coroutines = require "swarm.scheduler.coroutines"
local frames = require "swarm.ground.frames"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local xpcall = xpcall
local handed_on, passing = raised.handed_on, frames.passing

local acting = {}

---Calls a function with other rights. Between the lending and the giving back nothing but the
---function itself needs room on the stack, so that a full one cannot end this half way: no list of
---arguments of any length, and no call.
---@param me table the running worker
---@param rights table
---@param fn function
---@return boolean ok, any first, any second what it returned; or what it raised: where the rights
---are others a copy
function acting.as(me, rights, fn, a, b, c, d, e)
  local own, task, extra = me.rights, me.task, nil
  if own ~= rights then
    extra = record.extra(task)
    if not task.def.role then
      extra.own_rights = extra.own_rights or own
    end
  end
  local words = coroutines.open("a hook, or what it runs,")
  local before = extra and extra.lent_over
  if extra then
    local itself = before or own
    extra.lent_over = itself ~= rights and itself or nil
  end
  me.rights = rights
  local ok, first, second = xpcall(fn, own == rights and passing or handed_on, a, b, c, d, e)
  me.rights = own
  if extra then
    extra.lent_over = before
  end
  words[#words] = nil -- as coroutines.close does
  return ok, first, second
end

---Whether what runs is a worker's own code, and no hook that was lent other rights. (With the same
---rights a hook may all that its worker may: they need not be told apart.)
---@param me table? the running worker
---@param task table
---@return boolean
function acting.is_itself(me, task)
  if not me or me.task ~= task then
    return false
  end
  local extra = task.extra
  return not (extra and extra.lent_over)
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
