"""Tokens: what is written is read, what is added narrows, and what is changed is refused."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_host.tokens import token as tokens
from swarm_host.tokens.authority import Authority, Grant, Refused
from swarm_host.tokens.caveats import LISTS, MOST_CAVEATS, Malformed, encode
from swarm_host.tokens.keys import random_keys

MUTATIONS = int(os.environ.get("SWARM_MUTATIONS", "20000"))
"""How many changed tokens are tried; the long form has a million."""

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
WISHES = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.lists(TEXTS, max_size=4) for name in LISTS},
        "ttl": st.floats(0.5, 1e6),
        "uses": st.integers(1, 50),
        "budget": st.dictionaries(
            st.sampled_from(["cost", "tokens", "seconds"]), st.floats(1e-6, 1e9), min_size=1
        ),
    },
)


def made(authority: Authority, **more: Any) -> str:
    given_ = {"agent": "review", "role": "worker", "task": "T-7", "attempt": 1, "ttl": 600.0}
    return authority.mint(**{"caveats": {}, **given_, **more})


def code(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as raised:
        call()
    return raised.value.code


@given(agent=TEXTS, role=TEXTS, task=TEXTS, attempt=st.integers(0, 2**32 - 1), wish=WISHES)
def test_what_is_minted_is_read(
    agent: str, role: str, task: str, attempt: int, wish: dict[str, Any]
) -> None:
    authority = Authority(random_keys())
    text = made(authority, agent=agent, role=role, task=task, attempt=attempt, caveats=wish)
    token = tokens.read(text)
    assert (token.agent, token.role, token.task) == (agent, role, task)
    assert token.attempt == attempt
    said = dict(token.caveats)
    assert said.keys() == {"expires" if name == "ttl" else name for name in wish}
    assert {name: said[name] for name in said if name != "expires"} == {
        name: wish[name] for name in wish if name != "ttl"
    }


def allowed(grant: Grant, name: str, what: str) -> bool:
    """Whether every list of a grant has a text: a model of what the gate asks."""
    return all(what in one for one in grant.limits.get(name, ()))


@given(first=WISHES, more=st.lists(WISHES, max_size=4), name=st.sampled_from([*LISTS]), what=TEXTS)
def test_no_sequence_of_caveats_widens_anything(
    first: dict[str, Any], more: list[dict[str, Any]], name: str, what: str
) -> None:
    authority = Authority(random_keys())
    text = made(authority, caveats=first)
    before = authority.admit(text)
    for wish in more:
        text = tokens.attenuate(text, wish, authority.now())
        after = authority.admit(text)
        named = [one for names in first.values() if isinstance(names, list) for one in names]
        for one in (what, *named):
            assert allowed(before, name, one) or not allowed(after, name, one)
        assert after.links[: len(before.links)] == before.links
        assert after.token.caveats[: len(before.token.caveats)] == before.token.caveats
        assert after.limits.get("budgets", [])[: len(before.limits.get("budgets", []))] == (
            before.limits.get("budgets", [])
        )
        before = after


def test_no_changed_token_is_accepted() -> None:
    authority, dice = Authority(random_keys()), random.Random(7)
    caveats = {"verbs": ["emit_output"], "paths": ["src/**"], "uses": 3, "budget": {"cost": 5}}
    plain = made(authority)
    texts = [plain, authority.attenuate(plain, caveats), authority.attenuate(plain, {"ttl": 60})]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    tried = 0
    while tried < MUTATIONS:
        text = list(dice.choice(texts))
        for _ in range(dice.choice((1, 1, 1, 2, 5))):
            at = dice.randrange(len(text))
            match dice.randrange(5):
                case 0:
                    text[at] = dice.choice(letters)
                case 1:
                    del text[at]
                case 2:
                    text.insert(at, dice.choice(letters))
                case 3:
                    del text[at:]
                case _:
                    end = min(len(text), at + dice.randrange(1, 40))
                    other = dice.choice(texts)
                    text[at:end] = other[at:end]
            if not text:
                break
        changed = "".join(text)
        if changed in texts:
            continue
        tried += 1
        assert code(partial(authority.admit, changed)) == "bad_signature"


def test_a_caveat_that_is_taken_away_is_noticed() -> None:
    authority = Authority(random_keys())
    narrow = authority.attenuate(made(authority), {"verbs": ["emit_output"], "uses": 1})
    token = tokens.read(narrow)
    for bodies in (token.bodies[:1], token.bodies[1:], (), token.bodies[::-1]):
        size = len(token.head).to_bytes(2, "big")
        text = tokens._spelled(size + token.head + b"".join(bodies) + token.end)
        assert code(partial(authority.admit, text)) == "bad_signature"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"verb": ["x"]}, 'did you mean "verbs"'),
        ({"colour": 1}, "there are verbs"),
        ({"verbs": "x"}, "must be a list"),
        ({"paths": [1]}, "must be a list"),
        ({"paths": ["a\0b"]}, "zero byte"),
        ({"hosts": ["\udcff"]}, "not UTF-8"),
        ({"ttl": 0}, "above zero"),
        ({"ttl": float("nan")}, "above zero"),
        ({"uses": 1.5}, "whole number"),
        ({"uses": True}, "above zero"),
        ({"budget": {}}, "amounts"),
        ({"budget": {"money": 1}}, 'no "money"'),
        ({"budget": {"cost": float("inf")}}, "above zero"),
    ],
)
def test_a_caveat_that_is_none_is_refused(wish: dict[str, Any], says: str) -> None:
    authority = Authority(random_keys())
    with pytest.raises(Malformed, match=says):
        authority.attenuate(made(authority), wish)


def test_there_are_only_so_many_caveats() -> None:
    authority = Authority(random_keys())
    text = made(authority)
    for _ in range(MOST_CAVEATS):
        text = authority.attenuate(text, {"uses": 5})
    authority.admit(text)
    with pytest.raises(Malformed, match="at most"):
        authority.attenuate(text, {"uses": 5})


def test_a_caveat_of_a_later_version_is_told() -> None:
    authority = Authority(random_keys())
    token = tokens.read(made(authority))
    body = b"\x63\x00\x01x"
    size = len(token.head).to_bytes(2, "big")
    later = tokens._spelled(size + token.head + body + tokens._next(token.end, body))
    assert authority.admit(later).limits["unknown"] == 0x63


@pytest.mark.parametrize("text", ["", "swt1_", "swt1_A", "x", "swt1_" + "A" * 70000, "swt1_é"])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert code(lambda: Authority(random_keys()).admit(text)) == "bad_signature"


def test_the_last_bits_of_a_spelling_are_not_free() -> None:
    authority = Authority(random_keys())
    for agent in ("a", "ab", "abc"):
        text = made(authority, agent=agent)
        if len(text) % 4 == len(tokens.PREFIX) % 4:
            continue
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        spelled = [text[:-1] + letter for letter in letters]
        good = []
        for one in spelled:
            try:
                authority.admit(one)
                good.append(one)
            except Refused:
                pass
        assert good == [text]


def test_a_name_of_any_length_is_read_or_refused() -> None:
    authority = Authority(random_keys())
    assert tokens.read(made(authority, agent="x" * 40000)).agent == "x" * 40000
    with pytest.raises(Malformed, match="too long"):
        made(authority, agent="x" * 70000)


def test_encoding_is_unambiguous() -> None:
    """Two lists that look alike when they are joined are two encodings."""
    ways = [["ab"], ["a", "b"], ["a", "", "b"], [], [""], ["", ""]]
    assert len({encode({"paths": way}, 0)[0] for way in ways}) == len(ways)
