local unit = require "luaunit"
unit.assertEquals({ 1, 2 }, { 1, 2 })
unit.assertErrorMsgContains("x", function() error "x" end)
local runner = unit.LuaUnit.new()
runner:setOutputType "nil"
runner:runSuiteByInstances({ { "TestX", { test_one = function() unit.assertTrue(true) end } } })
assert(runner.result.successCount == 1)
