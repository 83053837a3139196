-- What the host calls: boot, one step, and the few things that cross; host/swarm_host/vm/kernel.py
-- has a method for each. Everything that crosses is a string of bytes, a number or a boolean, and
-- nothing here raises towards the host: a function answers true and what it returns, false and the
-- error as JSON, or false alone where memory has run out.
local audit = require "swarm.events.audit"
local again = require "swarm.journal.again"
local approvals = require "swarm.people.approvals"
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local checking = require "swarm.doors.checking"
local clock = require "swarm.ground.clock"
local ending = require "swarm.doors.ending"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local frames = require "swarm.ground.frames"
local heap = require "swarm.scheduler.heap"
local held = require "swarm.doors.held"
local idle = require "swarm.scheduler.idle"
local json = require "swarm.values.json"
local log = require "swarm.events.log"
local modules = require "swarm.sandbox.modules"
local operator_kind = require "swarm.worker.spawning.operator_kind"
local picture = require "swarm.doors.picture"
local roles = require "swarm.rights.roles"
local questions = require "swarm.people.questions"
local VERBS = require "swarm.rights.verbs"
local raised = require "swarm.ground.raised"
local random = require "swarm.ground.random"
local records = require "swarm.journal.records"
local reuse = require "swarm.layers.reuse"
local replay = require "swarm.journal.replay"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local script = require "swarm.doors.run"
local searchers = require "swarm.sandbox.searchers"
local tally = require "swarm.events.tally"
local text_of = json.text_of
local turn = require "swarm.scheduler.turn"
local tokens = require "swarm.outside.tokens"
local unowned = require "swarm.events.unowned"
local values = require "swarm.values.values"
local visits = require "swarm.doors.visits"
local root = scopes.root
local max, min = math.max, math.min

require "swarm.doors.wiring"

local kernel = {
  turn_address = turn.address,

  load = script.load,
  reload = script.reload,
  watched = script.watched,
  generations = script.generations,
  cancel_generations_before = script.cancel_generations_before,
  dispose = script.dispose,
  describe = script.describe,
  checked = script.checked,
  specs = script.specs,
  spawn_spec = script.spawn_spec,
  spawn_main = script.spawn_main,
  spawn = script.spawn,
  visit = visits.begin,
  overview = visits.overview,
  listens_at = tokens.listen_at,

  cancel = held.cancel,
  outcome = held.outcome,
  tail = held.tail,
  status = held.status,
  release = held.release,
  take_settled = held.take_settled,

  cancel_all = ending.cancel_all,
  counts = ending.counts,
  finishing = ending.finishing,
  idle = ending.idle,
  run_error = ending.run_error,
  summary = ending.summary,
  waiting = ending.waiting,
  lingering = ending.lingering,
  picture = picture.take,

  take_request = bridge.take_request,
  take_told = bridge.take_told,
  deliver = bridge.deliver,
  emit = bridge.emit,

  syntax_error = checking.syntax_error,
  hint = checking.hint,

  need_memory = heap.need,
  take_journal = records.take,
  take_audit = audit.take,
}

---@param config string JSON of what Host gives: args, input, run_id, version and the switches
---@param flush function flush(out, lines): takes what a flood has gathered within a tick
---@param exit function exit(status, events): ends the process, and what it has started
---@param keep function keep(…): takes what records.take gives, within a tick
---@param find function find(parent, name, key, input): what the journal has of a task, as JSON
---@param note function note(…): takes what audit.take gives, within a tick
function kernel.boot(config, flush, exit, keep, find, note)
  config = json.decode(config)
  script.boot(config)
  modules.trust, searchers.lua_path = config.trust, config.lua_path
  frames.all_frames = config.debug
  events.begin(config.events, config.events_shown, config.audit)
  tally.watched = config.watched
  log.names_prints, log.copies_prints = config.names_prints, config.copies_prints
  ending.closed_world, ending.blocked_fails = config.closed_world, config.blocked_fails
  ending.waits_for_answers = config.waits_for_answers
  cancelling.grace = config.cancel_grace
  if config.seed then
    random.seed(config.seed)
  end
  if config.virtual then
    clock.virtual, idle.poisoned = 0, true
  end
  if config.eager then
    log.flush_at = 0
  end
  log.flush = function()
    flush(log.take())
  end
  operator_kind.of_run = config.operator_kind
  records.on = config.journal
  reuse.all = config.reuse
  again.seed = config.journal_seed or 0
  records.flush = function()
    keep(records.take())
  end
  audit.flush = function()
    note(audit.take())
  end
  if config.resumed then
    replay.begin(find, config.resumed)
    questions.begin(config.resumed.asked)
    approvals.begin(config.resumed.approvals)
  end
  modules.exit = function(status)
    log.flush()
    if records.on then
      records.flush()
    end
    if audit.waits() then
      audit.flush()
    end
    exit(status, events.take())
  end
end

---Tells recorded ends, each once nobody else has anything to do; where somebody always has, as who
---asks again and again whether a worker has ended, one a step.
---@param more boolean somebody has
---@return boolean more
local function replayed(more, slice)
  if more then
    replay.next()
    return true
  end
  local stop = clock.real() + slice
  while not more and replay.next() do
    more = S.step(max(0, stop - clock.real())) or clock.real() > stop
  end
  return more
end

---One step. Where nobody is ready: under a virtual clock it jumps to the next timer; in a closed
---world without timers and requests it is a deadlock.
---@param slice number seconds
---@return boolean more, number? wait, boolean requests, boolean says, boolean settles
---@return boolean watches there is more to watch than was asked for
---@return boolean keeps there is something for the journal
---@return boolean urgent that must be on disk before anybody is told more
---@return boolean asks a question was opened or closed
---@return boolean audits there is something for the audit
function kernel.step(slice)
  heap.look()
  local more = S.step(slice)
  if replay.find then
    more = replayed(more, slice)
  end
  unowned.look()
  local wait
  if not more then
    local deadline = S.next_deadline()
    if bridge.outstanding == 0 and root.first_child then
      if clock.virtual and deadline then
        clock.virtual = deadline
        more = true
      else
        more = ending.if_deadlocked()
      end
    end
    local due = unowned.due() -- under a virtual clock nobody waits for it
    deadline = deadline and due and min(deadline, due) or deadline or due
    if deadline then
      wait = deadline - clock.monotonic()
    end
  end
  local says, settles = log.waits() or events.waits(), held.any_settled()
  local keeps, urgent, asks = records.waits(), records.urgent, questions.changed
  local watches, audits = script.watches(), audit.waits()
  records.urgent, questions.changed = false, false
  return more, wait, bridge.waits(), says, settles, watches, keeps, urgent, asks, audits
end

---The ids of the requests to cancel.
function kernel.take_cancels()
  return unpack(bridge.take_cancels())
end

---The ids of the requests whose events have been read.
function kernel.take_read()
  return unpack(bridge.take_read())
end

---@return string out, string lines of log, string lines of events
function kernel.take_said()
  local out, lines = log.take()
  return out, lines, events.take()
end

---The open questions, the oldest first, so many at most, as JSON.
function kernel.pending(most)
  return text_of(values.array(questions.list(nil, most)))
end

---How a question was answered, as JSON; nil: nobody has, or long since.
function kernel.answered(key)
  local answer = questions.answer_of(key)
  return answer and text_of(answer) or nil
end

---Whether a run that only answers can move waits for them; else it ends.
function kernel.wait_for_answers(waits)
  ending.waits_for_answers = waits
end

---The verbs and who has them, as JSON, for spec/rights/roles.md.
function kernel.verbs()
  local verbs = {}
  for verb, about in pairs(VERBS) do
    local having = {}
    for name, rights in pairs(roles.ROLES) do
      having[name] = rights[verb] or nil
    end
    local calls, bound, later = about[2], about.bound, about.later
    verbs[verb] = { group = about[1], calls = calls, bound = bound, later = later, roles = having }
  end
  return text_of(verbs)
end

-- One way to answer -------------------------------------------------------------------------------

local function answer(ok, ...)
  if ok and pcall(heap.need, 0) then
    return true, ...
  end
  local err = ...
  if ok or type(err) == "string" and err:find("not enough memory", 1, true) then
    return false -- to say more would take memory
  end
  return false, text_of(raised.plain(errors.is(err) and err or raised.from_raised(err)))
end

for name, fn in pairs(kernel) do
  kernel[name] = function(...)
    return answer(pcall(fn, ...))
  end
end

return kernel
