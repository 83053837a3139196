local protoc = require "protoc"
local parser = protoc.new()
local tree = parser:parse([[
  syntax = "proto3";
  package demo;
  message Person { string name = 1; repeated int32 ids = 2; }
]], "demo.proto")
assert(tree.package == "demo" and tree.message_type[1].field[2].name == "ids")
