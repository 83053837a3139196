local class = require "middleclass"
local Stateful = require "stateful"
local Enemy = class("Enemy"):include(Stateful)
function Enemy:say() return "alive" end
local Dead = Enemy:addState "Dead"
function Dead:say() return "dead" end
local enemy = Enemy()
assert(enemy:say() == "alive")
enemy:gotoState "Dead"
assert(enemy:say() == "dead")
