-- Proves held_open.md in every order.
local swarm = require "swarm"
require "held_open_stock"

describe("sessions: in every order", function()
  it("two invokers, a cancel and a close leave nothing behind", function()
    local codes = {}
    local report = explore(function()
      local s = swarm.open "identity"
      local function invoke(name)
        return swarm.spawn(function()
          local ok, value = pcall(s.invoke, s)
          codes[name .. (ok and "=pass" or "=" .. value.code)] = true
        end)
      end
      local a, b = invoke "a", invoke "b"
      swarm.yield()
      a:cancel()
      s:close()
      b:join()
      a:join()
      s:join()
    end, { max = 4000 })
    assert.is_true(report.schedules > 20, tostring(report))
    assert.is_true(codes["a=cancelled"] and codes["b=pass"] and codes["b=token_revoked"])
  end)

  it("an invoker that is cancelled at any time never keeps the turn", function()
    local report = explore(function()
      local s = swarm.open "identity"
      local a = swarm.spawn(function()
        s:invoke()
      end)
      local b = swarm.spawn(function()
        pcall(s.invoke, s)
        return "over"
      end)
      local canceller = swarm.spawn(function()
        a:cancel()
      end)
      assert.equal("over", b:result())
      canceller:join()
      a:join()
      s:close()
      s:join()
    end, { max = 4000 })
    assert.is_true(report.schedules > 5, tostring(report))
  end)
end)
