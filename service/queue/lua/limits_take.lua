-- Token buckets (GCRA): each key holds the time at which its bucket will be full again, in microseconds.
-- KEYS: the buckets. ARGV: limit, period in microseconds and how many tokens are wanted for each of them.
-- All are taken from or none. Answers, for each: whether it had them, what is left, microseconds until full,
-- microseconds until it has them.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local full, answer, allowed = {}, {}, true
for i = 1, #KEYS do
    local limit, period, wanted = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    local before = math.max(tonumber(redis.call('GET', KEYS[i]) or now), now)
    -- A limit that was lowered must not lock anybody out for longer than its period.
    before = math.min(before, now + period)
    local after = before + wanted * period / limit
    full[i] = after
    local late = after - period - now
    if late > 0 then
        allowed = false
        answer[i] = {0, 0, math.ceil(before - now), math.ceil(late)}
    else
        answer[i] = {1, math.floor(-late * limit / period + 0.000001), math.ceil(after - now), 0}
    end
end
if allowed then
    for i = 1, #KEYS do
        redis.call('SET', KEYS[i], string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000) + 1)
    end
end
return answer
