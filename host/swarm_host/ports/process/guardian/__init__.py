"""The guardian: starts a host's children, and sees to it that none of their descendants is left.

A program of its own, ``main.py``, which knows nothing of the host and imports little, so that it is
there soon and stays small. What the host says and hears is in ``ports/process/children.py``.
"""
