// The pieces of docs/players.md, as they stand there, with the players from npm: node players.mjs ADDRESS FOLDER PORT.
// Their page comes from a server of its own on that port, so it is another site than the API, whose CORS_ORIGINS names it.
// Screenshots go to the folder; any error makes the exit code 1.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, resolve } from "node:path";

const [address, folder, port] = process.argv.slice(2);
const { chromium } = createRequire(resolve(folder, "package.json"))("playwright-core");
const site = `http://127.0.0.1:${port}`, cdn = "https://cdn.jsdelivr.net", example = "https://video.example.org";
const faults = [], asked = [];
let expected = null; // an error that is expected now

// What Chromium would run if it were put into HTML. ran() notes that it did. The twentieth is no HTML at all.
const payloads = [
  `<img src=x onerror=ran(1)>`, `<svg onload=ran(2)>`, `<svg/onload=ran(3)//`, `<body onload=ran(4)>`, `"><img src=x onerror="ran(5)">`,
  `'><img src=x onerror='ran(6)'>`, `<iframe srcdoc="<script>parent.ran(7)</script>">`, `<video><source onerror=ran(8)>`,
  `<audio src=x onerror=ran(9)>`, `<details open ontoggle=ran(10)>`, `<input autofocus onfocus=ran(11)>`, `<img src="x\` onerror=ran(12)>`,
  `</span><img src=x onerror=ran(13)>`, `&lt;img src=x onerror=ran(14)&gt;`, `&#60;img src=x onerror=ran(15)&#62;`,
  `<math><mi xlink:href="javascript:ran(16)">x`, `<style>@keyframes a{}</style><b style="animation:a" onanimationstart=ran(17)>`,
  `<object data="javascript:ran(18)">`, `<script>ran(19)</script>`, `<<img src=x onerror=ran(20)//><b>&amp; "é" 弹幕 🎬`,
];
const at = (n) => 1 + n * 0.3; // seconds

// The page of the other site

const page_of_docs = readFileSync("docs/players.md", "utf8");
const policy = /^Content-Security-Policy: (.+)$/m.exec(page_of_docs)[1].replaceAll(cdn, "'self'").replaceAll(example, address);
const pieces = Object.fromEntries(page_of_docs.split(/^## /m).slice(1)
  .map((part) => [part.split("\n", 1)[0], /```html\n([^]*?)```/.exec(part)?.[1]]).filter(([, html]) => html));
let served = ""; // the piece that is looked at now
const kinds = { ".js": "text/javascript", ".css": "text/css" };
const server = createServer((request, response) => {
  const path = new URL(request.url, site).pathname;
  if (path === "/") {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy });
    return response.end(`<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">\n${served}`);
  }
  try { // a file of a package, as the CDN has it: /npm/NAME@VERSION/FILE
    const [, name, file] = /^\/npm\/(@?[^@]+)@[^/]+\/(.+)$/.exec(path);
    const data = readFileSync(join(folder, "node_modules", name, file));
    response.writeHead(200, { "Content-Type": kinds[extname(file)] ?? "application/octet-stream" });
    response.end(data);
  } catch {
    response.writeHead(404).end(); // the picture of a payload that runs
  }
});
await new Promise((listening) => server.listen(Number(port), "127.0.0.1", listening));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  timeout: 30_000,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await (await browser.newContext({ viewport: { width: 800, height: 600 }, locale: "en-US" })).newPage();
page.setDefaultTimeout(20_000);
const note = (text) => expected?.test(text) || faults.push(`${served.slice(0, 150)}: ${text}`);
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) note(`${message.text()} ${message.location().url}`);
});
page.on("pageerror", (error) => note(String(error)));
page.on("request", (request) => {
  asked.push(request);
  const { origin, protocol } = new URL(request.url());
  if (![address, site].includes(origin) && !["data:", "blob:"].includes(protocol)) note(`asks ${request.url()}`);
});
// Notes what is drawn: texts are gone again after some seconds. And what ran.
await page.addInitScript(() => {
  window.hits = [], window.drawn = new Set();
  window.ran = (n) => hits.push(n);
  const see = (node) => { if (node.textContent?.length < 200) drawn.add(node.textContent.trim()); };
  new MutationObserver((changes) => changes.forEach(({ target, addedNodes }) => {
    see(target);
    addedNodes.forEach((node) => { see(node); node.querySelectorAll?.("*").forEach(see); });
  })).observe(document, { childList: true, characterData: true, subtree: true });
});

const look = (name) => page.screenshot({ path: join(folder, `players-${name}.png`) });
const ran = () => page.evaluate(() => hits);

/** A piece of the page, with our address, video and tokens in place of its own. */
function piece(name, { id, token = "", link = "" }) {
  const given = { [cdn]: "", [example]: address, "id = 1": `id = ${id}`, '"/videos/" + 1': `"/videos/" + ${id}`, TOKEN: token, LINK: link };
  given[`${example}/api/v1/videos/" + 1`] = `${address}/api/v1/videos/" + ${id}`;
  return Object.keys(given).sort((a, b) => b.length - a.length).reduce((html, ours) => html.replaceAll(ours, given[ours]), pieces[name]);
}

async function open(html) {
  served = html;
  await page.goto(site);
  await page.locator("video").first().waitFor();
}

async function reload() {
  await page.reload();
  await page.locator("video").first().waitFor();
  await page.waitForLoadState("networkidle");
}

/** Play the film from its beginning. DPlayer begins its list anew only if it is told to seek. */
const play = () => page.evaluate(() => {
  const video = document.querySelector("video");
  video.muted = true;
  if (typeof dp === "undefined") video.currentTime = 0;
  else dp.seek(0);
  return video.play();
});

/** Play the film from its beginning, and wait until all of these texts have been drawn. */
async function draws(texts, name) {
  await play();
  await page.waitForFunction(() => document.querySelector("video").currentTime > 4.5);
  if (name) await look(name);
  await page.waitForFunction((wanted) => wanted.every((text) => drawn.has(text)), texts, { timeout: 15_000 }).catch(async () => {
    const missing = await page.evaluate((wanted) => wanted.filter((text) => !drawn.has(text)), texts);
    throw new Error(`not drawn: ${JSON.stringify(missing)}`);
  });
}

async function api(method, path, body, token, type = "application/json") {
  const isJson = type === "application/json" && body && !(body instanceof FormData);
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && !(body instanceof FormData) && { "Content-Type": type }) };
  const answer = await fetch(`${address}/api/v1${path}`, { method, headers, body: isJson ? JSON.stringify(body) : body });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? null : answer.json();
}

const login = async (username) => (await api("POST", "/auth/login", { username, password: "rawreel-demo" })).token;
const texts = async (id, token) => (await api("GET", `/videos/${id}/danmaku?limit=100`, undefined, token)).items.map(({ text }) => text);

/** A new video with the film of the demo world's test card, ten seconds long, and the payloads as danmaku. */
async function make(token) {
  const { items } = await api("GET", `/videos?q=${encodeURIComponent("测试卡")}`);
  const stream = await fetch(`${address}/api/v1/videos/${items[0].id}/stream`);
  const form = new FormData();
  form.set("title", "Twenty payloads");
  form.set("file", new Blob([await stream.arrayBuffer()], { type: stream.headers.get("content-type") }), "card.mp4");
  const { id } = await api("POST", "/videos", form, token);
  const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const rows = payloads.map((text, n) => `<d p="${at(n)},1,25,16777215,1770000000,0,player,${n + 1}">${escape(text)}</d>`);
  const added = await api("POST", `/videos/${id}/danmaku.xml`, `<?xml version="1.0" encoding="UTF-8"?><i>${rows.join("")}</i>`, token, "text/xml");
  assert.equal(added.added, payloads.length);
  return id;
}

/** Send in DPlayer's own field. */
async function type(text) {
  await page.evaluate(() => document.querySelector(".dplayer").classList.remove("dplayer-hide-controller"));
  await page.evaluate(() => document.querySelector(".dplayer-comment-icon").click());
  await page.locator(".dplayer-comment-input").fill(text);
  await page.locator(".dplayer-comment-input").press("Enter");
}

const notice = (sentence) => page.locator(".dplayer-notice", { hasText: sentence }).last().waitFor();

async function dplayer(id, token) {
  await open(piece("DPlayer", { id, token }));
  await draws(payloads, "dplayer");
  assert.deepEqual(await ran(), [], "a payload that was loaded ran in DPlayer");

  await type("从 DPlayer 发送");
  await page.waitForFunction(() => document.querySelector(".dplayer-comment-input").value === "");
  assert.ok((await texts(id)).includes("从 DPlayer 发送"));
  const preflight = asked.filter((request) => request.url().endsWith("/api/dplayer/v3/"));
  assert.equal(preflight.at(-1)?.method(), "POST");
  await reload();
  await draws(["从 DPlayer 发送"]);

  // What its user sends, when they seek back: inert with the last line of the piece, and run without it.
  const own = "<img src=x onerror=ran(77)>";
  await type(own);
  await page.waitForFunction(() => document.querySelector(".dplayer-comment-input").value === "");
  await page.evaluate(() => { dp.danmaku.clear(); drawn.clear(); });
  await draws([own]);
  assert.deepEqual(await ran(), [], "what its user has sent ran in DPlayer");

  expected = /404/; // the picture x
  await page.evaluate(() => dp.danmaku.draw({ text: "<img src=x onerror=ran(99)>", color: 0xffffff, type: 0 }));
  await page.waitForFunction(() => hits.includes(99));
  const cure = /^ *dp\.on\("danmaku_send".*\n/m;
  assert.match(served, cure);
  await open(served.replace(cure, ""));
  await play();
  await page.waitForFunction(() => document.querySelector("video").currentTime > 0.5);
  await type("<img src=x onerror=ran(88)>");
  await page.waitForFunction(() => document.querySelector(".dplayer-comment-input").value === "");
  await play();
  await page.waitForFunction(() => hits.includes(88));
  expected = null;
}

async function refusals(id, token) {
  await open(piece("DPlayer", { id, token: "wrong" }));
  await type("not to be stored");
  await notice("This token is not valid");
  await look("dplayer-refused");
  assert.ok(!(await texts(id)).includes("not to be stored"));
  await open(piece("DPlayer", { id, token }));
  for (let n = 0; n < 5; n++) await api("POST", `/videos/${id}/danmaku`, { text: `quick ${n}`, time: 9 }, token);
  await type("too quick");
  await notice("Too many requests");
  await look("dplayer-too-many");
  await open(piece("DPlayer", { id: 999999, token }));
  await notice("No such video.");
}

async function secret(id, owner, token) {
  await api("PATCH", `/videos/${id}`, { visibility: "private" }, owner);
  const link = (await api("POST", `/videos/${id}/share`, { seconds: 600 }, owner)).token;
  await open(piece("Private videos", { id, token, link }));
  await draws(payloads.slice(0, 5), "dplayer-private");
  await type("由链接而来");
  await page.waitForFunction(() => document.querySelector(".dplayer-comment-input").value === "");
  assert.ok((await texts(id, owner)).includes("由链接而来"));
  expected = /404|MEDIA_ERR|no supported source|Failed to load/i; // the film is not to be had
  await open(piece("DPlayer", { id, token: owner }));
  await notice("No such video.");
  expected = null;
  assert.ok(!readFileSync(join(folder, "server.log"), "utf8").includes(link), "the token of the link is in the log");
  await api("PATCH", `/videos/${id}`, { visibility: "public" }, owner);
}

async function artplayer(id, token) {
  await open(piece("ArtPlayer", { id, token }));
  await draws(payloads, "artplayer");
  await page.locator("#player").hover();
  await page.locator(".apd-input").fill("从 ArtPlayer <b>发送</b>");
  await page.locator(".apd-send").click();
  await page.waitForFunction(() => document.querySelector(".apd-input").value === "");
  assert.ok((await texts(id)).includes("从 ArtPlayer <b>发送</b>"));
  await reload();
  await draws(["从 ArtPlayer <b>发送</b>"]);
  assert.deepEqual(await ran(), []);
  await reload(); // nothing is new
  const log = readFileSync(join(folder, "server.log"), "utf8");
  assert.match(log, new RegExp(`/videos/${id}/danmaku.art.json 304 `), "Chromium did not ask with the ETag");
}

async function nplayer(id, token) {
  await open(piece("NPlayer", { id, token }));
  await draws(payloads, "nplayer");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await page.locator("#player").hover();
  await page.locator(".nplayer_danmaku_send > input").fill("从 NPlayer 发送");
  await page.locator(".nplayer_danmaku_send_btn").click();
  assert.equal((await (await sent).response()).status(), 201);
  await reload();
  await draws(["从 NPlayer 发送"]);
  assert.deepEqual(await ran(), []);
}

async function danmu(id) {
  await open(piece("xgplayer, danmu.js", { id }));
  await draws(payloads, "danmu");
  assert.deepEqual(await ran(), []);
}

async function ccl(id) {
  await open(piece("CommentCoreLibrary", { id }));
  await draws(payloads, "ccl");
  assert.deepEqual(await ran(), []);
}

try {
  const [demo, alice, lihong, wang] = await Promise.all(["demo", "alice", "李小红", "王小明"].map(login));
  const id = await make(demo);
  const steps = { dplayer: [id, alice], artplayer: [id, lihong], nplayer: [id, wang], danmu: [id], ccl: [id], refusals: [id, demo], secret: [id, demo, lihong] };
  const all = { dplayer, artplayer, nplayer, danmu, ccl, refusals, secret };
  assert.deepEqual(Object.keys(pieces).length, 6, "a piece of docs/players.md is not tried");
  for (const [name, given] of Object.entries(steps)) {
    if (process.env.ONLY && process.env.ONLY !== name) continue;
    const begun = Date.now();
    await all[name](...given);
    if (process.env.ONLY) console.log(name, Date.now() - begun, "ms");
  }
} catch (error) {
  await look("failed");
  faults.push(error.stack);
} finally {
  await browser.close();
  server.close();
}
faults.forEach((fault) => console.error(fault));
console.log(faults.length ? "The players have faults." : `The players are fine: DPlayer, ArtPlayer, NPlayer, danmu.js, CommentCoreLibrary; ${payloads.length} payloads are inert in each; a private video; refusals.`);
process.exit(faults.length ? 1 : 0);
