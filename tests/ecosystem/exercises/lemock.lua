local lemock = require "lemock"
local control = lemock.controller()
local mocked = control:mock()
mocked.foo(1)
control:returns(2)
control:replay()
assert(mocked.foo(1) == 2)
control:verify()
