"""Keys of tokens that the command line or the environment names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarm_host.tokens import token as tokens
from swarm_host.tokens.authority import Authority
from swarm_host.tokens.keys import VARIABLE
from tests.serving.running import asked, bearing
from tests.support.command_line import run, script
from tests.tokens.test_keys import KEY, KEYS, OTHER, files


def test_the_first_key_makes_tokens_and_all_verify(tmp_path: Path) -> None:
    new, old = files(tmp_path, KEY, OTHER)
    words = ("--token-key", str(new), "--token-key", str(old))
    with bearing(tmp_path, "", words=words) as (one, token), one.connect() as client:
        name = one.path.stem
        assert Authority(KEYS[:1], run=name).admit(token).token.agent == "holder"
        before = Authority(KEYS[1:], run=name)
        mine: dict[str, Any] = {"agent": "holder", "role": "operator", "task": "T-2", "attempt": 1}
        older = before.mint(**mine, ttl=60.0, caveats={})
        assert "result" in asked(client, "verify_token", token=older)
        elsewhere = Authority(KEYS, run="another").mint(**mine, ttl=60.0, caveats={})
        refused = asked(client, "verify_token", token=elsewhere)["error"]
        assert refused["message"] == "the token is of another run"
        assert refused["data"]["code"] == "bad_signature"


def test_the_environment_names_files_and_no_glob_inherits_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = str(files(tmp_path, KEY)[0])
    monkeypatch.setenv(VARIABLE, named)
    text = """
    local shell = 'printf %s "$SWARM_TOKEN_KEYS"'
    swarm.worker "glob" { inherit_env = { "SWARM_*", "*" }, shell = shell }
    swarm.worker "name" { inherit_env = { "SWARM_TOKEN_KEYS" }, shell = shell }
    swarm.worker "holder" { role = "operator", run = function(ctx) return ctx:token() end }
    swarm.main(function()
      return { swarm.call("glob").raw, swarm.call("name").raw, swarm.call("holder") }
    end)
    """
    by_glob, by_name, token = json.loads(run(script(tmp_path, text)).stdout)
    assert (by_glob, by_name) == ("", named)
    read = tokens.read(token)
    assert read.links(KEYS[0]) is not None
    assert read.links(KEYS[1]) is None


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_key_that_others_can_read_is_refused_and_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (path,) = files(tmp_path, KEY)
    path.chmod(0o644)
    text = script(tmp_path, "swarm.main(function() end)")
    refused = f"{path} can be read or written by others: chmod 600 {path}\n"
    done = run(command, "--debug", "--token-key", path, text)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"error: --token-key: {refused}"
    monkeypatch.setenv(VARIABLE, str(path))
    done = run(command, text)
    assert (done.returncode, done.stderr.decode()) == (2, f"error: SWARM_TOKEN_KEYS: {refused}")
