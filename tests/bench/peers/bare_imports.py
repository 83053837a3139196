"""What any such host must import, and an empty event loop: the same as ours, with the extra uvloop
where that is installed.
"""

from importlib.util import find_spec

import anyio
import click
import lupa.luajit21


async def main() -> None:
    assert click
    assert lupa.luajit21


anyio.run(main, backend_options={"use_uvloop": find_spec("uvloop") is not None})
