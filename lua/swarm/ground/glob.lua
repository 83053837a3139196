-- Globs over names: `*` stands for any run of characters, `?` for one. The rest is literal.
local gsub, find, match = string.gsub, string.find, string.match

local glob = {}

local compiled = {}

local function pattern_of(text)
  local pattern = compiled[text]
  if not pattern then
    pattern = gsub(text, "[%^%$%(%)%%%.%[%]%+%-]", "%%%0")
    pattern = "^" .. gsub(gsub(pattern, "%*+", ".*"), "%?", ".") .. "$"
    compiled[text] = pattern
  end
  return pattern
end

---Whether a text is a glob rather than a plain name.
function glob.is(text)
  return find(text, "[%*%?]") ~= nil
end

---@param text string a name or a glob
---@param name string
---@return boolean
function glob.matches(text, name)
  return text == name or (glob.is(text) and match(name, pattern_of(text)) ~= nil)
end

---Whether one of several fits.
---@param texts string[] names or globs
---@param name string
---@return boolean
function glob.any(texts, name)
  for i = 1, #texts do
    if glob.matches(texts[i], name) then
      return true
    end
  end
  return false
end

return glob
