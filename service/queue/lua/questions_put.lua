-- Puts a question where a worker takes it, unless too many wait; what is over by now is cleared away first.
-- KEYS: the line, by turn; their ends; the text of this one.
-- ARGV: id, text, its life in ms, by how many ms it lets others go first, how many may wait.
-- Answers how many wait now, or -1 where there was no room.
local line, ends, text = KEYS[1], KEYS[2], KEYS[3]
local id, life, most = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

for _, over in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
  redis.call('ZREM', line, over)
end
redis.call('ZREMRANGEBYSCORE', ends, '-inf', now)

if redis.call('ZCARD', line) >= most then
  return -1
end
redis.call('SET', text, ARGV[2], 'PX', life)
redis.call('ZADD', line, now + tonumber(ARGV[4]), id)
redis.call('ZADD', ends, now + life, id)
for _, key in ipairs({line, ends}) do
  redis.call('PEXPIRE', key, math.max(life, redis.call('PTTL', key)))
end
return redis.call('ZCARD', line)
