local utf8 = require("utf8lua"):init()
assert(utf8.len "aöü" == 3 and utf8.sub("aöü", 2, 2) == "ö")
assert(utf8.reverse "aö" == "öa" and utf8.find("xöy", "ö.") == 2)
assert(utf8.gsub("aöa", "[ö]", "o") == "aoa")
