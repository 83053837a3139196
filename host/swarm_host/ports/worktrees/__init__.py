"""Git worktrees of workers."""
