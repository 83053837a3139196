local re = require "re"
assert(re.match("hello world", "{[a-z]+}") == "hello")
