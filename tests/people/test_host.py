"""Questions from Python: what is open, answers, and who hears of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host
from swarm_host.errors import WorkerFailed

ASKS = """
swarm.worker "asks" {
  label = "one",
  run = function(_, question)
    return swarm.ask(question, { choices = { "yes", "no" } })
  end,
}
"""


def script(folder: Path, text: str) -> Path:
    path = folder / "script.lua"
    path.write_text(text)
    return path


def test_a_question_is_listed_and_answered(tmp_path: Path) -> None:
    heard: list[int] = []

    async def ask() -> Any:
        async with Host.load(script(tmp_path, ASKS)) as host:
            host.on_asked(lambda: heard.append(len(host.pending())))
            worker = host.spawn("asks", "Go?")
            while not host.pending():
                await host.next_tick()
            (question,) = host.pending()
            assert question["question"] == "Go?"
            assert question["choices"] == ["yes", "no"]
            assert (question["name"], question["label"]) == ("asks", "one")
            await host.answer(question["key"], "yes", by="Ann", reason="because")
            assert host.pending() == []
            answered = host.answered(question["key"])
            assert answered is not None
            assert (answered["value"], answered["by"]) == ("yes", "Ann")
            assert host.answered("T-9.1") is None
            return await worker.result()

    assert anyio.run(ask) == "yes"
    assert heard == [1, 0]


def test_bad_answers_are_told(tmp_path: Path) -> None:
    async def ask() -> None:
        async with Host.load(script(tmp_path, ASKS)) as host:
            worker = host.spawn("asks", "Go?")
            while not host.pending():
                await host.next_tick()
            key = host.pending()[0]["key"]
            for other, value, code in (
                (key, "perhaps", "invalid_argument"),
                (key, 7, "invalid_argument"),
                ("T-9.1", "yes", "question_not_found"),
                ("", "yes", "question_not_found"),
            ):
                with pytest.raises(WorkerFailed) as raised:
                    await host.answer(other, value)
                assert raised.value.error["code"] == code
            await host.answer(key, "no", by="Ann")
            with pytest.raises(WorkerFailed) as raised:
                await host.answer(key, "yes")
            assert raised.value.error["code"] == "already_answered"
            assert raised.value.error["by"] == "Ann"
            assert await worker.result() == "no"

    anyio.run(ask)


def test_several_answer_at_once_and_the_first_counts(tmp_path: Path) -> None:
    told: list[str] = []

    async def ask() -> Any:
        async with Host.load(script(tmp_path, ASKS)) as host:
            worker = host.spawn("asks", "Go?")
            while not host.pending():
                await host.next_tick()
            key = host.pending()[0]["key"]

            async def answer(by: str) -> None:
                try:
                    await host.answer(key, "yes", by=by)
                except WorkerFailed as problem:
                    told.append(problem.error["by"])

            async with anyio.create_task_group() as tasks:
                for name in ("Ann", "Bob", "Cid"):
                    tasks.start_soon(answer, name)
            return await worker.result()

    assert anyio.run(ask) == "yes"
    assert len(told) == 2
    assert len({*told}) == 1
