std = "luajit"
max_line_length = 100
ignore = { "212/self", "542" } -- an argument that a method's shape asks for; an empty branch
files["spec"] = { globals = { "swarm" }, read_globals = { "describe", "it", "context", "insulate", "expose", "test", "spec", "setup", "lazy_setup", "strict_setup", "teardown", "lazy_teardown", "strict_teardown", "finally", "spy", "stub", "match", "before_each", "after_each", "pending", "clock", "explore", "mock", assert = { other_fields = true } } }
files["scripts"] = { read_globals = { "swarm" } }
files["tests"] = { read_globals = { "swarm" } }
files["tests/ecosystem/exercises"] = { ignore = { "1" } } -- libraries that set globals
