"""The keys of tokens: where they come from, and which are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swarm_host.tokens.keys import VARIABLE, BadKeys, find_keys, from_file

KEY, OTHER = "ab" * 32, "cd" * 40
KEYS = [bytes.fromhex(KEY), bytes.fromhex(OTHER)]


def files(folder: Path, *texts: str) -> list[Path]:
    """Files with these keys, which nobody else may read."""
    paths = [folder / f"key{number}" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
        path.chmod(0o600)
    return paths


@pytest.mark.parametrize("named", [None, ""])
def test_keys_are_random_where_none_are_named(
    monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(VARIABLE, named)
    assert find_keys() != find_keys()


def test_files_have_keys_and_the_environment_names_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path, f"{KEY}\n", OTHER)
    assert find_keys(paths) == KEYS
    monkeypatch.setenv(VARIABLE, ":".join(map(str, paths)))
    assert find_keys() == KEYS
    assert find_keys(paths[1:]) == KEYS[1:]  # what is named nearer goes first


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    (path,) = files(tmp_path, KEY)
    path.chmod(mode)
    with pytest.raises(BadKeys, match="chmod 600"):
        from_file(path)


def test_what_is_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none"):
        with pytest.raises(BadKeys, match=path.name):
            from_file(path)
    (path,) = files(tmp_path, KEY)
    monkeypatch.setenv(VARIABLE, f"{path}:")
    with pytest.raises(BadKeys, match="an empty path"):
        find_keys()


def test_there_are_two_keys_at_most(tmp_path: Path) -> None:
    with pytest.raises(BadKeys, match="at most 2 keys"):
        find_keys(files(tmp_path, KEY, OTHER, KEY))


@pytest.mark.parametrize("text", ["", "xyz", "ab" * 31, f"{KEY} {KEY}", "é" * 64])
def test_keys_that_are_none_are_refused_and_not_told(tmp_path: Path, text: str) -> None:
    (path,) = files(tmp_path, text)
    with pytest.raises(BadKeys, match="openssl rand") as raised:
        from_file(path)
    assert not text or text not in str(raised.value)
