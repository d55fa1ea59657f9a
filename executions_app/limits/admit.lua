-- May one more call begin? All limits of an agent in one step, on the server's clock.
--
-- KEYS  pauses, breaker of the model, leases, rate, tokens, cost (the last four are the agent's)
-- ARGV  1 run, 2 lease in ms, 3 most at a time, 4 calls a minute, 5 burst, 6 tokens an hour, 7 most tokens of a call,
--       8 nano-USD an hour, 9 most nano-USD of a call, 10 "take" or "look", 11… the names under which a pause may
--       hold this call
--       A limit of 0 is none.
-- Returns {calls that may begin now, reason, milliseconds until it is worth asking again, minute, whether the call
-- tries if the provider is back}. With "take" one of them has begun, and what it takes at most is counted in this
-- minute.

local MINUTE, KEPT = 60000, 60
local PLENTY = 1000000
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)
local run, lease_ms = ARGV[1], tonumber(ARGV[2])
local most, per_minute, burst = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local taking = ARGV[10] == 'take'
local room = PLENTY

local function whole(number)
    return string.format('%.0f', number)
end

local function refused(reason, wait)
    return {0, reason, math.max(1, math.ceil(wait)), 0, 0}
end

-- Whatever holds everybody up: a cool-down, a quarantine, an open circuit.
local probing = false
for at = 11, #ARGV do
    local pause = redis.call('HGET', KEYS[1], ARGV[at])
    if pause then
        local reason, ends = string.match(pause, '^([^:]*):(%d+)$')
        ends = tonumber(ends)
        if now < ends then
            return refused(reason, ends - now)
        end
        if reason == 'circuit_open' then
            local probe = tonumber(redis.call('HGET', KEYS[2], 'probe_until') or 0)
            if now < probe then
                return refused(reason, math.min(probe - now, 1000))
            end
            probing, room = true, 1
        end
    end
end

if most > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
    local free = most - redis.call('ZCARD', KEYS[3])
    if free <= 0 then
        return refused('concurrency_limit', 250)
    end
    room = math.min(room, free)
end

-- The generic cell rate algorithm: the theoretical arrival time of the next call may lie a burst ahead.
local interval, arrival
if per_minute > 0 then
    interval = math.ceil(60000000 / per_minute)
    arrival = math.max(tonumber(redis.call('GET', KEYS[4]) or 0), now_us)
    local spare = now_us - (arrival - (burst - 1) * interval)
    if spare < 0 then
        return refused('agent_rate_limit', -spare / 1000)
    end
    room = math.min(room, math.floor(spare / interval) + 1)
end

-- What the last hour has used and calls in the air may use, by the minute; exact to a minute.
local this_minute = math.floor(now / MINUTE)
local function exhausted(key, limit, each)
    local entries, used, minutes = redis.call('HGETALL', key), 0, {}
    for at = 1, #entries, 2 do
        local minute, amount = tonumber(entries[at]), tonumber(entries[at + 1])
        if minute <= this_minute - KEPT then
            redis.call('HDEL', key, entries[at])
        else
            used = used + amount
            minutes[#minutes + 1] = {minute, amount}
        end
    end
    if used < limit then
        if each > 0 then
            room = math.min(room, math.ceil((limit - used) / each))
        end
        return nil
    end
    table.sort(minutes, function(a, b) return a[1] < b[1] end)
    for _, entry in ipairs(minutes) do
        used = used - entry[2]
        if used < limit then
            return (entry[1] + KEPT) * MINUTE - now
        end
    end
    return MINUTE
end

local tokens, tokens_each = tonumber(ARGV[6]), tonumber(ARGV[7])
local cost, cost_each = tonumber(ARGV[8]), tonumber(ARGV[9])
if tokens > 0 then
    local wait = exhausted(KEYS[5], tokens, tokens_each)
    if wait then
        return refused('token_limit', wait)
    end
end
if cost > 0 then
    local wait = exhausted(KEYS[6], cost, cost_each)
    if wait then
        return refused('cost_limit', wait)
    end
end

if taking then
    if probing then
        redis.call('HSET', KEYS[2], 'probe', run, 'probe_until', now + lease_ms)
        redis.call('PEXPIRE', KEYS[2], 3600000)
    end
    if most > 0 then
        redis.call('ZADD', KEYS[3], now + lease_ms, run)
        redis.call('PEXPIRE', KEYS[3], lease_ms * 4)
    end
    if per_minute > 0 then
        local ahead = arrival + interval
        redis.call('SET', KEYS[4], whole(ahead), 'PX', whole(math.ceil((ahead - now_us) / 1000) + 1000))
    end
    if tokens > 0 then
        redis.call('HINCRBY', KEYS[5], whole(this_minute), ARGV[7])
        redis.call('PEXPIRE', KEYS[5], 2 * KEPT * MINUTE)
    end
    if cost > 0 then
        redis.call('HINCRBY', KEYS[6], whole(this_minute), ARGV[9])
        redis.call('PEXPIRE', KEYS[6], 2 * KEPT * MINUTE)
    end
end
return {room, '', 0, this_minute, probing and 1 or 0}
