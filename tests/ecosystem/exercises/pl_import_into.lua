local pl = require("pl.import_into")()
assert(pl.stringx.strip " x " == "x")
