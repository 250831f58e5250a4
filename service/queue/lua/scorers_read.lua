-- Returns the reports whose time has not run out. KEYS: board.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local live = {}
for _, report in ipairs(redis.call('HVALS', KEYS[1])) do
  local ends, body = string.match(report, '^(%d+) (.*)$')
  if tonumber(ends) > now then
    table.insert(live, body)
  end
end
return live
