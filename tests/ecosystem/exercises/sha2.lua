local sha2 = require "sha2"
assert(sha2.md5 "" == "d41d8cd98f00b204e9800998ecf8427e")
assert(sha2.sha256("abc"):sub(1, 16) == "ba7816bf8f01cfea")
assert(sha2.sha512("abc"):sub(1, 16) == "ddaf35a193617aba")
assert(sha2.hex_to_bin(sha2.bin_to_hex "ab") == "ab")
