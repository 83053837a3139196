local base64 = require "base64"
assert(base64.encode "hello, world" == "aGVsbG8sIHdvcmxk")
assert(base64.decode(base64.encode "\0\255\128") == "\0\255\128")
