#!/usr/bin/env python3
"""A fake of an agent that speaks ACP, made with the agent's side of the protocol's own package.

A prompt is a list of orders, one in a line (``Fake.prompt``), or ``orders FILE``, which has them;
what is none is said back. With ``--break MODE`` it breaks the protocol instead (``broken``).

FAKE_AGENT_STATE  a folder in which it keeps its sessions; without it it can load none
FAKE_AGENT_LOG    a file that it writes what it has noticed into, a line each
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, cast

STATE = os.environ.get("FAKE_AGENT_STATE", "")


STOPPED = "stopped"
"""What an order says that was cancelled."""


def note(text: str) -> None:
    """Writes down what was noticed."""
    path = os.environ.get("FAKE_AGENT_LOG")
    if path:
        with Path(path).open("a") as file:
            file.write(text + "\n")


BREAKS = [
    "no_json",
    "wrong_id",
    "text_id",
    "wrong_shape",
    "no_rpc",
    "huge",
    "cut",
    "twice",
    "silent",
    "version",
    "late",
    "mute",
    "closed",
    "deaf",
    "slow_reader",
]

LONG_OUTPUT, OUTPUTS = 3_000_000, 10
"""Bytes that the terminal of a slow reader has, and how often it asks for them."""


def broken(mode: str) -> int:
    """Speaks without the package, and breaks the protocol as the mode has it."""

    def answer(message: dict[str, Any], result: Any) -> None:
        say({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def say(message: Any) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    def ask(method: str, **params: Any) -> None:
        params["sessionId"] = "s"
        say({"jsonrpc": "2.0", "id": method, "method": method, "params": params})

    def answered() -> Any:
        return json.loads(sys.stdin.readline())["result"]

    def read_at_last() -> str:
        """Asks for much, and reads none of it before it has asked for all."""
        program = f"head -c {LONG_OUTPUT} /dev/zero | tr '\\0' x"
        ask("terminal/create", command="sh", args=["-c", program], outputByteLimit=LONG_OUTPUT)
        terminal = answered()["terminalId"]
        ask("terminal/wait_for_exit", terminalId=terminal)
        answered()
        for number in range(OUTPUTS):
            params = {"sessionId": "s", "terminalId": terminal}
            say({"jsonrpc": "2.0", "id": number, "method": "terminal/output", "params": params})
        return str(sum(len(answered()["output"]) for _ in range(OUTPUTS)))

    for line in iter(sys.stdin.readline, ""):
        message = json.loads(line)
        method = message.get("method")
        if method == "initialize":
            if mode == "silent":
                continue
            answer(message, {"protocolVersion": 2 if mode == "version" else 1})
        elif method == "session/new":
            if mode != "late":
                answer(message, {"sessionId": "s"})
        elif method == "session/prompt":
            if mode == "no_json":
                print("Loading ...", flush=True)
            elif mode == "wrong_id":
                say({"jsonrpc": "2.0", "id": 99, "result": {"stopReason": "end_turn"}})
            elif mode == "text_id":
                say({"jsonrpc": "2.0", "id": str(message["id"]), "result": {}})
            elif mode == "wrong_shape":
                answer(message, {"stopReason": 7})
            elif mode == "no_rpc":
                say({"id": message["id"], "result": {"stopReason": "end_turn"}})
            elif mode == "huge":
                print("{" + "x" * 100_000, flush=True)
            elif mode == "cut":
                print('{"jsonrpc":"2.0","id":3,"resu', end="", flush=True)
                return 0
            elif mode == "twice":
                answer(message, {"stopReason": "end_turn"})
                answer(message, {"stopReason": "end_turn"})
            elif mode == "mute":
                return 3
            elif mode == "deaf":  # each is refused by its id
                for number in range(10_000):
                    say({"jsonrpc": "2.0", "id": f"{number}" + "x" * 9000, "method": "_none"})
            elif mode == "closed":
                os.close(1)
            elif mode == "slow_reader":
                content = {"type": "text", "text": read_at_last()}
                update = {"sessionUpdate": "agent_message_chunk", "content": content}
                params = {"sessionId": "s", "update": update}
                say({"jsonrpc": "2.0", "method": "session/update", "params": params})
                answer(message, {"stopReason": "end_turn"})
                continue
            time.sleep(0 if mode == "twice" else 60)
    return 0


def main() -> int:
    """Plays an agent."""
    if "--break" in sys.argv:
        mode = sys.argv[sys.argv.index("--break") + 1]
        assert mode in BREAKS, mode
        return broken(mode)
    import asyncio

    from acp import PROTOCOL_VERSION, RequestError, run_agent, schema, text_block
    from acp import update_agent_message as message_of

    def chunk(text: str) -> Any:
        return message_of(text_block(text))

    class Fake:
        """The agent."""

        def __init__(self) -> None:
            self.conn: Any = None
            self.offered: Any = None
            self.cancelled = asyncio.Event()
            self.prompts: dict[str, int] = {}

        def on_connect(self, conn: Any) -> None:
            """Keeps the way to the client."""
            self.conn = conn

        async def initialize(self, **given: Any) -> schema.InitializeResponse:
            """Says what it can."""
            note(f"initialize {given['client_info'].name}")
            self.offered = given["client_capabilities"]
            able = schema.AgentCapabilities(load_session=bool(STATE))
            return schema.InitializeResponse(
                protocol_version=PROTOCOL_VERSION, agent_capabilities=able
            )

        async def new_session(self, cwd: str, **given: Any) -> schema.NewSessionResponse:
            """Begins one."""
            note(f"new {cwd}")
            session = f"s{os.getpid()}-{len(self.prompts)}"
            self.prompts[session] = 0
            return schema.NewSessionResponse(session_id=session)

        async def load_session(self, session_id: str, **given: Any) -> Any:
            """Takes one up, and tells it again."""
            note(f"load {session_id}")
            path = Path(STATE, session_id)
            if not path.exists():
                raise RequestError.resource_not_found(session_id)
            self.prompts[session_id] = int(path.read_text())
            await self.update(session_id, chunk("told again"))
            await self.update(session_id, self.cost(0.01 * self.prompts[session_id]))
            return schema.LoadSessionResponse()

        async def cancel(self, session_id: str, **given: Any) -> None:
            """Hears of a cancel."""
            note(f"cancel {session_id}")
            self.cancelled.set()

        async def update(self, session: str, update: Any) -> None:
            """Tells something."""
            await self.conn.session_update(session_id=session, update=update)

        def cost(self, amount: float) -> Any:
            """What the session has cost in all."""
            cost = schema.Cost(amount=amount, currency="USD")
            return schema.UsageUpdate(session_update="usage_update", used=5, size=10, cost=cost)

        async def prompt(self, session_id: str, prompt: Any, **given: Any) -> Any:
            """Does what it is told, line by line."""
            self.prompts[session_id] += 1
            self.cancelled.clear()
            if STATE:
                Path(STATE, session_id).write_text(str(self.prompts[session_id]))
            stop: Any = "end_turn"
            text = prompt[0].text
            word, _, path = text.rpartition("\n")[2].partition(" ")
            if word == "orders":
                text = Path(path).read_text()
            for line in text.splitlines():
                word, _, rest = line.partition(" ")
                order = getattr(self, f"do_{word}", None)
                if word == "fail":
                    raise RequestError.internal_error({"details": rest})
                if word == "stop":
                    stop = rest
                elif order is None:
                    await self.update(session_id, chunk(f"you said: {line}"))
                else:
                    try:
                        said = await order(session_id, rest)
                    except RequestError as problem:
                        said = f"refused {problem.code}: {problem}"
                    if said == STOPPED:
                        return schema.PromptResponse(stop_reason="cancelled")
                    if said is not None:
                        await self.update(session_id, chunk(f"{said}\n"))
            usage = schema.Usage(
                total_tokens=120,
                input_tokens=60,
                cached_read_tokens=40,
                output_tokens=15,
                thought_tokens=5,
            )
            return schema.PromptResponse(stop_reason=stop, usage=usage)

        # Orders: each returns what is said of it. --------------------------------------------

        async def do_say(self, session: str, text: str) -> None:
            """``say TEXT``"""
            await self.update(session, chunk(text))

        async def do_half(self, session: str, text: str) -> None:
            """``half``: a piece of text that ends within a character."""
            line = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": ""}}
            params = {"sessionId": session, "update": line}
            message = {"jsonrpc": "2.0", "method": "session/update", "params": params}
            text = json.dumps(message).replace('"text": ""', r'"text": "half \ud83d"')
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

        async def do_count(self, session: str, text: str) -> str:
            """``count``: how many prompts the session has had."""
            return str(self.prompts[session])

        async def do_offered(self, session: str, text: str) -> str:
            """``offered``: what the client can."""
            fs, can = self.offered.fs, self.offered
            return f"{fs.read_text_file} {fs.write_text_file} {can.terminal}"

        async def do_tools(self, session: str, text: str) -> None:
            """``tools``: uses two, has a plan, thinks, costs."""
            entry: Any = {"content": "look", "priority": "high", "status": "in_progress"}
            for kind, fields in (
                ("agent_thought_chunk", {"content": {"type": "text", "text": "hm"}}),
                ("plan", {"entries": [entry]}),
                ("tool_call", {"toolCallId": "a", "title": "Reading", "kind": "read"}),
                ("tool_call_update", {"toolCallId": "a", "status": "completed"}),
                ("tool_call_update", {"toolCallId": "a", "status": "completed"}),
                ("tool_call", {"toolCallId": "b", "title": "Running"}),
                ("tool_call_update", {"toolCallId": "b", "status": "failed"}),
                ("of_tomorrow", {"x": 1}),
            ):
                await self.raw(session, kind, fields)
            await self.update(session, self.cost(0.01 * self.prompts[session]))

        async def do_permit(self, session: str, text: str) -> str:
            """``permit KIND OPTION …``: asks for a tool of a kind; says what was chosen."""
            kind, *kinds = text.split()
            options = [
                schema.PermissionOption(option_id=f"id-{one}", name=one, kind=cast(Any, one))
                for one in kinds
            ]
            call = schema.ToolCallUpdate(
                tool_call_id="p",
                title=f"Some {kind}",
                kind=cast(Any, kind),
                raw_input={"path": "a"},
            )
            found = await self.conn.request_permission(
                session_id=session, tool_call=call, options=options
            )
            return str(getattr(found.outcome, "option_id", found.outcome.outcome))

        async def permitted(self, session: str, number: str, **call: Any) -> str:
            """Asks for a tool; says which option was chosen."""
            kinds = ("allow_once", "allow_always", "reject_once", "reject_always")
            names = ("Allow", "Always allow", "Reject", "Never allow")
            options = [
                schema.PermissionOption(option_id=f"id-{kind}", name=name, kind=cast(Any, kind))
                for kind, name in zip(kinds, names, strict=True)
            ]
            note(f"asks {number}")
            found = await self.conn.request_permission(
                session_id=session,
                tool_call=schema.ToolCallUpdate(tool_call_id=number, **call),
                options=options,
            )
            chosen = getattr(found.outcome, "option_id", found.outcome.outcome)
            note(f"{number}: {chosen}")
            return str(chosen)

        async def do_use(self, session: str, text: str) -> str:
            """``use TOOL COMMAND``: asks for a tool that is called with a command."""
            tool, _, command = text.partition(" ")
            given: Any = {"flags": [], "command": command, "timeout": None, "n": 1.5}
            return await self.permitted(session, command, title=tool, raw_input=given)

        async def do_change(self, session: str, text: str) -> str:
            """``change PATH OLD NEW``: asks for a change to a file; OLD ``-``: there is none."""
            path, old, new = text.split()
            diff = schema.FileEditToolCallContent(
                type="diff", path=path, old_text=None if old == "-" else f"{old}\n", new_text=new
            )
            return await self.permitted(session, "c", title="Write", kind="edit", content=[diff])

        async def do_announce(self, session: str, text: str) -> str:
            """``announce TOOL COMMAND``: tells of a call, and asks for it by its id alone."""
            tool, _, command = text.partition(" ")
            call = {"toolCallId": command, "title": tool, "rawInput": {"command": command}}
            await self.raw(session, "tool_call", call)
            chosen = await self.permitted(session, command)
            ended = {"toolCallId": command, "status": "completed"}
            await self.raw(session, "tool_call_update", ended)
            return chosen

        async def do_bare(self, session: str, text: str) -> str:
            """``bare TOOL``: asks for a tool without saying what it is called with."""
            return await self.permitted(session, "b", title=text)

        async def do_both(self, session: str, text: str) -> str:
            """``both ONE OTHER``: asks for a tool with two commands at once."""
            asked = [self.do_use(session, f"shell {command}") for command in text.split()]
            return " ".join(await asyncio.gather(*asked))

        async def do_die(self, session: str, text: str) -> str:
            """``die TOOL COMMAND``: asks, and ends before it is answered."""
            asyncio.get_running_loop().call_later(0.2, os._exit, 3)
            return await self.do_use(session, text)

        async def do_read(self, session: str, text: str) -> str:
            """``read PATH [LINE LIMIT]``"""
            path, *part = text.split()
            line, limit = map(int, part) if part else (None, None)
            found = await self.conn.read_text_file(
                session_id=session, path=path, line=line, limit=limit
            )
            return str(found.content)

        async def do_write(self, session: str, text: str) -> str:
            """``write PATH TEXT``"""
            path, _, content = text.partition(" ")
            await self.conn.write_text_file(session_id=session, path=path, content=content)
            return "written"

        async def do_run(self, session: str, text: str) -> str:
            """``run PROGRAM ARGUMENT …``: in a terminal, to its end."""
            program, *arguments = text.split()
            variable = schema.EnvVariable(name="GIVEN", value="given")
            of = await self.conn.create_terminal(
                session_id=session, command=program, args=arguments, env=[variable]
            )
            ids = {"session_id": session, "terminal_id": of.terminal_id}
            ended = await self.conn.wait_for_terminal_exit(**ids)
            found = await self.conn.terminal_output(**ids)
            await self.conn.release_terminal(**ids)
            return f"{found.output.strip()} ({ended.exit_code})"

        async def do_kill(self, session: str, text: str) -> str:
            """``kill PROGRAM ARGUMENT …``: starts it, and kills it."""
            program, *arguments = text.split()
            of = await self.conn.create_terminal(
                session_id=session, command=program, args=arguments
            )
            ids = {"session_id": session, "terminal_id": of.terminal_id}
            await self.conn.kill_terminal(**ids)
            return str((await self.conn.wait_for_terminal_exit(**ids)).signal)

        async def do_leave(self, session: str, text: str) -> str:
            """``leave PROGRAM ARGUMENT …``: starts it, and forgets it."""
            program, *arguments = text.split()
            await self.conn.create_terminal(session_id=session, command=program, args=arguments)
            return "left"

        async def do_lost(self, session: str, text: str) -> str:
            """``lost``: asks for a terminal that there is not, and for what nobody knows."""
            try:
                await self.conn.terminal_output(session_id=session, terminal_id="none")
            except RequestError as problem:
                first = problem.code
            try:
                await self.conn._conn.send_request("_mine/ask", {"x": 1})
            except RequestError as problem:
                return f"{first} {problem.code}"
            raise AssertionError

        async def do_exit(self, session: str, text: str) -> None:
            """``exit STATUS``: at once."""
            os._exit(int(text))

        async def do_hang(self, session: str, text: str) -> str:
            """``hang [stubborn]``: in the middle of a tool call; stubborn: whatever is asked."""
            await self.raw(session, "tool_call", {"toolCallId": "h", "title": "Hanging"})
            if text == "stubborn":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                await asyncio.sleep(3600)
            await self.cancelled.wait()
            note("stopped")
            return STOPPED

        async def raw(self, session: str, kind: str, fields: Any) -> None:
            """Tells an update as it is."""
            update = {"sessionUpdate": kind, **fields}
            await self.conn._conn.send_notification(
                "session/update", {"sessionId": session, "update": update}
            )

    fake: Any = Fake()
    asyncio.run(run_agent(fake, use_unstable_protocol=True))
    note("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
