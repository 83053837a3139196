-- Programs that `explore` runs in every order, and the words that they are made of. The table of
-- exploration.md says how many orders each has; `python tests/exploration_table.py` writes it. Each
-- program asserts what must hold in every order; the invariants are looked at after every step.
local swarm = require "swarm"

local programs = {}

local MOST = 20000 -- schedules of one program

---The text of the page, which lies beside the chapter that uses this or above it.
local function page()
  local dir = swarm.script_dir
  for _ = 1, 3 do
    local ok, text = pcall(swarm.fs.read, dir .. "/testing/exploration.md")
    if ok then
      return text
    end
    dir = dir .. "/.."
  end
  error("there is no testing/exploration.md above " .. swarm.script_dir)
end

-- The table of the page: a program's name → how many schedules it has.
---@type table<string, integer>
programs.listed = {}
for line in page():gmatch "[^\n]+" do
  local name, count = line:match "^| (.-) +| +([%d,]+) |"
  if name and count then
    programs.listed[name] = tonumber((count:gsub(",", "")))
  end
end

---A program that is run in every order. What it returns says how it went; `ends` are the ways in
---which it can go, all of which must be found.
---@param name string
---@param ends string[]|swarm.Run|nil the ways, or the program
---@param fn? swarm.Run
function programs.program(name, ends, fn)
  if type(ends) == "function" then
    ends, fn = nil, ends
  end
  it(name, function()
    local found = {}
    local report = explore(function(ctx)
      found[tostring((fn(ctx)))] = true
    end, { max = MOST })
    print("| " .. name .. " | " .. report.schedules .. " |")
    if ends then
      local ways = {}
      for _, way in ipairs(ends) do
        ways[way] = true
      end
      assert.same(ways, found)
    end
    assert.is_true(report.complete, tostring(report))
    local wanted = programs.listed[name]
    assert.equal(wanted, report.schedules, "schedules, as exploration.md has them")
  end)
end

---Yields n times.
---@param n? integer 1 by default
function programs.turns(n)
  for _ = 1, n or 1 do
    swarm.yield()
  end
end

-- Workers that take so many turns, or so much time.
function programs.quick() end
function programs.slow()
  swarm.yield()
end
function programs.sleeper(_, seconds)
  swarm.sleep(seconds)
end

---Ends all of a list, whatever becomes of them.
---@param list swarm.Handle[]
function programs.join_all(list)
  for i = 1, #list do
    swarm.join(list[i])
  end
end

---Settled, and how.
---@param h swarm.Handle
---@return swarm.Status
function programs.status_of(h)
  swarm.join(h)
  return h.status
end

return programs
