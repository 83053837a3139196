local Rx = require "rx"
local got = {}
Rx.Observable.fromRange(1, 6)
  :filter(function(n) return n % 2 == 0 end)
  :map(function(n) return n * 10 end)
  :subscribe(function(n) got[#got + 1] = n end)
assert(table.concat(got, ",") == "20,40,60")
local subject, last = Rx.Subject.create(), nil
subject:subscribe(function(value) last = value end)
subject:onNext "x"
assert(last == "x")
