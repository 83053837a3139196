"""The words of spec files: assert.*, the script under test, mocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import run, script
from tests.support.specs import APP, in_folder, json_lines, one_spec, outcomes, said

# assert.* -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "got", "lines"),
    [
        ("{ a = 1 }", "{ a = 2 }", [".a: expected 1, got 2"]),
        ("{ a = 1 }", "{}", [".a: missing, expected 1"]),
        ("{}", "{ a = { b = 1 } }", [".a: unexpected, got { b = 1 }"]),
        (
            '{ items = { 1, 2, { name = "a" } } }',
            '{ items = { 1, 2, { name = "b" } } }',
            ['.items[3].name: expected "a", got "b"'],
        ),
        ("{ 1, 2, 3, 4 }", "{ 1, 3, 4 }", ["[2]: missing, expected 2"]),
        ("{ 2, 3 }", "{ 1, 2, 3 }", ["[1]: unexpected, got 1"]),
        ('{ ["a key"] = 1 }', '{ ["a key"] = "1" }', ['["a key"]: expected 1, got "1"']),
        ("{ x = 0.1 + 0.2 }", "{ x = 0.3 }", [".x: expected 0.30000000000000004, got 0.3"]),
        (
            '{ t = ("x"):rep(500) .. "a" }',
            '{ t = ("x"):rep(500) .. "b" }',
            [
                ".t: the strings (501 and 501 bytes) differ at byte 501",
                '  - ..."' + "x" * 20 + 'a"',
                '  + ..."' + "x" * 20 + 'b"',
            ],
        ),
        (
            '{ t = "one\\ntwo\\nthree\\nfour" }',
            '{ t = "one\\ntwo\\n3\\nfour" }',
            [
                ".t: the texts differ from line 3 on",
                "    two",
                "  - three",
                "  + 3",
                "    four",
            ],
        ),
        ("{ swarm.file('a') }", "{ swarm.file('b') }", ["[1]: expected swarm.file: a, got "
                                                         "swarm.file: b"]),
    ],
)  # fmt: skip
def test_same_shows_where_two_values_differ(
    tmp_path: Path, wanted: str, got: str, lines: list[str]
) -> None:
    message = said(tmp_path, f"  assert.same({wanted}, {got})").splitlines()
    assert message[0] == "x_spec.lua:2: the values differ (- expected, + got)"
    assert message[1:-1] == [f"  {line}" for line in lines]


def test_same_is_bounded_for_huge_values(tmp_path: Path) -> None:
    body = """
      local a, b = {}, {}
      for i = 1, 200000 do
        a[i] = { n = i, text = ("long"):rep(100) }
        b[i] = { n = -i, text = ("long"):rep(100) }
      end
      assert.same(a, b)
    """
    message = said(tmp_path, body)
    assert len(message.splitlines()) < 20
    assert "and many more places" in message
    assert len(said(tmp_path, "assert.same({ ('x\\n'):rep(1e6) }, { ('y\\n'):rep(1e6) })")) < 1000


def test_same_knows_cycles_and_equal_values(tmp_path: Path) -> None:
    body = """
      local a, b = { n = 1 }, { n = 1 }
      a.me, b.me = a, b
      assert.same(a, b)
      assert.same({ swarm.file("x", "y") }, { swarm.file("x", "y") })
      assert.same({ swarm.null, {} }, { swarm.null, swarm.array {} })
      assert.not_same({ 1 }, { 1, 2 })
      b.n = 2
      assert.same(a, b)
    """
    assert ".n: expected 1, got 2" in said(tmp_path, body)


def test_equal_tells_of_two_tables_that_hold_the_same(tmp_path: Path) -> None:
    assert "for that there is assert.same" in said(tmp_path, "assert.equal({ 1 }, { 1 })")


# The script under test ----------------------------------------------------------------------------


def check_app(folder: Path, body: str, top: str = "") -> None:
    """A spec about APP that passes."""
    script(folder, APP, "app.lua")
    text = f'local app = swarm.script "app.lua"\n{top}\n' + one_spec(body)
    script(folder, text, "app_spec.lua")
    status, out, err = in_folder(folder, "app_spec.lua")
    assert status == 0, out + err


def test_a_script_is_run_with_args_and_input(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local input = { x = 1 }
        local wanted = { args = { "a" }, face = { "a" }, input = input, sum = 9 }
        assert.same(wanted, app:run({ "a" }, input))
        assert.same({}, app:run().args)
        local value, err = app:run { "block" }
        assert.equal("so far", value)
        assert.equal("no more", err.reason)
        assert.has_error(function() app:run { "fail" } end, "it broke")
        assert.has_error(function() app:run { 5 } end, "item 1 is 5")
        assert.has_error(function() app:run("a") end, "a list of strings")
        assert.has_error(function() app.run() end, "with a colon")
        assert.has_error(function() app:go() end, "app")
        assert.has_error(function() app.x = 1 end, "cannot be written to")
        """,
    )


def test_a_script_s_workers_go_by_its_own_names(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        assert.equal(9, app:call("double", 4))
        assert.equal("the spec's", swarm.call("double"))
        assert.equal("only here", app:call("own"))
        local h = app:spawn("double", 1, { timeout = 1 })
        assert.is_true(h:join())
        assert.equal(3, h:result())
        assert.has_error(function() app:call("dubble") end, "did you mean double?")
        assert.has_error(function() app:call("double", "x") end, { code = "invalid_value" })
        """,
        """swarm.worker "double" { run = function() return "the spec's" end }
        swarm.worker "own" { run = function() return "only here" end }""",
    )


def test_a_script_is_loaded_anew_for_each_spec_and_may_be_loaded_inside_one(tmp_path: Path) -> None:
    counts = """
      count = (rawget(_G, "count") or 0) + 1
      swarm.main(function() count = count + 1 return count end)
    """
    script(tmp_path, counts, "count.lua")
    text = """
      local app = swarm.script "count.lua"
      for i = 1, 2 do
        it("starts again " .. i, function()
          assert.equal(2, app:run())
          assert.equal(3, app:run())
          assert.equal(2, swarm.script("count.lua"):run())
        end)
      end
      it("says what is wrong", function()
        assert.has_error(function() swarm.script "none.lua" end, "none.lua")
      end)
    """
    (tmp_path / "specs").mkdir()
    script(tmp_path / "specs", text.replace("count.lua", "../count.lua"), "count_spec.lua")
    assert set(outcomes(tmp_path).values()) == {"passed"}


def test_a_script_that_changes_its_own_globals_is_run_all_the_same(tmp_path: Path) -> None:
    text = "swarm.main(function(args) return #args end) swarm = nil"
    script(tmp_path, text, "x.lua")
    text = "local app = swarm.script 'x.lua'\n" + one_spec("assert.equal(2, app:run { 'a', 'b' })")
    script(tmp_path, text, "x_spec.lua")
    assert set(outcomes(tmp_path).values()) == {"passed"}


def test_a_script_is_disposed_of_and_may_be_trusted(tmp_path: Path) -> None:
    script(tmp_path, "swarm.on_dispose(function() print('disposed') end)", "x.lua")
    text = "local app = swarm.script 'x.lua'\n" + one_spec("assert(io.tmpfile()) error('no')")
    script(tmp_path, text, "x_spec.lua")
    assert "    disposed\n" in in_folder(tmp_path, "--trust")[1]
    assert "io.tmpfile is not part of guarded scripts" in in_folder(tmp_path)[1]


def test_swarm_script_and_mock_are_for_specs_alone(tmp_path: Path) -> None:
    path = script(tmp_path, "swarm.script 'x.lua'")
    assert b"swarm.script does not exist" in run(path).stderr
    assert b"mock" in run(script(tmp_path, "mock.worker('x', print)")).stderr


# Mocks --------------------------------------------------------------------------------------------


def test_a_mocked_worker_keeps_its_pipeline(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local double = mock.worker("double", function(_, n) return n * 100 end)
        assert.equal(401, app:call("double", 4))  -- the after hook added 1
        assert.equal(401, app:run({}).sum)
        assert.same({ 4, 4 }, double.calls)
        assert.has_error(function() app:call("double", "x") end, { code = "invalid_value" })
        mock.worker("double", function() swarm.sleep(60) end)
        assert.has_error(function() app:call("double", 1) end, { code = "timeout" })
        mock.worker("double", function() error("no") end)
        assert.has_error(function() app:call("double", 1) end, "no")
        mock.worker("page", function() return "half", "why" end)
        local value, err = app:call "page"
        assert.equal("half", value)
        assert.equal("why", err.reason)
        """,
    )


def test_a_mock_at_the_top_holds_for_every_spec_and_no_other_file(tmp_path: Path) -> None:
    script(tmp_path, "swarm.worker 'w' { run = function() return 1 end }\nlocal w = "
           "mock.worker('w', function() return 2 end)\n"
           "for i = 1, 2 do it('mocked ' .. i, function() assert.equal(2, swarm.call('w', i)) "
           "assert.same({ i }, w.calls) end) end", "a_spec.lua")  # fmt: skip
    script(tmp_path, "swarm.worker 'w' { run = function() return 1 end }\n"
           "it('real', function() assert.equal(1, swarm.call 'w') end)", "b_spec.lua")  # fmt: skip
    assert outcomes(tmp_path) == {"mocked 1": "passed", "mocked 2": "passed", "real": "passed"}


def test_a_process_worker_can_be_mocked(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        mock.worker("tool", function(ctx, input) return "made of " .. input end)
        assert.equal("made of it", swarm.call("tool", "it"))
        """,
        'swarm.worker "tool" { command = { "no-such-program", "{prompt}" } }',
    )


def test_a_mocked_port_answers_in_the_host_s_place(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local asked = {}
        mock.port("http", function(request, body)
          asked[#asked + 1] = request.method .. " " .. request.url
          swarm.sleep(3)
          return { status = 200, headers = { ["X-A"] = "b" } }, "the page"
        end)
        assert.equal("the page", app:call("page", "http://nowhere.invalid/"))
        assert.equal(3, swarm.monotonic())
        assert.same({ "GET http://nowhere.invalid/" }, asked)
        assert.equal("b", swarm.http.request({ url = "http://x/" }).headers["x-a"])
        mock.port("files", function(payload) return nil, "content of " .. payload.path end)
        assert.equal("content of gone.txt", swarm.fs.read "gone.txt")
        assert.equal(9, swarm.script("app.lua"):call("double", 4))  -- code is loaded as ever
        """,
    )


def test_what_a_mocked_port_raises_is_the_port_s_error(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local function page() return app:call("page", "http://x/") end
        mock.port("http", function() error { code = "http_error", message = "down", url = "u" } end)
        assert.has_error(page, { code = "http_error", url = "u", message = "down" })
        mock.port("http", function() error "broken" end)
        assert.equal("host_error", assert.has_error(page, "broken").code)
        mock.port("http", function() return { status = print } end)
        assert.has_error(page, "answer.status")
        mock.port("http", function() return {}, 5 end)
        assert.has_error(page, "must return its data as a string")
        """,
    )


def test_an_answer_that_lacks_something_is_told_at_the_mock_s_line(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local function wrong(text, port, call, ...)
          local answer = { n = select("#", ...), ... }
          mock.port(port, function() return unpack(answer, 1, answer.n) end)
          local err = assert.has_error(call, text)
          assert.equal("invalid_value", err.code)
          assert.matches("_spec.lua:%d+$", err.where)
          assert.matches("the mock of port " .. port .. " must", err.message)
        end
        local function exec() return swarm.exec { "x" } end
        wrong("a table first, such as { exit_code = 0 }, and gave nil", "process", exec)
        wrong("exit_code (a number) or signal", "process", exec, {}, "hello")
        wrong("exit_code", "process", exec, { exit_code = "0" }, "hello")
        wrong("how many of its bytes", "process", exec, { exit_code = 0, stdout = 9 }, "hello")
        local function get() return swarm.http.get "http://x/" end
        wrong("such as { status = 200", "http", get)
        wrong("its status as a number", "http", get, { status = "200" })
        wrong("its headers as a table", "http", get, { headers = "x" })
        wrong("its headers as a table by names", "http", get, { headers = { "x" } })
        wrong("its second value", "env", function() return swarm.env "X" end, "value")
        wrong('"read" with bytes', "files", function() return swarm.fs.read "x" end)
        wrong('"read" with bytes', "files", function() return swarm.fs.lines "x" end, "text")
        wrong('"list" with a list of names', "files", function() return swarm.fs.list "x" end)
        wrong('"glob" with', "files", function() return swarm.fs.glob "x" end, { 1 })
        wrong('"exists" with', "files", function() return swarm.fs.exists "x" end, 1)
        wrong("such as { type", "files", function() return swarm.fs.stat "x" end, 1)
        wrong('"make_temporary" with a path', "files", function() swarm.fs.temp_dir(print) end)
        """,
    )


def test_what_a_mock_leaves_out_is_filled_in(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        mock.port("process", function(_, _, emit)
          emit({}, "one")
          return { exit_code = 3 }, "hello"
        end)
        local ended = swarm.exec { "x" }
        assert.same({ 3, "hello", "" }, { ended.exit_code, ended.stdout, ended.stderr })
        mock.port("process", function() return { signal = "SIGTERM", stdout = 2 }, "hello" end)
        assert.same({ "he", "llo" }, { swarm.exec({ "x" }).stdout, swarm.exec({ "x" }).stderr })
        mock.port("http", function() return {} end)
        local page = swarm.http.get "http://x/"
        assert.same({ 200, "http://x/", "" }, { page.status, page.url, page.body })
        mock.port("files", function() end)
        assert.is_false(swarm.fs.exists "x")
        assert.is_nil(swarm.fs.stat "x")
        swarm.fs.write("x", "y")
        mock.port("env", function() return nil, "value" end)
        assert.equal("value", swarm.env "X")
        mock.port("env", function() end)
        assert.is_nil(swarm.env "X")
        """,
    )


def test_a_worker_that_waits_in_a_mock_can_be_cancelled(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        mock.port("http", function() swarm.sleep(1000) return {}, "" end)
        local h = app:spawn("page", "http://x/")
        swarm.sleep(1)
        assert.is_true(h:cancel("enough", { wait = true }))
        assert.equal(1, swarm.monotonic())
        """,
    )


def test_the_level_of_an_error_names_no_file_of_the_hosts(tmp_path: Path) -> None:
    assert said(tmp_path, "  error('x', 2)").splitlines()[0] == "x_spec.lua:2: x"


# --helper -----------------------------------------------------------------------------------------

HELPER = """
assert = setmetatable({ even = function(n) error("not even: " .. n, 2) end }, {
  __call = function(_, value) return value end,
})
helped = (rawget(_G, "helped") or 0) + 1
"""


def test_a_helper_is_required_before_each_spec_file_and_may_replace_assert(tmp_path: Path) -> None:
    script(tmp_path, HELPER, "by.lua")
    body = "assert(helped == 1) assert(false) assert.even(3)"
    for name in ("a_spec.lua", "b_spec.lua"):
        script(tmp_path, one_spec(body), name)
    lines = json_lines(tmp_path, "--helper", "by")
    failed = [line["message"] for line in lines if line["type"] == "spec"]
    assert [text.splitlines()[0] for text in failed] == [
        f"{name}:2: not even: 3" for name in ("a_spec.lua", "b_spec.lua")
    ]


def test_a_helper_that_is_not_there_breaks_the_file(tmp_path: Path) -> None:
    script(tmp_path, one_spec(""), "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--helper", "nowhere")
    assert status == 2
    assert 'module "nowhere" not found; tried:' in out
    script(tmp_path, "error 'no'", "bad.lua")
    assert "bad.lua:1: no" in in_folder(tmp_path, "--helper", "bad")[1]
