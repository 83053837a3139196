local say = require "say"
say:set_namespace "en"
say:set("money", "I have %s dollars")
assert(say("money", { 5 }) == "I have 5 dollars")
