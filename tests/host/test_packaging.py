"""The wheel, the sdist and the editable install each bring a swarm-host that runs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist; the wheel is built from the sdist, as an installer would."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "-o", str(out), str(ROOT)], check=True)
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def hello(folder: Path, *install: str) -> bytes:
    """Installs into a venv of its own, beside the packages of this one, and runs hello.lua."""
    venv.create(folder, with_pip=True)
    # The dependencies are those of the environment that runs the tests: nothing is fetched again.
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "outer.pth").write_text(str(next(Path(sys.prefix).glob("lib/python*/site-packages"))))
    pip = [str(folder / "bin" / "pip"), "install", "-q", "--no-deps", *install]
    subprocess.run(pip, check=True)
    command = [str(folder / "bin" / "swarm-host"), str(ROOT / "scripts" / "hello.lua"), "you"]
    where = [str(folder / "bin" / "python"), "-c", "import swarm_host; print(swarm_host.__file__)"]
    found = subprocess.run(where, cwd=folder, capture_output=True, text=True, check=True).stdout
    editable = "-e" in install
    assert found.startswith(str(ROOT if editable else folder)), found
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


def test_the_wheel_brings_the_lua_side(built: tuple[Path, Path]) -> None:
    names = zipfile.ZipFile(built[0]).namelist()
    wanted = {f"swarm_host/{path.relative_to(ROOT)}" for path in (ROOT / "lua").rglob("*.lua")}
    assert wanted <= set(names)
    assert "swarm_host/py.typed" in names
    assert not any(name.startswith(("tests/", "spec/")) for name in names)


def test_the_sdist_brings_everything_to_build_and_test(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for name in (
        "pyproject.toml",
        "README.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "lua/swarm.lua",
        "spec/conftest.py",
    ):
        assert name in names


def test_the_wheel_installs_and_runs(built: tuple[Path, Path], tmp_path: Path) -> None:
    assert hello(tmp_path / "venv", str(built[0])) == b"hello, you\n"


def test_the_sdist_installs_and_runs(built: tuple[Path, Path], tmp_path: Path) -> None:
    assert hello(tmp_path / "venv", str(built[1])) == b"hello, you\n"


def test_the_editable_install_runs(tmp_path: Path) -> None:
    assert hello(tmp_path / "venv", "-e", str(ROOT)) == b"hello, you\n"
