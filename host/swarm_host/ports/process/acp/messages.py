"""Messages of the protocol: JSON-RPC 2.0, one in a line, checked by the protocol's own models.

The package has a connection too. It passes over what breaks the protocol and reads as fast as it
can; here that fails the attempt, and an agent is held back by who reads it.
"""

from __future__ import annotations

import json
from typing import Any

from acp import schema
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from swarm_host.ports.process.acp.calls import Calls

Message = dict[str, Any]
Id = int | str

ASKED: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "initialize": (schema.InitializeRequest, schema.InitializeResponse),
    "session/new": (schema.NewSessionRequest, schema.NewSessionResponse),
    "session/load": (schema.LoadSessionRequest, schema.LoadSessionResponse),
    "session/resume": (schema.ResumeSessionRequest, schema.ResumeSessionResponse),
    "session/prompt": (schema.PromptRequest, schema.PromptResponse),
}
"""What the host asks of agents, and what they answer."""

OWED: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "session/request_permission": (
        schema.RequestPermissionRequest,
        schema.RequestPermissionResponse,
    ),
    "fs/read_text_file": (schema.ReadTextFileRequest, schema.ReadTextFileResponse),
    "fs/write_text_file": (schema.WriteTextFileRequest, schema.WriteTextFileResponse),
    "terminal/create": (schema.CreateTerminalRequest, schema.CreateTerminalResponse),
    "terminal/output": (schema.TerminalOutputRequest, schema.TerminalOutputResponse),
    "terminal/wait_for_exit": (
        schema.WaitForTerminalExitRequest,
        schema.WaitForTerminalExitResponse,
    ),
    "terminal/kill": (schema.KillTerminalRequest, schema.KillTerminalResponse),
    "terminal/release": (schema.ReleaseTerminalRequest, schema.ReleaseTerminalResponse),
}
"""What agents ask of the host, and what it answers."""

OF_AN_UPDATE = (
    *("sessionUpdate", "messageId", "content", "toolCallId"),
    *("title", "status", "entries", "cost"),
)
"""What is handed on of an update; the rest may be long, and deep."""

CUT = b" bytes dropped]"
"""How a line ends that was cut (``framing.py``)."""

MOST_SHOWN = 400
"""Bytes of a line that an error shows."""


class Broken(Exception):
    """An agent has broken the protocol.

    :param why: what was wrong.
    """


def read(line: bytes) -> Message:
    """A line as a message: a request, a notification or a response.

    :raises Broken: it is none.
    """
    try:
        message = from_json(line, allow_inf_nan=False)
    except ValueError as problem:
        message = _mended(line)
        if message is None and line.endswith(CUT):
            raise Broken("it wrote a longer line than limits = { line = bytes } has") from None
        if message is None:
            raise Broken(f"it wrote what is no JSON ({problem})") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise Broken("it wrote what is no message of JSON-RPC 2.0")
    if "id" in message and not is_id(message["id"]):
        raise Broken("it wrote a message whose id is neither a whole number nor a text")
    if "method" in message:
        if not isinstance(message["method"], str):
            raise Broken("it wrote a message whose method is no text")
    elif "id" not in message or ("result" in message) == ("error" in message):
        raise Broken("it wrote a message that is neither a request nor an answer")
    return message


def _mended(line: bytes) -> Any:
    """A line with halves of characters, which programs in JavaScript may write in pieces of a text;
    None where it is no JSON for another reason."""
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return from_json(text.encode(errors="replace"), allow_inf_nan=False)
    except (ValueError, RecursionError):
        return None


def is_id(value: Any) -> bool:
    """Whether this can name a request."""
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def checked(model: type[BaseModel], value: Any, what: str) -> Any:
    """A value in the form that its model gives it, without what is not known.

    :param what: what it is, for the message.
    :raises Broken: it does not fit.
    """
    try:
        found = model.model_validate({} if value is None else value)
    except ValidationError as problem:
        raise Broken(f"its {what} has another form: {_first(problem)}") from None
    return dumped(found)


def dumped(found: BaseModel) -> Any:
    """A model as JSON has it, without what was added to the protocol (``_meta``)."""
    return _plain(found.model_dump(mode="json", by_alias=True, exclude_none=True))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if name != "_meta"}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def checked_request(method: str, params: Any, calls: Calls) -> Message:
    """The parameters of a request of an agent; of a tool call what says what it is.

    :raises Broken: they have another form.
    """
    found: Message = checked(OWED[method][0], params, method)
    if "toolCall" in found:
        found["toolCall"] = calls.asked_for(found["toolCall"])
    return found


def checked_update(params: Any, calls: Calls) -> tuple[Message | None, str]:
    """The parameters of a ``session/update``, or None with the kind that nobody knows.

    :param calls: takes in what is told of one.
    :raises Broken: its kind is known, and it has another form.
    """
    try:
        found = dumped(schema.SessionNotification.model_validate(params))
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        update = params.get("update") if isinstance(params, dict) else None
        kind = update.get("sessionUpdate") if isinstance(update, dict) else None
        if first["type"] == "union_tag_invalid" and isinstance(kind, str):
            return None, kind
        raise Broken(f"its session/update has another form: {_first(problem)}") from None
    update = found["update"]
    if "toolCallId" in update:
        calls.note(update)
    update = {name: update[name] for name in OF_AN_UPDATE if name in update}
    if "toolCallId" in update:
        update.pop("content", None)
    return {"sessionId": found["sessionId"], "update": update}, ""


def checked_error(error: Any, what: str) -> Message:
    """An answer that is an error: its ``code``, and its ``message`` with what it says besides.

    :raises Broken: it is none.
    """
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise Broken(f"its error in answer to {what} has another form")
    code, message, data = error.get("code"), error["message"], error.get("data")
    if isinstance(data, dict):
        data = data.get("details") or data.get("message")
    if isinstance(data, str) and data not in message:
        message = f"{message}: {data}"
    return {"code": code if isinstance(code, int) else 0, "message": message}


def shown(line: bytes) -> str:
    """The beginning of what an agent has sent, for an error."""
    text = line[:MOST_SHOWN].decode(errors="replace").strip()
    return text if len(line) <= MOST_SHOWN else f"{text} … ({len(line)} bytes)"


def written(message: Message) -> bytes:
    """A message as a line."""
    whole = {"jsonrpc": "2.0", **message}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _first(problem: ValidationError) -> str:
    first = problem.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]
