return { "init of a folder", ... }
