--- What callbacks cost: fit{profile_callbacks = true} prints it, and history.profile holds it.
local M = {}

--- The list that the loop gives, with names in place of numbers, the dearest first: a list of
-- { callback =, hook =, seconds =, calls = }. "(logs)" is the making of the logs for all.
function M.name(costs, callbacks)
  local keys, list = callbacks:keys(), {}
  for i, cost in ipairs(costs) do
    list[i] = { callback = keys[cost.place] or "(logs)", hook = cost.hook, seconds = cost.seconds,
      calls = cost.calls, place = cost.place }
  end
  table.sort(list, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    if a.place ~= b.place then return a.place < b.place end
    return a.hook < b.hook
  end)
  for _, cost in ipairs(list) do cost.place = nil end
  return list
end

--- The profile as a table in text.
function M.text(list)
  local total = 0
  for _, cost in ipairs(list) do total = total + cost.seconds end
  local lines = { ("callbacks took %.3f s"):format(total), "   seconds  share     calls   us/call  hook" }
  for _, cost in ipairs(list) do
    lines[#lines + 1] = ("%10.4f  %4.0f%%  %8d  %8.1f  %s %s"):format(cost.seconds,
      total > 0 and 100 * cost.seconds / total or 0, cost.calls, 1e6 * cost.seconds / cost.calls,
      cost.callback, cost.hook)
  end
  return table.concat(lines, "\n")
end

function M.print(list) print(M.text(list)) end

return M
