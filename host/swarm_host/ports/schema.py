"""Port ``schema``: JSON Schemas, compiled and checked. The library comes with the extra ``schema``.

Schemas and values come as JSON beside the payload: the schema, a newline (which JSON text made by
us never holds), and the value.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from swarm_host.ports.contract import Answer, Call, PortError

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

CACHED_SCHEMAS = 256
LONG_VALUE = 100_000
"""Bytes of a value from which on it is read in a thread, so that other workers go on meanwhile."""
TYPES = "a type is array, boolean, integer, null, number, object or string, or a list of these"
SHOWN = 240
"""Characters of a message: it quotes the value, which may be long."""


class Schemas:
    """Answers nothing where all is well, else with ``path`` (keys, and places from 0) and
    ``message``."""

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Runs ``payload["op"]``: ``compile`` a schema, or ``check`` a value against one.

        :raises PortError: ``load_error`` where the extra is missing.
        """
        schema, _, value = (call.data or b"").partition(b"\n")
        if payload["op"] == "compile":
            return _compile(schema)
        if len(value) < LONG_VALUE:
            return _check(schema, value)
        return await to_thread.run_sync(_check, schema, value)


def misfit(schema: Any, value: Any) -> str | None:
    """What is wrong with a value, for who is no worker; None: it fits.

    :raises PortError: the extra is missing.
    """
    text = json.dumps(schema).encode()
    _compile(text)
    problem = _check(text, json.dumps(value).encode()).value
    if problem is None:
        return None
    at = "".join(f"[{step!r}]" for step in problem["path"])
    return f"{at}: {problem['message']}" if at else str(problem["message"])


@lru_cache(CACHED_SCHEMAS)
def _validator(schema: bytes) -> Validator:
    """The compiled schema; without a network, and with ``format`` checked.

    :raises ValidationError: the schema itself is wrong; its path is the place in the schema.
    """
    import jsonschema_rs

    def refuse(uri: str) -> Any:
        raise LookupError(f"{uri} is outside this schema, and nothing is fetched")

    return jsonschema_rs.validator_for(schema.decode(), retriever=refuse, validate_formats=True)


def _compile(schema: bytes) -> Answer:
    try:
        from jsonschema_rs import ValidationError
    except ImportError:
        text = "schemas come with an extra: pip install 'swarm-host[schema]'"
        raise PortError("load_error", text) from None
    try:
        _validator(schema)
    except ValidationError as problem:
        return _problem(problem, of_schema=True)
    return Answer()


def _check(schema: bytes, value: bytes) -> Answer:
    problem = next(_validator(schema).iter_errors(json.loads(value)), None)
    return Answer() if problem is None else _problem(problem)


def _problem(problem: ValidationError, of_schema: bool = False) -> Answer:
    from jsonschema_rs import ValidationErrorKind as Kind

    path, message = list(problem.instance_path), problem.message
    if len(message) > SHOWN:
        message = f"{message[: SHOWN // 2]} ... {message[-SHOWN // 2 :]}"
    if isinstance(problem.kind, Kind.Required):
        path.append(problem.kind.property)
        message = "it is required, and missing"
    elif of_schema and isinstance(problem.kind, Kind.AnyOf) and path[-1:] == ["type"]:
        message = f"{json.dumps(problem.instance)} is not valid: {TYPES}"
    elif isinstance(problem.kind, Kind.Type) and problem.instance == {}:
        message += " ({} is an object; an empty list is written swarm.array{})"
    return Answer(value={"path": path, "message": message})
