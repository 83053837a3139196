local i18n = require "i18n"
i18n.load { en = { hi = "hello %{name}", n = { one = "one cat", other = "%{count} cats" } } }
i18n.setLocale "en"
assert(i18n("hi", { name = "you" }) == "hello you")
assert(i18n("n", { count = 1 }) == "one cat" and i18n("n", { count = 3 }) == "3 cats")
