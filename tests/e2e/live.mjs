// A live room on /watch in a real browser: node live.mjs ADDRESS FOLDER ROOM OWNER-TOKEN HLS-ORIGIN. live.py starts it, with a real
// nginx-rtmp, and begins and ends the stream when this says so: it writes a line, and reads one that says that it is done.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { address, api, close, expectError, faults, look as shoot, open } from "./browser.mjs";

const [room, ownerToken, hls] = process.argv.slice(4);
const run = Date.now().toString(36);
const password = "a long password";
const HOSTILE = `<img src=x onerror="document.title='hit'">`;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const look = (name, on) => shoot(`live-${name}`, on);
const shows = (page, selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor();

/** Have live.py do something, and return what it answers. */
async function please(what) {
  console.log(`>${what}`);
  return (await lines.next()).value;
}

async function person(name) {
  const username = `${name}_${run}`;
  await api("POST", "/auth/register", { username, password });
  return { username, token: (await api("POST", "/auth/login", { username, password })).token };
}

const pages = [];
const watch = (page, more = "") => page.goto(`${address}/watch?live=${room}${more}`);

async function logIn(page, who) {
  await page.locator("#chatLogin").click();
  await page.locator("#username").fill(who.username);
  await page.locator("#password").fill(password);
  await page.keyboard.press("Enter");
  await page.locator("#login").waitFor({ state: "hidden" });
  await page.locator("#chatText").waitFor();
}

async function say(page, text) {
  await page.locator("#chatText").fill(text);
  await page.keyboard.press("Enter");
  await shows(page, "#messages .said", text);
}

/** The picture moves, and is one. */
async function plays(page) {
  await page.waitForFunction(() => {
    const video = document.getElementById("video");
    return video.currentTime > 1 && video.videoWidth > 0 && !video.paused;
  }, null, { timeout: 40_000 });
  const before = await page.locator("#video").evaluate((video) => video.currentTime);
  await page.waitForFunction((time) => document.getElementById("video").currentTime > time + 1, before);
  assert.equal(await page.locator("#fault").isVisible(), false);
}

/** A browser that plays no HLS by itself, as Firefox. */
const openPlain = async (options) => {
  const page = await open(options);
  await page.addInitScript(() => { HTMLMediaElement.prototype.canPlayType = () => ""; });
  return page;
};

async function withoutLibrary() {
  const page = await openPlain();
  await watch(page);
  await shows(page, "#fault", "hls.js is not installed on this server");
  await page.locator("#chatLogin").waitFor();
  await look("without-hls-js", page);
  await page.context().close();
}

async function chat(first, second, one, two) {
  await logIn(first, one);
  await logIn(second, two);
  await say(first, "前方高能 hello");
  await shows(second, "#messages .said", "前方高能 hello");
  await shows(second, "#stage span", "前方高能 hello"); // and it flies
  await look("chat", second);
  await say(second, HOSTILE);
  await shows(first, "#messages .said", HOSTILE);
  await shows(first, "#stage span", HOSTILE);
  for (const page of [first, second]) {
    assert.equal(await page.locator("#messages img, #stage img").count(), 0, "markup does something");
    assert.ok(!(await page.title()).includes("hit"));
    assert.equal(await page.locator("#messages .said").filter({ hasText: "hello" }).count(), 1, "a message is there twice");
  }
  await shows(first, "#viewers", "2 viewers");
}

/** Their own message, and what the owner of the room may do. */
async function moderation(first, second, owner, two) {
  await first.locator(".message").filter({ hasText: "hello" }).hover();
  await first.locator(".message").filter({ hasText: "hello" }).locator(".hide").click();
  for (const page of [first, second]) await page.locator("#messages .said").filter({ hasText: "hello" }).waitFor({ state: "detached" });
  assert.equal(await first.locator(".message .hide:visible").count(), 0, "a message of somebody else can be deleted");
  await owner.locator(".message").filter({ hasText: HOSTILE }).hover();
  await look("owner", owner);
  await owner.locator(".message").filter({ hasText: HOSTILE }).locator(".mute").click();
  await second.locator("#messages .said").filter({ hasText: HOSTILE }).waitFor({ state: "detached" });
  expectError(new RegExp(`asks ${hls}|403|404`));
  await second.locator("#chatText").fill("again");
  await second.keyboard.press("Enter");
  await shows(second, "#chatNote", "You may not write here until");
  await second.locator("#chatForm").waitFor({ state: "hidden" });
  await api("DELETE", `/live/${room}/bans/${two.username}`, undefined, ownerToken);
}

async function settings(first) {
  await say(first, "slowly");
  await api("PATCH", "/live/room", { slow_seconds: 30 }, ownerToken);
  await shows(first, "#chatNote", "Slow mode: one message in 30 seconds.");
  expectError(new RegExp(`asks ${hls}|403|404|429`));
  await first.locator("#chatText").fill("too soon");
  await first.keyboard.press("Enter");
  await shows(first, "#chatError", /Too many requests. Try again in \d+ second/);
  await api("PATCH", "/live/room", { slow_seconds: 0, chat: "closed" }, ownerToken);
  await shows(first, "#chatNote", "The chat is closed.");
  await first.locator("#chatForm").waitFor({ state: "hidden" });
  await api("PATCH", "/live/room", { chat: "open" }, ownerToken);
  await first.locator("#chatForm").waitFor();
}

/** A server without a place for another listener: the page asks instead. */
async function polling(first) {
  const page = await open();
  expectError(new RegExp(`asks ${hls}|403|404|429|503`));
  await page.route("**/events", (route) => route.fulfill({ status: 503, body: "" }));
  await watch(page);
  await shows(page, "#messages .said", "slowly");
  await say(first, "to the one who asks");
  await shows(page, "#messages .said", "to the one who asks");
  await plays(page);
  await page.context().close();
}

async function phone() {
  const page = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark", locale: "zh-CN", hasTouch: true, isMobile: true });
  await watch(page);
  await plays(page);
  await shows(page, "#onAir", "直播中");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, "it is wider than the telephone");
  await look("phone", page);
  await page.context().close();
}

async function row(page) {
  await page.goto(`${address}/watch`);
  await shows(page, "#liveNow h2", "Live now");
  await shows(page, "#liveRooms .card", "End to end");
  await look("row", page);
  await page.locator("#liveRooms .card").filter({ hasText: "End to end" }).locator("h2 a").click();
  await plays(page);
}

/** The owner finds the replay, with what was said as danmaku. */
async function replay(videoId, owner) {
  const page = await open();
  await page.addInitScript((session) => sessionStorage.setItem("session", session), owner);
  await page.goto(`${address}/watch?v=${videoId}&private=1`);
  await shows(page, "#title", "End to end");
  await shows(page, "#private", "Private video");
  const found = (await api("GET", `/videos/${videoId}/danmaku`, undefined, ownerToken)).items;
  assert.ok(found.some(({ text }) => text === "slowly"), JSON.stringify(found));
  assert.ok(!found.some(({ text }) => text.includes("hello")), "what was hidden flies");
  const { time } = found.find(({ text }) => text === "slowly");
  await page.evaluate(async (seconds) => {
    const video = document.getElementById("video");
    video.muted = true;
    await video.play();
    video.currentTime = Math.max(0, seconds - 0.5);
  }, time);
  await shows(page, "#stage span", "slowly");
  await page.waitForFunction((seconds) => document.getElementById("video").currentTime > seconds + 0.5, time);
  await look("replay", page);
  await page.context().close();
}

try {
  const [one, two] = [await person("one"), await person("two")];
  const me = await api("GET", "/me", undefined, ownerToken);
  const session = JSON.stringify({ token: ownerToken, user: { id: me.id, username: me.username } });
  expectError(new RegExp(`asks ${hls}|404`)); // the playlist comes some seconds after the stream
  const first = await open();
  pages.push(first);
  await watch(first);
  await shows(first, "#fault", "The room is off right now.");
  await look("off", first);
  await please("begin");
  await shows(first, "#onAir", "Live");
  await plays(first);
  await withoutLibrary();
  await please("library");
  const second = await openPlain({ colorScheme: "dark" });
  pages.push(second);
  await watch(second);
  await plays(second);
  await chat(first, second, one, two);
  const owner = await open();
  await owner.addInitScript((kept) => sessionStorage.setItem("session", kept), session);
  await watch(owner);
  await shows(owner, "#messages .said", HOSTILE);
  await moderation(first, second, owner, two);
  await settings(first);
  await polling(first);
  await phone();
  await row(owner);

  await please("end");
  for (const page of [first, second]) await shows(page, "#fault", "The stream is over.");
  assert.equal(await first.locator("#onAir").isVisible(), false);
  await look("over", first);
  await please("begin");
  for (const page of [first, second]) await plays(page); // by itself
  await please("end");
  await replay(await please("replay"), session);
} catch (error) {
  for (const [n, page] of pages.entries()) if (!page.isClosed()) await look(`failed-${n}`, page);
  faults.push(error.stack);
}
await close("A live room on /watch", "without hls.js, HLS, chat, hostile text, moderation, slow mode, polling, telephone, row, end, beginning again, replay");
