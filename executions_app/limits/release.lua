-- A call, or all calls of a run, are over.
--
-- KEYS  breaker of the model, leases, rate, tokens, cost
-- ARGV  1 run, 2 calls beyond the one that was admitted, 3 calls a minute, 4 the minute in which it was admitted,
--       5 tokens and 6 nano-USD beyond those reserved

local HOURS = 7200000
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local run, more, per_minute = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

redis.call('ZREM', KEYS[2], run)
-- One that tried whether the provider is back and has not found out makes way for the next.
if redis.call('HGET', KEYS[1], 'probe') == run then
    redis.call('HDEL', KEYS[1], 'probe', 'probe_until')
end
if per_minute > 0 and more > 0 then
    local interval = math.ceil(60000000 / per_minute)
    local ahead = math.max(tonumber(redis.call('GET', KEYS[3]) or 0), now_us) + more * interval
    redis.call('SET', KEYS[3], string.format('%.0f', ahead), 'PX', math.ceil((ahead - now_us) / 1000) + 1000)
end

-- A server that has forgotten what was reserved is not given it back.
local function correct(key, amount)
    if amount ~= '0' then
        if redis.call('HINCRBY', key, ARGV[4], amount) < 0 then
            redis.call('HDEL', key, ARGV[4])
        end
        redis.call('PEXPIRE', key, HOURS)
    end
end
correct(KEYS[4], ARGV[5])
correct(KEYS[5], ARGV[6])
return redis.status_reply('OK')
