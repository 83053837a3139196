local deflate = require "LibDeflate"
local text = ("abc "):rep(500)
local packed = deflate:CompressDeflate(text, { level = 6 })
assert(#packed < #text / 10 and deflate:DecompressDeflate(packed) == text)
assert(deflate:DecompressZlib(deflate:CompressZlib "x") == "x")
assert(deflate:DecodeForPrint(deflate:EncodeForPrint "\0\1\2") == "\0\1\2")
