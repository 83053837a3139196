"""Who runs this process."""

from __future__ import annotations

import os


def login() -> str:
    """The name of this user, or the number where there is none."""
    import pwd  # costs start-up, and few runs need it

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
