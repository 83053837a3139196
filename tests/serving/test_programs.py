"""Programs of workers, which speak to the run with a token."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swarm_host.tokens.authority import Authority
from swarm_host.tokens.keys import random_keys
from tests.serving.running import Listening, asked, listening
from tests.support.command_line import run, script

PROGRAM = Path(sys.executable).with_name("swarm-host")
WORKER = f'env = {{ SWARM_TOKEN = "{{token}}", HOST = "{PROGRAM}" }}'


def told(tmp_path: Path, body: str) -> str:
    """What a script prints."""
    done = run(script(tmp_path, body))
    assert done.returncode == 0, done
    return done.stdout.decode()


def test_a_shell_fetches_says_and_ends(tmp_path: Path) -> None:
    shell = """
    set -e
    test "$("$HOST" worker prompt)" = "do it"
    "$HOST" worker prompt --json | grep -q '"task_id": "T-2"'
    "$HOST" worker emit reading "file 1"
    printf '[1, 2]' | "$HOST" worker artifact numbers --json
    printf 'text' > "$PWD/t" && "$HOST" worker artifact words "$PWD/t"
    "$HOST" worker result '{"a": 1}'
    ! "$HOST" worker result '{"a": 2}'
    echo this is no result
    """
    said = json.loads(
        told(
            tmp_path,
            f"""
    swarm.worker "a" {{ {WORKER}, cwd = "{tmp_path}", shell = [==[{shell}]==] }}
    swarm.main(function()
      local h = swarm.spawn("a", "do it")
      local value, stages = h:result(), {{}}
      for _, e in ipairs(h:output_tail()) do
        if e.stage == "reading" then stages[#stages + 1] = e.note end
      end
      return {{ value, stages, h:artifact "numbers", h:artifact "words" }}
    end)
    """,
        )
    )
    assert said == [{"a": 1}, ["file 1"], [1, 2], "text"]


def test_a_result_that_says_it_is_blocked(tmp_path: Path) -> None:
    shell = """ "$HOST" worker result '"half"' --blocked "no network" """
    said = told(
        tmp_path,
        f"""
    swarm.worker "a" {{ {WORKER}, shell = [==[{shell}]==] }}
    swarm.main(function()
      local value, why = swarm.call("a", "x")
      print(value, why.reason)
    end)
    """,
    )
    assert said == "half\tno network\n"


def test_a_program_with_a_socket_alone(tmp_path: Path) -> None:
    program = tmp_path / "child.py"
    program.write_text(
        """
import json, os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["SWARM_SOCKET"])
answers = s.makefile()
def ask(method, **params):
    params["token"] = os.environ["SWARM_TOKEN"]
    s.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\\n")
    return json.loads(answers.readline())
prompt = ask("fetch_prompt")["result"]["prompt"]
ask("emit_output", event={"type": "usage", "tokens": 10})
below = ask("start_task", name="double", input=21)["result"]["task_id"]
doubled = ask("poll_task", task_id=below)["result"]["value"]
refused = ask("poll_task", task_id="T-1")["error"]["data"]["code"]
unknown = ask("mark_well")["error"]["data"]["code"]
ask("post_result", value=[prompt, doubled, refused, unknown])
"""
    )
    said = json.loads(
        told(
            tmp_path,
            f"""
    swarm.worker "double" {{ run = function(_, n) return 2 * n end }}
    swarm.worker "a" {{ {WORKER}, command = {{ "{sys.executable}", "{program}" }} }}
    swarm.main(function()
      local h = swarm.spawn("a", "do it")
      return {{ h:result(), h.usage.tokens }}
    end)
    """,
        )
    )
    assert said == [["do it", 42, "token_task_mismatch", "invalid_argument"], 10]


def test_a_token_is_hidden_in_all_that_is_said(tmp_path: Path) -> None:
    shell = """
    echo "token $SWARM_TOKEN" >&2
    "$HOST" worker emit "$SWARM_TOKEN"
    "$HOST" worker result "[\\"$SWARM_TOKEN\\"]"
    """
    said = told(
        tmp_path,
        f"""
    swarm.worker "a" {{ {WORKER}, shell = [==[{shell}]==] }}
    swarm.main(function()
      local h = swarm.spawn("a", "do it")
      return {{ h:result(), h:output_tail() }}
    end)
    """,
    )
    assert "swt1_" not in said
    assert said.count("***") == 4  # the result is in the tail too


HOLDER = f"""
swarm.worker "holder" {{ {WORKER}, shell = 'printf %s "$SWARM_TOKEN" > "$0.token"; sleep 600' }}
swarm.worker "maker" {{ role = "operator", run = function(ctx)
  swarm.fs.write(ctx.input .. "/once", ctx:token {{ uses = 1 }})
  swarm.fs.write(ctx.input .. "/narrow", ctx:token {{ verbs = {{ "fetch_prompt" }} }})
  swarm.fs.write(ctx.input .. "/short", ctx:token {{ ttl = 0.001 }})
  local gone = ctx:token()
  swarm.token.revoke(gone)
  swarm.fs.write(ctx.input .. "/gone", gone)
  swarm.fs.write(ctx.input .. "/good", ctx:token())
  swarm.sleep(600)
end }}
"""


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("wrong", "bad_signature"),
        ("foreign", "bad_signature"),
        ("gone", "token_revoked"),
        ("short", "token_expired"),
        ("narrow", "role_violation"),
        ("over", "token_not_found"),
    ],
)
def test_a_token_that_is_no_good_changes_nothing(tmp_path: Path, which: str, code: str) -> None:
    text = f"""{HOLDER}
    swarm.main(function() pcall(swarm.call, "maker", "{tmp_path}") swarm.sleep(600) end)
    """
    with listening(tmp_path, text) as one, one.connect() as client:
        while not (tmp_path / "good").exists():
            assert one.process.poll() is None
        foreign = Authority(random_keys())
        token = {
            "wrong": "swt1_AAAA",
            "foreign": foreign.mint(
                agent="maker", role="operator", task="T-2", attempt=1, ttl=60, caveats={}
            ),
        }.get(which) or (tmp_path / ("good" if which == "over" else which)).read_text()
        if which == "over":
            one.say("cancel", "last", "T-2")
        event = {"type": "progress", "stage": "mine"}
        answer = asked(client, "emit_output", token=token, event=event)
        assert answer["error"]["data"]["code"] == code
        if which != "over":
            assert "mine" not in one.say("tail", "last", "T-2")


def test_uses_are_counted(tmp_path: Path) -> None:
    text = f"""{HOLDER}
    swarm.main(function() pcall(swarm.call, "maker", "{tmp_path}") swarm.sleep(600) end)
    """
    with listening(tmp_path, text) as one, one.connect() as client:
        while not (tmp_path / "good").exists():
            assert one.process.poll() is None
        token = (tmp_path / "once").read_text()
        event = {"type": "progress", "stage": "mine"}
        assert "result" in asked(client, "emit_output", token=token, event=event)
        again = asked(client, "emit_output", token=token, event=event)
        assert again["error"]["data"]["code"] == "token_uses_exhausted"
        assert one.say("tail", "last", "T-2").count("mine") == 1


def test_a_late_submission_of_an_old_attempt_is_refused(tmp_path: Path) -> None:
    shell = """
    if [ "$SWARM_ATTEMPT" = 1 ]; then printf %s "$SWARM_TOKEN" > first; exit 1; fi
    SWARM_TOKEN=$(cat first) "$HOST" worker result '"late"' 2> why
    "$HOST" worker result '"mine"'
    """
    said = told(
        tmp_path,
        f"""
    swarm.worker "a" {{ {WORKER}, cwd = "{tmp_path}", retries = 1, shell = [==[{shell}]==] }}
    swarm.main(function() return swarm.call("a", "x") end)
    """,
    )
    assert said == "mine\n"
    assert "token_not_found" in (tmp_path / "why").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "has no command ''"),
        (["emitt", "x"], "has no command 'emitt'"),
        (["emit"], "emit takes a stage"),
        (["result", "{nonsense"], "is no JSON"),
        (
            ["result", "run.lua"],
            "is no JSON: Expecting value: line 1 column 1 (char 0); a text stan",
        ),
        (["result", "@nowhere"], "\nerror: nowhere cannot be read: no such file or directory\n"),
        (
            ["artifact", "a", "nowhere"],
            "\nerror: nowhere cannot be read: no such file or directory\n",
        ),
        (["artifact", "a", "."], "\nerror: . cannot be read: is a directory\n"),
        (["result", "1", "--blocked"], "--blocked takes a reason"),
        (["result", "1", "--blocked", ""], "--blocked takes a reason"),
        (["result", "1", "--blocked", " "], "--blocked takes a reason"),
        (["artifact"], "artifact takes a name"),
    ],
)
def test_a_misuse_is_told(words: list[str], says: str) -> None:
    done = run("worker", *words)
    assert (done.returncode, says in f"\n{done.stderr.decode()}") == (2, True), done


def test_without_a_token_it_says_where_one_comes_from() -> None:
    done = run("worker", "prompt")
    assert done.returncode == 1
    assert b'SWARM_TOKEN = "{token}"' in done.stderr


def test_what_is_too_large_is_told(tmp_path: Path) -> None:
    most = 12 * 2**20
    (tmp_path / "fits").write_text("x" * most)
    (tmp_path / "large").write_text("x" * (most + 1))
    (tmp_path / "lines").write_text("\n" * (9 * 2**20))
    shell = """
    "$HOST" worker artifact a fits && echo fits >> said
    "$HOST" worker artifact b large 2>> said || echo $? >> said
    "$HOST" worker artifact c lines 2>> said || echo $? >> said
    "$HOST" worker artifact d fits 2>> said || echo $? >> said
    echo '"done"' > out && "$HOST" worker result @out
    """
    said = told(
        tmp_path,
        f"""
    swarm.worker "a" {{ {WORKER}, cwd = "{tmp_path}", shell = [==[{shell}]==] }}
    swarm.main(function() return swarm.call "a" end)
    """,
    )
    assert said == "done\n"
    fits, large, two, lines, one, tail, last = (tmp_path / "said").read_text().splitlines()
    assert (fits, two, one, last) == ("fits", "2", "1", "1")
    assert large == "error: large has more than 12 MiB, which is the most: hand over its path"
    size = "a message to the run would have 18.0 MiB, and may have 16"
    assert lines == f"error: {size}: hand over a path instead (invalid_argument)"
    assert tail.startswith("error: the output tail is full: 10000 events or 16777216 bytes")


def test_a_program_that_is_blocked_says_why(tmp_path: Path) -> None:
    with bearing_program(tmp_path) as (one, token), one.connect() as client:
        refused = asked(client, "post_result", token=token, value=1, blocked="")
        assert refused["error"]["message"] == "blocked is the reason, and is empty"
        assert "result" in asked(client, "post_result", token=token, value=1, blocked="no way")


@contextmanager
def bearing_program(tmp_path: Path) -> Iterator[tuple[Listening, str]]:
    """A run, and the token of a program of it."""
    shell = 'printf %s "$SWARM_TOKEN" > token.new && mv token.new token; sleep 600'
    text = f"""
    swarm.worker "a" {{ {WORKER}, cwd = "{tmp_path}", shell = [==[{shell}]==] }}
    swarm.main(function() return swarm.call "a" end)
    """
    with listening(tmp_path, text) as one:
        while not (tmp_path / "token").exists():
            assert one.process.poll() is None
        yield one, (tmp_path / "token").read_text()
