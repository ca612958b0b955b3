-- The house rules that a compiler does not check: a file includes its own room and those above
-- it, lua.h is seen in script/ alone, and no file names a machine's folders.
local ROOMS = { "base", "tensor", "kernels", "graph", "plan", "io", "data", "train", "script" }
local rank = {}
for i, room in ipairs(ROOMS) do rank[room] = i end

local problems = {}
local function complain(format, ...) problems[#problems + 1] = format:format(...) end

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function check_include(path, room, number, line)
  local quoted = line:match '^%s*#%s*include%s+"([^"]+)"'
  local system = line:match "^%s*#%s*include%s+<([^>]+)>"
  if system and system:match "^lua" and room ~= "script" then
    complain("%s:%d: <%s> may be included in script/ alone", path, number, system)
  end
  local other = quoted and quoted:match "^(%w+)/"
  if other and rank[other] and rank[other] > rank[room] then
    complain("%s:%d: %s/ may not include %s/, which comes after it", path, number, room, other)
  end
end

local files = lines_of "find engine -name '*.[ch]' -o -name '*.def'"
local checked = 0
for _, path in ipairs(files) do
  local room = path:match "^engine/(%w+)/"
  if room then
    if not rank[room] then complain("%s: there is no room named %s", path, room) end
    local number = 0
    for line in io.lines(path) do
      number = number + 1
      if rank[room] then check_include(path, room, number, line) end
      checked = checked + 1
    end
  end
end

local FOLDERS = { "/" .. "work/", "/" .. "root/" }
for _, path in ipairs(lines_of "find engine lua scripts tests README.md CMakeLists.txt .ci -type f") do
  local number = 0
  for line in io.lines(path) do
    number = number + 1
    for _, folder in ipairs(FOLDERS) do
      if line:find(folder, 1, true) then
        complain("%s:%d: a machine's folder stands in the tree", path, number)
      end
    end
  end
end

if checked == 0 then complain "no file was checked" end
for _, problem in ipairs(problems) do print(problem) end
print(("%d lines in %d files checked, %d problems"):format(checked, #files, #problems))
os.exit(#problems == 0)
