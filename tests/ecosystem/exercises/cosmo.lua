local cosmo = require "cosmo"
assert(cosmo.fill("hello $name", { name = "you" }) == "hello you")
