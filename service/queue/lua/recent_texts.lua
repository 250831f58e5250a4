-- Near repeats: each band of a site holds the texts of the last window that share it.
-- KEYS: the bands, then the text's own numbers. ARGV: now and the window in milliseconds, the comment, its numbers.
-- Answers (comment, numbers) of the others that share a band, 50 at the most.
local now, window, comment = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local found, seen = {}, {}
for i = 1, #KEYS - 1 do
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - window)
    for _, other in ipairs(redis.call('ZREVRANGE', KEYS[i], 0, 49)) do
        if other ~= comment and not seen[other] and #found < 100 then
            seen[other] = true
            local numbers = redis.call('GET', ARGV[5] .. other)
            if numbers then
                found[#found + 1] = other
                found[#found + 1] = numbers
            end
        end
    end
    redis.call('ZADD', KEYS[i], now, comment)
    redis.call('ZREMRANGEBYRANK', KEYS[i], 0, -101)
    redis.call('PEXPIRE', KEYS[i], window)
end
redis.call('SET', KEYS[#KEYS], ARGV[4], 'PX', window)
return found
