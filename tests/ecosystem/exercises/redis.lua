local redis = require "redis"
assert(type(redis.connect) == "function")
