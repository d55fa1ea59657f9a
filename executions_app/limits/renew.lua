-- Leases whose runs go on. One that has run out stays lost: somebody may have its place.
--
-- KEYS  leases, one key per run
-- ARGV  1 lease in ms, 2… the runs, in the order of the keys

local time = redis.call('TIME')
local ends = math.floor((time[1] * 1000000 + time[2]) / 1000) + ARGV[1]
for at, key in ipairs(KEYS) do
    redis.call('ZADD', key, 'XX', ends, ARGV[at + 1])
    redis.call('PEXPIRE', key, ARGV[1] * 4)
end
return #KEYS
