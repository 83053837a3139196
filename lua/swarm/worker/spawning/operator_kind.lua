-- The kind of operator that stands over a worker: main_ai, automate or composite. The first that is
-- said counts: where it is spawned, by the run, by its definition, by its script.

local operator_kind = {
  of_run = nil, -- --operator-kind
  MUST = '"main_ai", "automate" or "composite"',
}

local KINDS = { main_ai = true, automate = true, composite = true }

---Whether somebody wrote down a kind.
function operator_kind.is(value)
  return KINDS[value] or false
end

---The kind that holds for a task.
---@param task table
---@return string
function operator_kind.of(task)
  local extra = task.extra
  return extra and extra.operator_kind
    or operator_kind.of_run
    or task.def.operator_kind
    or "automate"
end

return operator_kind
