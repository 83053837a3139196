"""swarm.http as spec/outside/http.md has it, against a server on this machine."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, LoadError, Options
from swarm_host.host import Outcome
from tests.support.waiting import until, within
from tests.support.web import Web, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def web(server: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server.asked.clear()
    server.gone.clear()
    return server


def run(web: Web, folder: Path, text: str, **options: Any) -> Outcome:
    """Runs a script in which BASE is the server's address and PORT its port."""
    path = folder / "script.lua"
    base = f"http://127.0.0.1:{web.port}"
    path.write_text(f'local BASE, PORT = "{base}", {web.port}\n{text}')

    async def main() -> Outcome:
        async with Host.load(path, Options(**options)) as host:
            return await host.run()

    outcome: Outcome = within(20, main)
    return outcome


def value(web: Web, folder: Path, body: str) -> Any:
    """What a main with this body returns."""
    outcome = run(web, folder, f"swarm.main(function()\n{body}\nend)")
    assert outcome.status == "pass", outcome.error
    return outcome.value


def error(web: Web, folder: Path, fields: str) -> dict[str, Any]:
    """The error of a request with these fields."""
    text = f"swarm.main(function() return swarm.http.request {{ {fields} }} end)"
    outcome = run(web, folder, text)
    assert outcome.status == "failed", outcome
    assert outcome.error is not None
    return outcome.error


# What is asked ---------------------------------------------------------------------------------


def test_a_request_needs_nothing_but_a_url(web: Web, tmp_path: Path) -> None:
    body = """
    local r = swarm.http.request { url = BASE .. "/echo?x=1#part" }
    return { r.status, r.headers["content-type"], r:json().method, #r.body > 0, r.url }
    """
    status, kind, method, filled, url = value(web, tmp_path, body)
    assert (status, kind, method, filled) == (200, "application/json", "GET", True)
    assert url == f"http://127.0.0.1:{web.port}/echo?x=1#part"
    assert web.asked[0]["headers"]["user-agent"].startswith("swarm-host/")


def test_method_headers_and_body_go_as_they_are(web: Web, tmp_path: Path) -> None:
    body = r"""
    swarm.http.request {
      url = BASE .. "/echo", method = "put", body = "a\0\255b",
      headers = { ["X-One"] = "gr\252n", ["X-Number"] = 7, ["X-Two"] = { "a", "b" },
                  ["User-Agent"] = "mine" },
    }
    """
    value(web, tmp_path, body)
    asked = web.asked[0]
    assert (asked["method"], asked["body"]) == ("PUT", "a\0\xffb")
    assert asked["headers"]["x-one"] == "gr\xfcn"
    assert asked["headers"]["x-number"] == "7"
    assert asked["headers"]["x-two"] == "b"  # the server keeps the last; both were sent
    assert asked["headers"]["user-agent"] == "mine"


def test_json_is_written_and_posted(web: Web, tmp_path: Path) -> None:
    body = """
    local json = { list = swarm.array {}, n = 1 }
    local own = { ["Content-Type"] = "application/x-mine" }
    swarm.http.request { url = BASE .. "/echo", json = json }
    swarm.http.request { url = BASE .. "/echo", json = json, headers = own, method = "PUT" }
    swarm.http.request { url = BASE .. "/echo", body = "" }
    """
    value(web, tmp_path, body)
    first, second, third = web.asked
    assert (first["method"], first["body"]) == ("POST", '{"list":[],"n":1}')
    assert first["headers"]["content-type"] == "application/json"
    assert (second["method"], second["headers"]["content-type"]) == ("PUT", "application/x-mine")
    assert third["method"] == "POST"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("", "takes a url, and got nil"),
        ('url = ""', "takes a url"),
        ('url = BASE, methud = "GET"', 'has no option "methud"; did you mean method?'),
        ('url = BASE, method = "GET /"', "takes a method such as GET"),
        ('url = BASE, headers = "x"', "takes its headers as a table"),
        ('url = BASE, headers = { "x: y" }', "takes headers by their names"),
        ('url = BASE, headers = { ["a b"] = "y" }', "takes headers by their names"),
        (r'url = BASE, headers = { a = "x\r\nb: y" }', "without line breaks"),
        ("url = BASE, headers = { a = true }", "must be a string"),
        ("url = BASE, headers = { a = {} }", "header a must be a string"),
        ("url = BASE, headers = { a = { a = 1 } }", "header a must be a string"),
        ("url = BASE, headers = { a = { 'x', n = 1 } }", "header a must be a string"),
        ("url = BASE, headers = { a = swarm.channel() }", "header a must be a string"),
        ("url = BASE, headers = { a = swarm.file 'x' }", "header a must be a string"),
        ("url = BASE, headers = { a = swarm.spawn(print) }", "header a must be a string"),
        ("url = BASE, headers = { a = { { 'x' } } }", "header a must be a string"),
        ("url = BASE, headers = { a = swarm.null }", "header a must be a string"),
        ("url = BASE, body = swarm.secret 'K'", "takes its body as a string"),
        ("url = BASE, headers = { a = 'Bearer ' .. swarm.secret 'K' }", "stands alone"),
        ("url = BASE, body = {}", "takes its body as a string; for other values there is json"),
        ('url = BASE, body = "x", json = 1', "takes a body or json, not both"),
        ("url = BASE, timeout = -1", "takes a number of seconds"),
        ("url = BASE, max_body = 1.5", "takes max_body as a whole number of bytes"),
    ],
)
def test_a_mistake_in_the_call_is_named(web: Web, tmp_path: Path, fields: str, says: str) -> None:
    problem = error(web, tmp_path, fields)
    assert problem["code"] == "invalid_argument"
    assert says in problem["message"]
    assert problem["where"].endswith("script.lua:2")


def test_json_that_cannot_be_written_is_an_invalid_value(web: Web, tmp_path: Path) -> None:
    problem = error(web, tmp_path, "url = BASE, json = { list = { print } }")
    assert (problem["code"], problem["path"]) == ("invalid_value", "json.list[1]")
    assert web.asked == []


def test_it_does_not_work_while_a_script_loads(web: Web, tmp_path: Path) -> None:
    with pytest.raises(LoadError) as refused:
        run(web, tmp_path, "swarm.http.request { url = BASE }")
    assert refused.value.error["code"] == "not_while_loading"


# What is answered ------------------------------------------------------------------------------


def test_a_status_is_a_result(web: Web, tmp_path: Path) -> None:
    for status in (404, 500, 299):
        body = f'local r = swarm.http.request {{ url = BASE .. "/status/{status}" }}'
        body += r' assert(r.body == "\255\0as it is") return r.status'
        assert value(web, tmp_path, body) == status


def test_headers_have_no_case(web: Web, tmp_path: Path) -> None:
    body = r"""
    local h = swarm.http.request { url = BASE .. "/headers" }.headers
    assert(h["X-Mixed-Case"] == "yes" and h["x-mixed-case"] == "yes" and h["X-MIXED-CASE"] == "yes")
    assert(h["x-two"] == "a, b")
    assert(h["Set-Cookie"] == "a=1; expires=Thu, 01 Jan 2099 00:00:00 GMT\nb=2")
    assert(h["x-bytes"] == "gr\252n \255" and h["x-utf8"] == "gr\195\188n")
    assert(h.absent == nil and h[1] == nil)
    local names = {}
    for name in pairs(h) do names[#names + 1] = name end
    table.sort(names)
    return table.concat(names, " ")
    """
    names = value(web, tmp_path, body).split()
    assert "x-mixed-case" in names
    assert all(name == name.lower() for name in names)


def test_an_answer_crosses_whole(web: Web, tmp_path: Path) -> None:
    text = """
    swarm.worker "fetch" {
      run = function() return swarm.http.request { url = BASE .. "/echo" } end,
    }
    swarm.main(function()
      local r = swarm.call "fetch"
      assert(r.headers["Content-Type"] == r.headers["content-type"] and r:json().method == "GET")
      return r
    end)
    """
    outcome = run(web, tmp_path, text)
    assert outcome.status == "pass", outcome.error
    assert sorted(outcome.value) == ["body", "headers", "status", "url"]
    assert outcome.value["headers"]["content-type"] == "application/json"


def test_a_name_that_an_answer_lacks_is_an_error(web: Web, tmp_path: Path) -> None:
    body = """
    local r = swarm.http.request { url = BASE .. "/status/204" }
    local _, err = pcall(function() return r.statuss end)
    local _, colon = pcall(r.json)
    return { err.code, err.message, colon.message }
    """
    code, message, colon = value(web, tmp_path, body)
    assert code == "unknown_name"
    assert message == 'an answer of swarm.http has no "statuss"; did you mean status?'
    assert colon == "write response:json(), with a colon"


def test_a_body_that_is_no_json_is_named_at_the_call(web: Web, tmp_path: Path) -> None:
    text = """swarm.main(function()
      return swarm.http.request { url = BASE .. "/status/200" }:json()
    end)"""
    outcome = run(web, tmp_path, text)
    assert outcome.error is not None
    assert "not JSON" in outcome.error["message"]


def test_a_packed_body_is_unpacked(web: Web, tmp_path: Path) -> None:
    body = """
    local r = swarm.http.request { url = BASE .. "/gzip/fine" }
    local raw = swarm.http.request {
      url = BASE .. "/gzip/fine", headers = { ["Accept-Encoding"] = "gzip" },
    }
    local head = swarm.http.request { url = BASE .. "/gzip/fine", method = "HEAD" }
    assert(r.headers["content-encoding"] == nil and r.headers["content-length"] == nil)
    assert(raw.body:sub(1, 2) == "\\31\\139" and raw.headers["content-encoding"] == "gzip")
    assert(head.body == "" and head.status == 200)
    return r.body
    """
    assert value(web, tmp_path, body) == "unpacked"


def test_cookies_are_not_kept(web: Web, tmp_path: Path) -> None:
    body = """
    swarm.http.request { url = BASE .. "/headers" }
    swarm.http.request { url = BASE .. "/echo" }
    """
    value(web, tmp_path, body)
    assert "cookie" not in web.asked[1]["headers"]


# Redirects -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
        (302, "HEAD", "HEAD"),
    ],
)
def test_a_redirect_is_followed(
    web: Web, tmp_path: Path, status: int, method: str, becomes: str
) -> None:
    body = f"""
    return swarm.http.request {{
      url = BASE .. "/to?status={status}&url=/echo", method = "{method}", body = "data",
      headers = {{ Authorization = "secret", Cookie = "a=1", ["Content-Type"] = "text/x" }},
    }}.url
    """
    assert value(web, tmp_path, body) == f"http://127.0.0.1:{web.port}/echo"
    second = web.asked[1]
    assert second["method"] == becomes
    assert second["body"] == ("data" if becomes == method else "")
    assert ("content-type" in second["headers"]) == (becomes == method)
    assert second["headers"]["authorization"] == "secret"  # the same origin
    assert second["headers"]["cookie"] == "a=1"


def test_credentials_do_not_go_to_another_origin(web: Web, tmp_path: Path) -> None:
    body = """
    local there = "http://localhost:" .. PORT
    swarm.http.request {
      url = BASE .. "/to?url=" .. there .. "/to?url=" .. BASE .. "/echo",
      headers = { authorization = "secret", COOKIE = "a=1", ["Proxy-Authorization"] = "x",
                  Host = "mine.example", ["X-Kept"] = "yes" },
    }
    local named = "http://me:pass@127.0.0.1:" .. PORT
    swarm.http.request { url = named .. "/to?url=" .. there .. "/echo" }
    """
    value(web, tmp_path, body)
    first, second, third, fourth, fifth = (asked["headers"] for asked in web.asked)
    assert (first["authorization"], first["host"]) == ("secret", "mine.example")
    for headers in (second, third):  # nor back again
        assert not {"authorization", "cookie", "proxy-authorization"} & set(headers)
        assert headers["x-kept"] == "yes"
    assert second["host"] == f"localhost:{web.port}"
    assert fourth["authorization"].startswith("Basic ")
    assert "authorization" not in fifth


def test_a_secret_is_a_header_and_comes_back_masked(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", 'tok-"1/2"-en\n')
    body = """
    local there = "http://localhost:" .. PORT
    local headers = { ["x-key"] = swarm.secret "API_KEY", b = { "x", swarm.secret "API_KEY" } }
    local echo = swarm.http.request { url = BASE .. "/echo", headers = headers }
    swarm.http.request { url = BASE .. "/to?url=" .. there .. "/echo", headers = headers }
    return { echo.body, echo:json() }
    """
    text, echo = value(web, tmp_path, body)
    first, second, third = (asked["headers"] for asked in web.asked)
    assert first["x-key"] == second["x-key"] == 'tok-"1/2"-en'
    assert not {"x-key", "b"} & set(third), "another origin gets no secret"
    assert echo["headers"]["x-key"] == "***"
    assert "tok-" not in text


def test_a_secret_that_is_no_header_fails_before_anything_is_sent(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "one\ntwo")
    monkeypatch.delenv("NOT_THERE", raising=False)
    field = 'url = BASE .. "/echo", headers = {{ a = swarm.secret "{}" }}'
    broken = error(web, tmp_path, field.format("API_KEY"))
    assert (broken["code"], "line break" in broken["reason"]) == ("http_error", True)
    missing = error(web, tmp_path, field.format("NOT_THERE"))
    assert (missing["code"], "is not set" in missing["reason"]) == ("http_error", True)
    text = """
    swarm.role "r" { extends = "worker", deny = { "read_env" } }
    swarm.worker "w" { role = "r", run = function()
      swarm.http.request { url = BASE, headers = { a = swarm.secret "API_KEY" } }
    end }
    swarm.main(function() swarm.call "w" end)
    """
    refused = run(web, tmp_path, text).error
    assert refused is not None
    assert "does not allow read_env" in refused["message"]
    assert web.asked == []


@pytest.mark.parametrize("length", ["5", "1", "x", "3, 3", ""])
def test_a_length_that_is_not_the_bodys_is_an_http_error(
    web: Web, tmp_path: Path, length: str
) -> None:
    headers = f'headers = {{ ["Content-Length"] = "{length}" }}'
    problem = error(web, tmp_path, f'url = BASE .. "/echo", body = "abc", {headers}')
    assert problem["code"] == "http_error"
    assert f"content-length says {length}, and the body has 3 bytes" in problem["reason"]
    assert web.asked == []


def test_ten_redirects_are_followed_and_no_more(web: Web, tmp_path: Path) -> None:
    body = 'return swarm.http.request { url = BASE .. "/count/10" }.body'
    assert value(web, tmp_path, body) == "there"
    for path in ("count/11", "loop"):
        problem = error(web, tmp_path, f'url = BASE .. "/{path}"')
        assert (problem["code"], problem["reason"]) == (
            "http_error",
            "redirected more than 10 times",
        )


def test_a_redirect_out_of_http_is_an_error(web: Web, tmp_path: Path) -> None:
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/"):
        problem = error(web, tmp_path, f'url = BASE .. "/to?url={target}"')
        assert problem["code"] == "http_error"
    assert len(web.asked) == 3


# What goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/", "connection refused"),
        ("https://127.0.0.1:{port}/", ""),
        ("ftp://127.0.0.1/", "only URLs that begin with http:// or https://"),
        ("file:///etc/passwd", "only URLs that begin with"),
        ("http://", "only URLs that begin with"),
        ("127.0.0.1", "only URLs that begin with"),
        ("http://127.0.0.1:99999/", "there is no port 99999"),
        ("http://127.0.0.1:port/", ""),
        ("http://[::1/", ""),
        ("http://x..y/", ""),
        ("http://127.0.0.1:{port}/drop", ""),
        ("http://127.0.0.1:{port}/short", ""),
        ("http://127.0.0.1:{port}/gzip/cut", "the body is no whole gzip stream"),
        ("http://127.0.0.1:{port}/gzip/two", "the body is no whole gzip stream"),
        ("http://127.0.0.1:{port}/gzip/wrong", "the body is not the gzip"),
    ],
)
def test_what_goes_wrong_is_an_http_error(web: Web, tmp_path: Path, url: str, reason: str) -> None:
    url = url.format(port=web.port)
    problem = error(web, tmp_path, f'url = "{url}"')
    assert (problem["code"], problem["url"]) == ("http_error", url)
    assert problem["reason"].startswith(reason)
    assert problem["reason"]
    assert problem["message"] == f"GET {url}: {problem['reason']}"
    assert problem["where"].endswith("script.lua:2")


def test_a_password_is_not_shown(web: Web, tmp_path: Path) -> None:
    for url in ("http://me:hunter2@127.0.0.1:1/", "http://me:hunter2@127.0.0.1:x/"):
        assert "hunter2" not in str(error(web, tmp_path, f'url = "{url}"'))


def test_a_timeout_bounds_the_whole_exchange(web: Web, tmp_path: Path) -> None:
    problem = error(web, tmp_path, 'url = BASE .. "/slow", timeout = 0.1')
    assert (problem["code"], problem["reason"]) == (
        "http_error",
        "no whole answer within 0.1 s",
    )
    assert web.gone.wait(5)


@pytest.mark.parametrize("path", ["bytes/1001", "endless", "gzip/bomb"])
def test_a_body_past_max_body_is_an_error(web: Web, tmp_path: Path, path: str) -> None:
    problem = error(web, tmp_path, f'url = BASE .. "/{path}", max_body = 1000')
    assert problem["reason"] == "the body is longer than max_body, 1000 bytes"


def test_a_body_of_max_body_arrives(web: Web, tmp_path: Path) -> None:
    body = 'return #swarm.http.request { url = BASE .. "/bytes/1000", max_body = 1000 }.body'
    assert value(web, tmp_path, body) == 1000
    sixteen = 16 * 1024 * 1024
    body = f'return #swarm.http.request {{ url = BASE .. "/bytes/{sixteen}" }}.body'
    assert value(web, tmp_path, body) == sixteen
    problem = error(web, tmp_path, f'url = BASE .. "/bytes/{sixteen + 1}"')
    assert problem["code"] == "http_error"


def test_a_cancelled_worker_hangs_up(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "script.lua"
    path.write_text(
        f"""swarm.worker "fetch" {{
          run = function() swarm.http.request {{ url = "http://127.0.0.1:{web.port}/slow" }} end,
        }}"""
    )

    async def main() -> None:
        async with Host.load(path) as host:
            handle = host.spawn("fetch")
            await until(lambda: bool(web.asked))
            handle.cancel("enough")
            assert (await handle.wait()).status == "cancelled"
            assert await anyio.to_thread.run_sync(web.gone.wait, 5)

    within(10, main)


def test_many_requests_run_at_once(web: Web, tmp_path: Path) -> None:
    body = """
    local handles = {}
    for i = 1, 50 do
      handles[i] = swarm.spawn(function()
        return swarm.http.request { url = BASE .. "/echo", json = i }:json().body
      end)
    end
    local sum = 0
    for i = 1, 50 do sum = sum + tonumber(swarm.result(handles[i])) end
    return sum
    """
    assert value(web, tmp_path, body) == 1275


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_nobody_signed_is_refused(web: Web, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += f" -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Web() as secure:
        secure.socket = context.wrap_socket(
            secure.socket, server_side=True, do_handshake_on_connect=False
        )
        secure.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=secure.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        problem = error(web, tmp_path, f'url = "https://localhost:{secure.port}/echo"')
        secure.shutdown()
        thread.join()
    assert problem["code"] == "http_error"
    assert "certificate" in problem["reason"]
    assert secure.asked == []


def test_get_and_post_are_requests_with_their_method(web: Web, tmp_path: Path) -> None:
    body = """
    local got = swarm.http.get(BASE .. "/echo", { headers = { a = "b" } }):json()
    local posted = swarm.http.post(BASE .. "/echo", { json = { x = 1 } }):json()
    local _, wrong = pcall(swarm.http.get, BASE, { method = "PUT" })
    local _, none = pcall(swarm.http.post)
    local joined = swarm.http.get(swarm.http.url(BASE .. "/a/b", "../echo"))
    return { got.method, posted.method, wrong.message, none.message, joined.status }
    """
    got, posted, wrong, none, joined = value(web, tmp_path, body)
    assert (got, posted, joined) == ("GET", "POST", 200)
    assert wrong.startswith('swarm.http.get has no option "method"; it has body, headers, json')
    assert none == "swarm.http.post takes a url, and got nil"


def test_a_missing_extra_is_named(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    problem = error(web, tmp_path, "url = BASE")
    assert problem["message"].endswith(
        "swarm.http comes with an extra: pip install 'swarm-host[http]'"
    )


def test_starting_up_does_not_import_the_client() -> None:
    code = "import swarm_host.cli, sys; swarm_host.Host(swarm_host.Options());"
    code += "dear = {'httpx2', 'jsonschema_rs', 'swarm_host.ports.http.port'};"
    code += "print(sorted(dear & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Bounds ----------------------------------------------------------------------------------------


def bounded(web: Web, folder: Path, bounds: str, url: str, more: str = "") -> dict[str, Any]:
    """What a worker whose role has these bounds of use_network gets of a URL."""
    text = f"""
    swarm.role "bounded" {{ extends = "worker", allow = {{ use_network = {{ {bounds} }} }} }}
    swarm.worker "fetch" {{
      role = "bounded",
      run = function(_, url) return swarm.http.request {{ url = url, {more} }}.status end,
    }}
    swarm.main(function()
      local ok, result = pcall(swarm.call, "fetch", "{url.format(port=web.port)}")
      return ok and {{ status = result }} or {{ code = result.code, verb = result.verb }}
    end)
    """
    outcome = run(web, folder, text)
    assert outcome.status == "pass", outcome.error
    result: dict[str, Any] = outcome.value
    return result


HOSTS = [
    ('"127.0.0.1"', "http://127.0.0.1:{port}/echo", True),
    ('"localhost"', "http://127.0.0.1:{port}/echo", False),
    ('"LocalHost."', "http://localhost:{port}/echo", True),
    ('"example.com", "127.0.0.1"', "http://127.0.0.1:{port}/echo", True),
    ('"127.0.0.1:PORT"', "http://127.0.0.1:{port}/echo", True),
    ('"127.0.0.1:80"', "http://127.0.0.1:{port}/echo", False),
    ('"*"', "http://127.0.0.1:{port}/echo", True),
    ('"*.localhost"', "http://localhost:{port}/echo", False),
    ('"*.0.0.1"', "http://127.0.0.1:{port}/echo", False),
    ('"127.0.0.1"', "http://127.1:{port}/echo", False),
    ('"127.0.0.1"', "http://0x7f.0.0.1:{port}/echo", False),
    ('"127.0.0.1"', "http://2130706433:{port}/echo", False),
    ('"127.0.0.1"', "http://[::ffff:7f00:1]:{port}/echo", False),
    ('"example.com"', "http://example.com@127.0.0.1:{port}/echo", False),
    ('"example.com"', "http://example.com:80@127.0.0.1:{port}/echo", False),
    ('"example.com"', "http://127.0.0.1:{port}#@example.com/", False),
    ('"example.com"', "http://127.0.0.1:{port}?@example.com/", False),
    ('"example.com"', "http://127.0.0.1:{port}/@example.com/", False),
    ('"127.0.0.1"', "http://localhost:{port}/echo?127.0.0.1", False),
    ('"localhost"', "http://xlocalhost:{port}/echo", False),
    ('"localhost"', "http://localhost.example:{port}/echo", False),
    ('"not a host"', "http://127.0.0.1:{port}/echo", False),
    ('""', "http://127.0.0.1:{port}/echo", False),
]


@pytest.mark.parametrize(("bounds", "url", "admitted"), HOSTS)
def test_bounds_are_checked_before_the_request(
    web: Web, tmp_path: Path, bounds: str, url: str, admitted: bool
) -> None:
    result = bounded(web, tmp_path, bounds.replace("PORT", str(web.port)), url)
    if admitted:
        assert result == {"status": 200}
    else:
        assert result == {"code": "role_violation", "verb": "use_network"}
        assert web.asked == []


SPELLINGS = [
    ("*.example.com", "https://a.example.com/", True),
    ("*.example.com", "https://a.b.EXAMPLE.com./", True),
    ("*.example.com", "https://example.com/", False),
    ("*.example.com", "https://badexample.com/", False),
    ("localhost", "http://LOCALHOST.:81/", True),
    ("*.example.com:443", "https://a.example.com/", True),
    ("*.example.com:443", "http://a.example.com/", False),
    ("example.com:80", "http://example.com/", True),
    ("[::1]", "http://[0:0:0:0:0:0:0:1]/", True),
    ("::1", "http://[::1]:8080/", True),
    ("[::1]:8080", "http://[::1]:8080/", True),
    ("[::1]:8080", "http://[::1]:8081/", False),
    ("bücher.example", "http://xn--bcher-kva.example/", True),
    ("xn--bcher-kva.example", "http://BÜCHER.example/", True),
    ("example.com", "http://example.com\\@evil.example/", False),
    ("example.com", "http://evil.example\\@example.com/", True),  # a user name: it goes there
    ("example.com", "http://ex%61mple.com/", False),
    ("https://example.com", "https://example.com/", False),
]


@pytest.mark.parametrize(("bound", "url", "admitted"), SPELLINGS)
def test_a_host_has_one_spelling(bound: str, url: str, admitted: bool) -> None:
    from httpx2 import URL

    from swarm_host.ports.hosts import admits

    assert admits([[bound]], URL(url)) == admitted
    assert admits([["*"], [bound]], URL(url)) == admitted  # each list has to admit it
    assert not admits([[], [bound]], URL(url))


def test_bounds_are_checked_on_every_redirect(web: Web, tmp_path: Path) -> None:
    there = f"http://localhost:{web.port}/echo"
    url = f"http://127.0.0.1:{web.port}/to?url=/to?url={there}"
    refused = bounded(web, tmp_path, '"127.0.0.1"', url)
    assert refused == {"code": "role_violation", "verb": "use_network"}
    assert [asked["path"] for asked in web.asked] == ["/to", "/to"]
    assert bounded(web, tmp_path, '"127.0.0.1", "localhost"', url) == {"status": 200}


def test_a_host_header_is_bounded_too(web: Web, tmp_path: Path) -> None:
    url = "http://127.0.0.1:{port}/echo"
    for name in ("other.example", "127.0.0.1@other.example", "other.example/@127.0.0.1", "a b"):
        refused = bounded(web, tmp_path, '"127.0.0.1"', url, f'headers = {{ host = "{name}" }}')
        assert refused["code"] == "role_violation"
    assert web.asked == []
    both = '"127.0.0.1", "other.example"'
    assert (
        bounded(web, tmp_path, both, url, 'headers = { host = "other.example" }')["status"] == 200
    )


def test_a_role_without_the_verb_is_refused(web: Web, tmp_path: Path) -> None:
    text = """
    swarm.role "offline" { extends = "worker", deny = { "use_network" } }
    swarm.worker "fetch" {
      role = "offline",
      run = function() return swarm.http.request { url = BASE .. "/echo" } end,
    }
    swarm.main(function() return swarm.call "fetch" end)
    """
    outcome = run(web, tmp_path, text)
    assert outcome.error is not None
    assert outcome.error["cause"]["code"] == "role_violation"
    assert web.asked == []
