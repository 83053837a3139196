#!/usr/bin/env python3
"""A fake of each command-line agent: the very streams that they write, and their ways of failing.

It is called as `claude`, `codex`, `gemini` or `opencode` (links in ``bin``), reads its prompt from
stdin, and says what the word of the environment tells it to:

FAKE_AGENT         words, apart by commas: see ``MODES``
FAKE_AGENT_ANSWER  its answer; "you said: PROMPT" by default
FAKE_AGENT_STATE   a folder in which it keeps its sessions, each a file with a line a prompt;
                   without it no session is known to it, and each prompt is the first of one
FAKE_AGENT_LIMIT   seconds until a limit is over
FAKE_AGENT_NOW     its clock, in Unix seconds, where that is not the system's
FAKE_AGENT_SECONDS seconds that it works before it says anything
FAKE_AGENT_TIMES   a file that it appends lines to, each with what it has come to, the Unix time of
                   that, and what process it is: `began`, `said` (its last word, from which on it
                   hangs or lingers), `ended`
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Item = dict[str, Any]


def _began() -> float:
    """When this process began, in Unix seconds: its interpreter takes a while to come here."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):
        return time.time()
    return booted + ticks / os.sysconf("SC_CLK_TCK")


BEGAN = _began()

MODES = {
    "tools": "uses a tool that passes and one that fails, and a subagent",
    "hang": "says nothing after its first words, and ignores SIGTERM",
    "stall": "the same, later: it has told what it used until then",
    "linger": "says its answer and never exits",
    "slow": "a pause before each item",
    "silent": "ends without an answer, exit status 0",
    "cut": "stops in the middle of its last items, exit status 0",
    "crash": "ends in the middle, exit status 1, with words on stderr",
    "fail": "says that it failed",
    "turns": "reaches its turn limit",
    "limit": "the first prompt of a session meets a usage limit",
    "always_limit": "each prompt does",
    "denied": "asks for a permission that is denied",
    "unknown": "writes items and fields that nobody knows",
    "odd": "writes items of known types and other forms",
    "misfit": "its first answer in a session fits no schema",
    "never_fits": "none does",
    "login": "is not logged in",
    "exit": "says its answer, and exits with status 3",
}
USAGE = {"input": 100, "cached": 40, "output": 20, "cost": 0.0125}


class Fake:
    """What an agent knows of its call."""

    def __init__(self, name: str, arguments: list[str], modes: set[str]) -> None:
        self.name = name
        self.arguments = arguments
        self.modes = modes
        self.resumed = self._option("--resume", "--session") or self._codex_session()
        self.session = self.resumed or str(uuid.uuid4())
        self.prompt = sys.stdin.read()
        self.before = self._remember()
        self.exit_status = 0

    def _option(self, *names: str) -> str | None:
        for place, argument in enumerate(self.arguments):
            for name in names:
                if argument == name:
                    return self.arguments[place + 1]
                if argument.startswith(name + "="):
                    return argument[len(name) + 1 :]
        return None

    def _codex_session(self) -> str | None:
        if self.name == "codex" and "resume" in self.arguments:
            return self.arguments[self.arguments.index("resume") + 1]
        return None

    def _remember(self) -> list[str]:
        """The earlier prompts of this session."""
        folder = os.environ.get("FAKE_AGENT_STATE")
        if not folder:
            return []
        Path(folder).mkdir(exist_ok=True)
        kept = Path(folder) / f"{self.session}.jsonl"
        if self.resumed and not kept.exists():
            sys.stderr.write(f"No conversation found with session ID: {self.session}\n")
            raise SystemExit(1)
        before = kept.read_text().splitlines() if kept.exists() else []
        with kept.open("a") as file:
            file.write(json.dumps(self.prompt) + "\n")
        return before

    def note(self, what: str, at: float | None = None) -> None:
        """Appends a line to the file of times, with a write that no other one comes into."""
        name = os.environ.get("FAKE_AGENT_TIMES")
        if name:
            line = {"what": what, "at": at or time.time(), "pid": os.getpid()}
            line |= {"modes": sorted(self.modes), "resets_at": self.resets_at}
            with Path(name).open("ab", buffering=0) as file:
                file.write(json.dumps(line).encode() + b"\n")

    @property
    def limited(self) -> bool:
        """Whether this prompt meets a limit."""
        return "always_limit" in self.modes or ("limit" in self.modes and not self.before)

    @property
    def resets_at(self) -> int:
        """When that is over."""
        now = float(os.environ.get("FAKE_AGENT_NOW") or time.time())
        return int(now + float(os.environ.get("FAKE_AGENT_LIMIT", "3600")))

    @property
    def answer(self) -> str:
        """Its answer to this prompt."""
        if "never_fits" in self.modes or ("misfit" in self.modes and not self.before):
            return '{"wrong": true}'
        return os.environ.get("FAKE_AGENT_ANSWER", f"you said: {self.prompt}")


def claude(fake: Fake) -> Iterator[Item]:
    """Claude Code."""
    arguments = fake.arguments
    if "stream-json" in arguments and "--verbose" not in arguments:
        sys.stderr.write("Error: --output-format=stream-json requires --verbose\n")
        raise SystemExit(1)
    session, modes = fake.session, fake.modes

    def message(number: int, *content: Item, parent: str | None = None) -> Item:
        return {
            "type": "assistant",
            "message": {
                "id": f"msg_{number}",
                "model": "fake-model",
                "content": list(content),
                "usage": {
                    "input_tokens": 1,
                    "cache_creation_input_tokens": 2,
                    "cache_read_input_tokens": 4,
                    "output_tokens": 2,
                },
            },
            "parent_tool_use_id": parent,
            "session_id": session,
            "uuid": str(uuid.uuid4()),
        }

    def used(name: str, number: int, parent: str | None = None) -> Item:
        use = {"type": "tool_use", "id": f"t{number}", "name": name, "input": {"x": 1}}
        return message(number, use, parent=parent)

    def result(number: int, is_error: bool) -> Item:
        found = {"type": "tool_result", "tool_use_id": f"t{number}", "content": "x"}
        content = [{**found, "is_error": is_error}]
        return {"type": "user", "message": {"content": content}, "parent_tool_use_id": None}

    def end(subtype: str, **more: Any) -> Item:
        return {
            "type": "result",
            "subtype": subtype,
            "is_error": False,
            "session_id": session,
            "num_turns": 1,
            "duration_ms": 10,
            "total_cost_usd": USAGE["cost"],
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "modelUsage": {
                "fake-model": {
                    "inputTokens": 30,
                    "outputTokens": 15,
                    "cacheReadInputTokens": 40,
                    "cacheCreationInputTokens": 20,
                    "costUSD": 0.01,
                },
                "fake-small": {
                    "inputTokens": 10,
                    "outputTokens": 5,
                    "cacheReadInputTokens": 0,
                    "cacheCreationInputTokens": 0,
                    "costUSD": 0.0025,
                },
            },
            "permission_denials": [],
            "stop_reason": "end_turn",
            **more,
        }

    yield {
        "type": "system",
        "subtype": "init",
        "session_id": session,
        "model": "fake-model",
        "cwd": str(Path.cwd()),
        "tools": ["Bash"],
        "permissionMode": "default",
    }
    if "login" in modes:
        fake.exit_status = 1
        said = "Invalid API key · Please run /login"
        yield end("success", is_error=True, result=said, modelUsage={}, total_cost_usd=0)
        return
    if fake.limited:
        fake.exit_status = 1
        info = {"status": "rejected", "resetsAt": fake.resets_at, "rateLimitType": "five_hour"}
        yield {"type": "rate_limit_event", "rate_limit_info": info}
        said = "You've hit your session limit"
        yield end("success", is_error=True, result=said, api_error_status=429)
        return
    info = {"status": "allowed_warning", "resetsAt": fake.resets_at, "utilization": 0.9}
    yield {"type": "rate_limit_event", "rate_limit_info": info}
    yield {"type": "system", "subtype": "api_retry", "attempt": 1, "error_status": 529}
    yield message(1, {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Well."})
    if "hang" in modes:
        yield {"hang": True}
    if "tools" in modes:
        yield used("Bash", 1)
        yield result(1, False)
        yield used("Task", 2)
        yield message(3, {"type": "text", "text": "a subagent's"}, parent="t2")
        yield used("Read", 4, parent="t2")
        yield result(4, True)
        yield result(2, False)
    if "denied" in modes:
        denial = {"tool_name": "Bash", "tool_use_id": "t9"}
        yield {"type": "system", "subtype": "permission_denied", **denial, "message": "no"}
    if "stall" in modes:
        yield {"hang": True}
    if "turns" in modes:
        fake.exit_status = 1
        yield end("error_max_turns", is_error=True, errors=["Reached maximum number of turns"])
        return
    if "fail" in modes:
        fake.exit_status = 1
        yield end("error_during_execution", is_error=True, errors=["it broke"])
        return
    yield message(5, {"type": "text", "text": fake.answer})
    more: Item = {"result": fake.answer}
    if fake._option("--json-schema"):
        more["structured_output"] = json.loads(fake.answer)
    if "denied" in modes:
        more["permission_denials"] = [denial]
    yield end("success", **more)


def codex(fake: Fake) -> Iterator[Item]:
    """Codex."""
    modes = fake.modes

    def item(number: int, **fields: Any) -> Item:
        return {"type": "item.completed", "item": {"id": f"item_{number}", **fields}}

    if fake._option("--output-schema"):
        json.loads(Path(str(fake._option("--output-schema"))).read_text())
    yield {"type": "thread.started", "thread_id": fake.session}
    yield {"type": "turn.started"}
    if "login" in modes:
        fake.exit_status = 1
        yield {"type": "turn.failed", "error": {"message": "401 Unauthorized"}}
        return
    if fake.limited:
        fake.exit_status = 1
        seconds = os.environ.get("FAKE_AGENT_LIMIT", "3600")
        said = f"You've hit your usage limit. Try again in {seconds} seconds."
        yield {"type": "error", "message": said}
        yield {"type": "turn.failed", "error": {"message": said}}
        return
    yield item(0, type="reasoning", text="hm")
    yield item(1, type="agent_message", text="Well.")
    if "hang" in modes:
        yield {"hang": True}
    yield {"type": "error", "message": "Reconnecting... 1/5"}
    if "tools" in modes:
        call = {"id": "item_2", "type": "command_execution", "command": "ls"}
        yield {"type": "item.started", "item": {**call, "status": "in_progress"}}
        yield {"type": "item.completed", "item": {**call, "exit_code": 0, "status": "completed"}}
        yield item(3, type="file_change", changes=[{"path": "a", "kind": "add"}], status="failed")
        call = {"id": "item_4", "type": "mcp_tool_call", "server": "s", "tool": "look"}
        yield {"type": "item.started", "item": {**call, "status": "in_progress"}}
        yield {"type": "item.completed", "item": {**call, "status": "completed"}}
        yield item(5, type="todo_list", items=[{"text": "a", "completed": True}])
    if "denied" in modes:
        yield item(6, type="command_execution", command="rm", status="declined")
    if "stall" in modes:
        yield {"hang": True}
    if "fail" in modes or "turns" in modes:
        fake.exit_status = 1
        yield {"type": "turn.failed", "error": {"message": "it broke"}}
        return
    yield item(7, type="agent_message", text=fake.answer)
    turns = len(fake.before) + 1  # its sums are those of the thread
    yield {
        "type": "turn.completed",
        "usage": {
            "input_tokens": 100 * turns,
            "cached_input_tokens": 40 * turns,
            "output_tokens": 20 * turns,
            "reasoning_output_tokens": 5 * turns,
        },
    }


def gemini(fake: Fake) -> Iterator[Item]:
    """Gemini CLI."""
    modes = fake.modes

    def said(text: str) -> Item:
        return {"type": "message", "role": "assistant", "content": text, "delta": True}

    def end(status: str, **more: Any) -> Item:
        stats = {
            "total_tokens": 120,
            "input_tokens": 100,
            "output_tokens": 15,
            "cached": 40,
            "duration_ms": 10,
            "tool_calls": 0,
            "models": {},
        }
        return {"type": "result", "status": status, "stats": stats, **more}

    yield {
        "type": "init",
        "timestamp": "2026-11-01T00:00:00Z",
        "session_id": fake.session,
        "model": "fake-model",
    }
    yield {"type": "message", "role": "user", "content": fake.prompt}
    if "login" in modes:
        fake.exit_status = 1
        sys.stderr.write("Please set an Auth method or set GEMINI_API_KEY\n")
        yield end("error", error={"type": "Error", "message": "no API key"})
        return
    if fake.limited:
        fake.exit_status = 1
        seconds = os.environ.get("FAKE_AGENT_LIMIT", "3600")
        message = f"You exceeded your current quota. Please retry in {seconds}s."
        yield end("error", error={"type": "ApiError", "message": message})
        return
    if "hang" in modes:
        yield said("Well.")
        yield {"hang": True}
    if "tools" in modes:
        yield {"type": "tool_use", "tool_name": "ls", "tool_id": "a", "parameters": {}}
        yield {"type": "tool_result", "tool_id": "a", "status": "success", "output": "x"}
        yield {"type": "tool_use", "tool_name": "cat", "tool_id": "b", "parameters": {}}
        yield {"type": "tool_result", "tool_id": "b", "status": "error", "error": {"message": "x"}}
    if "denied" in modes:
        yield {"type": "tool_use", "tool_name": "write_file", "tool_id": "c", "parameters": {}}
        error = {"type": "tool_not_registered", "message": "Tool not found"}
        yield {"type": "tool_result", "tool_id": "c", "status": "error", "error": error}
    if "stall" in modes:
        yield {"hang": True}
    if "turns" in modes:
        fake.exit_status = 53
        message = "Reached max session turns"
        yield {"type": "error", "severity": "error", "message": message}
        yield end("success")
        return
    if "fail" in modes:
        fake.exit_status = 1
        yield end("error", error={"type": "Error", "message": "it broke"})
        return
    yield {"type": "error", "severity": "warning", "message": "Loop detected"}
    half = len(fake.answer) // 2
    yield said(fake.answer[:half])
    yield said(fake.answer[half:])
    yield end("success")


def opencode(fake: Fake) -> Iterator[Item]:
    """opencode."""
    modes = fake.modes

    def line(type: str, **fields: Any) -> Item:
        return {"type": type, "timestamp": 1, "sessionID": fake.session, **fields}

    def finish(reason: str, share: float) -> Item:
        tokens = {
            "input": int(60 * share),
            "output": int(12 * share),
            "reasoning": int(8 * share),
            "cache": {"read": int(40 * share), "write": 0},
        }
        part = {"reason": reason, "cost": USAGE["cost"] * share, "tokens": tokens}
        return line("step_finish", part=part)

    def failed(message: str, **data: Any) -> Item:
        fake.exit_status = 1
        return line("error", error={"name": "APIError", "data": {"message": message, **data}})

    yield line("step_start", part={})
    if "login" in modes:
        yield failed("Unauthorized: invalid API key", statusCode=401)
        return
    if fake.limited:
        seconds = os.environ.get("FAKE_AGENT_LIMIT", "3600")
        yield failed("Slow down", statusCode=429, responseHeaders={"retry-after": seconds})
        return
    yield line("reasoning", part={"text": "hm"})
    yield line("text", part={"text": "Well."})
    if "hang" in modes:
        yield {"hang": True}
    ok = {"status": "completed", "input": {}, "output": "x", "title": "x"}
    yield line("tool_use", part={"callID": "a", "tool": "bash", "state": ok})
    if "tools" in modes:
        bad = {"status": "error", "input": {}, "error": "x"}
        yield line("tool_use", part={"callID": "b", "tool": "read", "state": bad})
    yield finish("tool-calls", 0.5)
    if "stall" in modes:
        yield {"hang": True}
    if "fail" in modes or "turns" in modes:
        yield failed("it broke")
        return
    yield line("step_start", part={})
    yield line("text", part={"text": fake.answer})
    yield finish("stop", 0.5)
    yield line("done", reason="stop", rejected=[{"tool": "edit"}] if "denied" in modes else [])


AGENTS = {"claude": claude, "codex": codex, "gemini": gemini, "opencode": opencode}


def strange(name: str) -> Iterator[Item]:
    """Items of types that come with some later release."""
    yield {"type": "of_tomorrow", "sessionID": None, "x": [1]}
    yield {"type": "of_tomorrow", "x": {"type": "result"}}
    if name == "codex":
        yield {"type": "item.completed", "item": {"id": "x", "type": "hologram"}}
    else:
        yield {"kind": "no type at all"}


def odd(name: str) -> Iterator[Any]:
    """Items whose types are known, and whose forms are not; and what is no JSON at all."""
    types = "system assistant user rate_limit_event message tool_use text step_finish done"
    if name != "opencode":  # there it is the end, whatever it says
        types += " error"
    for kind in types.split():
        yield {"type": kind}
        yield {"type": kind, "message": None, "part": 1, "item": [], "error": None}
    yield {"type": "item.completed", "item": None}
    yield [1, 2]
    yield 7
    yield None


def say(items: Iterator[Any], fake: Fake) -> None:
    """Writes items, as the modes will have it."""
    for item in items:
        if item == {"hang": True}:
            fake.note("said")
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3600)
        if "slow" in fake.modes:
            time.sleep(0.05)
        sys.stdout.write(json.dumps(item, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def main() -> int:
    """Plays an agent; the exit status is its."""
    name = Path(sys.argv[0]).name
    if "--acp" in sys.argv or "acp" in sys.argv[1:2]:
        other = Path(__file__).resolve().with_name("acp_agent.py")
        os.execv(sys.executable, [sys.executable, str(other), *sys.argv[1:]])
    modes = {word for word in os.environ.get("FAKE_AGENT", "").split(",") if word}
    if not modes <= MODES.keys():
        raise SystemExit(f"there are no modes {modes - MODES.keys()}")
    fake = Fake(name, sys.argv[1:], modes)
    fake.note("began", BEGAN)
    try:
        return play(fake)
    finally:
        fake.note("ended")


def play(fake: Fake) -> int:
    """Says what there is to say."""
    name, modes = fake.name, fake.modes
    time.sleep(float(os.environ.get("FAKE_AGENT_SECONDS") or 0))
    items = AGENTS[name](fake)
    if "unknown" in modes:
        say(strange(name), fake)
    if "odd" in modes:
        say(odd(name), fake)
        sys.stdout.write("no JSON\n{\n")
    if modes & {"silent", "crash"}:
        say(iter([next(items)]), fake)
        if "crash" in modes:
            sys.stderr.write("it crashed\n")
            return 1
        return 0
    if "cut" in modes:
        text = "".join(json.dumps(item) + "\n" for item in items)
        sys.stdout.write(text[: -len(text) // 4])
        return 0
    say(items, fake)
    if "linger" in modes:
        fake.note("said")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    return 3 if "exit" in modes else fake.exit_status


if __name__ == "__main__":
    sys.exit(main())
