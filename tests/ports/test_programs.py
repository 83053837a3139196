"""What is started, and what it gets: secrets, environment, placeholders, bounds."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import SwarmError, WorkerFailed
from swarm_host.ports import Answer, Call, PortError
from swarm_host.ports.process import programs
from swarm_host.ports.process.framing import Lines
from swarm_host.ports.secrets import Mask
from tests.support.processes import descriptors, loaded, lua


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process gets longer, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [2_000, 200_000])
def test_a_file_that_does_not_fit_fails_its_worker_with_the_path(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    script = f"""
    swarm.worker "out" {{ shell = "head -c {size} /dev/zero", output = {{ format = "file" }} }}
    swarm.worker "in" {{ command = {{ "wc", "-c", "{{prompt_file}}" }} }}
    swarm.worker "fs" {{ run = function(_, path) swarm.fs.write(path, ("x"):rep({size})) end }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            for worker, given, code in (
                ("out", None, "process_failed"),
                ("in", "x" * size, "process_failed"),
                ("fs", str(tmp_path / "new"), "io_error"),
            ):
                with room_for(1000), pytest.raises(WorkerFailed) as caught:
                    await host.call(worker, given)
                error = caught.value.error
                assert error["code"] == code, error
                assert "file too large" in error["message"]
                assert error["path"].startswith(str(tmp_path)), error
                assert error["path"] in error["message"]
            assert not [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()]

    within(20, main)


def test_a_working_directory_that_the_system_does_not_take_is_named_and_cut(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    script = """
    swarm.worker "in" { run = function(_, folder)
      return swarm.exec { "true", cwd = folder }
    end }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            for folder, why in (
                ("x" * 5000, 'x..." cannot be used: file name too long'),
                ("no", 'no" does not exist'),
                (f"{tmp_path}/script.lua/x", 'script.lua/x" does not exist'),
            ):
                with pytest.raises(WorkerFailed) as caught:
                    await host.call("in", folder)
                assert caught.value.error["code"] == "process_failed"
                assert why in caught.value.error["message"]
                assert len(caught.value.error["message"]) < 400

    within(20, main)


def text_of(path: str) -> str:
    return Path(path).read_text()


def test_a_temporary_folder_that_is_gone_is_made_anew_or_named(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    script = """
    swarm.worker "out" { shell = "echo x", output = { format = "file" } }
    swarm.worker "in" { command = { "rm", "{prompt_file}" } }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            first = (await host.call("out"))["path"]
            shutil.rmtree(Path(first).parent)
            assert text_of((await host.call("out"))["path"]) == "x\n"
            await host.call("in", "text")  # the child removes the file itself
            shutil.rmtree(tmp_path / "tmp")
            for worker in ("out", "in"):
                with pytest.raises(WorkerFailed, match="no such file or directory") as caught:
                    await host.call(worker, "text")
                assert caught.value.error["code"] == "process_failed"
                assert caught.value.error["path"].startswith(str(tmp_path / "tmp"))

    within(20, main)


def test_a_secret_is_nowhere_but_in_the_child(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "s3cr3t-€-value"
    monkeypatch.setenv("API_KEY", value)
    script = """
    swarm.worker "leak" {
      shell = [[
        printf %s "$KEY" | wc -c
        echo "out: $KEY$KEY"
        echo "err: $KEY" >&2
        printf '%.5s' "$KEY" >&2; sleep 0.05; printf %s "${KEY#?????}" >&2
        exit $CODE
      ]],
      env = { KEY = swarm.secret "API_KEY", CODE = "{input.code}" },
    }
    """
    events: list[bytes] = []

    async def main() -> None:
        logged: list[Any] = []
        async with loaded(
            tmp_path, script, write_events=events.append, write_log=logged.append
        ) as host:
            worker = host.spawn("leak", {"code": 0})
            result = await worker.result()
            assert result["raw"] == f"{len(value.encode())}\nout: ******\n"
            assert result["stderr"] == "err: ***\n***"
            tail = worker.output_tail()
            assert [event.get("note") for event in tail[:2]] == ["err: ***", "***"]
            failed = host.spawn("leak", {"code": 7})
            with pytest.raises(WorkerFailed) as caught:
                await failed.result()
            assert caught.value.error["exit_code"] == 7
            assert caught.value.error["stderr"] == "err: ***\n***"
        said = repr((result, tail, caught.value.error, str(caught.value), logged, events))
        assert "s3cr3t" not in said
        assert "value" not in said.replace("'value'", "").replace('"value"', "")

    within(10, main)


def test_a_secret_that_is_not_set_fails_the_spawn(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("API_KEY", raising=False)
    marker = tmp_path / "ran"
    script = f"""
    swarm.worker "w" {{ command = {{ "touch", {lua(marker)} }},
      env = {{ KEY = swarm.secret "API_KEY" }} }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            with pytest.raises(WorkerFailed, match='worker "w": the secret "API_KEY" is not set'):
                await host.call("w")
        assert not marker.exists()

    within(10, main)


def test_only_the_listed_environment_is_inherited(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_OWN", "1")
    monkeypatch.setenv("UNLISTED", "1")
    monkeypatch.setenv("LC_TEST", "1")
    script = """
    local dump = { "python3", "-c", "import os, json; print(json.dumps(dict(os.environ)))" }
    dump[1] = swarm.args[1]
    swarm.worker "default" { command = dump }
    swarm.worker "more" { command = dump, inherit_env = { "MY_*" }, env = { LC_TEST = "2" } }
    swarm.worker "none" { command = dump, inherit_env = false, env = { A = "{input}" } }
    """

    async def main() -> None:
        async with loaded(tmp_path, script, args=[sys.executable]) as host:
            default, more = await host.call("default"), await host.call("more")
            none = await host.call("none", "x")
        assert default["LC_TEST"] == "1"
        assert "MY_OWN" not in default
        assert "UNLISTED" not in default
        assert default["PATH"] == os.environ["PATH"]
        assert default["SWARM_NAME"] == "default"
        assert default["SWARM_ATTEMPT"] == "1"
        assert default["SWARM_TASK_ID"].startswith("T-")
        assert more["MY_OWN"] == "1"
        assert more["LC_TEST"] == "2"
        none.pop("LC_CTYPE", None)  # Python sets it itself
        own = ["SWARM_ATTEMPT", "SWARM_MARK", "SWARM_NAME", "SWARM_TASK_ID"]
        assert sorted(none) == ["A", *own]
        assert none["A"] == '"x"'

    within(10, main)


ATTACKS = [
    "$(touch {})",
    "`touch {}`",
    "; touch {} ;",
    "' ; touch {} ; '",
    '" ; touch {} ; "',
    "\n touch {} \n#",
    "&& touch {}",
    "| touch {}",
    "> {}",
    "%s%n$0$@",
    "{{task_id}} {{input.b}} {{prompt}}",
    "--help",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_placeholder_is_ever_code(
    within: Callable[..., Any], tmp_path: Path, attack: str
) -> None:
    marker = tmp_path / "pwned"
    text = attack.format(marker)
    folder = tmp_path / text.replace("/", "_")
    folder.mkdir()
    script = """
    local text = { format = "text" }
    swarm.worker "argument" { command = { "printf", "%s", "{input.a}" }, output = text }
    swarm.worker "inside" { command = { "printf", "%s", "a={input.a}." }, output = text }
    swarm.worker "prompt" { command = { "printf", "%s", "{prompt}" }, output = text }
    swarm.worker "json" { command = { "printf", "%s", "{input}" } }
    swarm.worker "file" { command = { "cat", "{prompt_file}" }, output = text }
    swarm.worker "stdin" { command = { "cat" }, stdin = "<{input.a}>", output = text }
    swarm.worker "env" { shell = 'printf %s "$A"', env = { A = "{input.a}" }, output = text }
    swarm.worker "unquoted" { shell = 'printf "%s " $SWARM_PROMPT', output = text }
    swarm.worker "shell" { shell = 'printf %s "$SWARM_PROMPT"', output = text }
    swarm.worker "cwd" { command = { "pwd" }, cwd = "{input.dir}", output = text }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            value = {"a": text, "prompt": text, "dir": str(folder)}
            for name in ("argument", "prompt", "file", "env", "shell"):
                assert await host.call(name, value) == text, name
            assert await host.call("inside", value) == f"a={text}."
            assert await host.call("stdin", value) == f"<{text}>"
            assert await host.call("json", value) == value
            await host.call("unquoted", value)
            assert await host.call("cwd", value) == str(folder)
        assert not marker.exists()

    within(20, main)


def bounded(program: str, bound: str) -> str:
    return f"""
    swarm.role "narrow" {{ extends = "worker", allow = {{ run_process = {{ {lua(bound)} }} }} }}
    swarm.worker "w" {{ role = "narrow", command = {{ {lua(program)}, "--version" }} }}
    """


def test_a_program_bound_compares_resolved_paths(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").symlink_to("/bin/sh")
    real = Path("/usr/bin/git")

    async def main() -> None:
        for program, bound in [("git", "git"), (str(real), "git"), ("git", str(real))]:
            async with loaded(tmp_path, bounded(program, bound)) as host:
                assert "git version" in (await host.call("w"))["raw"]
        for program in ("sh", "/bin/sh", str(tmp_path / "git"), "./git"):
            async with loaded(tmp_path, bounded(program, "git")) as host:
                with pytest.raises(WorkerFailed, match="out of bounds") as caught:
                    await host.call("w")
                error = caught.value.error
                assert error["code"] == "role_violation"
                assert error["role"] == "narrow"
                assert error["verb"] == "run_process"

    if not real.exists():
        pytest.skip("no git there")
    monkeypatch.chdir(tmp_path)
    within(20, main)


def test_a_program_bound_holds_variables_that_change_what_it_runs(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELD", "x")
    script = """
    swarm.role "narrow" { extends = "worker",
      allow = { run_process = { "sh", "env:GIT_DIR", "env:RUBY*" } } }
    swarm.role "wide" { extends = "worker", allow = { run_process = { "sh", "env:*" } } }
    swarm.worker "exec" { role = "narrow", run = function(_, names)
      local env = {}
      for _, name in ipairs(names) do env[name] = "1" end
      return swarm.exec { "sh", "-c", "echo ran", env = env }.stdout
    end }
    swarm.worker "secret" { role = "narrow", shell = "echo ran",
      env = { BASH_ENV = swarm.secret "HELD" } }
    swarm.worker "cut" { role = "narrow", run = function() return swarm.call "inner" end }
    swarm.worker "inner" { role = "wide", shell = "echo ran", env = { LD_PRELOAD = "./x.so" } }
    swarm.worker "free" { shell = "echo ran", env = { NODE_OPTIONS = "" } }
    """
    refused = (
        *("LD_PRELOAD", "LD_AUDIT", "GIT_CONFIG_COUNT", "BASH_ENV", "ENV", "PERL5OPT", "PATH"),
        *("NODE_OPTIONS", "PYTHONPATH", "PYTHONSTARTUP", "GCONV_PATH", "DYLD_INSERT_LIBRARIES"),
        *("HOME", "XDG_CONFIG_HOME", "BASH_FUNC_ls%%", "PAGER", "GIT_DIR_X"),
    )

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            for name in refused:
                with pytest.raises(WorkerFailed) as caught:
                    await host.call("exec", ["MODE", name])
                error = caught.value.error
                assert (error["code"], error["verb"]) == ("role_violation", "run_process"), name
                assert f'env.{name} (not listed as "env:{name}") is out of' in error["message"]
            assert await host.call("exec", ["MODE", "GIT_DIR", "RUBYLIB", "NODE_ENV"]) == "ran\n"
            for worker in ("secret", "cut"):
                with pytest.raises(WorkerFailed, match="out of bounds"):
                    await host.call(worker)
            assert (await host.call("inner"))["raw"] == "ran\n"
            assert (await host.call("free"))["raw"] == "ran\n"

    within(20, main)


def failing(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Definitions that load and do not start: the fields, the code, what the message says."""
    (folder / "plain").write_text("echo hi\n")
    (folder / "no_interpreter").write_text("#!/no/such/interpreter\n")
    (folder / "no_interpreter").chmod(0o755)
    (folder / "garbage").write_bytes(b"\0\1\2\3" * 99)
    (folder / "garbage").chmod(0o755)
    here = str(folder)
    return {
        "no program": ('command = { "no-such" }', "process_failed", 'no program "no-such"'),
        "a line": ('command = { "ls -l" }', "process_failed", "an item of its own"),
        "no path": (f'command = {{ "{here}/none" }}', "process_failed", "there is no program"),
        "a folder": (f'command = {{ "{here}" }}', "process_failed", "is a folder"),
        "not executable": (f'command = {{ "{here}/plain" }}', "process_failed", "chmod +x"),
        "interpreter": (f'command = {{ "{here}/no_interpreter" }}', "process_failed", "first line"),
        "garbage": (f'command = {{ "{here}/garbage" }}', "process_failed", "is no program"),
        "no folder": ('command = { "ls" }, cwd = "/no/such"', "process_failed", "does not exist"),
        "no such cwd": (
            f'command = {{ "ls" }}, cwd = "{here}/plain"',
            "process_failed",
            "is not a folder",
        ),
        "no value": ('command = { "ls", "{input.x}" }', "invalid_value", "command[2]: placeholder"),
        "null": ('command = { "ls", "{input.null}" }', "invalid_value", "has no value"),
        "nul": ('command = { "ls", "{input.nul}" }', "invalid_value", "a NUL byte"),
        "nul in env": ('command = { "ls" }, env = { A = "{input.nul}" }', "invalid_value", "env.A"),
        "large": ('command = { "ls", "{input.large}" }', "process_failed", "{prompt_file}"),
        "large shell": ('shell = "echo $SWARM_INPUT"', "process_failed", "through stdin"),
    }


@pytest.mark.parametrize("case", failing(Path(os.devnull).parent / "shm"), ids=str)
def test_what_does_not_start_says_why(
    within: Callable[..., Any], tmp_path: Path, case: str
) -> None:
    fields, code, text = failing(tmp_path)[case]

    async def main() -> None:
        before = descriptors()
        async with loaded(tmp_path, f'swarm.worker "w" {{ {fields} }}') as host:
            value = {"nul": "a\0b", "large": "x" * 10_000_000, "null": None}
            with pytest.raises(WorkerFailed) as caught:
                await host.call("w", value)
            error = caught.value.error
            assert error["code"] == code
            assert text in error["message"]
            assert 'worker "w"' in error["message"]
            assert error["where"].endswith("script.lua:1")
            assert "Traceback" not in repr(error)
            assert descriptors() <= before + 12  # those of the host

    within(10, main)


def test_ten_megabytes_of_input_pass_where_the_shell_does_not_name_them(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        async with loaded(tmp_path, 'swarm.worker "w" { shell = "wc -c" }') as host:
            assert (await host.call("w", "x" * 10_000_000))["raw"].strip() == "10000000"

    within(10, main)


def test_an_event_of_a_port_comes_before_its_answer_and_an_error_in_it_ends_the_request(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    """The contract that stderr lines use, with a port of a third party in its place."""
    seen: list[str] = []

    class Chatty:
        async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
            for i in range(3):
                await call.emit({"lines": 1}, b"line %d" % i)
            seen.append("said")
            if payload["arguments"] == 2:
                await call.emit({"lines": 1}, b"x" * 20_000_000)
                await anyio.sleep(60)
            return Answer(value={"exit_code": 0, "stdout": 0, "size": 0}, data=b"")

    script = """
    swarm.worker "w" { command = { "any" } }
    swarm.worker "v" { command = { "any", "thing" } }
    swarm.layer "narrow" { event = function(_, event)
      if event.type == "progress" and #event.note > 100 then error("too long") end
    end }
    swarm.use "narrow"
    """

    async def main() -> None:
        async with loaded(tmp_path, script, ports={"process": Chatty()}) as host:
            worker = host.spawn("w")
            await worker.join()
            notes = [event.get("note") for event in worker.output_tail()]
            assert notes == ["line 0", "line 1", "line 2", None]
            with pytest.raises(WorkerFailed, match="too long"):
                await host.call("v")

    within(10, main)


def test_a_secret_is_masked_however_it_is_cut() -> None:
    secrets = [b"abcabd", b"abc", b"xab", b"line1\nline2"]
    text = b"__abcab_abcabd_xabc_line1\nline2_abcabcabdab"
    whole = Mask(secrets)
    wanted = whole.feed(text) + whole.rest()
    assert wanted == b"__***ab_***_***c_***_******ab"
    for size in range(1, len(text)):
        mask = Mask(secrets)
        got = b"".join(mask.feed(text[i : i + size]) for i in range(0, len(text), size))
        assert got + mask.rest() == wanted, size


AWKWARD = 'hunter"2\nBEGIN-KEY\tü/€\\n😀\nabcdef'


def spellings(secret: str) -> list[str]:
    """Ways to write a secret in JSON, and in JSON that stands in JSON."""
    plain = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    plain.append(plain[0].replace("/", "\\/"))
    units = secret.encode("utf-16-be")
    each = [f"\\u{units[i] * 256 + units[i + 1]:04X}" for i in range(0, len(units), 2)]
    plain.append("".join(each))
    plain.append(json.dumps(secret)[1:-1].replace("BEGIN", "\\u0042EGIN"))
    nested = [json.dumps(one)[1:-1] for one in plain]
    return [secret, *plain, *nested, *(json.dumps(one)[1:-1] for one in nested)]


@pytest.mark.parametrize("secret", [AWKWARD, '"', "\\", "\\\\x", "plain-secret", "a/b", '\n"\n"x'])
def test_a_secret_is_masked_however_json_spells_it(secret: str) -> None:
    for spelled in spellings(secret):
        text = f'{{"key":"{spelled}","n":1}}'.encode()
        whole = Mask([secret.encode()]).whole(text)
        assert b"***" in whole, spelled
        if len(secret) > 2:
            assert whole == b'{"key":"***","n":1}', spelled
        for size in (1, 2, 3, 7):
            mask = Mask([secret.encode()])
            got = b"".join(mask.feed(text[i : i + size]) for i in range(0, len(text), size))
            assert got + mask.rest() == whole, (spelled, size)


def test_each_long_line_of_a_secret_is_masked() -> None:
    key = b"-----BEGIN KEY-----\nMIIEvQIBADAN\nshort\n  indented line\n-----END KEY-----\n"
    mask = Mask([key])
    told = mask.whole(b"".join(b"  > " + line.strip() + b"\n" for line in key.splitlines()))
    assert told == b"  > ***\n  > ***\n  > short\n  > ***\n  > ***\n"
    assert mask.whole(b"x" + key + b"y") == b"x***y"
    escaped = Mask([key.replace(b"\n", b"\\n")])  # as many .env files have it
    assert escaped.whole(key).count(b"***") == 4


def test_masking_takes_time_by_the_text_and_not_by_the_secret() -> None:
    began = time.process_time()
    for secret in (os.urandom(45_000).hex().encode(), b"0" * 64, b"\\" * 40):
        for text in (b"0123456789abcdef" * 64, b"0" * 1024, b"\\" * 1024, b'\\"' * 512):
            mask = Mask([secret])
            for _ in range(200):
                mask.feed(text)
            mask.rest()
    assert time.process_time() - began < 10


def test_json_does_not_bring_a_secret_back(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K1", 'hunter"2\nBEGIN-KEY\nabcdef')
    script = f"""
    local dump = "import os,json,sys; print(json.dumps({{'key':os.environ['KEY']}}));"
      .. "sys.stderr.write(json.dumps(os.environ['KEY']))"
    local env = {{ KEY = swarm.secret "K1" }}
    local command = {{ {lua(sys.executable)}, "-c", dump }}
    swarm.worker "json" {{ output = {{ format = "json" }}, env = env, command = command }}
    swarm.worker "text" {{ output = {{ format = "text" }}, env = env, command = command }}
    swarm.worker "lines" {{ output = {{ format = "text" }}, env = env,
      shell = [[printf %s "$KEY" | sed 's/^/  /'; printf %s "$KEY" | sed 's/^/> /' >&2]] }}
    """
    events: list[bytes] = []

    async def main() -> None:
        async with loaded(tmp_path, script, write_events=events.append) as host:
            assert await host.call("json") == {"key": "***"}
            assert await host.call("text") == '{"key": "***"}'
            assert await host.call("lines") == "  ***\n  ***\n  abcdef"

    within(20, main)
    assert b"BEGIN-KEY" not in b"".join(events)
    assert b"hunter" not in b"".join(events)


def test_a_long_line_is_cut_and_counted() -> None:
    lines = Lines(4)
    assert lines.feed(b"ab") == b""
    assert lines.feed(b"cdef\nxy\n\nlong") == b"abcd [2 bytes dropped]\nxy\n\n"
    assert lines.feed(b"er", last=True) == b"long [2 bytes dropped]\n"
    assert lines.feed(b"a\nb\nc") == b"a\nb\n"
    assert lines.feed(b"", last=True) == b"c\n"


def test_children_are_started_outside_of_asyncio_watchers(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    """A host in a second thread has children too: nothing here needs the main thread's signals."""
    result: list[Any] = []

    async def main() -> None:
        async with loaded(tmp_path, 'swarm.worker "w" { shell = "echo hi" }') as host:
            result.append(await host.call("w"))

    async def in_thread() -> None:
        await asyncio.get_running_loop().run_in_executor(None, within, 10, main)

    anyio.run(in_thread)
    assert result[0]["raw"] == "hi\n"


def test_port_errors_carry_what_a_script_reads() -> None:
    error = PortError("process_failed", "it broke", exit_code=1)
    assert error.fields == {"exit_code": 1}


def test_a_wrong_definition_is_a_load_error_that_names_the_field(tmp_path: Path) -> None:
    cases = {
        "command = {}": "command must be a list",
        'command = { "a", 1 }': "command[2] must be a string",
        'command = { "a\\0b" }': "NUL",
        'command = { "a", "{token}" }': "{token} may stand in env and stdin only",
        'command = { "a" }, shell = "b"': "both",
        'command = "nope"': 'there is no swarm.command "nope"',
        'shell = "echo {prompt}"': '"$SWARM_PROMPT"',
        'shell = "echo {input}"': '"$SWARM_INPUT"',
        'shell = "echo {input.a.b}"': "env = { VALUE",
        'shell = "echo {name}"': '"$SWARM_NAME"',
        'shell = "echo {agent}"': '"$SWARM_NAME"',
        'shell = "echo $SWARM_AGENT"': '"$SWARM_NAME"',
        'command = { "echo", "{agent}" }': "command[2]: a worker's name is {name}, not {agent}",
        'command = { "cat" }, stdin = "{agent}"': "stdin: a worker's name is {name}",
        'shell = "a", env = { A = "{agent}" }': "env.A: a worker's name is {name}",
        'command = { "echo", "{imput}" }': "did you mean {input}? To write it as it is, {{imput}}",
        'command = { "echo", "{inptu.a}" }': "did you mean {input.a}?",
        'command = { "echo", "{input..a}" }': "did you mean {input.a}?",
        'command = { "echo", "{promtp_file}" }': "did you mean {prompt_file}?",
        'command = { "echo", "{Prompt}" }': "did you mean {prompt}?",
        'command = { "echo", "{taskid}" }': "did you mean {task_id}?",
        'command = { "echo", "{need.a}" }': "did you mean {needs.a}?",
        'command = { "a" }, cwd = "{inputs.dir}"': "cwd: {inputs.dir} is no placeholder",
        'command = { "a" }, env = { A = "{atempt}" }': "env.A: {atempt} is no placeholder",
        'command = { "a" }, stdin = "x {promt} y"': "stdin: {promt} is no placeholder",
        'shell = "echo {promt}"': '{promt}, which is near {prompt}; write "$SWARM_PROMPT"',
        'shell = "echo {inputs.a}"': "(SWARM_PROMPT and SWARM_INPUT are there too)",
        'shell = "a", limits = { line = 1e16 }': "limits.line must be a whole number of bytes",
        'shell = "a", limits = { output = 1/0 }': "limits.output must be a whole number of bytes",
        'shell = "a", limits = { line = 0/0 }': "limits.line must be a whole number of bytes",
        'shell = "a", pty = 1': "pty must be true, false or a table",
        'shell = "a", pty = { columns = 3 }': "pty has no",
        'shell = "a", pty = { rows = 0 }': "pty.rows must be a whole number",
        'shell = "a", pty = { plain = 1 }': "pty.plain must be",
        'shell = "a", idle = 0': "idle must be a number of seconds above zero",
        'shell = "a", idle = 10, timeout = 5': "idle (10 s) is longer than timeout (5 s)",
        'shell = "a", linger = -1': "linger must be a number of seconds",
        'shell = "a", linger = 1': "linger counts from a final on",
        'shell = "a", prompt = 1': "prompt must be a string",
        'shell = "a", prompt = "x {prompt}"': "it is the prompt",
        'shell = "a", restart = "always"': "restart must be true or false",
        'shell = "a", output = { format = "lines", keep = -1 }': "keep must be a whole number",
        'shell = "a", output = { format = "ndjson", keep = 1 }': "is for the formats lines",
        'shell = "a", output = { format = "ndjson", final = "first" }': "output.final must be",
        'shell = "a", output = { format = "ndjson", event = 1 }': "output.event must be a function",
        'shell = "a", output = { format = "jsn" }': "did you mean json?",
        'shell = "a", output = { event = print }': "is for the formats frames, lines, ndjson, sse",
        'shell = "a", output = { result = "a" }': "JSON Pointer",
        'shell = "a", output = { format = "text", ok = "/a" }': "is for the formats auto",
        'shell = "a", ok_codes = { "0" }': "ok_codes[1]",
        'shell = "a", exit = "fail"': '"blocked" or "failed"',
        'shell = "a", env = { ["A=B"] = "" }': "variable's name",
        'shell = "a", env = { A = 1 }': "env.A must be a string",
        'shell = "a", inherit_env = "A"': "inherit_env must be",
        'shell = "a", kill_after = -1': "kill_after",
        'shell = "a", limits = { memoy = 1 }': "did you mean memory?",
        'shell = "a", limits = { cpu = 0.5 }': "limits.cpu must be a whole number of seconds",
        'shell = "a", limits = { line = 0 }': "limits.line",
        'shell = "a", stdin = 1': "stdin must be",
        'program = "a"': "did you mean command?",
        'shell = "a", args = {}': "did you mean command?",
        'shell = "a", stream_mode = "x"': "did you mean output?",
        'kind = "process"': "command or shell",
        'shell = "a", run = print': "of kind lua and of kind process",
    }
    for fields, text in cases.items():

        async def main(fields: str = fields) -> None:
            async with loaded(tmp_path, f'swarm.worker "w" {{ {fields} }}'):
                pass

        with pytest.raises(SwarmError) as caught:
            anyio.run(main)
        error = caught.value.error
        assert error["code"] == "load_error", fields
        assert text in error["message"], (fields, error["message"])
        assert 'worker "w"' in error["message"]
        assert error["where"].endswith("script.lua:1"), fields


def test_too_large_an_environment_is_told_as_one(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    script = """
    swarm.worker "env" { command = { "true" }, env = { SMALL = "x", LARGE = "{input}" } }
    swarm.worker "arguments" { command = { "true", "{input}" } }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            with pytest.raises(WorkerFailed) as raised:
                await host.call("env", "x" * 200_000)
            message = raised.value.error["message"]
            assert 'of environment (200009 of them in "LARGE") are more' in message
            assert "take what is large out of env" in message
            with pytest.raises(WorkerFailed, match=r"20000\d bytes of arguments are more"):
                await host.call("arguments", "x" * 200_000)

    within(30, main)


def test_a_folder_that_goes_before_the_start_is_told(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
    swarm.worker "w" {{ command = {{ "true" }}, cwd = {lua(tmp_path / "gone")} }}
    """
    monkeypatch.setattr(programs, "check_folder", lambda *_: None)  # it was there a moment ago

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            with pytest.raises(WorkerFailed, match=r'the working directory "[^"]*gone" is gone'):
                await host.call("w")

    within(30, main)


def test_json_that_is_nested_too_deep_to_cross_is_kept_as_it_was_written(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    script = """
    local function prints(depth, output)
      return { command = { "printf", "%s", ("["):rep(depth) .. ("]"):rep(depth) }, output = output,
        exit = "blocked" }
    end
    swarm.worker "fits" (prints(100, { format = "json" }))
    swarm.worker "json" (prints(101, { format = "json" }))
    swarm.worker "auto" (prints(101, { format = "auto" }))
    swarm.worker "part" {
      command = { "printf", "%s", '{"flat":[1],"deep":' .. ("["):rep(200)
        .. ("]"):rep(200) .. "}" },
      output = { format = "json", result = "/flat" } }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            assert (await host.spawn("fits").wait()).status == "pass"
            outcome = await host.spawn("json").wait()
            assert outcome.status == "failed"
            assert outcome.error is not None
            assert outcome.error["stdout"] == "[" * 101 + "]" * 101
            assert "at most 100 levels" in outcome.error["reason"]
            assert (await host.call("auto"))["raw"] == "[" * 101 + "]" * 101
            assert await host.call("part") == [1]

    within(30, main)
