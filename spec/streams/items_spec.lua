-- Items of streams, against real programs.
local swarm = require "swarm"

local FINAL = [[{"type":"final","ok":true,"content":{"kind":"inline","value":{"a":{"b":2}}}}]]

swarm.worker "lines" { shell = "printf 'a\\n\\nb\\r\\nlast'", output = { format = "lines" } }
swarm.worker "seq" { command = { "seq", "1", "{input}" }, output = { format = "lines" } }
swarm.worker "kept" { command = { "seq", "1", "{input}" }, output = { format = "lines", keep = 3 } }
swarm.worker "none kept" { shell = "seq 1 20000", output = { format = "lines", keep = 0 } }
swarm.worker "said" { command = { "cat" }, output = { format = "ndjson" } }
swarm.worker "part" { command = { "cat" }, output = { format = "ndjson", result = "/a/b" } }
swarm.worker "flag" { command = { "cat" }, output = { format = "ndjson", ok = "/done" } }
swarm.worker "last" { command = { "cat" }, output = { format = "ndjson", final = "last" } }
swarm.worker "and fails" { shell = "cat; exit 3", output = { format = "ndjson" } }
swarm.worker "sse" { command = { "cat" }, output = { format = "sse" } }
swarm.worker "short sse" {
  command = { "cat" },
  output = { format = "sse" },
  limits = { line = 100 },
}
swarm.worker "named" {
  command = { "cat" },
  output = {
    format = "sse",
    event = function(item, name)
      return { type = "final", value = { item, name } }
    end,
  },
}
swarm.worker "frames" { command = { "cat" }, output = { format = "frames", final = "last" } }
local sum = 0
swarm.worker "counted" {
  shell = "cat; echo end",
  output = {
    format = "lines",
    event = function(line)
      if tonumber(line) then
        sum = sum + line
        return { type = "progress", stage = line }
      elseif line == "end" then
        return { type = "final", value = sum }
      end
    end,
  },
}
swarm.worker "short" { command = { "cat" }, output = { format = "lines" }, limits = { line = 4 } }

local map -- what the event function of "mapped" does
swarm.worker "mapped" {
  command = { "cat" },
  output = {
    format = "ndjson",
    event = function(item)
      return map(item)
    end,
  },
}

local function text_of(content)
  return swarm.inspect(content.value)
end

---Fields that an error has.
local function has(wanted, err)
  for key, value in pairs(wanted) do
    assert.equal(value, err[key])
  end
end

---A tail in short: the type of each event, and what it is about.
local function tail_of(h)
  local list = {}
  for i, event in ipairs(swarm.output_tail(h)) do
    local content = event.chunk or event.content
    list[i] = event.type .. " " .. (content and text_of(content) or event.note or event.stage or "")
  end
  return list
end

---@return swarm.Handle
---@return swarm.Error? err
local function ended(name, input)
  local h = swarm.spawn(name, input)
  local _, err = swarm.join(h)
  return h, err
end

local function frame(text)
  return string.char(0, 0, math.floor(#text / 256), #text % 256) .. text
end

describe("lines", function()
  it("gives the list of all, each a partial before", function()
    local h = swarm.spawn "lines"
    assert.same({ "a", "", "b\r", "last" }, swarm.result(h))
    assert.same({
      'partial "a"',
      'partial ""',
      'partial "b\\013"',
      'partial "last"',
      'final { "a", "", "b\\013", "last" }',
    }, tail_of(h))
  end)

  it("fails past what a tail holds, unless it keeps the last ones alone", function()
    assert.equal(10000, #swarm.call("seq", 10000))
    local _, err = ended("seq", 10001)
    has({ code = "process_failed", reason = "too many lines" }, err)
    assert.is_not_nil(err.message:find("keep = n", 1, true))
    assert.same({ "1", "2" }, swarm.call("kept", 2))
    assert.same({ "8", "9", "10" }, swarm.call("kept", 10))
    assert.same({}, swarm.call "none kept")
  end)

  it("cuts a line that is too long and says how much is gone", function()
    assert.same({ "abcd [2 bytes dropped]", "xy" }, swarm.call("short", "abcdef\nxy\n"))
  end)
end)

describe("ndjson", function()
  it("takes the last final as its result, and a part of it", function()
    assert.same({ a = { b = 2 } }, swarm.call("said", FINAL))
    assert.equal(2, swarm.call("part", FINAL .. "\n"))
  end)

  it("records events as such and keeps everything else", function()
    local h = ended("said", [[
{"type":"progress","stage":"reading","note":"two"}

{"type":"progress","stage":"reading","wrong":1}
{"type":"usage","tokens":5}
{"type":"artifact","name":"a","content":{"kind":"inline","value":[1]}}
no json
{"seq":9,"at":1,"type":"partial","chunk":{"kind":"inline","value":"x"}}
{"type":"final","ok":true,"content":{"kind":"inline","value":"first"}}
[1,2]
]] .. FINAL)
    assert.equal("pass", h.status)
    assert.same({
      "progress two",
      'partial { stage = "reading", type = "progress", wrong = 1 }',
      "usage ",
      "artifact { 1 }",
      "progress no json",
      'partial "x"',
      "partial { 1, 2 }",
      'partial "first"',
      "final { a = { b = 2 } }",
    }, tail_of(h))
  end)

  it("fails without a final and says what there was", function()
    local _, err = ended("said", '{"a":1}\nno json\n')
    assert.equal("process_failed", err.code)
    assert.is_not_nil(
      tostring(err.reason):find("no final among the items that it wrote (1)", 1, true)
    )
    assert.is_not_nil(err.message:find("1 were no JSON", 1, true))
    _, err = ended("last", "")
    assert.is_not_nil(err.message:find("no item", 1, true))
    assert.same({ a = 2 }, swarm.call("last", '1\n{"a":2}'))
  end)

  it("blocks where the final or its flag says so, whatever the exit code", function()
    local no = '{"type":"final","ok":false,"reason":"why","content":{"kind":"inline","value":7}}'
    for _, name in ipairs { "said", "and fails" } do
      local value, err = swarm.call(name, no)
      assert.equal(7, value)
      has({ code = "blocked", reason = "why" }, err)
    end
    local _, err = ended("and fails", FINAL)
    has({ code = "process_failed", exit_code = 3 }, err)
    _, err = swarm.call(
      "flag",
      '{"type":"final","ok":true,"content":{"kind":"inline","value":{"done":false}}}'
    )
    assert.is_not_nil(tostring(err.reason):find("/done is false", 1, true))
  end)

  it("leaves bytes that are no text alone", function()
    local h = ended("said", "\255\n" .. FINAL)
    assert.equal("pass", h.status)
    assert.equal("\255", swarm.output_tail(h)[1].note)
  end)
end)

describe("an event function", function()
  it("makes an item an event, several, or none", function()
    map = function(item)
      if item == 1 then
        return { type = "progress", stage = "one" }
      elseif item == 2 then
        return { { type = "partial", value = { 2 } }, { type = "usage", tokens = 2 } }
      elseif item == 3 then
        return { type = "final", value = "three", reason = "not four" }
      end
    end
    local h = ended("mapped", "1\n2\n3\n4\n")
    assert.same({ "progress one", "partial { 2 }", "usage ", 'final "three"' }, tail_of(h))
    assert.equal("blocked", h.status)
  end)

  it("may wait, and the program with it", function()
    local gate, seen = swarm.event(), 0
    map = function(item)
      seen = seen + 1
      gate:wait()
      return { type = "final", value = item }
    end
    local h = swarm.spawn("mapped", "1\n2\n")
    swarm.spawn(function()
      while seen == 0 do
        swarm.yield()
      end
      gate:set()
    end)
    assert.equal(2, swarm.result(h))
  end)

  it("fails the attempt where it raises or returns what is no event", function()
    map = function()
      error "odd item"
    end
    local _, err = ended("mapped", "1\n")
    assert.is_not_nil(err.message:find("odd item", 1, true))
    map = function()
      return { type = "progress" }
    end
    _, err = ended("mapped", "1\n")
    assert.equal("invalid_value", err.code)
    assert.is_not_nil(err.message:find("is no event", 1, true))
    assert.is_not_nil(err.message:find('{ type = "progress", stage = "a text"', 1, true))
    map = function()
      return { type = "finale" }
    end
    _, err = ended("mapped", "1\n")
    assert.matches("did you mean final", err.message)
  end)
end)

describe("lines with an event function", function()
  it("have a final of their own", function()
    local h = ended("counted", "3\nnot a number\n4\n")
    assert.same({ "progress 3", "progress 4", "final 7" }, tail_of(h))
  end)
end)

describe("server-sent events", function()
  it("are put together from their lines, however these end", function()
    local h = ended(
      "sse",
      'event: x\r\ndata: {"a":1}\r\n\r\n: a comment\rdata:two\rdata: lines\r\r'
        .. "id: 7\n\ndata: "
        .. FINAL
    )
    assert.same({
      "partial { a = 1 }",
      'partial "two\\nlines"',
      "final { a = { b = 2 } }",
    }, tail_of(h))
  end)

  it("have the fields of the standard alone, behind a mark of UTF-8 or none", function()
    local h = ended(
      "sse",
      "\239\187\191data: 1\n\ndata-x: 2\ndata y\ndatab: 3\nevent2: x\n\ndata\n\ndata: " .. FINAL
    )
    assert.same({ "partial 1", 'partial ""', "final { a = { b = 2 } }" }, tail_of(h))
  end)

  it("have data no longer than a line may be, and say what is gone", function()
    local h = ended("short sse", ("data: 12345678\n"):rep(20) .. "\ndata: " .. FINAL)
    local text = swarm.output_tail(h)[1].chunk.value
    assert.is_true(#text < 200)
    assert.matches("^12345678\n12345678\n.* %[%d+ bytes dropped%]$", text)
    assert.equal("pass", h.status)
  end)

  it("tell the event function their name", function()
    assert.same({ 5, "done" }, swarm.call("named", "event: done\ndata: 5\n\n"))
  end)
end)

describe("frames", function()
  it("are cut by their length", function()
    assert.equal("a\nb", swarm.call("frames", frame "1" .. frame '"a\\nb"'))
    local h = ended("frames", frame "no json" .. frame "2")
    assert.same({ "progress no json", "partial 2", "final 2" }, tail_of(h))
  end)

  it("fail where one is too long or cut off", function()
    local _, err = ended("frames", "\255\255\255\255" .. ("x"):rep(100))
    assert.is_not_nil(err.message:find("a frame of 4294967295 bytes", 1, true))
    _, err = ended("frames", frame "1" .. "\0\0\0\9abc")
    assert.is_not_nil(err.message:find("ends within a frame", 1, true))
  end)
end)
