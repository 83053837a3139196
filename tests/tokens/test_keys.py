"""The keys of tokens: where they come from, and which are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swarm_host.tokens.keys import VARIABLE, BadKeys, find_keys, from_file, from_text

KEY, OTHER = "ab" * 32, "cd" * 40


def test_keys_are_random_where_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_keys() != find_keys()


def test_the_environment_has_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{KEY} {OTHER}")
    assert find_keys() == [bytes.fromhex(KEY), bytes.fromhex(OTHER)]


def test_a_file_has_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{KEY}\n{OTHER}\n")
    path.chmod(0o600)
    assert find_keys(path) == [bytes.fromhex(KEY), bytes.fromhex(OTHER)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_text(KEY)
    path.chmod(mode)
    with pytest.raises(BadKeys, match="chmod 600"):
        from_file(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none"):
        with pytest.raises(BadKeys, match=path.name):
            from_file(path)


@pytest.mark.parametrize("text", ["", "xyz", "ab" * 31, f"{KEY} {KEY} {KEY}", "é" * 64])
def test_keys_that_are_none_are_refused_and_not_told(text: str) -> None:
    with pytest.raises(BadKeys, match="here") as raised:
        from_text(text, "here")
    assert not text or text not in str(raised.value)
