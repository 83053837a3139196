"""The rules, in the order of their names. A new one is a file beside this one, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from swarm_host.checking.finding import Finding
from swarm_host.checking.program import Program
from swarm_host.checking.rules import (
    dropped_handle,
    result_like_value,
    swallowed_cancel,
    undefined_field,
    undefined_global,
    unknown_placeholder,
    unknown_word,
    unknown_worker,
    unused_worker,
)
from swarm_host.vm.kernel import Kernel

RULES: tuple[Callable[[Program, Kernel], Iterator[Finding]], ...] = (
    dropped_handle.check,
    result_like_value.check,
    swallowed_cancel.check,
    undefined_field.check,
    undefined_global.check,
    unknown_placeholder.check,
    unknown_word.check,
    unknown_worker.check,
    unused_worker.check,
)
