-- Leases whose runs go on. One that has run out stays lost: somebody may have its place.
--
-- KEYS  leases and breaker of the model, for each run
-- ARGV  1 lease in ms, 2… the runs, in the order of the keys

local time = redis.call('TIME')
local ends = math.floor((time[1] * 1000000 + time[2]) / 1000) + ARGV[1]
for at = 2, #ARGV do
    local leases, breaker = KEYS[2 * at - 2], KEYS[2 * at - 3]
    redis.call('ZADD', leases, 'XX', ends, ARGV[at])
    redis.call('PEXPIRE', leases, ARGV[1] * 4)
    if redis.call('HGET', breaker, 'probe') == ARGV[at] then
        redis.call('HSET', breaker, 'probe_until', ends)
    end
end
return #KEYS
