---@meta _
-- luacheck: ignore 631

-- Made by tests/closed_types.py from what the classes say: the same fields, and no others. A table
-- that a script gives is one of these, so that a misspelt field is found as it is written.

---@alias swarm.closed.Agent { command: (string[]|fun(turn: swarm.closed.Turn): string[]), on?: table<any, swarm.ItemMapper|false>, type?: string, ended?: (fun(turn: swarm.closed.Turn, exit: swarm.closed.Exit)), options?: swarm.AgentOption[], cost?: boolean, session_key?: string, inherit_env?: string[], install?: string, login?: string, protocol?: "stream"|"acp", start_timeout?: number, acp?: swarm.closed.AgentOverAcp, [string]: nil }

---@alias swarm.closed.AgentOverAcp { command: (string[]|fun(turn: swarm.closed.Turn): string[]), options?: swarm.AgentOption[], start_timeout?: number, [string]: nil }

---@alias swarm.closed.AnswerOptions { by?: string, reason?: string, [string]: nil }

---@alias swarm.closed.AskOptions { to?: string, choices?: string[], schema?: table, default?: any, timeout?: number, show?: string|swarm.File, [string]: nil }

---@alias swarm.closed.AttachOptions { role: swarm.RoleName, ttl?: number, name?: string, caveats?: swarm.closed.Caveats, [string]: nil }

---@alias swarm.closed.Backoff { first: number, factor?: number, max?: number, [string]: nil }

---@alias swarm.closed.Budget { tokens?: number, cost?: number, seconds?: number, [string]: nil }

---@alias swarm.closed.CancelOptions { wait?: boolean, [string]: nil }

---@alias swarm.closed.Caveats { verbs?: swarm.Verb[], paths?: string[], programs?: string[], hosts?: string[], ttl?: number, uses?: integer, budget?: swarm.closed.Budget, [string]: nil }

---@alias swarm.closed.ChildSpec { [1]: string|swarm.Run, [2]?: any, id?: string, restart?: "permanent"|"transient"|"temporary", shutdown?: number, timeout?: number, [string]: nil }

---@alias swarm.closed.ExecCommand { [integer]: string, stdin?: swarm.Input, env?: table<string, string|swarm.Secret>, cwd?: string, timeout?: number, [string]: nil }

---@alias swarm.closed.Exit { exit_code: integer?, signal: string?, stderr: string, [string]: nil }

---@alias swarm.closed.ExploreOptions { max?: integer, check?: (fun()), schedule?: string, seed?: integer, [string]: nil }

---@alias swarm.closed.FollowOptions { attempt?: integer|"all", since?: integer, [string]: nil }

---@alias swarm.closed.GraphNode { [1]: string|swarm.Run, [2]?: any, input?: any, needs?: string[], [string]: nil }

---@alias swarm.closed.GraphOptions { keep_going?: boolean, [string]: nil }

---@alias swarm.closed.HttpOptions { headers?: table<string, swarm.Header|swarm.Header[]>, body?: string, json?: any, timeout?: number, max_body?: integer, [string]: nil }

---@alias swarm.closed.HttpRequest { headers?: table<string, swarm.Header|swarm.Header[]>, body?: string, json?: any, timeout?: number, max_body?: integer, url: string, method?: string, [string]: nil }

---@alias swarm.closed.Invocation { command?: string[]|string, shell?: string, stdin?: swarm.Stdin, env?: table<string, string|swarm.Secret>, inherit_env?: string[]|false, cwd?: string, output?: swarm.closed.ProcessOutput, ok_codes?: integer[], exit?: "blocked"|"failed", kill_after?: number, idle?: number, linger?: number, limits?: swarm.closed.ProcessLimits, prompt?: string, pty?: boolean|swarm.closed.Terminal, restart?: boolean, [string]: nil }

---@alias swarm.closed.JoinOptions { timeout?: number, [string]: nil }

---@alias swarm.closed.Layer { before?: (fun(ctx: swarm.Ctx, input: any, options?: table): any), after?: (fun(ctx: swarm.Ctx, result: swarm.Result, options?: table): swarm.Result?), around?: (fun(ctx: swarm.Ctx, next: swarm.Next, options?: table): swarm.Result), settled?: (fun(ctx: swarm.Ctx, outcome: swarm.Outcome, options?: table)), event?: swarm.EventHook, options?: (fun(options: table): table|false?), role?: swarm.RoleName, [string]: nil }

---@alias swarm.closed.Main { run: swarm.MainRun, budget?: swarm.closed.Budget, [string]: nil }

---@alias swarm.closed.MapOptions { concurrency?: integer, keep_going?: boolean, [string]: nil }

---@alias swarm.closed.OpenOptions { ttl?: number, uses?: integer, timeout?: number, [string]: nil }

---@alias swarm.closed.Park { max: number, [string]: nil }

---@alias swarm.closed.Pool { slots?: integer, per_second?: number, per_minute?: number, burst?: integer, park?: boolean|swarm.closed.Park, [string]: nil }

---@alias swarm.closed.Prices { input: number, output: number, cached?: number, [string]: nil }

---@alias swarm.closed.ProcessLimits { line?: integer, output?: integer, memory?: integer, cpu?: integer, files?: integer, file_size?: integer, processes?: integer, [string]: nil }

---@alias swarm.closed.ProcessOutput { format?: swarm.ProcessFormat, result?: string, ok?: string, event?: swarm.ItemEvent, final?: "last", keep?: integer, [string]: nil }

---@alias swarm.closed.Ready { output?: string, port?: integer, host?: string, [string]: nil }

---@alias swarm.closed.Retries { max: integer, backoff?: number, factor?: number, max_delay?: number, jitter?: boolean, max_wait?: number, on?: string|string[]|swarm.RetryDecision, [string]: nil }

---@alias swarm.closed.Role { extends?: swarm.RoleName, allow?: table<integer|swarm.Verb, swarm.Verb|string[]|true>, deny?: swarm.Verb[], [string]: nil }

---@alias swarm.closed.ShieldOptions { timeout?: number, [string]: nil }

---@alias swarm.closed.SpawnHook { before?: (fun(ctx: swarm.Ctx)), after?: (fun(ctx: swarm.Ctx, value_or_error: any, ok: boolean)), [string]: nil }

---@alias swarm.closed.SpawnOptions { timeout?: number, retries?: integer|swarm.closed.Retries, detached?: boolean, meta?: table, label?: string|false, key?: string, operator_kind?: swarm.OperatorKind, [string]: nil }

---@alias swarm.closed.SuperviseOptions { strategy?: "one_for_one"|"one_for_all"|"rest_for_one", intensity?: integer, period?: number, backoff?: number|swarm.closed.Backoff, name?: string, children?: swarm.closed.ChildSpec[], [string]: nil }

---@alias swarm.closed.TailOptions { attempt?: integer, since?: integer, [string]: nil }

---@alias swarm.closed.Terminal { rows?: integer, cols?: integer, plain?: boolean, [string]: nil }

---@alias swarm.closed.Turn { model: string?, session: string?, permissions: "read"|"edit"|"all"|"ask", max_turns: integer?, schema: string?, budget: swarm.closed.Budget?, [string]: nil }

---@alias swarm.closed.Worktree { base?: string, branch?: string, keep?: "changed"|"always"|"never", [string]: nil }

---@alias swarm.closed.Worker { kind?: "lua"|"process"|"python"|"agent"|"operator", description?: string, label?: string|false, timeout?: number, concurrency?: integer, pool?: string|string[], retries?: integer|swarm.closed.Retries, on_resume?: "again"|"ask"|"fail", cache?: boolean, ready?: true|swarm.closed.Ready, start_timeout?: number, role?: swarm.RoleName, authority?: "own", layers?: (string|swarm.LayerEntry)[], operator_kind?: swarm.OperatorKind, budget?: swarm.closed.Budget, worktree?: boolean|swarm.closed.Worktree, input_schema?: table, output_schema?: table, run?: swarm.Run, command?: string[]|string, shell?: string, stdin?: swarm.Stdin, env?: table<string, string|swarm.Secret>, inherit_env?: string[]|false, cwd?: string, output?: swarm.closed.ProcessOutput, ok_codes?: integer[], exit?: "blocked"|"failed", kill_after?: number, idle?: number, linger?: number, limits?: swarm.closed.ProcessLimits, prompt?: string, pty?: boolean|swarm.closed.Terminal, restart?: boolean, python?: string, token?: boolean, agent?: "claude"|"codex"|"gemini"|"opencode"|string|swarm.closed.Agent, model?: string, protocol?: "stream"|"acp", permissions?: "read"|"edit"|"all"|"ask"|swarm.Permit, session?: "new"|string, max_turns?: integer, args?: string[], repairs?: integer, prices?: swarm.closed.Prices, operator?: string, choices?: string[], [string]: nil }
