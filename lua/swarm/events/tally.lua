-- What a run has to tell people of beside its result: which tasks failed, ended blocked or were
-- tried again, which took longest, and what was used. A worker that is none of these costs nothing.
-- Only where somebody watches the run is each beginning and each end noted too.
local errors = require "swarm.ground.errors"
local record = require "swarm.scheduler.record"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local sub, type = string.sub, type

local MOST = 20 -- told one by one, of each kind
local MOST_TEXT = 1000 -- bytes of a reason, or of what was said before
local SLOW_SECONDS = 1 -- what takes less is never told of
local BEGUN = 1024 -- the last to begin that are kept

local tally = {
  watched = false, -- somebody watches: `began` and `settled` are called
  slow_at = SLOW_SECONDS, -- whoever took as long is told to `took`
}

local kept -- worktrees that hold work: { many, about the tasks, with path, branch and holds }
local failed, blocked, retried -- { many, tasks that ended so or were: the first of them }
local slowest -- the longest first
local above = setmetatable({}, { __mode = "kv" }) -- entry of one that failed → the task above it
local recent, recent_n = {}, 0 -- entries of the last that failed, where somebody watches
local used -- sums

---A run begins.
function tally.begin()
  failed, blocked, retried = { many = 0 }, { many = 0 }, { many = 0 }
  slowest, used, tally.slow_at = {}, {}, SLOW_SECONDS
  kept = { many = 0 }
  recent, recent_n = {}, 0
end
tally.begin()

local function about(task)
  return {
    name = record.called(task),
    label = record.label(task),
    task_id = "T-" .. task.id,
  }
end

local function entry(task, status, reason)
  local one, retries = about(task), task.extra.retries
  one.status, one.reason = status, reason and sub(reason, 1, MOST_TEXT)
  one.attempts = retries and retries.number > 1 and retries.number or nil
  return one
end

---@param status string? how it ended
---@return table? one its entry, where it is among the first
local function add(list, task, status, reason)
  list.many = list.many + 1
  if #list > MOST then -- one may be main
    return nil
  end
  local one = entry(task, status, reason)
  list[#list + 1] = one
  return one
end

---A task ended blocked.
function tally.blocked(task, err)
  add(blocked, task, nil, shown.field(err.reason))
end

---A task failed, or ran out of time.
function tally.failed(task, err)
  local parent, headline = task.parent, errors.headline(err)
  local one = add(failed, task, task.status, headline)
  if one then
    one.parent = parent and "T-" .. parent.id
    one.said = err.said and shown.field(err.said)
    one.stderr = type(err.stderr) == "string" and sub(err.stderr, -MOST_TEXT) or nil
  end
  if tally.watched and parent and parent.worker then
    one = one or entry(task, task.status, headline)
    above[one] = parent
    recent[recent_n % MOST + 1], recent_n = one, recent_n + 1
  end
end

---What is told of how a task has ended is told no longer: it begins once more, or a senior has said
---something else.
---@param status string? what was told: how it has ended, by default
function tally.take_back(task, status)
  status = status or task.status
  local list = status == "blocked" and blocked or failed
  if status == "failed" or status == "timeout" or status == "blocked" then
    list.many = math.max(0, list.many - 1)
    for i = #list, 1, -1 do
      if list[i].task_id == "T-" .. task.id then
        table.remove(list, i)
      end
    end
  end
end

---A task is tried again.
---@param retries table as the task keeps it
---@param reason string why
function tally.retried(task, retries, reason)
  retries.told = retries.told or add(retried, task)
  retries.why = sub(reason, 1, MOST_TEXT)
  if retries.told then
    retries.told.reason = retries.why
  end
end

---A task that was tried again has ended.
function tally.retried_ended(retries, status)
  if retries.told then
    local told = retries.told
    told.status = status
    told.attempts = retries.is_new and retries.number - 1 or retries.number -- one had not begun
  end
end

---An attempt took `slow_at` seconds or more.
function tally.took(task, status, seconds)
  if task.def.apart or status == "cancelled" then
    return
  end
  local one, place = about(task), #slowest + 1
  one.id, one.seconds, one.status, one.above = task.id, seconds, status, {}
  local parent = task.parent
  while parent do
    one.above[parent.id] = true
    parent = parent.parent
  end
  while place > 1 and slowest[place - 1].seconds < seconds do
    place = place - 1
  end
  table.insert(slowest, place, one)
  if #slowest >= MOST then
    slowest[MOST + 1] = nil
    tally.slow_at = slowest[MOST].seconds
  end
end

---The worktree of a task stays.
---@param tree table { path, branch? }
---@param holds string what is in it
function tally.kept(task, tree, holds)
  kept.many = kept.many + 1
  if #kept < MOST then
    local one = about(task)
    one.path, one.branch, one.holds = tree.path, tree.branch, holds
    kept[#kept + 1] = one
  end
end

-- Usage -------------------------------------------------------------------------------------------

local AMOUNTS = { "tokens", "input", "output", "cached", "cost" }

local function is_amount(value)
  return type(value) == "number" and value >= 0 and value - value == 0
end

---Adds the amounts of a usage event to sums. Tokens that are given apart are tokens too.
function tally.add_to(sums, event)
  for i = 1, #AMOUNTS do
    local name = AMOUNTS[i]
    local amount = event[name]
    if name == "tokens" and amount == nil and (event.input or event.output) then
      amount = (is_amount(event.input) and event.input or 0)
        + (is_amount(event.output) and event.output or 0)
    end
    local sum = is_amount(amount) and (sums[name] or 0) + amount
    if sum and is_amount(sum) then -- numbers of an author's may add up to none
      sums[name] = sum
    end
  end
end

---A task has used something: it is its own, and of all above it.
function tally.used(task, event)
  tally.add_to(used, event)
  while task do
    local extra = record.extra(task)
    extra.used = extra.used or {}
    tally.add_to(extra.used, event)
    task = task.parent
  end
end

-- For who watches ---------------------------------------------------------------------------------

local begun, begun_n = {}, 0

---A worker begins.
function tally.began(w)
  local place = begun_n % BEGUN + 1
  begun_n, begun[place] = begun_n + 1, w
end

---The last workers to begin, in no order; some have ended, or are others by now.
---@return table list
function tally.begun()
  return begun
end

---A task has settled: whoever spawned it is told how many have, in each way.
function tally.settled(task)
  local parent = task.parent
  if parent and parent.worker then
    local extra, status = record.extra(parent), task.status
    local ends = extra.ends
    if not ends then
      ends = { pass = 0, blocked = 0, failed = 0, cancelled = 0, timeout = 0 }
      extra.ends = ends
    end
    ends[status] = ends[status] + 1
  end
end

---The last that failed, of whom somebody above them lives, the last one last.
---@return table list of { entry, above }
function tally.failed_below_living()
  local list = {}
  for i = math.max(0, recent_n - MOST), recent_n - 1 do
    local one = recent[i % MOST + 1]
    local task = above[one]
    if task and task.worker then
      list[#list + 1] = { entry = one, above = task }
    end
  end
  return list
end

-- What is told ------------------------------------------------------------------------------------

---@param main table? the task that is the run: its end is told as the run's
---@param has_main boolean? whether it is one of them
---@return table { many, tasks }: the first of them, in order
local function without(list, main, has_main)
  local tasks = {}
  for i = 1, #list do
    local one = list[i]
    if #tasks < MOST and not (main and one.task_id == "T-" .. main.id) then
      tasks[#tasks + 1] = one
    end
  end
  return { many = list.many - (has_main and 1 or 0), tasks = values.array(tasks) }
end

---How many tasks ended blocked, and the first of them in the order in which they ended.
---@param main table? the task that is the run
---@return table { many, tasks }: tasks is a list of { name, label?, task_id, reason,
---attempts? }
function tally.all_blocked(main)
  return without(blocked, main, main and main.status == "blocked")
end

---The same of tasks that failed or ran out of time, with `status`, and the `parent` of each.
function tally.all_failed(main)
  local status = main and main.status
  return without(failed, main, status == "failed" or status == "timeout")
end

---The same of tasks that were tried again, with `attempts` and, once they have ended, `status`.
function tally.all_retried(main)
  local retries = main and main.extra and main.extra.retries
  return without(retried, main, retries and retries.number > 1)
end

---The tasks that took longest, with `seconds` and `status`: not those that waited for another one
---of them.
---@param main table? the task that is the run
---@return table list
function tally.all_slowest(main)
  local awaited, list = {}, {}
  for i = 1, #slowest do
    for id in pairs(slowest[i].above) do
      awaited[id] = true
    end
  end
  for i = 1, #slowest do
    local one = slowest[i]
    local is_known = awaited[one.id] -- or an attempt of it took longer still
    awaited[one.id] = true
    if not is_known and not (main and one.id == main.id) then
      list[#list + 1] = {
        name = one.name,
        label = one.label,
        task_id = one.task_id,
        status = one.status,
        seconds = one.seconds,
      }
    end
  end
  return values.array(list)
end

---How many worktrees stay, and the first of them.
---@return table { many, trees }
function tally.all_kept()
  local trees = {}
  for i = 1, #kept do
    trees[i] = kept[i]
  end
  return { many = kept.many, trees = values.array(trees) }
end

---What was used: sums of tokens, input, output, cached, and cost in USD.
function tally.all_used()
  return used
end

return tally
