--- Letters as strokes, for pictures: no font file is needed.
--
-- A letter is drawn on a grid: x from 0 at the left, y from 0 at the top of capitals; 2 is the top of small letters, 6
-- the line on which they stand, 8 the lowest. A stroke is a list of places "xy"; strokes are apart by blanks.
local M = {}

local GLYPHS = {
  [" "] = "", ["!"] = "0004 0606", ['"'] = "0001 2021", ["#"] = "1016 3036 0242 0444",
  ["$"] = "42311102133344351504 2026",
  ["%"] = "0640 0010110100 3545463635", ["&"] = "46112031220405162644", ["'"] = "0001", ["("] = "10010516",
  [")"] = "00111506", ["*"] = "2125 0244 4204", ["+"] = "0343 2125", [","] = "0607", ["-"] = "0323", ["."] = "0606",
  ["/"] = "0630", ["0"] = "103041453616050110", ["1"] = "112026", ["2"] = "01103041420646",
  ["3"] = "01103041423313334445361605", ["4"] = "36300444", ["5"] = "400002324345361605",
  ["6"] = "3020020516364544331304", ["7"] = "004016", ["8"] = "13020110304142331304051636454433",
  ["9"] = "1626444130100102133342", [":"] = "0202 0505", [";"] = "0202 0507", ["<"] = "410345", ["="] = "0242 0444",
  [">"] = "014305", ["?"] = "01103041422324 2626", ["@"] = "4536160501103041443424132332",
  A = "062046 1434", B = "00063645443303 0030414233", C = "4130100105163645", D = "00062644422000",
  E = "40000646 0333", F = "400006 0333", G = "41301001051636454323", H = "0006 4046 0343", I = "0006",
  J = "3035261605", K = "0006 400346", L = "000636", M = "0600234046", N = "06004640", O = "103041453616050110",
  P = "06003041423303", Q = "103041453616050110 3446", R = "06003041423303 2346", S = "413010010213334445361605",
  T = "0040 2026", U = "000516364540", V = "002640", W = "0016223640", X = "0046 4006", Y = "0023 402326",
  Z = "00400646", ["["] = "10000616", ["\\"] = "0036", ["]"] = "00101606", ["^"] = "022042", ["_"] = "0747",
  ["`"] = "0011", a = "02223336 341405162635", b = "0006 0312223335261605", c = "3322120305162635",
  d = "3036 3322120305162635", e = "04343322120305162635", f = "30201116 0222", g = "3237281807 3322120305162635",
  h = "0006 0312223336", i = "0206 0000", j = "121708 1010", k = "0006 320436", l = "0006",
  m = "0602 03122326 23324346", n = "0602 0312223336", o = "122233352616050312", p = "0208 0312223335261605",
  q = "3238 3322120305162635", r = "0206 031222", s = "3212031424352606", t = "101526 0222", u = "0205162635 3236",
  v = "022642", w = "0216233642", x = "0236 3206", y = "0205162635 3237281807", z = "02320636",
  ["{"] = "20111203141526", ["|"] = "0007", ["}"] = "00111223141506", ["~"] = "0312233342",
}
local UNKNOWN = "0040460600"

local cache = {}

-- A letter's strokes, lists of {x, y}, and its width.
local function glyph(letter)
  local known = cache[letter]
  if known then return known end
  known = { width = letter == " " and 2 or 0 }
  for stroke in (GLYPHS[letter] or UNKNOWN):gmatch "%d+" do
    local points = {}
    for x, y in stroke:gmatch "(%d)(%d)" do
      points[#points + 1] = { tonumber(x), tonumber(y) }
      known.width = math.max(known.width, tonumber(x))
    end
    known[#known + 1] = points
  end
  cache[letter] = known
  return known
end

local GAP = 1.6 -- between letters

local function letters(text) return text:gmatch(utf8.charpattern) end

--- The width of a text of that size, in pixels.
function M.width(text, size)
  local width = 0
  for letter in letters(text) do width = width + glyph(letter).width + GAP end
  return math.max(width - GAP, 0) * size / 8
end

--- The strokes of a text that begins at x and stands on the line y.
function M.strokes(text, x, y, size)
  local unit, list = size / 8, {}
  for letter in letters(text) do
    local shape = glyph(letter)
    for _, points in ipairs(shape) do
      local moved = {}
      for i, point in ipairs(points) do moved[i] = { x + point[1] * unit, y + (point[2] - 6) * unit } end
      list[#list + 1] = moved
    end
    x = x + (shape.width + GAP) * unit
  end
  return list
end

return M
