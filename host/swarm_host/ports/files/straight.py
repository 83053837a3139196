"""Opening a folder by a path that must have no link in it, in one call, where the system can.

Linux can since 5.6 (``openat2``). Where it cannot, or may not (some containers), the folders on the
way are opened one by one.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import cache

OPENAT2 = 437
"""The number of the call, the same on every kind of machine that Python is built for."""

FROM_HERE = -100
"""AT_FDCWD: a path that is not absolute would begin at the working directory."""

NO_LINKS = 0x04
"""RESOLVE_NO_SYMLINKS."""

CANNOT = frozenset((errno.ENOSYS, errno.EPERM, errno.E2BIG, errno.EINVAL, errno.ELOOP))
"""What the walk folder by folder is to find out about: also whether there was a link."""


@cache
def _call() -> Callable[[bytes, int], tuple[int, int]] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # costs start-up, and only bounds need it

    class How(ctypes.Structure):
        _fields_ = (
            ("flags", ctypes.c_uint64),
            ("mode", ctypes.c_uint64),
            ("resolve", ctypes.c_uint64),
        )

    def open_it(path: bytes, flags: int) -> tuple[int, int]:
        how = How(flags, 0, NO_LINKS)
        number = call(OPENAT2, FROM_HERE, path, ctypes.byref(how), ctypes.sizeof(how))
        return number, ctypes.get_errno() if number < 0 else 0

    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    numbers, text, how = (ctypes.c_long, ctypes.c_int), ctypes.c_char_p, ctypes.POINTER(How)
    call.argtypes = (*numbers, text, how, ctypes.c_size_t)
    return open_it


def open_folder(path: str, flags: int) -> int | None:
    """A descriptor; None where the system has no such call, or there is a link.

    :raises OSError: as :func:`os.open` does.
    """
    call = _call()
    if call is None:
        return None
    number, problem = call(os.fsencode(path), flags)
    if number >= 0:
        return number
    if problem in CANNOT:
        return None
    raise OSError(problem, os.strerror(problem))
