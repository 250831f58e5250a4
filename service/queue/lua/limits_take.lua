-- Token buckets (GCRA): each key holds the time at which its bucket will be full again, in microseconds.
-- KEYS: the buckets. ARGV: limit and period in microseconds for each of them.
-- All are taken from or none. Answers, for each: whether it had a token, what is left, microseconds until full,
-- microseconds until it has one.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local full, answer, allowed = {}, {}, true
for i = 1, #KEYS do
    local limit, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local before = math.max(tonumber(redis.call('GET', KEYS[i]) or now), now)
    -- A limit that was lowered must not lock anybody out for longer than its period.
    before = math.min(before, now + period)
    local after = before + period / limit
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
