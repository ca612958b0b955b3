--- Texts as sequences of words and characters.
local signature = require "cdl.signature"

local M = {}

--- What Keras leaves out of texts: punctuation, tabs and line ends.
M.FILTERS = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n"

-- Where capitals stand and what makes them small, for scripts of two bytes a character in UTF-8.
-- step 2: capitals and small letters take turns.
local CASES = {
  { 0xC0, 0xD6, 32 }, { 0xD8, 0xDE, 32 }, { 0x100, 0x12E, 1, 2 }, { 0x132, 0x136, 1, 2 }, { 0x139, 0x147, 1, 2 },
  { 0x14A, 0x176, 1, 2 }, { 0x178, 0x178, -121 }, { 0x179, 0x17D, 1, 2 }, { 0x386, 0x386, 38 },
  { 0x388, 0x38A, 37 }, { 0x38C, 0x38C, 64 }, { 0x38E, 0x38F, 63 }, { 0x391, 0x3A1, 32 }, { 0x3A3, 0x3AB, 32 },
  { 0x400, 0x40F, 80 }, { 0x410, 0x42F, 32 }, { 0x460, 0x480, 1, 2 }, { 0x48A, 0x4BE, 1, 2 }, { 0x4D0, 0x52E, 1, 2 },
}

local small = {} -- capital -> small letter, both as text
for _, case in ipairs(CASES) do
  for code = case[1], case[2], case[4] or 1 do small[utf8.char(code)] = utf8.char(code + case[3]) end
end

--- The text in small letters: Latin, Greek and Cyrillic ones.
function M.lower(text)
  text = text:lower()
  if text:find "[\xC3-\xD4]" then text = text:gsub("[\xC3-\xD4][\x80-\xBF]", small) end
  return text
end

--- The characters of a text in UTF-8.
function M.characters(text)
  local list = {}
  for character in text:gmatch(utf8.charpattern) do list[#list + 1] = character end
  return list
end

local function escape(text) return (text:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0")) end

--- A function that gives the words of a text: filters are the characters to leave out, split is what
-- stands between words.
function M.splitter(filters, lower, split)
  local set, wide = {}, {}
  for _, character in ipairs(M.characters(filters)) do
    if #character > 1 then
      wide[#wide + 1] = character
    else
      set[#set + 1] = (character:find "%w" and "" or "%") .. character
    end
  end
  local class = #set > 0 and "[" .. table.concat(set) .. "]"
  local gap, replacement = escape(split), (split:gsub("%%", "%%%%"))
  return function(text)
    local words, from = {}, 1
    if lower then text = M.lower(text) end
    if class then text = text:gsub(class, replacement) end
    for _, character in ipairs(wide) do text = text:gsub(character, replacement) end
    while true do
      local first, last = text:find(gap, from)
      if first ~= from and from <= #text then words[#words + 1] = text:sub(from, first and first - 1) end
      if not first then return words end
      from = last + 1
    end
  end
end

--- The rows of arguments that decide what a word is.
M.rows = {
  { "filters", "string", M.FILTERS, doc = "characters that are left out" },
  { "lower", "boolean", true, doc = "whether letters are made small" },
  { "split", "string", " ", doc = "what stands between words" },
}

M.text_to_word_sequence = signature.fn("text_to_word_sequence", {
  { "text", "string", required = true, doc = "any text" }, M.rows[1], M.rows[2], M.rows[3],
}, "The words of a text, as a list.", function(text, filters, lower, split)
  return M.splitter(filters, lower, split)(text)
end)

return M
