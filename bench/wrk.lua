-- What wrk sends in the scenario that is named by the environment, and its results as one line of JSON.
local scenario, tokens, videos = os.getenv("SCENARIO"), {}, {}
for line in io.lines(os.getenv("FOLDER") .. "/tokens") do table.insert(tokens, line) end
for line in io.lines(os.getenv("FOLDER") .. "/videos") do table.insert(videos, line) end
wrk.headers["Content-Type"] = "application/json"
math.randomseed(os.time())

local function headers()
    return {["Authorization"] = "Bearer " .. tokens[math.random(#tokens)], ["Content-Type"] = "application/json"}
end

-- wrk makes a request without such a function once, and sends it again and again.
if scenario == "three queries" then
    wrk.headers["Authorization"] = "Bearer " .. tokens[1]
elseif scenario == "comment" then
    function request()
        return wrk.format("POST", nil, headers(), '{"text": "I was there last year, 去年我也在。"}')
    end
elseif scenario == "like" then  -- any video, anybody
    function request()
        return wrk.format("PUT", "/api/v1/videos/" .. videos[math.random(#videos)] .. "/like", headers())
    end
elseif scenario == "like one" then  -- on and off, so that each changes the row of the video
    function request()
        return wrk.format(math.random(2) == 1 and "PUT" or "DELETE", nil, headers())
    end
end

function done(summary, latency, requests)
    local failed = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %f, "refused": %d, "lost": %d, "p50": %f, "p99": %f}\n',
        summary.requests, summary.duration / 1e6, failed.status,
        failed.connect + failed.read + failed.write + failed.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
