-- The agents that come with the host. Each is a file beside this and a line here.
return {
  claude = true,
  codex = true,
  gemini = true,
  opencode = true,
}
