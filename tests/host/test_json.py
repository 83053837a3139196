"""values.lua, what it is made of, and json.lua, through lupa directly and against Python's json."""

import codecs
import json
import re
from pathlib import Path
from typing import Any

import lupa.luajit21 as luajit
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

LUA_DIR = Path(__file__).resolve().parents[2] / "lua" / "swarm"
MODULES = (
    "ground/frames",
    "ground/shown",
    "ground/errors",
    "ground/raised",
    "values/kinds",
    "values/faults",
    "values/values",
    "values/json_decode",
    "values/json",
)

PRELUDE = b"""
function load_module(name, source)
  local label = "=swarm/" .. name .. ".lua"
  package.preload["swarm." .. name:gsub("/", ".")] = assert(loadstring(source, label))
end
"""

# What a call gives back to Python: true and its results, or false and what the error holds.
HELPERS = b"""
values, json = require "swarm.values.values", require "swarm.values.json"
null, array, object, file = values.null, values.array, values.object, values.file

handle_meta = { __metatable = "handle" }
handle = setmetatable({}, handle_meta)
event = newproxy(true)
values.register_opaque(function(value)
  if debug.getmetatable(value) == handle_meta then return "worker handle" end
end)
values.register_opaque(function(value)
  if value == event then return "event" end
end)

function nest(levels)
  local t = {}
  for _ = 2, levels do t = { t } end
  return t
end

local function outcome(ok, result, more)
  if ok then return true, result, more end
  if type(result) ~= "table" then error(result, 0) end
  return false, result.code, result.message, result.path, result.line, result.column
end
function try(source) return outcome(pcall(assert(loadstring(source, "=test")))) end
function try_decode(text) return outcome(pcall(json.decode, text)) end
function recode(text)
  return outcome(pcall(function() return json.encode(values.copy(json.decode(text))) end))
end
"""


class Fault(Exception):
    """An invalid_value raised by Lua."""

    def __init__(self, outcome: tuple[Any, ...]) -> None:
        _, code, message, path, line, column = (*outcome, None, None, None)[:6]
        assert code == b"invalid_value"
        self.message: str = message.decode()
        self.path: str | None = path.decode() if path is not None else None
        self.place = (line, column)
        super().__init__(self.message)


def make_runtime() -> Any:
    runtime = luajit.LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
    runtime.execute(PRELUDE)
    for name in MODULES:
        source = (LUA_DIR / f"{name}.lua").read_bytes()
        runtime.globals()[b"load_module"](name.encode(), source)
    runtime.execute(HELPERS)
    return runtime


LUA = make_runtime().globals()


def checked(outcome: tuple[Any, ...] | bool) -> Any:
    """The first result of a call that went well; lupa gives a lone result without a tuple."""
    if isinstance(outcome, bool):
        assert outcome
        return None
    if not outcome[0]:
        raise Fault(outcome)
    return outcome[1]


def run(source: str) -> Any:
    return checked(LUA[b"try"](source.encode()))


def recode(text: str) -> str:
    result: bytes = checked(LUA[b"recode"](text.encode()))
    return result.decode()


def fault_of(source: str) -> Fault:
    with pytest.raises(Fault) as caught:
        run(source)
    return caught.value


def decode_fault(text: bytes) -> Fault:
    with pytest.raises(Fault) as caught:
        checked(LUA[b"try_decode"](text))
    return caught.value


def same(left: Any, right: Any) -> bool:
    """Equality that tells a boolean from a number, as Python's does not."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def json_values(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | numbers | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=30,
    )


INTEGERS = st.integers(min_value=1 - 2**53, max_value=2**53 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


# Python's codec ---------------------------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(json_values(INTEGERS | FLOATS), st.booleans(), st.sampled_from([None, 0, 2]))
def test_round_trip(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert same(json.loads(recode(text)), value)


@settings(max_examples=500, deadline=None)
@given(json_values(INTEGERS))
def test_same_text_as_python(value: Any) -> None:
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert recode(json.dumps(value)) == expected


@settings(max_examples=2000, deadline=None)
@given(FLOATS)
@example(5e-324)
@example(1.7976931348623157e308)
@example(0.1 + 0.2)
def test_floats_survive(number: float) -> None:
    assert json.loads(recode(repr(number))) == number


@settings(max_examples=1000, deadline=None)
@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,2})?", fullmatch=True)
)
def test_number_texts(text: str) -> None:
    assert json.loads(recode(text)) == float(text)


def finite(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise ValueError("beyond a double")
    return number


def refuse(constant: str) -> None:
    raise ValueError(constant)


def without_surrogates(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def normal(value: Any) -> Any:
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value


def python_reading(text: str) -> tuple[bool, Any]:
    """Whether Python accepts a text as strict JSON, and its value as Lua is to see it."""
    try:
        value = json.loads(
            text,
            parse_int=finite,
            parse_float=finite,
            parse_constant=refuse,
            object_pairs_hook=lambda pairs: {without_surrogates(k): normal(v) for k, v in pairs},
        )
    except ValueError:
        return False, None
    return True, normal(value)


PIECES = st.sampled_from(
    [
        *'{}[]",:0123456789+-.eE\\/ubfnrtal \n\t\r\0\x1f\x7fé☃😀\ufeff\xa0',
        *["\\ud83d", "\\ude00", "\\u0041", "null", "true", "false", "NaN", "Infinity"],
        *["01", "1e", "{}", "[]", '""', '"a":'],
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    value = draw(json_values(INTEGERS | FLOATS))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = text[:at] + draw(st.just("") | PIECES) + text[at + cut :]
    return text


@settings(max_examples=1500, deadline=None)
@given(mutated() | st.lists(PIECES).map("".join))
@example('"\\ud83d\\ude00"')
@example('"\\ud83d\\ud83d\\ude00"')
@example('"\\ude00\\ud83d"')
@example('"\\ud83d\\u00"')
@example('{"a":1,"b":2,"a":3}')
@example("-")
@example("-01")
@example("1.")
@example(".5")
@example("[1,]")
@example('{"a":1,}')
@example("1e400")
@example("1e1048576")
@example("-1e-1048576")
@example("0.0E1048576")
@example("0x10")
@example("1 2")
def test_accepts_what_python_accepts(text: str) -> None:
    accepted, value = python_reading(text)
    if accepted:
        assert same(json.loads(recode(text)), value)
    else:
        message = decode_fault(text.encode()).message
        assert message.startswith("not JSON: expected ")


# Decoding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        (b"", (1, 1), "expected a value at line 1, column 1, found the end of the text"),
        (b'{"a": 1,\n "b": x}', (2, 7), "expected a value at line 2, column 7, found 'x'"),
        ('{"čřž": ?}'.encode(), (1, 9), "expected a value at line 1, column 9, found '?'"),
        (b"[1 2]", (1, 4), """expected "," or "]" at line 1, column 4, found '2'"""),
        (b'{"a" 1}', (1, 6), 'expected ":"'),
        (b'{"a":1,}', (1, 8), "a key in double quotes"),
        (b"[1] x", (1, 5), "expected the end of the text"),
        (b'"abc', (1, 5), 'a closing "'),
        (b'"a\nb"', (1, 3), "an escape for a control character"),
        (b'"\\q"', (1, 3), "after a backslash"),
        (b'"\\u12g4"', (1, 4), "four hexadecimal digits"),
        (b"[01]", (1, 2), "a number without a leading zero"),
        (b"1e999", (1, 1), "within the range of a double"),
        (b"\xef\xbb\xbf{}", (1, 1), "byte order mark"),
        (b"[" * 513 + b"]" * 513, (1, 513), "at most 512 levels"),
        (b"nul\0", (1, 1), "found 'n'"),
        (b"\0", (1, 1), "found byte 0x00"),
    ],
)
def test_decode_faults(text: bytes, place: tuple[int, int], part: str) -> None:
    fault = decode_fault(text)
    assert part in fault.message
    assert fault.place == place


def test_decode_marks_and_nulls() -> None:
    assert run("return json.decode('null') == null")
    assert run("return json.decode('[null]')[1] == null")
    assert run("return json.decode('{\"a\":null}').a == null")
    assert run("return values.is_array(json.decode('[]'))")
    assert run("return values.is_object(json.decode('{}'))")
    assert run("return getmetatable(json.decode('[1]')) == nil")
    assert run("return getmetatable(json.decode('{\"a\":1}')) == nil")
    assert run("return json.decode('[' .. ('['):rep(511) .. (']'):rep(512)) ~= nil")
    assert run("return json.decode('\"\\255\\\\n\"')") == b"\xff\n"
    assert "takes a string, not a nil" in fault_of("json.decode(nil)").message


# Encoding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("nil", "null"),
        ("null", "null"),
        ("{}", "{}"),
        ("array{}", "[]"),
        ("object{}", "{}"),
        ("{a = {}, b = array()}", '{"a":{},"b":[]}'),
        ("{[2] = 'b', [1] = 'a'}", '["a","b"]'),
        ("array{1, true, false, null}", "[1,true,false,null]"),
        ("file('a.png')", '{"kind":"file_ref","path":"a.png"}'),
        ("file('a.png', 'image/png')", '{"kind":"file_ref","mime":"image/png","path":"a.png"}'),
        ("2^53 - 1", "9007199254740991"),
        ("1 - 2^53", "-9007199254740991"),
        ("1e14", "100000000000000"),
        ("2^53", "9007199254740992"),
        ("1e20", "1e+20"),
        ("-0", "-0"),
        ("0.1", "0.1"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("'\\0\\31\\127\"\\\\/\\b\\f\\n\\r\\t'", r'"\u0000\u001f' + '\x7f\\"' + r'\\/\b\f\n\r\t"'),
    ],
)
def test_encode(expression: str, text: str) -> None:
    assert run(f"return json.encode({expression})") == text.encode()


def test_many_keys_are_sorted() -> None:
    names = [f"k{i * 7919 % 1000}" for i in range(200)]
    text = run("return json.encode({" + ",".join(f"{name} = 1" for name in names) + "})")
    assert text.decode() == json.dumps(dict.fromkeys(sorted(names), 1), separators=(",", ":"))


codecs.register_error("each", lambda e: ("\ufffd" * (e.end - e.start), e.end))  # type: ignore[attr-defined]


@settings(max_examples=2000, deadline=None)
@given(
    st.lists(
        st.binary(max_size=4)
        | st.text(max_size=2).map(str.encode)
        | st.sampled_from(
            [b"\xed\xa0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80"]
        )
        | st.sampled_from([b"\xc0\x80", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf4\x8f\xbf\xbf", b"\xff"])
    ).map(b"".join)
)
def test_lossy_text(data: bytes) -> None:
    expected = data.decode(errors="each")
    encode = LUA[b"json"][b"encode"]
    text, lossy = encode(data, None, True)
    assert json.loads(text.decode()) == expected
    assert lossy == (expected.encode() != data)
    if lossy:
        literal = "".join(f"\\{byte:03d}" for byte in data)
        fault = fault_of(f"return json.encode({{text = '{literal}'}}, 'result')")
        assert fault.path == "result.text"
        assert fault.message.startswith("result.text is not UTF-8 (byte 0x")
    else:
        assert encode(data)[0] == text


def test_text_faults_elsewhere() -> None:
    fault = fault_of("return json.encode({a = {['x\\255'] = 1}}, 'result')")
    assert fault.path == "result.a"
    assert fault.message == ("result.a has a key that is not UTF-8 (byte 0xFF at position 2)")
    fault = fault_of("return json.encode({file('\\255')}, 'result')")
    assert fault.message.startswith("result[1] is a file whose path is not UTF-8")
    # Lossy writing forgives bad text only.
    assert fault_of("return json.encode({'\\255', print}, 'r', true)").path == "r[2]"


# Crossing ---------------------------------------------------------------------------------------

# An expression, its offence's path, and the rest of the message: the same in copy and encode.
OFFENCES = [
    ("{items = {1, 2, {fn = print}}}", "input.items[3].fn", "is a function, which cannot cross"),
    ("print", "input", "is a function, which cannot cross a worker's boundary"),
    ("{a = coroutine.create(print)}", "input.a", "is a coroutine, which"),
    ("{a = 1LL}", "input.a", "is a cdata, which"),
    ("{a = newproxy()}", "input.a", "is a userdata, which"),
    ("{a = newproxy(true)}", "input.a", "is a userdata, which"),
    ("0/0", "input", "is NaN (not a number), which"),
    ("{0/0}", "input[1]", "is NaN (not a number), which"),
    ("{a = -math.huge}", "input.a", "is an infinite number, which"),
    ("{a = setmetatable({}, {})}", "input.a", "is a table with a metatable, which"),
    (
        "{a = setmetatable({}, {__metatable = 'swarm.array', __index = error})}",
        "input.a",
        "is a table with a metatable, which",
    ),
    ("{a = setmetatable({}, {__metatable = false})}", "input.a", "is a table with a metatable,"),
    ("{['a b'] = {['1'] = print}}", 'input["a b"]["1"]', "is a function"),
    ("{['\"\\\\\\n\\0'] = print}", 'input["\\"\\\\\\n\\000"]', "is a function"),
    ("{[('é'):rep(50)] = print}", 'input["' + "é" * 30 + '..."]', "is a function"),
    ("{[('xé'):rep(31)] = print}", 'input["' + "xé" * 20 + '..."]', "is a function"),
    ("{a = {1, n = 2}}", "input.a", 'has both list items and named keys, such as "n"'),
    ("{[0] = 1}", "input", "has the key 0; keys are strings, or 1, 2, 3 and so on in a list"),
    ("{[1.5] = 1}", "input", "has the key 1.5; keys"),
    ("{[-1] = 1}", "input", "has the key -1; keys"),
    ("{[math.huge] = 1}", "input", "has the key inf; keys"),
    ("{[true] = 1}", "input", "has the key of type boolean; keys"),
    ("{[print] = 1}", "input", "has the key of type function; keys"),
    ("{1, nil, 3}", "input", "is a list with a hole at [2]; put swarm.null in an empty place"),
    ("{[5] = 1}", "input", "is a list with a hole at [1]"),
    ("array{[2] = 1}", "input", "is a list with a hole at [1]"),
    ("array{a = 1}", "input", 'is marked as an array but has the key "a"'),
    ("object{1}", "input", "is marked as an object but has list items"),
    ("{b = 0/0, a = print}", "input.a", "is a function"),
    (
        "(function() local t = {}; t.t = t; return t end)()",
        "input.t",
        "is a cycle: it contains itself (input)",
    ),
    (
        "(function() local a = {b = {}}; a.b[1] = a; return {a = a} end)()",
        "input.a.b[1]",
        "is a cycle: it contains itself (input.a)",
    ),
    ("nest(101)", "input" + "[1]" * 100, "is nested more than 100 levels deep"),
]


@pytest.mark.parametrize(("expression", "path", "rest"), OFFENCES)
@pytest.mark.parametrize("function", ["values.copy", "values.outside", "json.encode"])
def test_offences(function: str, expression: str, path: str, rest: str) -> None:
    fault = fault_of(f"return {function}({expression}, 'input')")
    assert fault.path == path
    assert fault.message.startswith(f"{path} {rest}")


def test_metamethods_are_never_called() -> None:
    traps = "__index = error, __len = error, __pairs = error, __eq = error, __call = error"
    for function in ("values.copy", "values.outside", "json.encode"):
        fault = fault_of(f"return {function}({{setmetatable({{1}}, {{ {traps} }})}})")
        assert fault.message.startswith("value[1] is a table with a metatable")


def test_live_objects_cross_inside_only() -> None:
    assert run("return values.copy({handle}, 'input')[1] == handle")
    assert run("return values.copy({e = event}, 'input').e == event")
    assert run("return values.copy(handle) == handle")
    for function in ("values.outside", "json.encode"):
        fault = fault_of(f"return {function}({{h = handle}}, 'input')")
        assert fault.message == "input.h is a worker handle, which cannot leave this program"
        fault = fault_of(f"return {function}({{h = event}}, 'input')")
        assert fault.message == "input.h is an event, which cannot leave this program"


def test_scalars_are_themselves() -> None:
    for scalar in ("nil", "true", "false", "1.5", "'a'", "null", "'\\255'"):
        assert run(f"return values.copy({scalar}) == {scalar}"), scalar


def test_copies_are_independent() -> None:
    assert run("""
      local inner = {1, 2, {x = "y"}}
      local t = {a = inner, b = inner, c = false, d = null}
      local copy = values.copy(t, "input")
      inner[1], inner[3].x, t.c = 9, 9, 9
      return copy.a[1] == 1 and copy.a[3].x == "y" and copy.c == false and copy.d == null
        and copy.a ~= copy.b and copy.b[2] == 2
    """)


def test_copy_keeps_marks_and_files() -> None:
    assert run("""
      local f = file("a.txt", "text/plain")
      local t = {array{}, object{}, {}, f, array{1}, object{a = 1}, {[2] = 2, [1] = 1}}
      local copy = values.copy(t)
      return values.is_array(copy[1]) and values.is_object(copy[2])
        and not values.is_object(copy[3])
        and copy[4] == f and values.is_array(copy[5]) and copy[5][1] == 1
        and values.is_object(copy[6]) and copy[6].a == 1 and #copy[7] == 2 and copy[7][2] == 2
    """)


def test_depth_and_size_limits() -> None:
    assert run("return values.copy(nest(100)) ~= nil and json.encode(nest(100)) ~= nil")
    # 1000 times 1000 times 11 values, out of three small tables.
    wide = """
      local t = {}
      for i = 1, 10 do t[i] = i end
      for _ = 1, 2 do
        local outer = {}
        for i = 1, 1000 do outer[i] = t end
        t = outer
      end
    """
    for function in ("values.copy", "json.encode"):
        fault = fault_of(wide + f"return {function}(t, 'input')")
        assert fault.path == "input"
        assert fault.message.startswith("input holds more than 10000000 values")


def test_a_sparse_table_does_not_reserve_its_length() -> None:
    source = "local t = {} for i = 0, 30 do t[2^i] = 1 end return values.copy(t, 'input')"
    assert fault_of(source).message.startswith("input is a list with a hole at [3]")


# Marks, null and files --------------------------------------------------------------------------


def test_marks() -> None:
    assert run("local t = {1} return array(t) == t and array(t) == t and values.is_array(t)")
    assert run("return not values.is_array({1}) and not values.is_array(nil)")
    assert run(
        "return getmetatable(array{}) == 'swarm.array' and not pcall(setmetatable, array{}, nil)"
    )
    assert run("return getmetatable(object{}) == 'swarm.object'")
    assert run("return tostring(null) == 'null' and not pcall(function() return null.x end)")
    message = "swarm.array cannot mark a table that has another metatable"
    for argument in ("object{}", "setmetatable({}, {})", "file('a')"):
        assert fault_of(f"array({argument})").message == message
    assert fault_of("object('a')").message == "swarm.object takes a table, not a string"


def test_files() -> None:
    assert run(
        "local f = file('a', 'b') return f.path == 'a' and f.mime == 'b' and values.is_file(f)"
    )
    assert run("return file('a').mime == nil and not values.is_file({path = 'a'})")
    assert "cannot be changed" in fault_of("file('a').path = 'b'").message
    assert run("local f = file('a') rawset(f, 'path', 1) return (values.file_parts(f))") == b"a"
    for arguments in ("", "1", "''", "'a', 1"):
        assert "swarm.file takes" in fault_of(f"file({arguments})").message
