"""Libraries of others, tried in both tiers and in plain LuaJIT."""
