---@meta swarm
-- luacheck: ignore 111 112 113 121 122 131 212

-- What `swarm` offers to a script, for language servers: nothing here runs. What calls take is in
-- definitions.lua, what they hand back in objects.lua, files and the like in outside.lua, and
-- what only spec files have in spec.lua. tests/types/test_types.py holds all of them against a
-- running host.
--
-- Seconds may have fractions. Every call that may wait raises `cancelled` in a worker that is
-- cancelled, and `not_while_loading` while a script loads. What a role does not allow raises
-- `role_violation{role, verb}`; a wrong argument raises `invalid_argument`. These are not repeated.

---The host, as scripts meet it: `require "swarm"`, and a global. A name that does not exist raises
---`unknown_name` with the nearest one; nothing but `operator_kind` can be written to it, while the
---script loads.
---@class swarm
---@field args string[] what follows SCRIPT on the command line
---@field input any what `--input` gave; nil where it gave nothing
---@field run_id string the run's id
---@field version string the host's version
---@field script_dir string the script's folder with a slash at its end, or "" for the working one
---@field operator_kind swarm.OperatorKind? of all workers, where nothing else is said; assign it
---@field null swarm.Null a JSON null: stands where a nil would leave a hole
---@field fs swarm.Fs files
---@field token swarm.Token what leaves the run carries one (`ctx:token`, `{token}`)
---@field http swarm.Http requests over HTTP; comes with the extra `http`
---@field json swarm.Json JSON text (RFC 8259)
---@field log swarm.Log lines for people, on stderr
swarm = {}

-- One spawn, one worker, one join -----------------------------------------------------------------

---Queues a worker and never waits. It belongs to the innermost block open here. A function is a
---worker without a name, with the spawner's role.
---Raises `not_registered`, `invalid_value{path}`, `spawn_depth_exceeded{current, max}`,
---`spawn_bound_exceeded`, and `cancelled` in a worker that is cancelled.
---@param name string|swarm.Run
---@param input? any a JSON-like value, copied as it crosses
---@param opts? swarm.closed.SpawnOptions
---@return swarm.Handle
function swarm.spawn(name, input, opts) end

---Waits until a worker and its children have settled: the signal, not the value. `true` where it
---ran to completion (`pass`, `blocked`), else nil and its error, which owns the failure; code
---`poll_timeout` where `opts.timeout` came first. Raises `deadlock`, `task_not_found`.
---@param target swarm.Target
---@param opts? swarm.closed.JoinOptions
---@return true? ok
---@return swarm.Error? err
---@return_overload true
---@return_overload nil, swarm.Error
function swarm.join(target, opts) end

---Joins and gives the value of the last `final`. Blocked: that value, and an error of code
---`blocked`. Raises the error of a worker that failed, timed out or was cancelled.
---@param target swarm.Target
---@return any value
---@return swarm.Error? blocked
function swarm.result(target) end

---`spawn` and `result` in one; raises what they raise.
---@param name string|swarm.Run
---@param input? any a JSON-like value
---@param opts? swarm.closed.SpawnOptions
---@return any value
---@return swarm.Error? blocked
function swarm.call(name, input, opts) end

---Asks a worker to stop; its children first. Returns at once: true where it was live and will end
---`cancelled`. With `{ wait = true }` it waits for the end, and says whether it did end so.
---@param target swarm.Target
---@param reason? string the first one stays
---@param opts? swarm.closed.CancelOptions
---@return boolean
function swarm.cancel(target, reason, opts) end

---Asks a person, or whoever answers for `to`, and waits. The worker is `suspended` meanwhile, and
---its time limits, and those of the workers above it, stand still. Verb ask_operator; of a senior
---(`to = "senior"`), query_senior.
---@param question string at most 65,536 bytes
---@param opts? swarm.closed.AskOptions
---@return any answer one of the choices, what fits the schema, or a text
function swarm.ask(question, opts) end

---Answers a question. Who asks, and workers below that, cannot. Verb answer_query.
---@param key string
---@param value any a JSON-like value, not nil
---@param opts? swarm.closed.AnswerOptions
function swarm.answer(key, value, opts) end

---The questions that nobody has answered yet, the oldest first. Verb read_task_state.
---@return swarm.Question[]
function swarm.pending() end

---What was decided for always of the tools that agents ask for, the oldest first. Verb
---read_task_state.
---@return swarm.Approval[]
function swarm.approvals() end

---Has a function answer what is put to an id. It runs beside the run's workers, as an operator. Nil
---leaves the question to somebody else; a second value, or an error, fails who asks.
---@param id string
---@param fn fun(request: swarm.Request): any, any
function swarm.operator(id, fn) end

---Puts another result in the place of a settled task's: `result` gives it from now on, the status
---stays. Verb override_verdict.
---@param target swarm.Target
---@param value any a JSON-like value
---@param ok? boolean false: it is blocked; true by default
---@param reason? string
function swarm.override(target, value, ok, reason) end

---Ends a task that waits for an answer. Verb mark_pass, or mark_blocked.
---@param target swarm.Target
---@param verdict "pass"|"blocked"
---@param value? any what its result is
---@param reason? string
function swarm.mark(target, verdict, value, reason) end

---The events of an attempt so far, in order; never waits.
---@param target swarm.Target
---@param opts? swarm.closed.TailOptions
---@return swarm.Event[]
function swarm.output_tail(target, opts) end

---The events as they come, until the attempt has ended; with `attempt = "all"` until the task has
---settled. Owns no failure.
---@param target swarm.Target
---@param opts? swarm.closed.FollowOptions
---@return fun(): swarm.Event?
function swarm.follow(target, opts) end

---Holds a worker open, to be invoked again and again: of kind `lua`, or of kind `process` with a
---format of items. Never waits.
---Raises `not_registered`.
---@param name string
---@param opts? swarm.closed.OpenOptions
---@return swarm.HeldOpen
function swarm.open(name, opts) end

---What `run` returns to say no: `return swarm.blocked(value, "why")`.
---@param value? any
---@param reason? string
---@return any value
---@return swarm.Error blocked
function swarm.blocked(value, reason) end

-- Many workers ------------------------------------------------------------------------------------

---The values in order, and the errors of the blocked ones by index. The first failure cancels the
---rest, and is raised when all have settled, with the others in `others`.
---@param list (swarm.Target|swarm.Run)[]
---@return any[] values
---@return table<integer, swarm.Error>? blocked
function swarm.all(list) end

---A worker for each item, then as `all`.
---@param name string|swarm.Run
---@param items any[] the inputs
---@param opts? swarm.closed.MapOptions
---@return any[] values
---@return table<integer, swarm.Error>? blocked with `keep_going` those that failed too
function swarm.map(name, items, opts) end

---Workers that need what others make: a node starts when all that it needs have passed. Raises the
---first failure; `invalid_argument` for a cycle.
---@param nodes table<string, swarm.closed.GraphNode>
---@param opts? swarm.closed.GraphOptions
---@return table<string, any> values
---@return table<string, swarm.Error>? errors of nodes that are blocked, skipped, or failed
function swarm.graph(nodes, opts) end

---The value and the place of the first that passes; the others are cancelled. Raises
---`none_passed{errors}`.
---@param list (swarm.Target|swarm.Run)[]
---@return any value
---@return integer index
function swarm.any(list) end

---The first that settles, however it ends, and its place; the others are cancelled.
---@param list (swarm.Target|swarm.Run)[] not empty
---@return swarm.Handle
---@return integer index
function swarm.race(list) end

---How each ended; raises nothing for them.
---@param list (swarm.Target|swarm.Run)[]
---@return swarm.Settled[]
function swarm.settle(list) end

---The workers in the order in which they settle: `for i, h in swarm.each(list) do`. Cancels nobody,
---and owns no failure.
---@param list (swarm.Target|swarm.Run)[]
---@return fun(): integer?, swarm.Handle?
function swarm.each(list) end

---Starts children in order, starts them again as they end, and stops them in reverse order. Never
---waits. It fails with `restart_limit_exceeded{id, restarts, period}`.
---The rules of restarts are those of Erlang/OTP's supervisor.
---@param opts swarm.closed.SuperviseOptions
---@return swarm.Supervisor
function swarm.supervise(opts) end

-- Blocks and time ---------------------------------------------------------------------------------

---Runs `fn(scope)` and waits for all spawned in it. The first failure cancels the rest and is
---raised, with the others in `others`.
---@param fn fun(scope: swarm.Scope): any...
---@return any ...
function swarm.scope(fn) end

---Runs `fn()` and all it spawns for at most so many seconds; raises `timeout`.
---@param seconds number zero or more
---@param fn fun(): any...
---@return any ...
function swarm.timeout(seconds, fn) end

---Runs `fn()` out of the reach of outer cancels and deadlines: for clean-up that waits. Always
---bounded; raises `timeout` after 30 seconds, or after `opts.timeout`.
---@param fn fun(): any...
---@param opts? swarm.closed.ShieldOptions
---@return any ...
function swarm.shield(fn, opts) end

---Waits.
---@param seconds number zero or more; 0 still gives way
function swarm.sleep(seconds) end

---Gives everybody else a turn.
function swarm.yield() end

---Raises `cancelled` where the worker is cancelled or out of time, else goes on at once.
function swarm.checkpoint() end

---Unix time in seconds, by the run's clock, which is virtual in specs.
---@return number
function swarm.now() end

---Seconds that never go back, since an arbitrary start; the clock of `ctx.deadline`.
---@return number
function swarm.monotonic() end

---Values from worker to worker, first in first out. It holds `capacity` values; with 0, the
---default, a sender waits for a receiver.
---@param capacity? integer
---@return swarm.Channel
function swarm.channel(capacity) end

---At most `permits` workers at once.
---@param permits integer one or more
---@return swarm.Semaphore
function swarm.semaphore(permits) end

---Something that is so or not, and that workers wait for; not set at first.
---@return swarm.Signal
function swarm.event() end

---Ends the parking of a pool; verb cancel_task.
---@param name swarm.PoolName
---@return boolean was it was parked
function swarm.unpark(name) end

---One worker at a time.
---@return swarm.Lock
function swarm.lock() end

-- Definitions: while a script loads, else `load_error` --------------------------------------------

---Defines a worker: `swarm.worker "name" { … }` or `swarm.worker("name", { … })`. A wrong
---definition is a `load_error` with line, field and the nearest name; so are those of role, layer,
---command, agent and pool.
---@param name string
---@return fun(fields: swarm.closed.Worker)
---@overload fun(name: string, fields: swarm.closed.Worker)
function swarm.worker(name) end

---Defines what workers may do, by verbs.
---@param name string
---@return fun(fields: swarm.closed.Role)
---@overload fun(name: string, fields: swarm.closed.Role)
function swarm.role(name) end

---Defines hooks that workers ask for by name, in `layers` or with `swarm.use`.
---@param name string
---@return fun(fields: swarm.closed.Layer)
---@overload fun(name: string, fields: swarm.closed.Layer)
function swarm.layer(name) end

---Defines a program to run, for process workers that name it: `command = "name"`.
---@param name string
---@return fun(fields: swarm.closed.Invocation)
---@overload fun(name: string, fields: swarm.closed.Invocation)
function swarm.command(name) end

---Defines a command-line agent, for workers that name it: `agent = "name"`.
---@param name string
---@return fun(fields: swarm.closed.Agent)
---@overload fun(name: string, fields: swarm.closed.Agent)
function swarm.agent(name) end

---Defines a limit that several workers share: `pool = "name"` in each.
---@param name string
---@return fun(fields: swarm.closed.Pool)
---@overload fun(name: string, fields: swarm.closed.Pool)
function swarm.pool(name) end

---Says what runs. It is a worker too, with the role `operator`; once in a script.
---@param fn swarm.MainRun|swarm.closed.Main
function swarm.main(fn) end

---Before each attempt: what `fn` returns replaces the input, nil keeps it. An error refuses it
---(`rejected_by_middleware{reason}`), and nothing runs.
---@param select swarm.Select
---@param fn fun(ctx: swarm.Ctx, input: any): any
function swarm.before(select, fn) end

---After each attempt that ran to completion, blocked too: what `fn` returns is the result, nil
---leaves it unchanged.
---@param select swarm.Select
---@param fn fun(ctx: swarm.Ctx, result: swarm.Result): swarm.Result?
function swarm.after(select, fn) end

---Around each attempt: `next(input?)` runs what is inside and returns its result, or raises.
---@param select swarm.Select
---@param fn fun(ctx: swarm.Ctx, next: swarm.Next): swarm.Result
function swarm.around(select, fn) end

---After every end of an attempt, also of a refusal. Shielded, bounded by 5 seconds; cannot change
---the end. What it raises fails the run.
---@param select swarm.Select
---@param fn fun(ctx: swarm.Ctx, outcome: swarm.Outcome)
function swarm.settled(select, fn) end

---Puts a layer on every worker.
---@param name string
---@param options? table handed to each of its hooks as the last argument
function swarm.use(name, options) end

---What stands around the attempts under an operator of kind `main_ai` or `composite`; once in a
---script.
---@param fields swarm.closed.SpawnHook
function swarm.spawn_hook(fields) end

-- Generations: hot reload -------------------------------------------------------------------------

---The number of the newest generation, from 1: what names mean by now.
---@return integer
function swarm.generation() end

---The generations that are alive, the newest last.
---@return swarm.Generation[]
function swarm.generations() end

---What lives across the generations of a run, by name: a table of JSON-like values, channels,
---semaphores, events and locks, or one of these alone. What it may not hold is `invalid_value` at
---the next reload. It begins with `init`: a table is copied, a function is called once a run; of
---several the first counts. It is not journalled.
---@generic T
---@param name string
---@param init fun(): T or a table; an empty table by default
---@return T
---@overload fun(name: string, init?: table): table
function swarm.state(name, init) end

---Runs in a new generation before it takes over; raising keeps the old one. While a script loads.
---@param fn fun(old: swarm.OldGeneration, new: swarm.NewGeneration)
function swarm.on_reload(fn) end

---Runs in a generation before it is freed, and at the end of the run. While a script loads.
---@param fn fun()
function swarm.on_dispose(fn) end

---A change of this file, too, means that the script is to be loaded anew.
---@param path string
function swarm.watch_file(path) end

-- Values ------------------------------------------------------------------------------------------

---A value as a text for people: `print(swarm.inspect(v))`. It is bounded, its keys are sorted, and
---no metamethod of the script's is called. Never waits.
---@param value any
---@return string
function swarm.inspect(value) end

---Marks a table as an array, so that an empty one is `[]` as JSON. Raises `invalid_value`.
---@generic T: table
---@param t? T a new one by default
---@return T
function swarm.array(t) end

---Marks a table as an object, so that an empty one is `{}` as JSON. Raises `invalid_value`.
---@generic T: table
---@param t? T a new one by default
---@return T
function swarm.object(t) end

---Stands for a file's content, anywhere in a value. Raises `invalid_value`.
---@param path string
---@param mime? string such as "text/plain"
---@return swarm.File
function swarm.file(path, mime) end

---What was last kept under a name for the whole run, as a copy, or nil. Never waits.
---@param name string
---@return any
function swarm.data(name) end

---Keeps a value under a name for the whole run; nil takes it away. Never waits. Raises
---`invalid_value{path}`.
---@param name string
---@param value any a JSON-like value, copied
function swarm.set_data(name, value) end

-- The outside -------------------------------------------------------------------------------------

---A variable of the environment, or nil.
---@param name string
---@return string?
function swarm.env(name) end

---Runs a program and waits for it: `swarm.exec{ "git", "status" }`. No shell sees it. An exit
---code is a result. Raises `process_failed` where it cannot start, `timeout`.
---@param command swarm.closed.ExecCommand
---@return swarm.ExecResult
function swarm.exec(command) end

---Asks a port that the embedding application or another package brought, and waits for its answer.
---@param name string
---@param payload? table an object of JSON-like values
---@param data? string bytes that go beside it as they are
---@return any value
---@return string? data
function swarm.port(name, payload, data) end

---Stands for a variable of the host's environment, alone as a value in `env` of a process. Its
---value never enters Lua, and is masked in what comes back.
---@param name string
---@return swarm.Secret
function swarm.secret(name) end

---One more attempt of a task that has settled, whatever its retries say: its handle stays, and
---tells of the new attempt, which belongs to the scope that asks. Verbs dispatch_attempt and
---start_task.
---@param target swarm.Target
---@return swarm.Handle
function swarm.retry(target) end

---Until `swarm.unpause()` no attempt begins; what runs goes on. Verb pause_loop.
---@return boolean whether it was not paused yet
function swarm.pause() end

---Verb resume_loop.
---@return boolean whether it was paused
function swarm.unpause() end

---A word to a live worker, which reads it with `ctx:directives()`. Verb inject_directive.
---@param target swarm.Target
---@param text string
function swarm.direct(target, text) end

---The events of the run from now on, as they come; of one that is read too slowly the oldest are
---lost, and the next has their number as `dropped`. It ends with the worker that asked, and where
---nobody is left but those who wait for events. Verb subscribe_events.
---@param select? swarm.EventPattern|swarm.EventPattern[]|(fun(event: table): boolean)
---@return fun(): table?
function swarm.subscribe(select) end

---What has become of a task so far, attempt by attempt. Verb read_trace.
---@param target swarm.Target
---@return swarm.TraceOfAttempt[]
function swarm.trace(target) end

---A session for somebody outside, who acts in a role. `ttl` seconds after the last heartbeat nobody
---is attached, until the next one; `s:detach()` and the end of the worker that made it end it. Verb
---attach_session.
---@param options swarm.closed.AttachOptions
---@return swarm.Session
function swarm.attach(options) end

---A value that is made once. Where the calling task runs again, as a run is resumed, it is what
---`fn` returned the first time; `fn` is not called.
---@generic T
---@param key string known in this task alone
---@param fn fun(): T
---@return T
function swarm.recorded(key, fn) end

---A number in [0, 1), or a whole number in [1, m] or [m, n]; in specs from the seed.
---@param m? integer
---@param n? integer
---@return number
function swarm.random(m, n) end

---A random UUID (RFC 9562, version 4).
---@return string
function swarm.uuid() end

return swarm
