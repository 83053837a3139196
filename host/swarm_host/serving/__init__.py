"""The run's socket: who may speak to a run from outside, and what is answered.

A connection carries JSON-RPC 2.0, one message a line; each verb of roles is a method.
"""
