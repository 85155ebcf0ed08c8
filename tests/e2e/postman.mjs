// Sends the Postman collection as a class does: from top to bottom, twice; each folder alone; each request alone; and from
// bottom to top with each request twice. Before the last three "Log in" is sent once. Each time, all other variables are as
// they are imported. Every failed test, and every error of a script, is printed.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [url, modules, ...parts] = process.argv.slice(2);
const newman = createRequire(import.meta.url)(`${modules}/newman`);
const read = (name) => JSON.parse(readFileSync(`postman/rawreel.postman_${name}.json`, "utf8"));
const whole = read("collection");
const requests = whole.item.flatMap((folder) => folder.item);
const login = requests.find((one) => one.name.startsWith("Log in"));
let failures = 0;

function send(what, item, environment) {
    const options = {
        collection: { ...structuredClone(whole), item: structuredClone(item) },
        environment,
        envVar: [{ key: "baseUrl", value: url }],
        timeoutRequest: 20000,
    };
    return new Promise((resolve, reject) => {
        newman.run(options, (error, summary) => {
            if (error) {
                reject(error);
                return;
            }
            failures += summary.run.failures.length;
            summary.run.failures.forEach((one) => console.log(`${what}: ${one.source?.name}: ${one.error.message}`));
            resolve({ requests: summary.run.stats.requests.total, environment: summary.environment.toJSON() });
        });
    });
}

const started = Date.now();
const tell = (what) => console.log(`${what}, ${failures} failures, ${Math.round((Date.now() - started) / 1000)} s`);
const isWanted = (part) => !parts.length || parts.includes(part);

if (isWanted("whole")) {
    const { requests: sent } = await send("the whole", whole.item, read("environment"));
    await send("the whole without its environment", whole.item);
    tell(`The whole twice: ${sent} requests each`);
}
const { environment } = await send("login", [login], read("environment"));
if (isWanted("folders")) {
    for (const folder of whole.item) {
        await send(`${folder.name} alone`, folder.item, environment);
    }
    tell(`${whole.item.length} folders alone`);
}
if (isWanted("requests")) {
    for (const request of requests) {
        await send("alone", [request], environment);
    }
    tell(`${requests.length} requests alone`);
}
if (isWanted("reverse")) {
    await send("in reverse", requests.filter((one) => one !== login).toReversed().flatMap((one) => [one, one]), environment);
    tell("All in reverse, each twice");
}
process.exit(failures ? 1 : 0);
