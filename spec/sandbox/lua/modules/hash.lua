#!/usr/bin/env lua
return "after a first line with #"
