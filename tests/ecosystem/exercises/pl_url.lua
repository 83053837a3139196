local url = require "pl.url"
assert(url.unquote(url.quote "a b&c") == "a b&c")
