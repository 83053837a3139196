---@meta _
-- luacheck: ignore 111 112 113 121 122 131 211 212 241

-- What scripts give to the calls of `swarm`: definitions and options, for language servers. Nothing
-- here runs. See swarm.lua. A field or option that does not exist is refused with the nearest one.

---What a worker runs. `return value` passes; a second value that is not nil blocks, and says why;
---raising fails.
---@alias swarm.Run fun(ctx: swarm.Ctx, input: any): any, any

---What main runs: its arguments are what follows SCRIPT.
---@alias swarm.MainRun fun(args: string[], ctx: swarm.Ctx): any, any

-- Workers -----------------------------------------------------------------------------------------

---What every kind of worker may say.
---@class swarm.WorkerFields
---@field kind? "lua"|"process"|"python"|"agent"|"operator" by default the kind whose own field is
---there
---@field description? string
---@field label? string|false which of many a worker is, such as "{input.path}"; false: none,
---and its input is not shown in its place
---@field timeout? number seconds for each attempt, above zero, from `running` on
---@field concurrency? integer how many of this worker run at once; the others are pending
---@field pool? string|string[] the pools that it takes a slot of, all or none
---@field retries? integer|swarm.Retries how often a failed attempt is followed by another
---@field on_resume? "again"|"ask"|"fail" where a run is resumed: a task that was in flight runs
---again, asks first whether it is to, or fails: "again"
---@field cache? boolean true: results of before are taken where nothing that they came of has
---changed, whatever it ran; false: not with --reuse either
---@field ready? true|swarm.Ready when a supervisor takes it to have started; at once by default
---@field start_timeout? number seconds from its start until it is ready: 30
---@field role? swarm.RoleName "worker" by default
---@field authority? "own" its role's rights whole, not cut down by those of who spawns it
---@field layers? (string|swarm.LayerEntry)[] the earlier inner; `audit`, `log`, `long_hold`,
---`main_ai`, `operator_delegate`, `redact` and `senior_escalation` come with the host
---@field operator_kind? swarm.OperatorKind before its script's, after the run's and a spawn's
---@field budget? swarm.Budget how much a task and all below it may use
---@field worktree? boolean|swarm.Worktree a git worktree for each task: false
---@field input_schema? table a JSON Schema (2020-12); what does not fit is refused
---@field output_schema? table a JSON Schema (2020-12); what does not fit fails the attempt

---Kind `lua`: a function of the script.
---@class swarm.LuaWorker : swarm.WorkerFields
---@field run swarm.Run

---Kind `process`: a child process an attempt.
---@class swarm.ProcessWorker : swarm.WorkerFields, swarm.Invocation

---What runs as a process, by `command` or `shell`. In command, stdin, cwd and the values of env
---these stand for what they name: {prompt} {prompt_file} {input} {input.a.b} {task_id} {attempt}
---{name}.
---@class swarm.Invocation
---@field command? string[]|string the program and its arguments, or the name of a `swarm.command`
---@field shell? string a text for `sh -c`, which has "$SWARM_PROMPT" and "$SWARM_INPUT"
---@field stdin? swarm.Stdin by default the prompt, where command and env do not name it
---@field env? table<string, string|swarm.Secret> further variables
---@field inherit_env? string[]|false names and globs beside the usual ones; false: nothing
---@field cwd? string
---@field output? swarm.ProcessOutput what its stdout becomes
---@field ok_codes? integer[] exit codes that pass: { 0 }
---@field exit? "blocked"|"failed" what another exit code makes of it: "failed"
---@field kill_after? number seconds from SIGTERM to SIGKILL: 5
---@field idle? number seconds without a word after which it fails with `idle_timeout`
---@field linger? number seconds that it may live on after its `final`
---@field limits? swarm.ProcessLimits
---@field prompt? string the prompt, a text with placeholders, in place of the input's
---@field pty? boolean|swarm.Terminal whether a terminal is its input and output
---@field restart? boolean held open: whether a child that has ended is started anew: true

---A text with placeholders, `false` for nothing, a file, or who is asked for it.
---@alias swarm.Stdin string|false|swarm.File|fun(ctx: swarm.Ctx, input: any): swarm.Input?

---What a process is given to read: text, a file, what a worker says as it runs, or nothing.
---@alias swarm.Input string|false|swarm.File|swarm.Handle

---How stdout becomes a value.
---@class swarm.ProcessOutput
---@field format? swarm.ProcessFormat "auto": JSON where stdout is an object or array
---@field result? string a JSON Pointer (RFC 6901): the part that is the value
---@field ok? string a JSON Pointer to a boolean: whether it passes
---@field event? swarm.ItemEvent what an item of a stream is
---@field final? "last" the last item is the result, and no `final` is needed
---@field keep? integer lines: so many, the last ones, are the result

---What stdout is. From `lines` on it is a stream, taken item by item.
---@alias swarm.ProcessFormat "auto"|"text"|"json"|"file"|"lines"|"ndjson"|"sse"|"frames"

---What an item is: an event, with `value` in place of a content if you like, a list of them, or nil
---to skip it. `name` is that of a server-sent event. It may wait.
---@alias swarm.ItemEvent fun(item: any, name: string?): table|nil

---A terminal for a process.
---@class swarm.Terminal
---@field rows? integer 24
---@field cols? integer 80
---@field plain? boolean whether colours and other orders are taken out of what it writes: false

---How much a process may say, and use: the latter holds for it and each that it starts.
---@class swarm.ProcessLimits
---@field line? integer bytes of a line or frame: 1 MiB; the rest of a line is dropped
---@field output? integer bytes of stdout: 64 MiB; more fails the worker; a stream has no such bound
---@field memory? integer bytes of its address space
---@field cpu? integer seconds of processor time
---@field files? integer open files
---@field file_size? integer bytes of a file that it writes
---@field processes? integer processes of its user, all in all

---Kind `python`: a function of Python's: a sync one in a thread, an async one in the host's loop.
---@class swarm.PythonWorker : swarm.WorkerFields
---@field python string "module:function", beside the script or installed, or a name under which
---`@swarm_host.worker` registered one
---@field token? boolean whether `worker_context()` has a token of the attempt: false

---Kind `agent`: a command-line agent, a turn of it an attempt. Its prompt goes to its stdin.
---@class swarm.AgentWorker : swarm.WorkerFields
---@field agent "claude"|"codex"|"gemini"|"opencode"|string|swarm.Agent
---@field model? string a text with placeholders
---@field protocol? "stream"|"acp" of those that the agent has, the other one
---@field permissions? "read"|"edit"|"all"|"ask"|swarm.Permit what it may do by itself: "ask"
---@field session? "new"|string the session to go on in, a text with placeholders; "new": each
---attempt begins one
---@field max_turns? integer where the agent has such a limit
---@field args? string[] further arguments, texts with placeholders
---@field repairs? integer how often it is asked again where its answer does not fit: 2
---@field prices? swarm.Prices of an agent that tells tokens and no cost: what they cost
---@field prompt? string the prompt, a text with placeholders, in place of the input's
---@field env? table<string, string|swarm.Secret> further variables
---@field inherit_env? string[]|false names and globs beside the agent's and the usual ones
---@field cwd? string
---@field kill_after? number seconds from SIGTERM to SIGKILL: 5
---@field idle? number seconds without a word after which it fails with `idle_timeout`
---@field linger? number seconds that it may live on after its answer: 10
---@field limits? swarm.ProcessLimits

---Kind `operator`: a person, a function of the script or another program answers. What fits its
---`output_schema` is its result, or one of its choices, or any value; its `timeout` stands still.
---@class swarm.OperatorWorker : swarm.WorkerFields
---@field operator string who is asked, as by swarm.ask's `to`
---@field choices? string[] of which the answer is one
---@field prompt? string the question, a text with placeholders, in place of the input's

---What a million tokens cost, in USD.
---@class swarm.Prices
---@field input number
---@field output number
---@field cached? number of those of input that came out of a cache: as the others

---How a command-line agent is run, and what its items mean.
---@class swarm.Agent
---@field command string[]|fun(turn: swarm.Turn): string[] the program and its arguments; "{args}"
---stands for the worker's `args` (else they come last), "{schema_file}" for a file with the schema
---@field on? table<any, swarm.ItemMapper|false> a stream's: an item's type → what it means; false:
---nothing
---@field type? string the key that names an item's type: "type"
---@field ended? fun(turn: swarm.Turn, exit: swarm.Exit) called once its program has ended
---@field options? swarm.AgentOption[] what its command uses
---@field cost? boolean false: it never tells what it costs, so a budget of cost is refused
---@field session_key? string a key that every item has, with the session
---@field inherit_env? string[] names and globs that its login needs
---@field install? string how one gets it, for messages
---@field login? string how one logs in, for messages
---@field protocol? "stream"|"acp" what it speaks on its standard output: "stream"
---@field start_timeout? number over ACP: seconds until it has answered all but a prompt: 60
---@field acp? swarm.AgentOverAcp the same agent over ACP

---How an agent that writes a stream is run where a worker asks for `protocol = "acp"`.
---@class swarm.AgentOverAcp
---@field command string[]|fun(turn: swarm.Turn): string[]
---@field options? swarm.AgentOption[] what that command uses
---@field start_timeout? number

---Answers what an agent over ACP asks for: the id or the kind of an option, "allow" or "deny".
---@alias swarm.Permit fun(ctx: swarm.Ctx, request: swarm.PermissionRequest): string?

---What an agent over ACP asks a permission for.
---@class swarm.PermissionRequest
---@field id string of the tool's call
---@field tool string? its title
---@field kind string? such as "read", "edit" or "execute"
---@field arguments any what it is called with
---@field options swarm.PermissionOption[]

---An answer that an agent takes.
---@class swarm.PermissionOption
---@field id string
---@field kind "allow_once"|"allow_always"|"reject_once"|"reject_always"
---@field name string

---What a worker may ask of an agent; `schema`: it has an option for schemas.
---@alias swarm.AgentOption "model"|"permissions"|"session"|"max_turns"|"schema"

---What an agent has used: tokens that went in, those of them out of a cache, tokens that came out,
---and USD.
---@class swarm.Amounts
---@field input? number
---@field output? number
---@field cached? number
---@field cost? number
---@field model? string

---What an item means. What it raises fails the attempt.
---@alias swarm.ItemMapper fun(turn: swarm.Turn, item: table)

---How its program ended.
---@class swarm.Exit
---@field exit_code integer?
---@field signal string?
---@field stderr string

---One run of an agent's program, with one prompt. A mapper may keep fields of its own in it.
---@class swarm.Turn
---@field model string?
---@field session string? the session to go on in
---@field permissions "read"|"edit"|"all"|"ask"
---@field max_turns integer?
---@field schema string? JSON
---@field budget swarm.Budget? what is left for it, where a budget bounds it
local Turn = {}

---Its session has this id.
---@param id string
function Turn:in_session(id) end

---It says this: a `partial`.
---@param text string
function Turn:text(text) end

---Something that it does: a `progress`.
---@param stage string
---@param note? string
function Turn:progress(stage, note) end

---A tool begins; told again under the same id it is the same.
---@param name string
---@param id? string
function Turn:tool(name, id) end

---A tool has ended.
---@param id string
---@param has_failed? boolean
function Turn:tool_ended(id, has_failed) end

---It was not allowed a tool.
---@param name string
---@param id? string
function Turn:denied(name, id) end

---It has used so much. Told again under the same id, only what is more counts.
---@param amounts swarm.Amounts
---@param id? string
function Turn:used(amounts, id) end

---The turn has used so much in all: what was not told yet counts.
---@param amounts swarm.Amounts
function Turn:used_in_all(amounts) end

---The session has used so much in all, earlier turns too.
---@param amounts swarm.Amounts
function Turn:used_in_session(amounts) end

---Its answer, with which the turn is over; nil takes it back. With a reason it is blocked.
---@param value any
---@param reason? string
function Turn:answer(value, reason) end

---The turn has failed. A reason that speaks of a usage limit makes it `limited`.
---@param reason string
---@param is_limit? boolean
---@param retry_at? number Unix seconds, or seconds from now
function Turn:failed(reason, is_limit, retry_at) end

---A usage limit was met; where the turn comes to no answer, it is `limited`.
---@param retry_at? number Unix seconds, or seconds from now
function Turn:limited(retry_at) end

---A warning; where the turn comes to no answer, it is why.
---@param text string
function Turn:remark(text) end

---The item, or something in it, is not known: it is counted.
---@param name string
function Turn:unknown(name) end

---How a task is tried again. After attempt k it waits `min(backoff * factor^(k - 1), max_delay)`.
---@class swarm.Retries
---@field max integer how many further attempts there may be
---@field backoff? number seconds after the first attempt: 0.5
---@field factor? number 1 or more: 2
---@field max_delay? number seconds: 30
---@field jitter? boolean a delay is drawn between half of it and the whole: true
---@field max_wait? number seconds that a usage limit may last to be waited for: 21600
---@field on? string|string[]|swarm.RetryDecision statuses and error codes: { "failed", "timeout" }

---Whether an attempt that did not pass is followed by another, or after how many seconds. Bounded
---by 5 seconds.
---@alias swarm.RetryDecision fun(err: swarm.Error, attempt: integer): boolean|number|nil

---A limit that several workers share: slots, rates, or both. Two rates hold together.
---@class swarm.Pool
---@field slots? integer how many attempts run at once
---@field per_second? number how many begin in a second, evenly spaced
---@field per_minute? number the same, in a minute
---@field burst? integer how many of a rate may begin at once: 1
---@field park? boolean|swarm.Park whether an error `limited` of an attempt parks it: false

---The name of a pool of the script.
---@alias swarm.PoolName string

---How long a pool may be parked.
---@class swarm.Park
---@field max number seconds, all in all, until one of it passes again

---How much may be used, each above zero.
---@class swarm.Budget
---@field tokens? number input and output together
---@field cost? number USD
---@field seconds? number since the task began

---Main with a budget.
---@class swarm.Main
---@field run swarm.MainRun
---@field budget? swarm.Budget

---A git worktree for each task of a worker. `base` and `branch` are texts with placeholders.
---@class swarm.Worktree
---@field base? string the commit that it begins at: "HEAD"
---@field branch? string a new branch; none by default
---@field keep? "changed"|"always"|"never" whether it stays where it holds work: "changed"

---How it is found out that a worker is ready: one of `output` and `port`.
---@class swarm.Ready
---@field output? string of kind process: a Lua pattern that a line of stdout or stderr matches
---@field port? integer on which it accepts TCP connections
---@field host? string of the port: "127.0.0.1"

-- Roles -------------------------------------------------------------------------------------------

---The name of a role: one that every script has, or one of the script's own.
---@alias swarm.RoleName "worker"|"operator"|"observer"|"senior"|string

---Verbs that workers may use. Without `extends` nothing is allowed; deny wins.
---@class swarm.Role
---@field extends? swarm.RoleName
---@field allow? table<integer|swarm.Verb, swarm.Verb|string[]|true> `verb = { … }` bounds one
---@field deny? swarm.Verb[]

---What a worker may be allowed to do, one by one.
---@alias swarm.Verb
---| "start_task" # spawn, call; bounds: worker names
---| "dispatch_attempt"
---| "mint_worker_token"
---| "verify_token"
---| "read_task_state" # output_tail, follow, h.status of others
---| "poll_task" # join, result
---| "cancel_task" # cancel
---| "emit_output" # ctx:progress and its kind
---| "post_result" # what run returns
---| "fetch_prompt" # ctx.prompt
---| "fetch_data" # swarm.data, swarm.set_data, swarm.state
---| "mark_pass"
---| "mark_blocked"
---| "attach_session"
---| "detach_session"
---| "heartbeat"
---| "subscribe_events"
---| "read_trace"
---| "query_senior"
---| "answer_query"
---| "override_verdict"
---| "pause_loop"
---| "resume_loop"
---| "inject_directive"
---| "run_process" # process workers, swarm.exec; bounds: programs
---| "read_files" # bounds: paths
---| "write_files" # bounds: paths
---| "use_network" # swarm.http, ready = { port = … }; bounds: hosts
---| "read_env" # swarm.env, swarm.secret
---| "call_python" # python workers, swarm.port; bounds: functions, port names
---| "ask_operator"
---| "use_model"

---What kind of operator stands over a worker.
---@alias swarm.OperatorKind
---| "main_ai" # the spawn hooks run
---| "automate" # they do not: what holds where nobody says anything
---| "composite" # they run

-- Hooks and layers --------------------------------------------------------------------------------

---Which workers a hook is for: a name, a glob (`*`, `?`), a list of these, or a function.
---@alias swarm.Select string|swarm.Selector|swarm.Select[]

---Asked once for each definition.
---@alias swarm.Selector fun(def: swarm.Definition): boolean?

---What a selector is given of a worker.
---@class swarm.Definition
---@field name string? nil for workers made from a function
---@field kind string
---@field role string?

---What `run` came to. An `ok` that is given goes before `reason`.
---@class swarm.Result
---@field value? any
---@field ok? boolean
---@field reason? string why it is blocked

---Runs what is inside, with the input that it is given or that there is. Returns its result, or
---raises. It may be called again.
---@alias swarm.Next fun(input?: any): swarm.Result

---What a settled hook is given.
---@class swarm.Outcome
---@field status swarm.Status
---@field value any
---@field err swarm.Error?
---@field started number? Unix seconds; nil where it never began
---@field ended number Unix seconds

---Hooks under a name. Each is given the options of who asks for the layer, last.
---@class swarm.Layer
---@field before? fun(ctx: swarm.Ctx, input: any, options?: table): any
---@field after? fun(ctx: swarm.Ctx, result: swarm.Result, options?: table): swarm.Result?
---@field around? fun(ctx: swarm.Ctx, next: swarm.Next, options?: table): swarm.Result
---@field settled? fun(ctx: swarm.Ctx, outcome: swarm.Outcome, options?: table)
---@field event? swarm.EventHook sees each event before it is recorded
---@field options? fun(options: table): table|false? makes what its hooks get of the options that it
---is asked for with, or of {}; raising is a `load_error`, and false leaves the layer out
---@field role? swarm.RoleName under which its hooks run: "operator"

---What stands around each attempt whose operator is of kind `main_ai` or `composite`.
---@class swarm.SpawnHook
---@field before? fun(ctx: swarm.Ctx) raising refuses the attempt (`rejected_by_middleware`)
---@field after? fun(ctx: swarm.Ctx, value_or_error: any, ok: boolean) is told the value where `ok`,
---else the error; what it raises fails the attempt

---What it returns is recorded; nil keeps the event as it was, false drops it. A `final` stays.
---@alias swarm.EventHook fun(ctx: swarm.Ctx, event: swarm.Event, options: any): swarm.Event|false?

---A layer with options: { "name", option = 1 }.
---@class swarm.LayerEntry
---@field [1] string
---@field [string] any

-- Options -----------------------------------------------------------------------------------------

---Options of `spawn` and `call`.
---@class swarm.SpawnOptions
---@field timeout? number seconds for each attempt; goes before the definition's
---@field retries? integer|swarm.Retries goes before the definition's
---@field detached? boolean it belongs to the run, and not to the block that spawns it
---@field meta? table JSON-like, for hooks
---@field label? string|false which of many it is, as it stands; goes before the definition's
---@field key? string no other child of its parent has it, ever
---@field operator_kind? swarm.OperatorKind goes before what run, definition and script say

---Options of `attach`.
---@class swarm.AttachOptions
---@field role swarm.RoleName
---@field ttl? number seconds without a heartbeat: 3600
---@field name? string as messages show it; the role by default
---@field caveats? swarm.Caveats what narrows its token

---What narrows a token.
---@class swarm.Caveats
---@field verbs? swarm.Verb[] these verbs
---@field paths? string[] of files, these
---@field programs? string[] of programs, these
---@field hosts? string[] of hosts, these
---@field ttl? number seconds from now
---@field uses? integer so many, of it and all that is made of it
---@field budget? swarm.Budget for all that is started with it

---Options of `join`.
---@class swarm.JoinOptions
---@field timeout? number seconds to wait; the worker goes on

---Options of `cancel`.
---@class swarm.CancelOptions
---@field wait? boolean until it has settled

---Options of `output_tail`.
---@class swarm.TailOptions
---@field attempt? integer the last by default
---@field since? integer only events after this `seq`

---Options of `follow`.
---@class swarm.FollowOptions
---@field attempt? integer|"all" the last by default
---@field since? integer only events after this `seq`

---Options of `open`.
---@class swarm.OpenOptions
---@field ttl? number seconds until it closes by itself: 1800
---@field uses? integer how many invocations there may be; any number by default
---@field timeout? number seconds for each invocation; goes before the definition's

---Options of `map`.
---@class swarm.MapOptions
---@field concurrency? integer how many at once; all by default
---@field keep_going? boolean failures cancel nothing, and come with the blocked ones: false

---Options of `graph`.
---@class swarm.GraphOptions
---@field keep_going? boolean a failure skips what needs it, and cancels nothing: false

---A node of `graph`: { "worker", input, needs = { "other" } }.
---@class swarm.GraphNode
---@field [1] string|swarm.Run
---@field [2]? any its input, or `fun(needs: table): any`
---@field input? any the same
---@field needs? string[] nodes that must have passed

---What `swarm.ask` is given beside the question.
---@class swarm.AskOptions
---@field to? string who is asked: "main"
---@field choices? string[] what can be answered
---@field schema? table a JSON Schema of the answer (extra `schema`)
---@field default? any what counts where nobody has answered in time
---@field timeout? number seconds; then the default counts, or `timeout` is raised
---@field show? string|swarm.File what is put beside the question, such as a diff

---What `swarm.answer` is given beside the answer.
---@class swarm.AnswerOptions
---@field by? string who answers: the worker's name and label
---@field reason? string

---Options of `shield`.
---@class swarm.ShieldOptions
---@field timeout? number seconds: 30

---What `supervise` is given.
---@class swarm.SuperviseOptions
---@field strategy? "one_for_one"|"one_for_all"|"rest_for_one" who is started again: "one_for_one"
---@field intensity? integer restarts allowed within `period`, 0 to 100,000: 1
---@field period? number seconds, above zero: 5
---@field backoff? number|swarm.Backoff seconds before each restart; none by default
---@field name? string what it is called in messages and events
---@field children? swarm.ChildSpec[]

---How long a child's restarts are put off: longer each time, until it has run for a `period`.
---@class swarm.Backoff
---@field first number seconds before the first
---@field factor? number 1 or more: 2
---@field max? number seconds: 30

---A child of a supervisor: { "name", input, id = "…" }.
---@class swarm.ChildSpec
---@field [1] string|swarm.Run
---@field [2]? any its input; each start gets a copy
---@field id? string by default the worker's name, or a function's place
---@field restart? "permanent"|"transient"|"temporary" always (the default), after a failure, never
---@field shutdown? number seconds for its clean-up, `math.huge` without end: 5
---@field timeout? number seconds for each run of it
