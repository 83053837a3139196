rawset(_G, "seen_by_nothing", true)
