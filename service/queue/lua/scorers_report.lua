-- Records a worker's report until its time runs out, and drops those that ran out.
-- KEYS: board. ARGV: worker, report, ttl ms.
local board, ttl = KEYS[1], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local reports = redis.call('HGETALL', board)
for i = 1, #reports, 2 do
  if tonumber(string.match(reports[i + 1], '^%d+')) <= now then
    redis.call('HDEL', board, reports[i])
  end
end
redis.call('HSET', board, ARGV[1], string.format('%.0f', now + ttl) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', board, math.max(ttl, redis.call('PTTL', board)))
