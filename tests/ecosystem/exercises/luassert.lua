local assert = require "luassert"
assert.same({ a = { 1 } }, { a = { 1 } })
assert.has_error(function()
  assert.equal(1, 2)
end)
local spy = require "luassert.spy"
local s = spy.new(function() return 5 end)
assert.equals(5, s(1))
assert.spy(s).was.called_with(1)
assert.is_not.falsy(1)
