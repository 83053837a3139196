require("pl.stringx").import()
assert(("a,b"):split(",")[2] == "b")
assert(("  x "):strip() == "x")
