"""What any such host must import, and an empty event loop."""

import anyio
import click
import lupa.luajit21


async def main() -> None:
    assert click
    assert lupa.luajit21


anyio.run(main)
