-- Count one more in a window that begins with the first one counted.
--
-- KEYS  1 the count
-- ARGV  1 how many more, 2 the window in ms
-- Returns {how many there are, milliseconds until the window ends}. Zero more looks and changes nothing.

local more = tonumber(ARGV[1])
if more == 0 then
    return {tonumber(redis.call('GET', KEYS[1]) or '0'), math.max(0, redis.call('PTTL', KEYS[1]))}
end
local count = redis.call('INCRBY', KEYS[1], more)
if count == more then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {count, redis.call('PTTL', KEYS[1])}
