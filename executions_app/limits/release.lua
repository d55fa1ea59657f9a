-- A call, or all calls of a run, are over.
--
-- KEYS  leases, rate, tokens, cost
-- ARGV  1 run, 2 calls beyond the one that was admitted, 3 calls a minute, 4 tokens beyond those reserved,
--       5 nano-USD, 6 whether tokens are limited, 7 whether the cost is

local MINUTE, HOURS = 60000, 7200000
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local minute = string.format('%.0f', math.floor(now_us / 1000 / MINUTE))
local more, per_minute = tonumber(ARGV[2]), tonumber(ARGV[3])

redis.call('ZREM', KEYS[1], ARGV[1])
if per_minute > 0 and more > 0 then
    local interval = math.ceil(60000000 / per_minute)
    local ahead = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), now_us) + more * interval
    redis.call('SET', KEYS[2], string.format('%.0f', ahead), 'PX', math.ceil((ahead - now_us) / 1000) + 1000)
end
if ARGV[6] == '1' and ARGV[4] ~= '0' then
    redis.call('HINCRBY', KEYS[3], minute, ARGV[4])
    redis.call('PEXPIRE', KEYS[3], HOURS)
end
if ARGV[7] == '1' and ARGV[5] ~= '0' then
    redis.call('HINCRBY', KEYS[4], minute, ARGV[5])
    redis.call('PEXPIRE', KEYS[4], HOURS)
end
return redis.status_reply('OK')
