"""Who says whether a token is good: the order of the questions, uses, revocation, the clock."""

from __future__ import annotations

import time
from functools import partial

import anyio
import pytest

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.token import Tokens
from swarm_host.tokens import authority as authorities
from swarm_host.tokens import token as tokens
from swarm_host.tokens.authority import Authority, Refused
from swarm_host.tokens.keys import random_keys
from tests.tokens.test_token import code, made


@pytest.fixture
def authority() -> Authority:
    return Authority(random_keys())


def test_a_token_of_other_keys_is_not_genuine(authority: Authority) -> None:
    assert code(lambda: authority.admit(made(Authority(random_keys())))) == "bad_signature"


def test_the_key_before_verifies_and_no_longer_mints() -> None:
    (old,), (new,) = random_keys(), random_keys()
    before, after = Authority([old]), Authority([new, old])
    assert after.admit(made(before)).token.agent == "review"
    assert code(lambda: before.admit(made(after))) == "bad_signature"


def test_a_token_expires(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    text = made(authority, ttl=60)
    short = authority.attenuate(text, {"ttl": 30})
    long = authority.attenuate(text, {"ttl": 3600})
    now = authority.now()
    for seconds, good in ((29, (text, short, long)), (31, (text, long)), (61, ())):
        monkeypatch.setattr(authority, "now", partial(float.__add__, now, float(seconds)))
        for one in (text, short, long):
            if one in good:
                authority.admit(one)
            else:
                assert code(partial(authority.admit, one)) == "token_expired"


def test_a_clock_that_is_set_changes_nothing(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, now = made(authority, ttl=60), time.time()
    for jump in (1e6, -1e6):
        monkeypatch.setattr(time, "time", partial(float.__add__, now, jump))
        authority.admit(text)
        authority.admit(authority.attenuate(text, {"ttl": 30}))


def test_uses_are_counted_for_all_that_are_made_of_one(authority: Authority) -> None:
    three = authority.attenuate(made(authority), {"uses": 3})
    once, other = (authority.attenuate(three, {"uses": 1, "paths": [way]}) for way in "ab")
    authority.count(authority.admit(once))
    assert code(lambda: authority.count(authority.admit(once))) == "token_uses_exhausted"
    authority.count(authority.admit(other))
    authority.count(authority.admit(three))  # what was refused took none
    assert code(lambda: authority.count(authority.admit(three))) == "token_uses_exhausted"
    fresh = authority.attenuate(three, {"paths": ["c"]})
    assert code(lambda: authority.count(authority.admit(fresh))) == "token_uses_exhausted"


def test_a_token_without_a_count_is_used_for_ever(authority: Authority) -> None:
    text = made(authority)
    for _ in range(1000):
        authority.count(authority.admit(text))
    assert authority._uses == {}


def test_a_token_is_revoked_with_all_that_were_made_of_it(authority: Authority) -> None:
    text = made(authority)
    one, other = (authority.attenuate(text, {"paths": [way]}) for way in "ab")
    below = authority.attenuate(one, {"uses": 1})
    authority.revoke(one)
    for gone in (one, below, authority.attenuate(one, {"ttl": 5})):
        assert code(partial(authority.admit, gone)) == "token_revoked"
    authority.admit(text)
    authority.admit(other)
    authority.revoke(below)  # it is worth nothing as it is
    with pytest.raises(Refused, match="genuine"):
        authority.revoke(made(Authority(random_keys())))


def test_a_signature_is_asked_before_all_else(authority: Authority) -> None:
    text = made(authority, ttl=60)
    gone = authority.attenuate(text, {"ttl": 1e-6, "uses": 1})
    authority.revoke(authority.attenuate(text, {"uses": 1}))
    assert code(lambda: authority.admit(gone)) == "token_expired"
    authority.revoke(text)
    assert code(lambda: authority.admit(gone)) == "token_revoked"
    changed = gone[:-1] + ("A" if gone[-1] != "A" else "B")
    assert code(lambda: authority.admit(changed)) == "bad_signature"


def test_what_was_kept_of_a_task_is_forgotten(authority: Authority) -> None:
    text = authority.attenuate(made(authority), {"uses": 1})
    authority.count(authority.admit(text))
    authority.revoke(text)
    authority.forget("T-7")
    assert (authority._uses, authority._revoked) == ({}, {})


def test_a_fingerprint_is_no_part_of_a_token(authority: Authority) -> None:
    text = made(authority)
    assert tokens.fingerprint(text) not in text
    assert tokens.fingerprint(text) != tokens.fingerprint(made(authority))


def test_no_error_tells_a_token(authority: Authority) -> None:
    text = made(Authority(random_keys()))
    with pytest.raises(Refused) as raised:
        authority.admit(text)
    assert text[5:25] not in raised.value.message


def test_uses_of_so_many_tokens_are_counted_and_no_more(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorities, "MOST_COUNTED", 3)
    text = made(authority)
    narrowed = [authority.attenuate(text, {"uses": uses}) for uses in (2, 3, 4, 5)]
    for one in narrowed[:3]:
        authority.count(authority.admit(one))
    further = partial(authority.count, authority.admit(narrowed[3]))
    assert code(further) == "token_uses_exhausted"
    authority.count(authority.admit(narrowed[0]))  # one that is counted already
    authority.count(authority.admit(text))  # its uses are not counted


def test_a_task_that_is_over_is_forgotten_as_another_token_is_made() -> None:
    port = Tokens(random_keys())
    call = Call(1)
    mint = {"op": "mint", "now": 0.0, "agent": "a", "role": "worker", "attempt": 1, "ttl": 60}
    mint |= {"caveats": {"uses": 1}}

    async def ask(op: str, text: bytes | None) -> Answer:
        return await port({"op": op, "now": 1.0}, Call(1, text))

    async def uses() -> list[str]:
        text = (await port({**mint, "task": "T-2", "over": []}, call)).data
        assert isinstance(text, bytes)
        await ask("count", text)
        with pytest.raises(PortError) as problem:
            await ask("count", text)
        await port({**mint, "task": "T-3", "over": ["T-2"]}, call)
        await ask("count", text)
        return [problem.value.code]

    assert anyio.run(uses) == ["token_uses_exhausted"]
