-- worktree = { base, branch, keep } in a worker: a git worktree for each task, made as its first
-- attempt begins, kept over its attempts, and ended as the task settles, before anybody hears of
-- that. The port ends what an abandoned worker, or a run that was cut short, has left.
local again = require "swarm.journal.again"
local bridge = require "swarm.outside.bridge"
local errors = require "swarm.ground.errors"
local log = require "swarm.events.log"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local tally = require "swarm.events.tally"
local tasks = require "swarm.scope.tasks"
local template = require "swarm.outside.process.template"
local concat, format, sub = table.concat, string.format, string.sub
local pairs, pcall, type = pairs, pcall, type

local SECONDS = 600 -- for ending it: as long as many of a large repository take

local worktree = { getters = {} }

local FIELDS = { base = true, branch = true, keep = true }
local KEEPS = { changed = true, always = true, never = true }

local function wrong(name, field, ...)
  local message = format("worker %q: worktree", name) .. format(...)
  return errors.throw("load_error", message, { field = "worktree" .. (field or "") })
end

local function pieces_of(name, field, text)
  if type(text) ~= "string" or text == "" then
    return wrong(name, "." .. field, ".%s must be a text, and is %s", field, shown.value(text))
  end
  local pieces, forms, slip = template.parse(text)
  if slip then
    local message = ".%s: {%s} is no placeholder; did you mean {%s}?"
    return wrong(name, "." .. field, message, field, slip.wrote, slip.meant)
  end
  for form in pairs(forms) do
    if form == "token" or form == "prompt_file" or form == "worktree" or form == "agent" then
      return wrong(name, "." .. field, ".%s cannot have {%s}", field, form)
    end
  end
  return pieces
end

---Reads the field of a worker.
---@param name string the worker's
---@param given any true, or a table
---@return table? plan { base, branch, keep }
function worktree.of(name, given)
  if given == false then
    return nil
  elseif given == true then
    given = {}
  elseif type(given) ~= "table" then
    local what = ' must be true, or a table such as { branch = "fix/{input.id}" }, and is %s'
    return wrong(name, nil, what, shown.value(given))
  end
  for key in pairs(given) do
    if not FIELDS[key] then
      local hint = spelling.hint(key, FIELDS, "")
      hint = hint == "" and "; it has base, branch and keep" or hint
      return wrong(name, nil, " has no field %s%s", shown.value(key), hint)
    end
  end
  local keep = given.keep == nil and "changed" or given.keep
  if not KEEPS[keep] then
    local what = '.keep must be "changed", "always" or "never", and is %s'
    return wrong(name, ".keep", what, shown.value(keep))
  end
  return {
    base = pieces_of(name, "base", given.base == nil and "HEAD" or given.base),
    branch = given.branch ~= nil and pieces_of(name, "branch", given.branch) or nil,
    keep = keep,
  }
end

-- Making and ending -------------------------------------------------------------------------------

local function end_tree(w, tree, shielded)
  w.scope = w
  local ok, answer = pcall(shielded, "the end of its worktree", SECONDS, function()
    return (bridge.request("worktree", { op = "end", path = tree.path }))
  end)
  if not ok then
    local headline = errors.headline(raised.from_raised(answer))
    local text = "something of its worktree stays, " .. tree.path .. ": " .. headline
    log.entry("warn", text, nil, w.task)
  elseif answer.holds then
    tally.kept(w.task, tree, answer.holds)
  end
end

---Makes the worktree of a task.
local function make(def, ctx, input, shielded)
  local me = S.current
  local plan, task = def.worktree, me.task
  local function filled(field)
    local place = format("worker %q: worktree.%s", def.name, field)
    return concat(template.fill(plan[field], ctx, input, place, function()
      return template.prompt(input)
    end))
  end
  local before = again.given(task, "worktree")
  local payload = {
    op = "make",
    before = before and before.path, -- in a run that is resumed: where it was
    name = def.name .. "-" .. tasks.task_id(task),
    base = filled "base",
    branch = plan.branch and (before and before.branch or filled "branch"),
    keep = plan.keep,
  }
  local function keep(tree)
    record.extra(task).worktree = {
      path = tree.path,
      branch = payload.branch,
      close = function(w)
        local extra = w.task.extra
        local own = extra.worktree
        extra.worktree, extra.worktree_path = nil, own.path
        return end_tree(w, own, shielded)
      end,
    }
    again.give(task, "worktree", { path = tree.path, branch = payload.branch })
  end
  -- It is told of before the answer: a cancel that comes meanwhile leaves none that nobody knows.
  keep((bridge.request("worktree", payload, nil, { on_event = keep })))
end

---A worker's `run`, in a worktree: `run` itself where there is none.
---@param def table the definition
---@param run function called as run(ctx, input)
---@param shielded fun(what: string, seconds: number, fn: function): ... blocks.shielded
---@return function
function worktree.wrap(def, run, shielded)
  if not def.worktree then
    return run
  end
  return function(ctx, input)
    local extra = S.current.task.extra
    if not (extra and extra.worktree) then
      make(def, ctx, input, shielded)
    end
    return run(ctx, input)
  end
end

---The folder that a program of a task runs in: in its worktree, where it has one.
---@param task table
---@param folder table? texts around the path of a prompt's file, as it was asked for
---@return table? folder
function worktree.folder(task, folder)
  local tree = task.extra and task.extra.worktree
  if not tree then
    return folder
  elseif not folder then
    return { tree.path }
  elseif sub(folder[1], 1, 1) ~= "/" then
    folder[1] = tree.path .. "/" .. folder[1]
  end
  return folder
end

---Where the worktree of a task is, or was.
function worktree.getters.worktree(task)
  local extra = task.extra
  return extra and (extra.worktree and extra.worktree.path or extra.worktree_path)
end

return worktree
