// Danmaku on /watch in a real browser: node danmaku.mjs ADDRESS FOLDER. It makes videos and people of its own.
// Screenshots go to the folder; any error makes the exit code 1.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { address, api, close, expectError, faults, look as shoot, open, tabTo } from "./browser.mjs";

const run = Date.now().toString(36);
const password = "a long password";
const HOSTILE = [
  `<img src=x onerror="document.title='hit'">`, "<b>bold</b><script>document.title='hit'</script>", "&lt;b&gt; &amp;amp;",
  `"><svg onload=alert(1)>`, "javascript:alert(1)", "{{7*7}} ${7*7} <%= 7*7 %>", "'; DROP TABLE danmaku; --",
  "مرحبا بالعالم 123", "👩‍👩‍👧‍👦 🏳️‍🌈 é", `Z${"\u0335\u0336\u0337".repeat(30)}algo`,
];
const look = (name, on = page) => shoot(`danmaku-${name}`, on);
const page = await open();
const watch = (video, more = "", on = page) => on.goto(`${address}/watch?v=${video.id}${more}`);
const drawn = (text, on = page) => on.locator("#stage span").filter({ hasText: text });
const shows = (selector, text, on = page) => on.locator(selector).filter({ hasText: text }).waitFor();

async function person(name) {
  const username = `${name}_${run}`;
  await api("POST", "/auth/register", { username, password });
  return { username, token: (await api("POST", "/auth/login", { username, password })).token };
}

/** A video of a minute. */
async function film(owner, values) {
  const folder = mkdtempSync(join(tmpdir(), "film"));
  const file = join(folder, "film.mp4");
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=10:duration=60",
    "-pix_fmt", "yuv420p", "-g", "10", "-movflags", "+faststart", file]);
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) form.set(name, value);
  form.set("file", new Blob([readFileSync(file)], { type: "video/mp4" }), "film.mp4");
  rmSync(folder, { recursive: true });
  return api("POST", "/videos", form, owner.token);
}

/** Give a video danmaku of others, as a file: [seconds, mode, colour, text]. */
async function fill(video, owner, rows) {
  const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const lines = rows.map(([time, mode, color, text], n) =>
    `<d p="${time},${[1, 5, 4][mode]},25,${parseInt(color, 16)},1700000000,0,abc,${n + 1}">${escape(text)}</d>`);
  const answer = await fetch(`${address}/api/v1/videos/${video.id}/danmaku.xml`, {
    method: "POST", headers: { Authorization: `Bearer ${owner.token}`, "Content-Type": "text/xml" }, body: `<i>${lines.join("\n")}</i>`,
  });
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).added, rows.length);
}

async function logIn(who, on = page) {
  await on.locator("#username").fill(who.username);
  await on.locator("#password").fill(password);
  await on.keyboard.press("Enter");
  await on.locator("#login").waitFor({ state: "hidden" });
}

/** Go to a time, paused. */
const seek = (seconds, on = page) => on.evaluate(async (time) => {
  const video = document.getElementById("video");
  video.pause();
  if (video.readyState < 1) await new Promise((resolve) => video.addEventListener("loadedmetadata", resolve, { once: true }));
  video.currentTime = time;
  await new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
}, seconds);

const speed = (rate, on = page) => on.evaluate((value) => {
  const video = document.getElementById("video");
  video.muted = true;
  video.playbackRate = value;
  return video.play();
}, rate);

/** What is on the stage: text, place and size. */
const boxes = (on = page) => on.evaluate(() => [...document.querySelectorAll("#stage span")].map((item) => {
  const { left, right, top, bottom } = item.getBoundingClientRect();
  return { text: item.textContent, isMoving: item.classList.contains("isMoving"), left, right, top, bottom };
}));

/** No two of those that scroll are on top of each other. */
function assertApart(found) {
  for (const [n, one] of found.entries()) {
    for (const other of found.slice(n + 1)) {
      const isOver = one.left < other.right && other.left < one.right && one.top < other.bottom - 1 && other.top < one.bottom - 1;
      assert.ok(!isOver, `${one.text} is over ${other.text}`);
    }
  }
}

async function drawing(video) {
  await watch(video);
  await shows("#danmakuCount", "27");
  await seek(3);
  await drawn("scrolls at 2").waitFor();
  await drawn("stands above").waitFor();
  await drawn("stands below").waitFor();
  assert.equal(await drawn("comes at 20").count(), 0);
  const stage = await page.locator("#stage").boundingBox();
  const place = async (text) => (await boxes()).find((one) => one.text === text);
  const [above, below] = [await place("stands above"), await place("stands below")];
  assert.ok(above.top - stage.y < 2 && stage.y + stage.height - below.bottom < below.bottom - below.top);
  assert.equal(await drawn("stands above").evaluate((item) => getComputedStyle(item).color), "rgb(255, 136, 0)");

  const before = await place("scrolls at 2");
  await page.waitForTimeout(300);
  assert.equal((await place("scrolls at 2")).left, before.left, "it moves while the film is paused");
  await speed(1);
  await page.waitForFunction(() => document.getElementById("video").currentTime > 4);
  assert.ok((await place("scrolls at 2")).left < before.left - 50, "it stands while the film plays");
  await look("playing");
  await speed(4); // it is gone when its time is over, whatever the speed
  await page.waitForFunction(() => document.getElementById("video").currentTime > 10.2);
  assert.equal(await drawn("scrolls at 2").count(), 0);

  await seek(20.5);
  await drawn("comes at 20").waitFor();
  await seek(3);
  assert.equal(await drawn("comes at 20").count(), 0, "a seek does not clear the stage");
  await drawn("scrolls at 2").waitFor();
}

async function hostile() {
  await seek(33);
  for (const text of HOSTILE) assert.equal(await page.locator("#stage span").filter({ hasText: text }).count(), 1, text);
  assert.equal(await page.locator("#stage span *").count(), 0, "markup does something");
  assert.ok(!(await page.title()).includes("hit"));
  assertApart((await boxes()).filter((one) => one.isMoving));
  await look("hostile");
}

async function sending(video, sender) {
  await seek(40);
  assert.equal(await page.locator("#danmakuForm").isVisible(), false);
  await page.locator("#danmakuLogin").click();
  await logIn(sender);
  await page.waitForFunction(() => document.activeElement.id === "danmakuText"); // and they write at once
  await page.keyboard.type(HOSTILE[0]);
  await page.keyboard.press("Tab");
  await page.locator("#color").fill("#00ff00");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowDown"); // top
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await drawn(HOSTILE[0]).waitFor(); // the film is paused
  assert.equal(await page.locator("#danmakuText").inputValue(), "");
  await page.locator("#mode").selectOption("0");
  await page.locator("#danmakuText").fill("我也来一条 one of mine");
  await page.keyboard.press("Enter");
  await drawn("one of mine").waitFor();
  const found = await boxes();
  const [mine] = found.filter((one) => one.text.includes("one of mine"));
  const stage = await page.locator("#stage").boundingBox();
  assert.ok(mine.left > stage.x && mine.right < stage.x + stage.width, "it is out of the picture");
  assertApart(found); // the one that scrolls keeps away from the one that stands
  await shows("#danmakuCount", "29");
  await look("sent");

  const { items } = await api("GET", `/videos/${video.id}/danmaku?from=39&to=41`);
  assert.deepEqual(items.map(({ text, time, mode, color }) => [text, time, mode, color]),
    [[HOSTILE[0], 40, 1, "#00FF00"], ["我也来一条 one of mine", 40, 0, "#00FF00"]]);
  await page.reload();
  await shows("#danmakuCount", "29");
  await seek(42);
  assert.equal(await drawn(HOSTILE[0]).innerText(), HOSTILE[0]);
  await drawn("one of mine").waitFor();
  assert.ok(!(await page.title()).includes("hit"));
  await seek(39);
  assert.equal(await drawn("one of mine").count(), 0);
  await speed(1);
  await drawn("one of mine").waitFor();
  assert.ok((await page.locator("#video").evaluate((one) => one.currentTime)) >= 40);
}

async function refused() {
  expectError(/409|422|429/);
  await page.locator("#danmakuText").fill("\u200B");
  await page.locator("#danmakuSend").click();
  await shows("#danmakuError", "This cannot be sent:");
  await page.route("**/danmaku", (route) => route.fulfill({ status: 409, json: { code: "too_many_danmaku" } }), { times: 1 });
  await page.locator("#danmakuSend").click();
  await shows("#danmakuError", "This video has as many danmaku as it may have.");
  for (let n = 0; n < 6; n++) {
    await page.locator("#danmakuText").fill(`quick ${n}`);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.getElementById("danmakuSend").disabled);
  }
  await page.locator("#danmakuError").filter({ hasText: /^Too many requests. Try again in \d+ seconds?[.]$/ }).waitFor();
  assert.match(await page.locator("#danmakuText").inputValue(), /^quick \d$/, "a failed text is lost");
  await look("refused");
  expectError(null);
  await page.locator("#danmakuText").fill("");
  await page.keyboard.insertText("字".repeat(150));
  assert.equal((await page.locator("#danmakuText").inputValue()).length, 100);
}

async function switches(video) {
  await page.getByRole("button", { name: /^Danmaku/ }).click();
  await seek(3);
  assert.equal(await page.locator("#stage").isVisible(), false);
  assert.equal(await page.locator("#stage span").count(), 0);
  let asked = 0;
  page.on("request", (request) => { asked += request.url().includes("danmaku"); });
  await page.reload();
  await page.locator('#danmakuSwitch[aria-pressed="false"]').waitFor();
  await seek(3);
  assert.equal(await page.locator("#danmakuForm").isVisible(), false);
  await look("off");
  assert.equal(asked, 1, "it loads danmaku that nobody sees"); // the one is the script
  await page.getByRole("button", { name: /^Danmaku/ }).click();
  await drawn("scrolls at 2").waitFor();
  await page.locator("#opacity").fill("50");
  assert.equal(await page.locator("#stage").evaluate((layer) => layer.style.opacity), "0.5");
  await watch(video, "&lang=zh");
  await page.locator('#danmakuSwitch[aria-pressed="true"]').waitFor();
  assert.equal(await page.locator("#opacity").inputValue(), "50");
  await page.locator("#opacity").fill("100");
}

/** In full screen the stage is above the picture, and as large. */
async function fullScreen() {
  const sizes = () => page.locator("#stage").evaluate((layer) => [layer.clientWidth, parseFloat(getComputedStyle(layer.firstChild).fontSize)]);
  await seek(3);
  const before = await sizes();
  await page.evaluate(() => document.addEventListener("keydown", () => document.getElementById("video").requestFullscreen(), { once: true }));
  await page.keyboard.press("f");
  await page.waitForFunction(() => document.fullscreenElement && document.querySelector("#stage:popover-open span"));
  await page.waitForFunction((letters) => parseFloat(document.getElementById("stage").style.fontSize) > letters, before[1]);
  assert.ok((await sizes())[0] > before[0]);
  await look("full-screen");
  await page.evaluate(() => document.exitFullscreen());
  await page.waitForFunction(() => !document.querySelector("#stage[popover]"));
  await page.waitForFunction((letters) => parseFloat(document.getElementById("stage").style.fontSize) === letters, before[1]);
  await drawn("scrolls at 2").waitFor();
  assert.deepEqual(await sizes(), before);
}

/** Twenty thousand: few are on the stage, and it does not stall. */
async function many(owner) {
  const video = await film(owner, { title: "Twenty thousand · 两万条" });
  const rows = Array.from({ length: 20_000 }, (_, n) => [n * 0.003, n % 5 ? 0 : 1 + (n % 2), "ffffff", `第 ${n} 条 ${"哈".repeat(n % 12)}`]);
  for (let n = 0; n < rows.length; n += 10_000) await fill(video, owner, rows.slice(n, n + 10_000));
  await page.route("**/danmaku.art.json*", (route) => route.continue({ url: `${route.request().url()}?limit=20000` }));
  await watch(video);
  await seek(20);
  await page.waitForFunction(() => document.querySelectorAll("#stage span").length > 20);
  await speed(1);
  const found = await page.evaluate(async () => {
    const begin = performance.now(), gaps = [];
    let last = begin, most = 0;
    while (last - begin < 3000) {
      const now = await new Promise(requestAnimationFrame);
      gaps.push(now - last);
      last = now;
      most = Math.max(most, document.querySelectorAll("#stage span").length);
    }
    return { frames: gaps.length, longest: Math.max(...gaps), most };
  });
  console.log(`20,000 danmaku: ${found.frames} frames in 3 s, the longest ${Math.round(found.longest)} ms, ${found.most} on the stage.`);
  assert.ok(found.most < 200 && found.frames > 45 && found.longest < 700, JSON.stringify(found));
  const cost = await page.evaluate(() => { // of one seek
    const begin = performance.now();
    document.getElementById("video").dispatchEvent(new Event("seeking"));
    return performance.now() - begin;
  });
  console.log(`A seek among them takes ${cost.toFixed(1)} ms.`);
  assert.ok(cost < 300, `${cost} ms`);
  await page.locator("#video").evaluate((one) => one.pause());
  assertApart((await boxes()).filter((one) => one.isMoving));
  await look("many");
  await page.unroute("**/danmaku.art.json*");
}

/** A private video: its link opens the danmaku, too, and lets others send. */
async function hidden(owner, sender) {
  const video = await film(owner, { title: "For friends", visibility: "private" });
  await fill(video, owner, [[2, 0, "ffffff", "among us"]]);
  const { token } = await api("POST", `/videos/${video.id}/share`, { seconds: 600 }, owner.token);
  const guest = await open();
  await watch(video, `&private=1#token=${token}`, guest);
  await seek(3, guest);
  await drawn("among us", guest).waitFor();
  await guest.locator("#danmakuLogin").click();
  await logIn(sender, guest);
  await guest.locator("#danmakuText").fill("with the link");
  await guest.keyboard.press("Enter");
  await drawn("with the link", guest).waitFor();
  await guest.context().close();
}

async function phone(video, sender) {
  const small = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark", locale: "zh-CN", reducedMotion: "reduce", hasTouch: true, isMobile: true });
  await watch(video, "", small);
  await seek(3, small);
  await drawn("scrolls at 2", small).waitFor();
  const still = await boxes(small);
  assert.ok(still.every((one) => !one.isMoving), "something moves");
  await speed(1, small);
  await small.waitForFunction(() => document.getElementById("video").currentTime > 3.5);
  assert.deepEqual((await boxes(small)).filter((one) => one.text === "scrolls at 2"), still.filter((one) => one.text === "scrolls at 2"));
  await seek(51, small); // one long text: it takes several lines
  const stage = await small.locator("#stage").boundingBox();
  for (const one of await boxes(small)) assert.ok(one.left >= stage.x - 1 && one.right <= stage.x + stage.width + 1 && one.bottom <= stage.y + stage.height + 1, one.text);
  await small.getByRole("button", { name: "登录后发弹幕" }).click();
  await logIn(sender, small);
  assert.equal(await small.evaluate(() => document.documentElement.scrollWidth), 360, "it is wider than the telephone");
  await look("phone", small);
  await small.context().close();

  const moving = await open({ viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true, isMobile: true });
  await watch(video, "", moving);
  await seek(4, moving);
  await drawn("scrolls at 2", moving).waitFor();
  await look("phone-moving", moving);
  await moving.context().close();
}

async function keyboard() {
  await page.locator("#video").focus();
  for (const name of ["#danmakuSwitch", "#opacity", "#danmakuText", "#color", "#mode", "#danmakuSend"]) await tabTo(page, name);
}

/** The picture goes on without them if they do not come, and the switch tries again. */
async function broken(video) {
  expectError(/503/);
  await page.route("**/danmaku.art.json*", (route) => route.fulfill({ status: 503, json: {} }), { times: 1 });
  await watch(video, "&lang=en");
  await shows("#danmakuError", "The server is busy.");
  expectError(null);
  await seek(3);
  await page.locator("#danmakuSwitch").click();
  await page.locator("#danmakuSwitch").click();
  await drawn("scrolls at 2").waitFor();
  assert.equal(await page.locator("#danmakuError").innerText(), "");
}

try {
  const [owner, sender] = [await person("owner"), await person("sender")];
  const video = await film(owner, { title: "Danmaku · 弹幕" });
  await fill(video, owner, [
    [2, 0, "ffffff", "scrolls at 2"], [2, 1, "ff8800", "stands above"], [2, 2, "00ff00", "stands below"], [2.2, 0, "000000", "前方高能 black letters"],
    ...Array.from({ length: 10 }, (_, n) => [2.5 + n * 0.15, 0, ["ffd302", "ffffff", "89d5ff"][n % 3], `哈哈哈 number ${n} ${"呀".repeat(n)}`]),
    [20, 0, "ffffff", "comes at 20"], [50, 1, "ffffff", "长".repeat(90)], [50, 0, "ffffff", "a long one ".repeat(9).trim()],
    ...HOSTILE.map((text, n) => [30 + n * 0.1, 0, "ffffff", text]),
  ]);
  await drawing(video);
  await hostile();
  await sending(video, sender);
  await refused();
  await switches(video);
  await fullScreen();
  await keyboard();
  await broken(video);
  await many(owner);
  await hidden(owner, sender);
  await phone(video, sender);
} catch (error) {
  await look("failed");
  faults.push(error.stack);
}
await close("Danmaku on /watch", "drawing, hostile texts, sending, refusals, switch, full screen, keyboard, failure, 20,000, private, telephone");
