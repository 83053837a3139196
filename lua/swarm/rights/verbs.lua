-- The verbs: what a role may allow. Every call that acts on a worker or on the outside has one.

---verb → { group, calls, bound?, later? }: `bound` names what a bound of it lists, `later` marks
---the verbs whose calls a later version brings. spec/rights/roles.md is made from this table.
return {
  start_task = {
    "swarm",
    "spawn, call, open, supervise, sup:start, all, map, any, race, settle, each",
    bound = "worker names",
  },
  dispatch_attempt = { "swarm", "swarm.retry" },
  mint_worker_token = { "token", "ctx:token, swarm.token.attenuate, revoke" },
  verify_token = { "leaf", "swarm.token.verify" },
  read_task_state = {
    "swarm",
    "output_tail, follow, h.status and h:artifact of others, sup:children, pending, approvals",
  },
  poll_task = {
    "swarm",
    "join, result, h:invoke, sup:ready, all, map, graph, any, race, settle, each",
  },
  cancel_task = {
    "swarm",
    "cancel, cancel_token:cancel, sup:stop, h:close of others, unpark, all, map, graph, any, race",
  },
  emit_output = { "leaf", "ctx:progress, ctx:partial, ctx:artifact, ctx:usage" },
  post_result = { "leaf", "what run returns" },
  fetch_prompt = { "leaf", "ctx.prompt" },
  fetch_data = { "leaf", "swarm.data, swarm.set_data, swarm.state" },
  mark_pass = { "operator", "swarm.mark" },
  mark_blocked = { "operator", "swarm.mark" },
  attach_session = { "operator", "swarm.attach" },
  detach_session = { "operator", "s:detach" },
  heartbeat = { "operator", "s:heartbeat" },
  subscribe_events = { "observer", "swarm.subscribe" },
  read_trace = { "observer", "swarm.trace" },
  query_senior = { "swarm", 'swarm.ask{ to = "senior" }' },
  answer_query = { "senior", "swarm.answer, answers from outside" },
  override_verdict = { "senior", "swarm.override" },
  pause_loop = { "senior", "swarm.pause" },
  resume_loop = { "senior", "swarm.unpause" },
  inject_directive = { "senior", "swarm.direct" },
  run_process = { "host", "process workers, swarm.exec", bound = "programs" },
  read_files = { "host", "swarm.fs.read, list, glob, stat, exists", bound = "paths" },
  write_files = { "host", "swarm.fs.write, append, mkdir, remove, copy, move", bound = "paths" },
  use_network = { "host", "swarm.http, ready = { port = ... }", bound = "hosts" },
  read_env = { "host", "swarm.env, swarm.secret" },
  call_python = { "host", "python workers, swarm.port", bound = "functions, port names" },
  ask_operator = { "host", "swarm.ask, workers of kind operator, what agents ask for" },
  use_model = { "host", "agents, swarm.model", later = true },
}
