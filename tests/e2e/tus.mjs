// Upload a video with tus-js-client to a server that is killed in the middle: node tus.mjs ADDRESS FILE PID NODE_MODULES.
// PID is the server's: this kills it (-9) while it sends a piece. script/e2e starts the server again.

import { strict as assert } from "node:assert";
import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [address, path, pid, modules] = process.argv.slice(2);
const tus = createRequire(`${modules}/`)("tus-js-client");
const film = readFileSync(path);
const login = await fetch(`${address}/api/v1/auth/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: "demo", password: "rawreel-demo" }),
});
const headers = { Authorization: `Bearer ${(await login.json()).token}` };
let killed = 0;
let resumed = 0;
let made = "";

await new Promise((done, fail) => {
    const upload = new tus.Upload(createReadStream(path), {
        endpoint: `${address}/api/v1/uploads`,
        headers,
        chunkSize: 8 * 1024 * 1024,
        retryDelays: Array(60).fill(500),
        metadata: { filename: "海 with tus-js-client.avi", filetype: "video/x-msvideo" },
        onProgress(sent, total) {
            if (sent > total / 2 && !killed) {
                killed = sent;
                process.kill(Number(pid), "SIGKILL");
            }
        },
        onAfterResponse(request, response) {
            if (request.getMethod() === "HEAD") resumed ||= Number(response.getHeader("Upload-Offset"));
            made = response.getHeader("Content-Location") ?? made;
        },
        onError: fail,
        onSuccess: done,
    });
    upload.start();
});
assert(killed, "the server was not ended");
const video = await (await fetch(address + made, { headers })).json();
assert.equal(video.title, "海 with tus-js-client");
const stored = Buffer.from(await (await fetch(address + video.stream_url, { headers })).arrayBuffer());
assert(stored.equals(film), "the file has changed on its way");
console.log(`tus-js-client: ${film.length} bytes, the server killed at ${killed}, resumed at ${resumed}; ${made} plays for ${video.duration_ms} ms`);
