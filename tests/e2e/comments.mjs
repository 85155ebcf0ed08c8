// Login, likes, favourites, comments and progress on /watch in a real browser: node comments.mjs ADDRESS FOLDER.
// It makes a video and people of its own. Screenshots go to the folder; any error makes the exit code 1.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { address, api, close, expectError, faults, look as shoot, open, tabTo } from "./browser.mjs";

const run = Date.now().toString(36);
const password = "a long password";
const MARKUP = `<img src=x onerror="document.title='hit'"> <b>"'bold'"</b> \u202Eoverride &lt;script&gt;`;
const look = (name, on = page) => shoot(`comments-${name}`, on);
const page = await open();
const watch = (video, more = "", on = page) => on.goto(`${address}/watch?v=${video.id}${more}`);
const comment = (text, on = page) => on.locator(".comment").filter({ has: on.locator("> .body > .text", { hasText: text }) });
const button = (name, on = page) => on.getByRole("button", { name, exact: true });
const pressed = (selector, isOn, on = page) => on.locator(`${selector}[aria-pressed="${isOn}"]`).waitFor();
const shows = (selector, text, on = page) => on.locator(selector).filter({ hasText: text }).waitFor();

async function person(name) {
  const username = `${name}_${run}`;
  await api("POST", "/auth/register", { username, password });
  const { token } = await api("POST", "/auth/login", { username, password });
  return { username, token, write: async (video, text, parent) =>
    (await api("POST", `/videos/${video.id}/comments`, { text, ...(parent && { parent_id: parent }) }, token)).id };
}

/** A video of 100 seconds. */
async function film(owner, values) {
  const folder = mkdtempSync(join(tmpdir(), "film"));
  const file = join(folder, "film.mp4");
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=5:duration=100",
    "-pix_fmt", "yuv420p", "-g", "5", "-movflags", "+faststart", file]);
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) form.set(name, value);
  form.set("file", new Blob([readFileSync(file)], { type: "video/mp4" }), "film.mp4");
  rmSync(folder, { recursive: true });
  return api("POST", "/videos", form, owner.token);
}

const get = (video, who) => api("GET", `/videos/${video.id}`, undefined, who?.token);
const policy = (video, owner, name) => api("PATCH", `/videos/${video.id}`, { comment_policy: name }, owner.token);

async function fillLogin(who, secret = password, on = page) {
  await on.locator("#username").fill(who.username);
  await on.locator("#password").fill(secret);
  await on.keyboard.press("Enter");
}

async function logIn(who, on = page) {
  await on.locator("#enter").click();
  await fillLogin(who, password, on);
  await on.locator("#login").waitFor({ state: "hidden" });
  await shows("#myName", who.username, on);
}

async function logOut(on = page) {
  await on.locator("#leave").click();
  await on.locator("#enter").waitFor();
}

async function login(video, reader) {
  await watch(video);
  await shows("#noticeText", "Log in to write a comment.");
  await page.locator("#like").click(); // asks for the login, and likes after it
  await page.locator("#login").waitFor();
  expectError(/401|429|503/);
  await fillLogin(reader, "a wrong password");
  await shows("#loginError", "The username or the password is wrong.");
  await look("login");
  for (const [status, headers, sentence] of [
    [429, { "Retry-After": "300" }, "Too many requests. Try again in 5 minutes."],
    [503, {}, "The server is busy. Try again in a moment."],
  ]) {
    await page.route("**/auth/login", (route) => route.fulfill({ status, headers, json: { detail: "x", code: "x" } }), { times: 1 });
    await fillLogin(reader);
    await shows("#loginError", sentence);
  }
  expectError(null);
  await page.keyboard.press("Escape");
  await page.locator("#login").waitFor({ state: "hidden" });
  assert.equal((await get(video)).like_count, 0);
  await page.locator("#like").click();
  await fillLogin(reader);
  await pressed("#like", true);
  await shows("#like .count", "1");
  await page.reload();
  await shows("#myName", reader.username); // the tab keeps it
  await pressed("#like", true);
  assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0, "the login outlives the tab");
}

async function marks(video, reader) {
  await page.locator("#favorite").click();
  await pressed("#favorite", true);
  await page.route("**/favorite", async (route) => { // the answers are slower than the presses
    await page.waitForTimeout(500);
    await route.continue();
  }, { times: 2 });
  await page.locator("#favorite").click(); // off
  const sent = page.waitForRequest((request) => request.method() === "PUT" && request.url().endsWith("/favorite"));
  await page.locator("#favorite").click(); // and on again: the last press counts
  await (await sent).response();
  assert.equal((await get(video, reader)).is_favorited, true);
  await pressed("#favorite", true);
  const gone = page.waitForResponse((answer) => answer.request().method() === "DELETE" && answer.url().endsWith("/favorite"));
  await page.locator("#favorite").click();
  await pressed("#favorite", false);
  await gone;
  const found = await get(video, reader);
  assert.deepEqual([found.is_liked, found.is_favorited, found.like_count, found.favorite_count], [true, false, 1, 0]);
  await pressed("#favorite", false);
  expectError(/503/);
  await page.route("**/favorite", (route) => route.fulfill({ status: 503, json: {} }), { times: 1 });
  await page.locator("#favorite").click();
  await shows("#markError", "The server is busy.");
  await pressed("#favorite", false);
  expectError(null);
  await page.locator("#favorite").click();
  await pressed("#favorite", true);
  await page.locator("#markError").waitFor({ state: "hidden" });
}

async function writing(video, reader) {
  await page.locator("#newComment").fill(`First line\n\n${MARKUP}`);
  await page.keyboard.press("Control+Enter");
  await comment("First line").waitFor();
  await shows("#commentCount", "1");
  assert.equal(await comment("First line").locator("> .body > .text").innerText(),
    `First line\n\n${MARKUP.replace("\u202E", "")}`, "markup does something, or an override turns the words around");
  assert.equal(await page.locator("#comments :is(.text b, .text img)").count(), 0);
  assert.ok(!(await page.title()).includes("hit"));
  assert.equal(await page.locator("#newComment").inputValue(), "");

  await comment("First line").locator("> .body > .acts .like").click();
  await pressed(".comment .like", true);
  await shows(".comment .like .count", "1");

  await comment("First line").locator("> .body > .acts .answer").click();
  await page.locator(".compose textarea").fill("An answer");
  await button("Send").last().click();
  await comment("An answer").waitFor();
  await shows("#commentCount", "2");
  await shows(".openReplies", "1 reply");

  await comment("An answer").locator(".edit").click();
  assert.equal(await page.locator(".compose textarea").inputValue(), "An answer");
  await page.keyboard.press("Escape");
  await page.locator(".compose").waitFor({ state: "detached" });
  await comment("An answer").locator(".edit").click();
  await page.locator(".compose textarea").fill("A better answer");
  await page.keyboard.press("Control+Enter");
  await comment("A better answer").locator("> .body > .by .edited").waitFor();

  expectError(/409|400|422/);
  await comment("A better answer").locator(".edit").click();
  await page.locator(".compose textarea").fill("Too late");
  await page.route("**/comments/*", (route) => route.fulfill({ status: 409, json: { code: "too_late" } }), { times: 1 });
  await page.keyboard.press("Control+Enter");
  await shows(".compose .error", "It is too late");
  await page.keyboard.press("Escape");
  await page.locator("#newComment").fill("\u200B");
  await page.locator("#write button").click();
  await shows("#write .error", "This cannot be sent:");
  assert.equal(await page.locator("#newComment").inputValue(), "\u200B", "a failed text is lost");
  await page.locator("#newComment").fill("");
  expectError(null);
}

async function threads(video, owner, reader) {
  const second = await owner.write(video, "Look at 0:42, and at 1:23! Not at 2:30, 16:9 or 12:30:45. 全角 1：05。");
  await owner.write(video, "A reply of the owner", second);
  await api("PUT", `/comments/${second}/pin`, undefined, owner.token);
  for (let n = 1; n <= 22; n++) await reader.write(video, `Number ${n}`, n > 21 ? second : null);
  for (let n = 0; n < 21; n++) await owner.write(video, `Reply ${n}`, second);
  await page.reload();
  await comment("Look at").waitFor();
  assert.equal(await page.locator("#threads > .comment .text").first().innerText(),
    "Look at 0:42, and at 1:23! Not at 2:30, 16:9 or 12:30:45. 全角 1：05。", "the pinned one is not the first");
  await comment("Look at").locator(".pinned").first().waitFor();
  assert.equal(await page.locator("#threads > .comment").count(), 20);
  await page.locator("#moreComments").click();
  await comment("First line").waitFor();
  assert.equal(await page.locator("#threads > .comment").count(), 23);
  await page.locator("#moreComments").waitFor({ state: "hidden" });

  await comment("Look at").locator(".openReplies").first().click();
  await comment("A reply of the owner").waitFor();
  assert.equal(await page.locator(".replies > .comment").count(), 20);
  await button("More replies").click();
  await comment("Reply 20").waitFor();
  assert.equal(await page.locator(".replies > .comment").count(), 23);
  await comment("A reply of the owner").locator(".answer").click();
  await page.locator(".compose textarea").fill("To the owner");
  await page.keyboard.press("Control+Enter");
  await comment("To the owner").getByRole("link", { name: `@${owner.username}` }).waitFor();
  await comment("Look at").scrollIntoViewIfNeeded();
  await look("threads");

  assert.deepEqual(await page.locator(".seek").allInnerTexts(), ["0:42", "1:23", "1：05"]);
  await button("1:23").click();
  await page.waitForFunction(() => document.getElementById("video").currentTime >= 83);
  assert.equal(await page.evaluate(() => document.activeElement.id), "video");
  await page.locator("#video").evaluate((one) => one.pause());

  await button("Most liked").click();
  await page.waitForFunction(() => document.querySelectorAll("#threads > .comment .text")[1]?.textContent.startsWith("First line"));
  await button("Newest").click();
  await page.waitForFunction(() => document.querySelectorAll("#threads > .comment .text")[1]?.textContent === "Number 21");
  return second;
}

async function deleting(video) {
  const before = (await get(video)).comment_count;
  await comment("Number 21").locator("> .body > .acts .delete").click();
  await page.keyboard.press("Escape");
  assert.ok(await comment("Number 21").isVisible());
  await comment("Number 21").locator("> .body > .acts .delete").click();
  await button("Cancel").click();
  assert.ok(await comment("Number 21").isVisible());
  await comment("Number 21").locator("> .body > .acts .delete").click();
  await look("delete");
  await page.locator('#sure [value="yes"]').click();
  await comment("Number 21").waitFor({ state: "detached" });
  await shows("#commentCount", String(before - 1));

  // The root of others' replies becomes a mark.
  await page.locator("#moreComments").click();
  const root = comment("First line");
  await root.locator("> .body > .acts .delete").click();
  await page.locator('#sure [value="yes"]').click();
  const mark = page.locator(".comment.isGone");
  await mark.filter({ hasText: "This comment was removed." }).waitFor();
  assert.equal(await mark.locator("> .body > .by .author").isVisible(), false);
  await mark.locator(".openReplies").click();
  await comment("A better answer").locator(".delete").click();
  expectError(/404/); // the mark goes with its last reply
  await page.locator('#sure [value="yes"]').click();
  await mark.waitFor({ state: "detached" });
  expectError(null);
  assert.equal(await comment("Look at").locator("> .body > .acts .delete").isVisible(), false, "a stranger may not delete it");
  await shows("#commentCount", String((await get(video)).comment_count));
}

async function progress(video, reader) {
  await watch(video);
  await page.waitForFunction(() => document.getElementById("video").readyState >= 1);
  await page.waitForFunction(() => document.getElementById("video").currentTime >= 83); // where the seek has ended
  const put = () => page.waitForRequest((request) => request.method() === "PUT" && request.url().includes("/progress"));
  await page.locator("#video").evaluate((one) => { one.currentTime = 20; return one.play(); });
  assert.ok((await put()).postDataJSON().position_ms >= 20000); // after 5 seconds
  const paused = put();
  await page.locator("#video").evaluate((one) => { one.currentTime = 50; one.pause(); });
  await paused;
  await page.locator("#video").evaluate((one) => { one.currentTime = 60; return one.play(); });
  await page.waitForFunction(() => document.getElementById("video").currentTime > 60.3);
  await page.goto("about:blank"); // the page is closed while it plays
  for (let tries = 0; (await get(video, reader)).progress_ms < 60000; tries++) {
    assert.ok(tries < 50, "the last position was not kept");
    await page.waitForTimeout(100);
  }
  await watch(video);
  await page.waitForFunction(() => document.getElementById("video").currentTime > 60);
}

async function policies(video, owner, reader) {
  await policy(video, owner, "closed");
  await page.reload();
  await shows("#noticeText", "Comments are closed here.");
  await page.locator("#write").waitFor({ state: "hidden" });
  assert.equal(await page.locator(".answer:visible").count(), 0);
  await policy(video, owner, "followers");
  await page.reload();
  await shows("#noticeText", "Only followers of the owner may comment here.");
  await page.locator("#write").waitFor({ state: "hidden" });
  await api("PUT", `/users/${owner.username}/follow`, undefined, reader.token);
  await page.reload();
  await page.locator("#write").waitFor();
  await policy(video, owner, "closed"); // while they write
  expectError(/403/);
  await page.locator("#newComment").fill("Late");
  await page.locator("#write button").click();
  await shows("#write .error", "Comments are closed here.");
  expectError(null);

  await policy(video, owner, "approved");
  await page.reload();
  await page.locator("#newComment").fill("Please approve this");
  await page.locator("#write button").click();
  await shows("#commentState", "It waits for the approval of the owner.");
  await comment("Please approve this").locator(".pending").waitFor();
  await page.reload();
  await comment("Please approve this").locator(".pending").waitFor();
  await comment("Please approve this").scrollIntoViewIfNeeded();
  await look("pending");
  await logOut();
  await comment("Look at").waitFor();
  assert.equal(await comment("Please approve this").count(), 0, "others see it");
}

async function owners(video, owner, second) {
  await logIn(owner);
  await comment("Please approve this").locator(".approve").click();
  await page.locator("#threads").getByText("Please approve this").waitFor();
  await comment("Please approve this").locator(".pin").click();
  await page.waitForFunction(() => document.querySelector("#threads .text")?.textContent === "Please approve this");
  await comment("Please approve this").locator(".pinned").waitFor();
  assert.equal(await page.locator(".pinned:visible").count(), 1);
  await comment("Please approve this").locator(".pin").click();
  await page.waitForFunction(() => !document.querySelector(".isPinned"));
  await comment("Please approve this").scrollIntoViewIfNeeded();
  await look("owner");
  await comment("Please approve this").locator(".delete").click(); // of another person, on their own video
  await page.locator('#sure [value="yes"]').click();
  await comment("Please approve this").waitFor({ state: "detached" });
  await policy(video, owner, "open");
  await api("PUT", `/comments/${second}/pin`, undefined, owner.token);
}

/** A private video: its owner plays it, and a link opens it with its comments. */
async function hidden(owner, reader) {
  const video = await film(owner, { title: "For friends", visibility: "private" });
  await watch(video, "&private=1");
  await page.waitForFunction(() => document.getElementById("video").readyState >= 1);
  await page.locator("#newComment").fill("Among us: 0:05");
  await page.locator("#write button").click();
  await comment("Among us").waitFor();
  expectError(/404/);
  await logOut();
  await page.getByText("There is no such video, or the link has ended.").waitFor();
  expectError(null);
  const { token } = await api("POST", `/videos/${video.id}/share`, { seconds: 600 }, owner.token);
  await page.goto("about:blank");
  await watch(video, `&private=1#token=${token}`);
  await comment("Among us").waitFor();
  await logIn(reader);
  await page.locator("#like").click();
  await pressed("#like", true);
  await comment("Among us").locator(".like").click();
  await pressed(".comment .like", true);
  await comment("Among us").locator(".answer").click();
  await page.locator(".compose textarea").fill("With the link");
  await page.keyboard.press("Control+Enter");
  await comment("With the link").waitFor();
  await comment("With the link").locator(".edit").click();
  await page.locator(".compose textarea").fill("With the link alone");
  await page.keyboard.press("Control+Enter");
  await comment("With the link alone").waitFor();
  await button("0:05").click();
  await page.waitForFunction(() => document.getElementById("video").currentTime >= 5);
  const put = page.waitForResponse((response) => response.url().includes("/progress"));
  await page.locator("#video").evaluate((one) => one.pause());
  assert.equal((await put).status(), 204);
  await comment("With the link alone").locator(".delete").click();
  await page.locator('#sure [value="yes"]').click();
  await comment("With the link alone").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelector("#like .count").textContent === "1");
  assert.equal((await get(video, owner)).like_count, 1);
}

async function keyboard(video, reader) {
  await page.goto("about:blank");
  await watch(video);
  await logOut();
  await comment("Look at").waitFor();
  await tabTo(page, "#enter");
  await page.keyboard.press("Enter");
  await page.keyboard.type(reader.username); // the first field has the focus
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await shows("#myName", reader.username);
  await page.waitForFunction(() => document.querySelector("#write:not([hidden])"));
  await tabTo(page, "#favorite");
  const before = await page.getAttribute("#favorite", "aria-pressed");
  await page.keyboard.press("Space");
  await pressed("#favorite", before !== "true");
  await tabTo(page, "#newComment");
  await page.keyboard.type("By the keyboard at 0:07");
  await tabTo(page, "#write button");
  await page.keyboard.press("Enter");
  await comment("By the keyboard").waitFor();
  await page.waitForFunction(() => document.activeElement.matches(".comment"));
  await look("focus");
  await tabTo(page, ".seek");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "video" && document.activeElement.currentTime >= 7);
  await page.locator("#video").evaluate((one) => one.pause());
  await comment("By the keyboard").focus();
  await tabTo(page, ".delete");
  await page.keyboard.press("Enter");
  await page.locator("#sure").waitFor();
  await page.keyboard.press("Enter"); // the first button has the focus
  await comment("By the keyboard").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.activeElement !== document.body);
}

/** A session that has ended elsewhere is told, and what was written stays. */
async function ended(video, reader) {
  await page.locator("#newComment").fill("Not lost");
  await api("DELETE", "/auth/sessions", undefined, await page.evaluate(() => JSON.parse(sessionStorage.session).token));
  expectError(/401/);
  await page.locator("#write button").click();
  await shows("#sessionNote", "Your login has ended.");
  expectError(null);
  await logIn(reader);
  await page.locator("#write").waitFor();
  assert.equal(await page.locator("#newComment").inputValue(), "Not lost");
  assert.equal(await page.locator("#sessionNote").isVisible(), false);
  await page.locator("#newComment").fill("");
}

/** A ban is told with its reason, and what is public stays to be read. */
async function banned(video, reader) {
  const { token } = await api("POST", "/auth/login", { username: "admin", password: "rawreel-demo" });
  await api("PUT", `/admin/users/${reader.username}/ban`, { reason: "Too loud", until: null }, token);
  expectError(/401|403/);
  await page.locator("#like").click();
  await page.locator("#sessionNote:not(:empty)").waitFor();
  await page.locator("#enter").click();
  await fillLogin(reader);
  await shows("#loginError", "This account is banned for good: Too loud");
  await page.keyboard.press("Escape");
  await shows("#noticeText", "Log in to write a comment.");
  await comment("Look at").waitFor();
  expectError(null);
  await api("DELETE", `/admin/users/${reader.username}/ban`, undefined, token);
}

async function gone(video) {
  expectError(/ERR_FAILED/);
  await page.route("**/comments?*", (route) => route.abort());
  await watch(video);
  await shows("#commentState", "The server cannot be reached.");
  expectError(null);
  await page.unroute("**/comments?*");
  await page.locator("#retryComments").click();
  await comment("Look at").waitFor();
}

async function telephone(video, owner, reader) {
  await owner.write(video, `${"很长的一行没有空格".repeat(12)}\n${"\n".repeat(60)}end`);
  await owner.write(video, `${MARKUP}\n${"Z\u0301\u0302\u0303\u0304".repeat(10)}`);
  const phone = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark", locale: "zh-CN", reducedMotion: "reduce" });
  await watch(video, "", phone);
  await shows("#noticeText", "登录后可以评论。", phone);
  await phone.locator("#enter").click();
  await look("phone-login", phone);
  expectError(/401/);
  await fillLogin(reader, "wrong", phone);
  await shows("#loginError", "用户名或密码不对。", phone);
  expectError(null);
  await fillLogin(reader, password, phone);
  await shows("#myName", reader.username, phone);
  await phone.locator("#newComment").fill("手机上写的 0:42");
  await button("发表", phone).click();
  await comment("手机上写的", phone).waitFor();
  await phone.locator("#commentsHeading").scrollIntoViewIfNeeded();
  await phone.locator(".openReplies:visible").first().click();
  await phone.locator(".replies .comment").first().waitFor();
  assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360, "it is wider than the telephone");
  await phone.evaluate(() => scrollTo(0, 0));
  await look("phone-top", phone);
  await phone.evaluate(() => document.getElementById("commentsHeading").scrollIntoView());
  await look("phone", phone);
  await phone.screenshot({ path: `${process.argv[3]}/comments-phone-full.png`, fullPage: true });
  await button("显示全部", phone).first().click();
  assert.ok(await comment("很长的一行", phone).evaluate((one) => one.clientHeight) > 1000);
  await comment("手机上写的", phone).locator(".answer").click();
  await shows(".compose .label", `回复 ${reader.username}`, phone);
  await look("phone-answer", phone);
}

try {
  const reader = await person("reader");
  const owner = await person("owner");
  const video = await film(owner, { title: "A film of 100 seconds", description: "To comment on." });
  await login(video, reader);
  await marks(video, reader);
  await writing(video, reader);
  const second = await threads(video, owner, reader);
  await deleting(video);
  await progress(video, reader);
  await policies(video, owner, reader);
  await owners(video, owner, second);
  await hidden(owner, reader);
  await keyboard(video, reader);
  await ended(video, reader);
  await banned(video, reader);
  await gone(video);
  await telephone(video, owner, reader);
} catch (error) {
  await look("failed");
  faults.push(error.stack);
}
await close("Taking part on /watch", "login, marks, comments, threads, deletion, progress, policies, owner, link, keyboard, ended session, ban, no server, telephone");
