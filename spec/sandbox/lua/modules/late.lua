require("swarm").worker "late" { run = function() end }
