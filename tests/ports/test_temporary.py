"""What is left of a temporary folder that no block could remove."""

from __future__ import annotations

import gc
import stat
import tempfile
from pathlib import Path

import pytest

from swarm_host.ports.contract import PortError
from swarm_host.ports.files.temporary import Temporary
from tests.support.loading import load


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def names(place: Path) -> list[str]:
    return [path.name for path in place.iterdir()]


def test_what_no_block_removed_goes_with_its_port(folder: Path) -> None:
    temporary = Temporary()
    (Path(temporary.make(None)) / "file").write_text("x")
    assert len(names(folder)) == 1
    del temporary
    gc.collect()
    assert names(folder) == []


def test_only_folders_of_its_own_are_removed(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    Temporary().remove(str(other))
    assert other.is_dir()


def test_a_link_to_a_folder_is_removed_and_not_followed(folder: Path) -> None:
    kept = folder / "kept"
    kept.mkdir(mode=0o500)
    temporary = Temporary()
    made = Path(temporary.make(None))
    (made / "link").symlink_to(kept)
    (made / "closed").mkdir(mode=0)
    temporary.remove(str(made))
    assert names(folder) == ["kept"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o500


def test_bounds_have_to_admit_the_folder(folder: Path) -> None:
    temporary = Temporary()
    with pytest.raises(PortError, match="out of bounds"):
        temporary.make([["out/**"]])
    assert names(folder) == []
    assert Path(temporary.make([[f"{folder}/**"]])).is_dir()


def test_no_place_for_one_is_an_io_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "gone"))
    with pytest.raises(PortError, match="cannot make the temporary folder") as failed:
        Temporary().make(None)
    assert failed.value.fields["reason"] == "no such file or directory"


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("swarm.sleep(60)", 124),
        ('error "no"', 1),
        ("while true do pcall(swarm.sleep, 60) end", 124),
    ],
)
def test_a_run_leaves_none(
    tmp_path: Path, folder: Path, ending: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where it is kept how a run has ended
    text = f"swarm.main(function() swarm.fs.temp_dir(function() {ending} end) end)"
    assert load(tmp_path, text, "--timeout", "3", "--cancel-grace", "1").status == status
    assert names(folder) == []
