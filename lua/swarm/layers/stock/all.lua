-- The layers that come with the host. Each is a file beside this and a line here: a table as
-- swarm.layer takes it, loaded once a script names it and has none of that name itself.
return {
  audit = true,
  log = true,
  long_hold = true,
  main_ai = true,
  operator_delegate = true,
  redact = true,
  senior_escalation = true,
}
