-- The end of a scope: its children are cancelled where it is over before them, waited for, and what
-- failed of them without anybody's taking it comes out. Every scope ends here, a worker's and a
-- block's alike.
local cancelling = require "swarm.scope.cancel"
local deadlock = require "swarm.worker.deadlock"
local scopes = require "swarm.scope.scope"

local closing = {}

---Waits until the children of a scope have settled; first cancels them where what ran in the scope
---failed, or it is cancelled itself.
---@param me table the worker whose scope it is
---@param scope table
---@param ok boolean whether what ran in it returned
---@param err any what it raised
---@param reason string why the children of one that failed are cancelled
---@return boolean ok, any err false and a deadlock where the wait would never end
---@return boolean waited false: a C function is in the way, and children are left
function closing.close(me, scope, ok, err, reason)
  local cause = scope.cancel
  local ring = ok and not cause and scope.first_child and deadlock.ring(me, scope)
  if ring then
    ok, err = false, ring
  end
  if not ok and not cause then
    cause = { kind = "parent", reason = reason, scope = scope.task and scope or nil }
    if scope ~= me then
      scope.cancel = cause -- nothing may be spawned into it any more
    end
  end
  if cause then
    cancelling.children(scope, cause)
  end
  return ok, err, scopes.wait_children(me, scope)
end

---What failed below a scope and is nobody's: attached to its error, or an error of its own. It is
---taken with that.
---@return boolean ok, any err
function closing.with_unowned(scope, ok, err)
  local unowned = scopes.unowned(scope)
  if not unowned then
    return ok, err
  end
  scopes.forget_failed(scope)
  if ok then
    return false, scopes.children_failed(unowned)
  end
  return false, scopes.with_others(err, unowned)
end

return closing
