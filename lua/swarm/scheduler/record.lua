-- A worker is two records. What stays after it has settled is the *task*: small, and the metatable
-- of its handle, so both die together. What only a live worker needs is the *worker*: it is given
-- back when its attempt is over for good and used again for another, so nothing of it is ever
-- collected. Whoever keeps somebody over a wait keeps the task; `task.worker` is nil once it has
-- settled.
--
-- Each record is one table made by one constructor with every field, nil ones too, so that it never
-- grows: both fill LuaJIT's hash of 16 exactly. One more would double it; what few workers have
-- goes into `extra`. (The constructor is in worker/spawn.lua, for the handle's metamethods.)
--
-- "Written by" names files, or the folder of one that has the same idea. Besides them idle empties
-- the record of a worker that has ended, and retry takes away what was of one attempt.
--
-- task        written by  meaning
--   __index, __newindex, __metatable, __tostring: it is the metatable of `handle`
--   id        spawn       tasks and workers are counted together
--   def       spawn, retry  its definition (worker/definition.lua); a new one after a reload
--   run       spawn, retry, tasks  what it runs, hooks around it; nil once cancelled, or retired
--   input     spawn, retry, pipeline  a copy of its own
--   status    spawn, life, settle, retry  pending, running, and one of five that are final
--   value     settle, tail, retry  its result. While it is live: a final that nobody can see yet
--                         (worker/output/tail.lua)
--   since     life, settle, retry  when it began, or has ended, on the monotonic clock; nil while
--                         it is pending
--   worker    spawn, settle  the worker, while the task has not settled
--   parent    spawn       the task above, or nil at the top of the run
--   site      spawn       where it was spawned (ground/site.lua)
--   handle    spawn       the public object: handle and ctx are one
--   extra     anybody     see below, or nil
--
-- worker
--   task      spawn       its task; nil while it waits to be used again
--   owner     spawn, blocks  the scope that it belongs to: the run's root, a block, or a worker
--   depth     spawn       workers above it
--   rights    spawn, acting, retry  what it may do now: a hook's while the hook runs
--                         (rights/acting.lua)
--   queue, queue_prev, queue_next  list  the run list, or the list of waiters that it stands in;
--                         while it sleeps queue_prev is its place among the timers
--   co        life, settle  its coroutine; nil: it has not begun
--   waiting   scheduler, slots, attempts, retry, settle  what it waits for while it is parked: a
--                         task that it joins, or a table with some of what, describe, on_cancel,
--                         some_live, joins; a slot or a delay before it has begun
--   joiners   join, app   who joins it: one worker, or a list of them
--   scope     spawn, blocks, life, pipeline, settled, retry, supervise  the innermost scope that
--                         is open in it; itself where none is
--   cancel    cancel, closing, settle  the cause that reached it, as of every scope
--   first_child, failed   of every scope (scope/scope.lua)
--   sib_prev, sib_next    its neighbours among the live children of its owner
--
-- extra
--   err       settle, ends, retry  how it ended, where that is not `pass`: read it by ends.err
--   cancelled_for  ends   what it was cancelled for, until somebody reads err (scope/ends.lua)
--   handed    scope       rights → the copy of err that workers with these read
--   tail      tail        its events, once there are any
--   meta      spawn, fields  for middleware; children get a copy
--   meta_of   fields      the rights of who may have that very table (worker/fields.lua)
--   retries   spawn       what a task with retries keeps (worker/attempts.lua)
--   timeout   spawn       seconds, where they are not the definition's
--   label     spawn       its own, or false: see scheduler/label.lua
--   key       graph, spawn  its name among its siblings: stands where there is no label
--   by_input  graph       it is known again by its input and needs, and not by its key
--   needs     graph       name → value that it needs
--   item      gather      its number among those of a map
--   deadline  cancel      the timer of its attempt, while that runs
--   alarms    layers/stock  the first of timers that end with its attempt
--   operator_kind  spawn  its own (worker/spawning/operator_kind.lua)
--   on_late   ending      called before its time cancels it, of the run's main
--   cancelled cancel      the error that its own cause raised
--   owned     scope, spawn  its failure is somebody's already, or was promised to be
--   unowned   scope       its node in the list of its owner's failures
--   worker_id retry, held_open  where it is not the task's id
--   listed    tasks       somebody has read its task_id
--   home      tasks       where its function was defined, once that is gone
--   cancel_token  cancel_token  the object that tells of its cancel
--   cancel_waiters  cancel_token, supervise  who waits for that
--   watchers  settle, gather  nodes that are told of its end
--   on_awaited  supervise called when somebody begins to wait for its end
--   on_ready  readiness   who waits until it is ready, or will never be: called once
--   residents scope       nodes to close once only children are left of its scope
--   ending    settled, retry  hooks or retries look at its end: a cancel comes too late
--   pierced   cancel      its time for clean-up is used up
--   raised_in cancel      the turn in which a call raised for its cancel last (turn.running)
--   clean_up_till cancel  when its clean-up must be over, on the monotonic clock
--   swallowing cancel     { since, raises, told }, where it goes on after such a raise
--   abandoned cancel      it went on for too long: never resumed again
--   holds     scope/holds what it holds in the middle of calls: thing, release, and so on
--   started   life        Unix seconds, for settled hooks
--   budget    spawn       the innermost that bounds it (worker/limits/budget.lua)
--   pools     limits/pools  of which it holds slots
--   came      limits/pools  its place in the order of who waits for pools
--   no_slot   slots       it began only to end, and holds no slot of its definition's
--   own_rights  acting, spawn  its own, where it has had those of a hook
--   lent_over acting      its own, while what runs has others: a hook, or a policy
--   invoked_by  held_open the held-open worker whose invocation it is
--   held_open held_open   what it keeps, where it is a held-open worker
--   worktree  outside/worktree  { path, branch, close }, until its task settles
--   worktree_path  outside/worktree  where it was
--   supervisor  supervise what it keeps, where it is a supervisor
--   args      app         of a main that a spec runs
--   child_token  tokens   { attempt, text }: what {token} stands for
--   session_of  sessions  the session that it is
--   directives  loop      what it was told and has not read
--   keys      spawn       those of its children
--   spoken_for  tokens    there are tokens that speak for it
--   token_budgets  tokens  those of caveats, by what they are known by, and `many`
--   bears     visits      the task for which it speaks, of one that serves a token's bearer
--   visitor   visits      { by = "person" } or { token: its fingerprint }, for the audit
--   lossy     visits      what it gives may have text that is not UTF-8
--   posted    visits      { attempt, value, reason }: the result that its program has posted
--   session   kinds/agent its conversation, which later attempts go on in
--   used      tally       sums of what it has used, and all below it
--   ends      tally       how many of its children have ended in each way, if somebody watches
--   found     spawning/recorded  what the journal has of it from before (journal/replay.lua)
--   let       spawning/recorded  it was held back while recorded ends were told
--   lives     spawning/recorded  how often swarm.retry has begun it anew
--   came_of   journal/noting  what its result comes of, where that may be used again
--   reused    layers/reuse  its result is one of before
--   shared    journal/shared  it has used what others use too
--   touched   journal/shared  of whom the last such thing was
--   approvals people/approvals  digest of what its agent asked for → answer
--   recorded  journal/again  key → text of a value that is made once
--   kept_counts  journal/again  how many of a kind it was given
--   stream    journal/again  of its random numbers
--   each_nodes, each_most  each  nodes of loops among its watchers
local frames = require "swarm.ground.frames"
local labels = require "swarm.scheduler.label"
local format, sub = string.format, string.sub
local getinfo = debug.getinfo

local record = {
  label = labels.of, -- which of many a task is, as text
  final = { pass = true, blocked = true, failed = true, cancelled = true, timeout = true },
  wrapped = setmetatable({}, { __mode = "k" }), -- what runs → the run that hooks are around
}

---The `extra` of a task, made where it has none.
function record.extra(task)
  local extra = task.extra
  if not extra then
    -- What a cancel writes.
    extra = { cancelled_for = nil, cancelled = nil, raised_in = nil, home = nil }
    task.extra = extra
  end
  return extra
end

---The worker that a scope is open in: a block's, or itself. Nil for the run's root.
function record.worker_of(scope)
  return scope.task and scope or scope.worker
end

---Where a function was defined, as file:line.
function record.place_of(fn)
  local info = getinfo(fn, "S")
  return frames.source_of(info) .. ":" .. info.linedefined
end

---Where the author's function that a task runs was defined, or the task where it runs none.
---@return string?
function record.home(task)
  if not task.run then
    return task.extra.home -- retired
  end
  local def = task.def
  local home = def.home -- asked for at every end that is no pass
  if not home then
    local place = record.place_of(def.fn or record.wrapped[task.run] or task.run)
    home = sub(place, 1, 6) ~= "swarm/" and place or def.where
    def.home = def.name and home
  end
  return home
end

---The name of a task as messages show it, without what tells it from others of that name.
function record.title(task)
  local name = task.def.name
  return name and format('"%s"', name) or "function at " .. (record.home(task) or "swarm itself")
end

---What a task is called by itself: its worker's name, or where its function stands.
function record.called(task)
  return task.def.name or record.title(task)
end

---A task as messages name it: its title, and its label where it has one.
function record.named(task)
  local label = record.label(task)
  return record.title(task) .. (label and " [" .. label .. "]" or "")
end

---Whether a task is that of an id, or below it.
---@param id integer
function record.is_below_id(task, id)
  while task do
    if task.id == id then
      return true
    end
    task = task.parent
  end
  return false
end

---Whether a task is another one, or below it.
---@param above table? nil: there is none that it could be below
function record.is_below(task, above)
  return above ~= nil and record.is_below_id(task, above.id)
end

return record
