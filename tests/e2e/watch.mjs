// The page /watch in a real browser: node watch.mjs ADDRESS FOLDER, with the demo world and its films.
// Screenshots go to the folder; any error makes the exit code 1.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { address, api, close, expectError, faults, look as shoot, open, tabTo } from "./browser.mjs";

const requests = [], ranges = [];
const page = await open();
page.on("request", (request) => requests.push(request));
page.on("response", async (response) => {
  if (response.status() === 206) ranges.push(await response.headerValue("content-range"));
});

const look = (name, on = page) => shoot(`watch-${name}`, on);
const go = (path, on = page) => on.goto(address + path);
const titles = (on = page) => on.locator(".card:not(.waiting) h2").allInnerTexts();
const film = (on = page) => on.locator("#video");
const state = (on = page) => film(on).evaluate(({ currentTime, duration, paused, videoWidth, error }) =>
  ({ currentTime, duration, paused, videoWidth, error: error?.message ?? null }));

/** Wait until the film has come so far; `seconds` at the least. */
async function reaches(seconds, on = page) {
  await on.waitForFunction((at) => document.getElementById("video").currentTime >= at, seconds);
  const now = await state(on);
  assert.equal(now.error, null);
  assert.ok(now.videoWidth > 0, "the picture has no size");
  return now;
}

async function list() {
  await go("/watch");
  await page.locator(".card .badge").first().waitFor();
  assert.ok((await page.locator(".card .badge").allInnerTexts()).every((text) => /^\d+:\d\d$|^Live$/.test(text)), "what cannot be played is there too");
  const pictures = page.locator(".card img");
  assert.ok(await pictures.count() >= 6, "there are no thumbnails");
  await page.waitForFunction(() => document.querySelector(".card img").naturalWidth > 0);
  await look("list");
  await page.getByRole("button", { name: "Videos without a file" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".card:not(.waiting)").length > 20, null);
  assert.ok(await page.getByText("No file yet").count() > 10, "the demo world is not there");
  await page.getByRole("link", { name: "Most viewed" }).click();
  await page.getByRole("heading", { name: "Most viewed" }).waitFor();
  await page.getByRole("link", { name: "Music" }).click();
  await page.getByRole("link", { name: "欢乐颂" }).waitFor();
  assert.ok((await titles()).length < 5, "the category does not count");
}

async function playing() {
  await go("/watch?q=test+card"); // others may have sent newer ones
  await page.getByRole("link", { name: "A test card with a clock" }).click();
  await page.waitForURL(/[?]v=\d+$/);
  await page.getByRole("heading", { level: 1, name: "A test card" }).waitFor();
  assert.match(await page.title(), /test card/);
  await film().evaluate((video) => video.play());
  const { duration } = await reaches(0.5);
  assert.ok(duration >= 5);
  await film().evaluate((video) => { video.currentTime = video.duration - 2; });
  await reaches(duration - 1.5);
  assert.ok(ranges.length, "the browser never asked for a part");
  await look("playing");
  const counted = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/views"));
  await film().evaluate((video) => { video.currentTime = video.duration - 0.3; return video.play(); }); // to the end
  assert.ok((await (await counted).response()).ok(), "the view does not count");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "A test card" }).waitFor();
  await page.goBack();
  await page.getByRole("link", { name: "A test card with a clock" }).waitFor();
  await page.goForward();
  await page.getByRole("heading", { level: 1, name: "A test card" }).waitFor();
  await page.locator(".card h2 a").first().click(); // one beside it
  await page.waitForFunction(() => document.getElementById("title").textContent && !/test card/.test(document.title));
}

async function keyboard() {
  await go("/watch");
  await page.locator(".card .badge").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  // The newest video may be one of the collection's without a file.
  await page.evaluate(() => {
    const card = [...document.querySelectorAll(".card")].find((one) => /^\d+:\d\d$/.test(one.querySelector(".badge")?.textContent));
    card.classList.add("playable");
  });
  await tabTo(page, ".card.playable h2 a");
  await look("focus");
  await page.keyboard.press("Enter");
  await page.waitForURL(/[?]v=\d+$/);
  await page.locator("#title:not(:empty)").waitFor();
  await page.waitForFunction(() => document.getElementById("video").readyState >= 1);
  await tabTo(page, "#video");
  await page.keyboard.press("Space");
  await reaches(0.3);
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.getElementById("video").paused);
  const { currentTime } = await state();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((before) => document.getElementById("video").currentTime > before, currentTime);
}

async function search() {
  await page.getByRole("searchbox").fill("数学");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "“数学”" }).waitFor();
  await page.locator(".card .badge").first().waitFor();
  assert.equal((await titles()).length, 3);
  await look("search");
  await go("/watch?q=zzzzz");
  await page.getByText("No videos found.").waitFor();
  await look("empty");
}

async function markup(token) {
  const title = `<img src=x onerror="document.title='hit'"><b>x</b>`;
  const video = await api("POST", "/videos", { title, description: title, tags: ["<i>y</i>"] }, token);
  try {
    await go("/watch?lang=en&user=demo"); // a list of all; the first page has only what can be played
    await page.locator(".card .badge").first().waitFor();
    assert.equal((await titles())[0], title);
    await page.locator(".card h2 a").first().click();
    await page.getByText("This video has no file yet.").waitFor();
    assert.equal(await page.innerText("#title"), title);
    assert.equal(await page.innerText("#description"), title);
    assert.equal(await page.innerText("#tags a"), "<i>y</i>");
    assert.equal(await page.title(), `${title} · Rawreel`);
    await look("no-file");
  } finally {
    await api("DELETE", `/videos/${video.id}`, undefined, token);
  }
}

async function link(token) {
  const form = new FormData();
  form.set("title", "只给你看 · For you alone");
  form.set("visibility", "private");
  form.set("file", new Blob([readFileSync("postman/clip.mp4")], { type: "video/mp4" }), "clip.mp4");
  const video = await api("POST", "/videos", form, token);
  try {
    const shared = await api("POST", `/videos/${video.id}/share`, { seconds: 600 }, token);
    requests.length = 0;
    await go("/watch");
    await go(`/watch?v=${video.id}&private=1#token=${shared.token}`);
    await page.getByRole("heading", { level: 1, name: "For you alone" }).waitFor();
    await film().evaluate((one) => one.play());
    await reaches(0.2);
    await page.getByText("Private video").waitFor();
    await look("private");
    await page.getByRole("link", { name: "中文", exact: true }).click();
    await page.getByText("私密视频").waitFor();
    await page.locator(".card h2 a").first().click();
    await page.waitForFunction((id) => !location.search.includes(`v=${id}`) && document.getElementById("title").textContent, video.id);
    for (const request of requests) {
      assert.ok(!(await request.allHeaders()).referer?.includes(shared.token), `the token is in the Referer of ${request.url()}`);
      assert.ok(!request.isNavigationRequest() || !new URL(request.url()).search.includes(shared.token));
    }
    expectError(/404/);
    await go(`/watch?v=${video.id}&lang=en`);
    await page.getByText("There is no such video, or the link has ended.").waitFor();
    expectError(null);
  } finally {
    await api("DELETE", `/videos/${video.id}`, undefined, token);
  }
}

async function elsewhere() {
  const phone = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark", locale: "zh-CN", reducedMotion: "reduce" });
  await go("/watch", phone);
  await phone.getByRole("heading", { name: "最新视频" }).waitFor();
  await phone.locator(".card .badge").first().waitFor();
  await look("phone", phone);
  await phone.locator(".card h2 a").first().click();
  await phone.locator("#title:not(:empty)").waitFor();
  assert.equal(await phone.getAttribute("html", "lang"), "zh");
  assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360, "it is wider than the telephone");
  await look("phone-playing", phone);

  expectError(/ERR_FAILED/);
  await phone.route("**/api/**", (route) => route.abort());
  await go("/watch", phone);
  await phone.getByText("连接不上服务器").waitFor();
  await look("gone", phone);
  await phone.unroute("**/api/**");
  expectError(null);
  await phone.getByRole("button", { name: "再试一次" }).click();
  await phone.locator(".card .badge").first().waitFor();

  const plain = await open({ javaScriptEnabled: false });
  await go("/watch", plain);
  assert.ok(await plain.locator('.plain a[href$="/stream"]').count() >= 6);
  await look("no-script", plain);
}

try {
  const { token } = await api("POST", "/auth/login", { username: "demo", password: "rawreel-demo" });
  await list();
  await playing();
  await keyboard();
  await search();
  await markup(token);
  await link(token);
  await elsewhere();
} catch (error) {
  await look("failed");
  faults.push(error.stack);
}
await close("/watch", "list, playing, keyboard, search, markup, link, telephone, no server, no script");
