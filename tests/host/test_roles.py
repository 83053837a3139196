"""Roles: the table of verbs in ``spec/rights/`` is what the code says, and roles that do not load.

After a change to the verbs, ``python -m tests.host.test_roles`` writes the table anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_host.vm.kernel import Kernel
from tests.support.loading import MAIN, refused

PAGE = Path(__file__).resolve().parents[2] / "spec" / "rights" / "roles.md"
BEGIN, END = "<!-- verbs: made by tests/host/test_roles.py -->\n", "<!-- end of verbs -->\n"
GROUPS = ["swarm", "leaf", "host", "token", "operator", "observer", "senior"]
ROLES = ["operator", "worker", "observer", "senior"]


def table() -> str:
    """The table of verbs, made from the code."""
    verbs = Kernel().verbs()
    lines = ["| verb | group | behind it | bounds | roles |", "|---|---|---|---|---|"]
    for verb in sorted(verbs, key=lambda verb: (GROUPS.index(verbs[verb]["group"]), verb)):
        about = verbs[verb]
        calls = about["calls"] + (" (later)" if about.get("later") else "")
        roles = ", ".join(role for role in ROLES if role in about["roles"])
        lines.append(
            f"| {verb} | {about['group']} | {calls} | {about.get('bound', '')} | {roles} |"
        )
    return "\n".join(lines) + "\n"


def parts() -> tuple[str, str, str]:
    """The page before its table, the table, and the page after it."""
    before, rest = PAGE.read_text().split(BEGIN)
    between, after = rest.split(END)
    return before, between, after


def test_the_table_of_verbs_is_what_the_code_says() -> None:
    assert parts()[1] == table(), "run python -m tests.host.test_roles"


WRONG = {
    'swarm.role "x" { allow = { "read_file" } }': 'there is no verb "read_file"; did you mean re',
    'swarm.role "x" { deny = { "spwan" } }': 'role "x": there is no verb "spwan"',
    'swarm.role "x" { allow = { read_fils = { "a" } } }': "did you mean read_files?",
    'swarm.role "x" { allow = { 5 } }': 'role "x": there is no verb 5',
    'swarm.role "x" { allow = { poll_task = { "a" } } }': "poll_task takes no bounds; write it",
    'swarm.role "x" { allow = { read_files = "a" } }': 'takes a list of paths, and got "a"',
    'swarm.role "x" { allow = { read_files = {} } }': "takes a list of paths, and got a table",
    'swarm.role "x" { allow = { read_files = false } }': "takes a list of paths, and got false",
    'swarm.role "x" { allow = { read_files = { "a", 5 } } }': "[2] must be a string, and is 5",
    'swarm.role "x" { deny = { read_files = { "a" } } }': "deny lists verbs, without bounds",
    'swarm.role "x" { extends = "x" }': 'role "x" extends itself',
    'swarm.role "x" { extends = "wroker" }': 'there is no role "wroker"; did you mean worker?',
    'swarm.role "x" { extends = 5 }': "extends must be a role's name",
    'swarm.role "x" { allow = "read_files" }': 'allow must be a list of verbs, and is "read_files"',
    'swarm.role "x" { alow = {} }': 'role "x" has no field "alow"; did you mean allow?',
    'swarm.role "x" (5)': 'role "x" takes a table, and got 5',
    'swarm.role "x"': 'role "x" has no table: write swarm.role "x" {',
    'swarm.role "x" {} swarm.role "x" {}': 'role "x" is defined twice; the first is at',
    'swarm.role "worker" {}': 'role "worker" comes with the host: extend it under a name',
    "swarm.role(5, {})": "swarm.role takes a name, and got 5",
    'swarm.worker "w" { run = print, role = "wroker" }': '"wroker"; did you mean worker?',
    'swarm.worker "w" { run = print, authority = "mine" }': 'authority must be the word "own"',
    'swarm.layer "l" { role = "wroker" }': 'there is no role "wroker"; did you mean worker?',
}


@pytest.mark.parametrize("definition", WRONG)
def test_a_wrong_role_names_its_line_and_what_is_wrong(tmp_path: Path, definition: str) -> None:
    first = refused(tmp_path, f"{definition}\n{MAIN}")
    assert first.startswith("x.lua:1: ")
    assert WRONG[definition] in first


def test_roles_in_a_ring_are_refused(tmp_path: Path) -> None:
    ring = 'swarm.role "a" { extends = "b" } swarm.role "b" { extends = "c" }'
    first = refused(tmp_path, f'{ring}\nswarm.role "c" {{ extends = "a" }}\n{MAIN}')
    assert "extends itself" in first


if __name__ == "__main__":
    before, _, after = parts()
    PAGE.write_text(before + BEGIN + table() + END + after)
