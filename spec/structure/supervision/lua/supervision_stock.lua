-- The workers and words that several specs of this chapter share.
local notes = require "notes"
local swarm = require "swarm"

local note = notes.note

-- How often each unit ran.
---@type table<string, integer>
local runs = {}

-- Notes "+name" as it begins and "-name" when it is told to stop. Run number n ends as `ends[n]`
-- says, { seconds, how }; without one it stays. `clean`: seconds that its clean-up takes.
swarm.worker "unit" {
  run = function(_, unit)
    local n = (runs[unit.name] or 0) + 1
    runs[unit.name] = n
    note("+" .. unit.name)
    local plan = unit.ends and (unit.ends[n] or unit.ends.always)
    local ok, err = pcall(swarm.sleep, plan and plan[1] or 1e9)
    if not ok then
      note("-" .. unit.name)
      local cleaned = pcall(swarm.shield, function()
        swarm.sleep(unit.clean or 0)
      end, { timeout = 1e6 })
      if unit.clean then
        note((cleaned and "cleaned " or "killed ") .. unit.name)
      end
      error(unit.breaks == n and { code = "clean_up_broke" } or err, 0)
    end
    if plan[2] == "fail" then
      error { code = "broke", run = n, message = unit.name .. " broke" }
    elseif plan[2] == "block" then
      return nil, "it is blocked"
    end
    return n
  end,
}

swarm.worker "crash" {
  run = function(_, text)
    error(text or "it crashed")
  end,
}

swarm.role "no_tasks" {
  extends = "worker",
  deny = { "start_task", "cancel_task", "read_task_state" },
}

swarm.role "no_files" { extends = "worker", deny = { "read_files" } }

swarm.worker "powerless" {
  role = "no_tasks",
  run = function(_, input)
    local call = input.call
    if call == "supervise" then
      return swarm.supervise {}
    elseif call == "children" then
      return input.sup:children()
    end
    return input.sup[call](input.sup, call == "start" and { "unit", { name = "x" } } or "a")
  end,
}

swarm.worker "reader" {
  run = function()
    return swarm.fs.read "supervision_spec.lua"
  end,
}

---Supervises while fn(sup) runs, and stops it then.
---@param opts table of `swarm.supervise`
---@param fn fun(sup: swarm.Supervisor)
---@return swarm.Supervisor
local function supervised(opts, fn)
  local sup = swarm.supervise(opts)
  local ok, err = pcall(fn, sup)
  swarm.cancel(sup, "the spec is over", { wait = true })
  if not ok then
    error(err, 0)
  end
  return sup
end

---A child that is a unit.
---@param name string
---@param fields? table
---@return swarm.closed.ChildSpec
local function unit(name, fields)
  fields = fields or {}
  local input = { name = name, ends = fields.ends, clean = fields.clean, breaks = fields.breaks }
  return {
    "unit",
    input,
    id = name,
    restart = fields.restart,
    shutdown = fields.shutdown,
    timeout = fields.timeout,
  }
end

---@param sup swarm.Supervisor
---@param id string
---@return any child as `sup:children` has it, if it is there
local function child(sup, id)
  for _, one in ipairs(sup:children()) do
    if one.id == id then
      return one
    end
  end
end

---@param sup swarm.Supervisor
---@return string
local function ids(sup)
  local list = {}
  for i, one in ipairs(sup:children()) do
    list[i] = one.id
  end
  return table.concat(list, " ")
end

local FAIL, PASS, BLOCK = { 1, "fail" }, { 1, "pass" }, { 1, "block" }

return {
  runs = runs,
  supervised = supervised,
  unit = unit,
  child = child,
  ids = ids,
  BLOCK = BLOCK,
  FAIL = FAIL,
  PASS = PASS,
}
