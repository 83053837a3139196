package.loaded[...] = "set by itself" ---@diagnostic disable-line: assign-type-mismatch
