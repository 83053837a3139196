"""``swarm-host check``: reads what it loads, and says what is wrong before it runs.

A script is loaded first; what that told (:mod:`swarm_host.checking.loaded`) and what stands in its
files (:mod:`swarm_host.checking.program`) is what the rules (:mod:`swarm_host.checking.rules`) are
given. The files are read by tree-sitter, which the extra ``check`` brings.
"""
