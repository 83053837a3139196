local qr = require "qrencode"
local ok, dots = qr.qrcode "hello"
assert(ok and #dots == 21 and #dots[1] == 21)
