---@meta _
-- luacheck: ignore 111 112 113 121 122 131 211 212 241

-- What calls of `swarm` hand back, for language servers: nothing here runs. See swarm.lua.

---What names a worker: its handle, or a task_id such as "T-12" of the caller or of a task below it.
---@alias swarm.Target swarm.Handle|string

---`pass`, `blocked`, `failed`, `cancelled` and `timeout` are final.
---@alias swarm.Status "pending"|"running"|"suspended"|"pass"|"blocked"|"failed"|"cancelled"
---| "timeout"

-- Workers -----------------------------------------------------------------------------------------

---A worker's handle. It names a task: id, attempt and status are those of its latest attempt. It
---can be a value between workers; nothing can be written to it.
---@class swarm.Handle
---@field id string the worker's, such as "W-12"; each attempt has its own
---@field worker_id string the same as `id`
---@field task_id string such as "T-12"; calls take it in place of the handle
---@field attempt integer from 1
---@field name string? the worker's name; nil for a function
---@field label string? which of many it is: what it was labelled with, else its input in short
---@field overridden boolean a senior has put another result in the place of its own
---@field status swarm.Status
---@field generation integer the generation whose code it runs
---@field input any a copy of its input; in the worker itself the input
---@field prompt string the input as text: a string, its `prompt`, or its JSON
---@field role string
---@field operator_kind swarm.OperatorKind the kind of operator that holds for it
---@field session string? the session of an agent's
---@field depth integer how many workers are above it
---@field worktree string? the path of the task's worktree, once its first attempt has begun
---@field usage swarm.Usage what it has used, with all below it; `ctx:usage{ … }` adds to it
---@field budget swarm.Budget? what is left for it; nil: nothing bounds it
---@field needs table? of a node of a graph: what its needs made, by their names
---@field deadline number? the nearest deadline, in seconds of `swarm.monotonic()`
---@field meta table what hooks leave for each other; children get a copy
---@field cancel_token swarm.CancelToken
local Handle = {}

---Sums of what was used. A worker calls its own to say what it uses:
---`ctx:usage{ tokens = 10, cost = 0.01 }`.
---@class swarm.Usage
---@field tokens number? input and output together
---@field input number?
---@field output number?
---@field cached number?
---@field cost number? USD
---@overload fun(ctx: swarm.Ctx, amounts: table)

---As `swarm.join`.
---@param opts? swarm.closed.JoinOptions
---@return true? ok
---@return swarm.Error? err
---@return_overload true
---@return_overload nil, swarm.Error
function Handle:join(opts) end

---As `swarm.result`.
---@return any value
---@return swarm.Error? blocked
function Handle:result() end

---As `swarm.cancel`.
---@param reason? string
---@param opts? swarm.closed.CancelOptions
---@return boolean
function Handle:cancel(reason, opts) end

---As `swarm.output_tail`.
---@param opts? swarm.closed.TailOptions
---@return swarm.Event[]
function Handle:output_tail(opts) end

---As `swarm.follow`.
---@param opts? swarm.closed.FollowOptions
---@return fun(): swarm.Event?
function Handle:follow(opts) end

---The last artifact of a name, or nil. With a value it makes one, which is for the worker itself.
---@param name string
---@param value? any a JSON-like value
---@return any
function Handle:artifact(name, value) end

---The worker, as its own `run` and its hooks see it: the same object as the handle outside. What it
---says raises `invalid_value{path}`, and `budget_exceeded{what}` where its tail is full.
---@class swarm.Ctx : swarm.Handle
---@field state table what the invocations of a held-open worker share; `invalid_argument` elsewhere
local Ctx = {}

---A token for this attempt, which may at most what the worker may.
---@param caveats? swarm.closed.Caveats
---@return string
function Ctx:token(caveats) end

---What it was told by `swarm.direct` since it last asked, oldest first.
---@return string[]
function Ctx:directives() end

---One attempt of a task, as `swarm.trace` has it.
---@class swarm.TraceOfAttempt
---@field attempt integer
---@field status swarm.Status
---@field error swarm.Error?
---@field events swarm.Event[]

---What `swarm.attach` returns.
---@class swarm.Session
---@field token string for whoever acts in the session
---@field task_id string what is started in it is below this task
---@field handle swarm.Handle
---@field attached boolean somebody holds it: a heartbeat came within its `ttl`
local Session = {}

---A sign of life: somebody holds it, for another `ttl` seconds. Raises `session_not_found` once it
---is over.
function Session:heartbeat() end

---Ends it; what was started in it is waited for.
function Session:detach() end

---What a token says.
---@class swarm.Claims
---@field agent string the name of the worker that it speaks for
---@field role string
---@field task_id string
---@field attempt integer
---@field expires number Unix seconds
---@field fingerprint string tells it from others, in logs

---Says how far it has come.
---@param stage string
---@param note? string
function Ctx:progress(stage, note) end

---Hands out a part of the result.
---@param value any a JSON-like value
function Ctx:partial(value) end

---Says that the worker is ready: a supervisor starts the next child then. Once is enough; where
---nobody waits it does nothing.
function Ctx:ready() end

---A worker that is held open (`swarm.open`).
---@class swarm.HeldOpen : swarm.Handle
local HeldOpen = {}

---Runs it once more, in its turn; returns and raises as `swarm.call`. Raises `token_expired`,
---`token_uses_exhausted` or `token_revoked` where it is closed, and `deadlock` from inside itself.
---@param input? any a JSON-like value
---@return any value
---@return swarm.Error? blocked
function HeldOpen:invoke(input) end

---Nothing more can be invoked; what runs goes on to its end. Never waits.
---@return boolean open whether it was
function HeldOpen:close() end

---What `swarm.supervise` returns.
---@class swarm.Supervisor : swarm.Handle
local Supervisor = {}

---The children, in the order of starting.
---@return swarm.Child[]
function Supervisor:children() end

---Starts one more child; waits while others are being stopped, or are not ready yet.
---@param item swarm.closed.ChildSpec
---@return swarm.Handle
function Supervisor:start(item) end

---Stops a child for good, and waits for its end. False and `child_not_found{id}` where there is
---none. Raises `deadlock` where it would wait for the caller.
---@param id string
---@return boolean ok
---@return swarm.Error? err
---@return_overload true
---@return_overload false, swarm.Error
function Supervisor:stop(id) end

---Waits until all children that are to be started are ready. Nil and an error where the supervisor
---fails or is cancelled. Raises `deadlock` in a child that is not ready itself.
---@return true? ok
---@return swarm.Error? err
---@return_overload true
---@return_overload nil, swarm.Error
function Supervisor:ready() end

---What `children` says of a child.
---@class swarm.Child
---@field id string
---@field handle swarm.Handle? of its latest start; nil before its first
---@field status swarm.Status pending, too, while it is to be started
---@field restart "permanent"|"transient"|"temporary"
---@field restarts integer how often it was started again

---Tells whether a worker was cancelled, or cancels it: one for all that stands around it.
---@class swarm.CancelToken
---@field cancelled boolean
---@field reason string? why
local CancelToken = {}

---True once the worker is cancelled, false where it settled without.
---@return boolean
function CancelToken:wait() end

---As `swarm.cancel`.
---@param reason? string
---@return boolean
function CancelToken:cancel(reason) end

---What `swarm.scope` hands to its function.
---@class swarm.Scope
local Scope = {}

---As `swarm.spawn`, into this scope, whoever calls. A scope that is closed or cancelled refuses
---with `invalid_argument`.
---@param name string|swarm.Run
---@param input? any
---@param opts? swarm.closed.SpawnOptions
---@return swarm.Handle
function Scope:spawn(name, input, opts) end

---How a worker of `swarm.settle` ended.
---@class swarm.Settled
---@field status swarm.Status
---@field value any
---@field err swarm.Error?

-- Events ------------------------------------------------------------------------------------------

---What a worker has said. `progress` has stage and note, `partial` chunk, `artifact` name and
---content, `usage` the amounts that were given, `final` content, ok and reason.
---@class swarm.Event
---@field seq integer from 1 without gaps, in each attempt
---@field at number Unix seconds
---@field type "progress"|"partial"|"artifact"|"usage"|"final"
---@field dropped integer? how many events before this one had to go
---@field attempt integer? with `follow{ attempt = "all" }`: whose it is
---@field stage string? of progress
---@field note string? of progress
---@field chunk swarm.Content? of partial
---@field name string? of an artifact
---@field content swarm.Content? of an artifact and of a final
---@field ok boolean? of a final: false where it is blocked
---@field reason string? of a final: why it is blocked
---@field [string] any of usage: what was given

---What happens in a run, as `swarm.subscribe` and `--events` tell it.
---@alias swarm.RunEvent
---| "task_created" # it has been spawned
---| "task_attempt_started"
---| "worker_output" # `event`: what it has said
---| "task_attempt_completed" # with its `status`
---| "task_suspended" # `key`: it waits for an answer
---| "task_resumed" # `key`
---| "question_asked" # `key`, `to`, `question`, `choices`, and what else is shown
---| "question_answered" # `key`, `to`, `value`, `by`, `via`, `reason`, `blocked`
---| "question_withdrawn" # `key`, `to`, `reason`: nobody needs an answer any more
---| "senior_queried" # a question to "senior", in the same words
---| "senior_answered"
---| "task_overridden" # `value`, `ok`, `by`, `via`, `reason`
---| "task_marked" # `verdict`, `by`, `via`, `reason`
---| "retry" # `delay`, `reason`: another attempt comes
---| "task_pass"
---| "task_blocked"
---| "task_failed"
---| "task_cancelled"
---| "task_timeout"
---| "abandoned" # it did not let its cancel through
---| "long_hold" # `elapsed`, `after`: seconds that it has run, and after which the layer tells
---| "refused" # a hook or a role did not let it
---| "pool_parked" # `pool`, `retry_at`
---| "pool_unparked" # `pool`, `by`
---| "session_attached" # `role`
---| "session_detached" # `reason`
---| "reloaded" # `generation`, `added`, `removed`, `changed`

---A type of these events, or a glob over them, such as "task_*".
---@alias swarm.EventPattern swarm.RunEvent|string

---What an event holds: a value, or a file.
---@class swarm.Content
---@field kind "inline"|"file_ref"
---@field value any inline
---@field path string? of a file_ref
---@field mime string? of a file_ref

-- Errors ------------------------------------------------------------------------------------------

---What the host's own errors are called, and the fields that each has.
---@alias swarm.ErrorCode
---| "failed" # it raised; `cause` where it was another worker's error
---| "blocked" # { value, reason }
---| "cancelled" # { reason, kind }
---| "timeout" # { seconds } of swarm.exec, { said } of a worker
---| "poll_timeout" # of join
---| "children_failed" # { errors }
---| "none_passed" # { errors }, of any
---| "deadlock" # { waiting } where all wait
---| "closed" # a channel
---| "limited" # { retry_at, pool }
---| "interrupted" # it was in flight as the run broke off, and its on_resume is "fail"
---| "question_not_found" # { key }
---| "already_answered" # { key, by, via }: who was faster
---| "operator_failed" # the function of an operator raised, refused, or gave what does not fit
---| "unanswered" # { many }: only answers to so many questions can move the run
---| "skipped" # { need }, of a node of a graph
---| "not_registered" # { name }
---| "unknown_name" # { name }
---| "invalid_argument" # { name } of an option that is not there
---| "invalid_value" # { path }, such as input.items[3].fn; { line, column } of JSON
---| "not_while_loading"
---| "load_error" # { field, path }
---| "role_violation" # { role, verb }
---| "rejected_by_middleware" # { reason }
---| "task_not_found" # { task_id }
---| "token_task_mismatch" # { bound, arg }
---| "token_expired" # of a token, or a held-open worker
---| "token_uses_exhausted" # of a token, or a held-open worker
---| "token_revoked" # of a token, or a held-open worker
---| "token_not_found" # { task_id } whose attempt is over
---| "session_not_found" # of swarm.attach
---| "bad_signature" # of what is no token of this run
---| "spawn_depth_exceeded" # { current, max }
---| "spawn_bound_exceeded"
---| "budget_exceeded" # { what }
---| "restart_limit_exceeded" # { id, restarts, period }, of a supervisor
---| "child_not_found" # { id }, of a supervisor
---| "io_error" # { path, reason }
---| "http_error" # { url, reason }
---| "agent_failed" # { reason, session, last }
---| "limited" # { retry_at, session, last }
---| "process_failed" # { exit_code, signal, stderr, stdout, reason }
---| "idle_timeout" # { seconds } a process wrote nothing for so long
---| "host_error" # { name } of a port that is not there
---| "assertion_failed" # of assert.* in specs
---| "spec_pending" # of pending inside an `it`
---| "exploration_failed" # { schedule, schedules, failure, steps }, of explore in specs
---| "internal" # a fault of the host

---What is raised, and what `join` returns. `tostring(err)` is one readable paragraph. An error
---object that a script raises arrives whole, with code, message, where and traceback added; so
---`code` may be the script's own.
---@class swarm.Error
---@field code swarm.ErrorCode|string
---@field message string
---@field where string? file:line in the author's code
---@field traceback string? the author's frames, innermost first
---@field task_id string? whose error it was
---@field name string? the worker's name, or where its function stands
---@field label string? which of many the worker is
---@field spawned_at string? file:line
---@field spawned_by string? the worker above, where the line that spawned is not known
---@field cause swarm.Error? what it comes from
---@field others swarm.Error[]? what failed beside it
---@field errors swarm.Error[]? children_failed, none_passed
---@field attempts integer? of a task that was tried again
---@field of_run boolean? the time of the run itself was up, not of one worker
---@field cancel_reason string? raised in clean-up, after this cancel
---@field reason string? blocked, cancelled, rejected_by_middleware, io_error, http_error; of
---process_failed, what its output lacks
---@field kind string? cancelled: what cancelled it, such as "cancel" or "parent"
---@field value any blocked
---@field waiting table[]? deadlock: who waits for what, and where
---@field unknown string? unknown_name, not_registered, invalid_argument: what there is not
---@field path string? invalid_value, load_error, io_error
---@field line integer? invalid_value: of a text that is not JSON
---@field column integer? invalid_value: of a text that is not JSON
---@field field string? load_error
---@field role string? role_violation
---@field verb string? role_violation
---@field bound string? token_task_mismatch
---@field arg string? token_task_mismatch
---@field retry_at number? limited: Unix seconds
---@field pool string? limited: of the run itself
---@field need string? skipped: the node that was not to be had
---@field current integer? spawn_depth_exceeded
---@field max integer? spawn_depth_exceeded
---@field what string? budget_exceeded
---@field id string? child_not_found, restart_limit_exceeded
---@field restarts integer? restart_limit_exceeded
---@field period number? restart_limit_exceeded: seconds
---@field seconds number? timeout of swarm.exec
---@field said string? what a worker that ran out of time had said last
---@field url string? http_error
---@field retry_at number? limited: Unix seconds at which the limit is over
---@field session string? agent_failed, limited, idle_timeout of an agent
---@field last string? of these: what the agent said last
---@field exit_code integer? process_failed
---@field key string? of a question
---@field by string? already_answered: who has answered
---@field via string? already_answered: from where
---@field many integer? unanswered: how many questions wait
---@field signal string? process_failed
---@field stderr string? process_failed: its last 4 KiB
---@field stdout any process_failed: as `output` made it; with a `reason` the text
---@field schedule string? exploration_failed: what replays it
---@field schedules integer? exploration_failed: how many were tried
---@field failure any exploration_failed: what the order raised
---@field steps table[]? exploration_failed: the order, step by step

---Lua's own: true and what `f` returned, or false and what it raised. Calls of `swarm` raise a
---`swarm.Error`; a script may raise anything.
---@generic T, R
---@param f fun(...: T...): R...
---@param ... T...
---@return boolean ok
---@return any ...
---@return_overload true, R...
---@return_overload false, any
function pcall(f, ...) end

-- Talking and taking turns ------------------------------------------------------------------------

---Values from worker to worker, first in first out. Who waits longest is served first.
---@class swarm.Channel
local Channel = {}

---Waits while the channel is full; with capacity 0 until somebody receives. Raises `closed`,
---`invalid_value{path}`.
---@param value any a JSON-like value, copied
function Channel:send(value) end

---Waits for a value. nil and false once the channel is closed and drained.
---@return any value
---@return boolean open
function Channel:recv() end

---Receives until the channel is closed and drained; a nil that was sent comes as `swarm.null`.
---@return fun(): any
function Channel:iter() end

---Ends the sending, once and for all. Never waits.
function Channel:close() end

---Permits, each held by one worker.
---@class swarm.Semaphore
local Semaphore = {}

---Waits until a permit is free.
function Semaphore:acquire() end

---Gives a permit back. Never waits.
function Semaphore:release() end

---Runs `fn()` with a permit, and returns what it returned.
---@param fn fun(): any...
---@return any ...
function Semaphore:with(fn) end

---What `swarm.event` returns.
---@class swarm.Signal
local Signal = {}

---Wakes all who wait. Never waits.
function Signal:set() end

---From now on who waits has to wait. Never waits.
function Signal:clear() end

---Waits until it is set.
function Signal:wait() end

---One worker at a time, and never left locked.
---@class swarm.Lock
local Lock = {}

---Runs `fn()` while no other worker has the lock, and returns what it returned. Raises `deadlock`
---where the worker has it already.
---@param fn fun(): any...
---@return any ...
function Lock:with(fn) end

-- Generations ------------------------------------------------------------------------------------

---One loading of the script.
---@class swarm.Generation
---@field number integer
---@field newest boolean
---@field workers integer how many workers of it are live
---@field besides_main integer how many of them are not main, which stays as long as the run
---@field names table<string, integer> how many of each name

---What `on_reload` is told of the generation before.
---@class swarm.OldGeneration
---@field generation integer
---@field workers string[] the names that it defines
---@field roles string[]
---@field files string[] what it was loaded from

---What `on_reload` is told of its own generation, and how it differs.
---@class swarm.NewGeneration
---@field generation integer
---@field added string[] such as "worker count"
---@field removed string[]
---@field changed string[]

---A question that nobody has answered yet.
---@class swarm.Question
---@field key string by which it is answered
---@field nth integer which it is of all of the run
---@field question string
---@field to string who is asked
---@field kind "question"|"approval"|"attempt"
---@field choices? string[]
---@field schema? table
---@field default? any
---@field show? string|swarm.File
---@field details? table what is known besides, of an approval or an attempt
---@field since number Unix seconds
---@field task_id string of who asks
---@field name string its name, or where its function stands
---@field label? string
---@field input? string of who asks, in short
---@field at_operator? true a function of swarm.operator looks at it first

---What was decided for always of a tool that an agent asks for: for all tasks of a worker.
---@class swarm.Approval
---@field worker string its name
---@field tool string
---@field allowed boolean
---@field by? string who has said so
---@field via string from where, as of an answer
---@field since number Unix seconds

---What the function of an operator is given.
---@class swarm.Request : swarm.Question
---@field role? string of who asks
---@field input any
---@field prompt? string of an attempt
