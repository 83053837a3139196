local deferred = require "deferred"
local first, second = deferred.new(), deferred.new()
local got
deferred.all({ first, second }):next(function(values) got = values[1] + values[2] end)
first:resolve(1)
second:resolve(2)
assert(got == 3)
local failed
deferred.new():reject("no")
local one = deferred.new()
one:next(nil, function(why) failed = why end)
one:reject "why"
assert(failed == "why")
