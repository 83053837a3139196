-- Programs made by chance, of every block and call that errors come out of.
local swarm = require "swarm"

local programs = {}

---A program made by chance: the same for the same seed. Each error it raises has a code of its own.
function programs.program(seed)
  local state = seed
  local function chance(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
  local codes_raised, n = {}, 0
  local function fail(where)
    n = n + 1
    local code = where .. n
    codes_raised[code] = true
    error { code = code }
  end
  local body

  local function ops(depth)
    local list = {}
    for i = 1, chance(3) do
      list[i] = {
        what = chance(10),
        seconds = chance(6),
        inner = depth > 0 and body(depth - 1),
        other = depth > 0 and body(depth - 1),
      }
    end
    list.fails = chance(4) == 1
    return list
  end

  function body(depth)
    local list = ops(depth)
    return function()
      for _, op in ipairs(list) do
        local inner = op.inner
        if op.what == 1 or not inner then
          swarm.sleep(op.seconds)
        elseif op.what == 2 then
          swarm.spawn(inner)
        elseif op.what == 3 then
          swarm.scope(inner)
        elseif op.what == 4 then
          swarm.timeout(op.seconds, inner)
        elseif op.what == 5 then
          swarm.shield(inner, { timeout = op.seconds })
        elseif op.what == 6 then
          swarm.result(swarm.spawn(inner))
        elseif op.what == 9 then
          swarm.all { inner, op.other }
        elseif op.what == 10 then
          for _, h in swarm.each { swarm.spawn(inner), swarm.spawn(op.other) } do
            swarm.result(h)
          end
        elseif op.what == 7 then
          swarm.spawn(function()
            local ok = pcall(swarm.sleep, op.seconds * 3)
            if not ok then
              fail "clean-up "
            end
          end)
        else
          local h = swarm.spawn(inner)
          swarm.sleep(op.seconds)
          swarm.cancel(h)
        end
      end
      if list.fails then
        fail "body "
      end
    end
  end
  return body(3), codes_raised
end

return programs
