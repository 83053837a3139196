local cjson = require "cjson"
assert(cjson.encode { 1, 2 } == "[1,2]")
assert(cjson.decode('{"a":[1]}').a[1] == 1)
