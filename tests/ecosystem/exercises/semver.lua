local version = require "semver"
assert(version "1.2.3" < version "1.10.0" and version(1, 2):nextMinor() == version "1.3.0")
assert(version "1.2.3" ^ version "1.9.0" and tostring(version "1.0.0-beta+5") == "1.0.0-beta+5")
