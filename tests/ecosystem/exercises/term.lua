local term = require "term"
assert(term.colors.red ~= nil)
