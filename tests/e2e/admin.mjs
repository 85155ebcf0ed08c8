// The page /admin in a real browser: node admin.mjs ADDRESS FOLDER, with the demo world and its moderator and admin.
// It makes people and things of its own. The server should run with SLOW_QUERY_MS=0, so that there are slow queries, and without
// rate limits. Screenshots go to the folder; any error makes the exit code 1.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { address, api, close, expectError, faults, look as shoot, open, tabTo } from "./browser.mjs";

const run = Date.now().toString(36);
const password = "a long password";
const DEMO = "rawreel-demo";
const MARKUP = `<img src=x onerror="document.title='hit'"> <b>"'bold'"</b> \u202Eoverride &lt;script&gt;`;
const PARTS = ["reports", "comments", "danmaku", "videos", "live", "people", "blocked", "tags"];
const ADMIN_PARTS = ["registrations", "figures", "jobs", "logs", "queries"];
const look = (name, on = page) => shoot(`admin-${name}`, on);
const page = await open();

const part = (name, on = page) => on.locator(`#${name}Part:not([hidden])`);
const entries = (name, on = page) => part(name, on).locator("> .entries > .entry");
const entry = (name, text, on = page) => entries(name, on).filter({ hasText: text });
const press = (place, name) => place.locator(`> .acts [data-act=${name}]`).click();
const shows = (selector, text, on = page) => on.locator(selector).filter({ hasText: text }).first().waitFor();
const marked = (place, text) => place.locator("> .by .mark").getByText(text, { exact: true }).waitFor();

async function person(name) {
  const username = `${name}_${run}`;
  await api("POST", "/auth/register", { username, password });
  const { token, user } = await api("POST", "/auth/login", { username, password });
  return { username, token, id: user.id };
}

/** Open a part of the page, and wait until its list is there. */
async function go(name, on = page) {
  await on.locator(`#desk nav a[href="#${name}"]`).click();
  await part(name, on).waitFor();
  await ready(name, on);
}

const ready = (name, on = page) => on.waitForFunction(
  (id) => !/…|Loading/.test([...document.querySelectorAll(`#${id}Part > .state`)].map((one) => one.textContent).join("")), name);

/** Fill in the form of a part, and send it. */
async function search(name, values, on = page) {
  const form = part(name, on).locator("form[role=search]");
  for (const [field, value] of Object.entries(values)) {
    const input = form.locator(`[name=${field}]`);
    if (await input.evaluate((one) => one.tagName) === "SELECT") await input.selectOption(value);
    else await input.fill(value);
  }
  await form.locator("button").click();
  await ready(name, on);
}

/** Fill in the dialog, and confirm it. */
async function confirm(values = {}, on = page) {
  const dialog = on.locator("#sure[open]");
  await dialog.waitFor();
  for (const [field, value] of Object.entries(values)) {
    const input = dialog.locator(`[name=${field}]`);
    if (await input.evaluate((one) => one.tagName) === "SELECT") await input.selectOption(value);
    else await input.fill(value);
  }
  await dialog.locator("#sureYes").click();
  await dialog.waitFor({ state: "detached" }).catch(() => {}); // it stays, but is closed
  await on.locator("#sure").waitFor({ state: "hidden" });
}

async function logIn(who, secret, on = page) {
  if (!(await on.locator("#login[open]").count())) await on.locator("#enter").click();
  await on.locator("#username").fill(who);
  await on.locator("#password").fill(secret);
  await on.keyboard.press("Enter");
  await on.locator("#login").waitFor({ state: "hidden" });
  await shows("#myName", who, on);
}

async function logOut(on = page) {
  await on.locator("#leave").click();
  await on.locator("#login[open]").waitFor();
}

/** Nothing that somebody has written is markup on the page. */
async function checkInert(on = page) {
  assert.equal(await on.title(), await on.evaluate(() => (document.documentElement.lang === "zh" ? "管理 · Rawreel" : "Moderation · Rawreel")));
  assert.equal(await on.locator(".entry :is(img, b, script)").count(), 0, "markup of somebody is on the page");
}

/** An author with all kinds of things, and a reporter. */
async function world() {
  const [author, reporter] = [await person("author"), await person("reporter")];
  const post = (path, body, who = author) => api("POST", path, body, who.token);
  const video = await post("/videos", { title: `${MARKUP} ${run}`, description: MARKUP, tags: [`old${run}`, `new${run}`] });
  const form = new FormData(); // with a file, so that there is a job
  for (const [name, value] of [["title", `Another film ${run}`], ["tags", `old${run}`]]) form.set(name, value);
  form.set("file", new Blob([readFileSync("postman/clip.mp4")], { type: "video/mp4" }), "clip.mp4");
  const other = await post("/videos", form);
  const things = { author, reporter, video, other, comments: [], danmaku: [] };
  for (const text of [`${MARKUP} keep`, "to hide", "to delete", "to warn about"]) {
    things.comments.push(await post(`/videos/${video.id}/comments`, { text: `${text} ${run}` }));
  }
  for (let n = 0; n < 25; n++) await post(`/videos/${other.id}/comments`, { text: `number ${n} ${run}` });
  for (const text of ["dan", "mu"]) things.danmaku.push(await post(`/videos/${video.id}/danmaku`, { text: `${text} ${run}`, time: 75 }));
  const report = (kind, id, reason = MARKUP) => post("/reports", { kind, id, reason }, reporter);
  for (const { id } of things.comments) await report("comment", id);
  await report("danmaku", things.danmaku[0].id, "Not nice");
  await report("video", video.id, "Somebody else's film");
  await report("user", author.id, "Spam everywhere");
  things.room = await post("/live/room", { title: `Room ${MARKUP} ${run}` });
  return things;
}

async function entering({ reporter }) {
  expectError(/401/);
  await page.goto(`${address}/admin#figures`);
  await page.locator("#login[open]").waitFor();
  await shows("#notice", "Please log in as a moderator or an admin.");
  await look("login");
  await logIn(reporter.username, password);
  await shows("#notice", "This page is for moderators and admins.");
  assert.ok(await page.locator("#desk").isHidden());
  await look("not-staff");
  await logOut();
  expectError(null);
  await logIn("moderator", DEMO);
  await part("reports").waitFor(); // and not the figures, which are for admins
  for (const name of ADMIN_PARTS) assert.ok(await page.locator(`#desk nav a[href="#${name}"]`).isHidden(), name);
}

async function reports({ author, reporter }) {
  const of = (text) => entry("reports", text);
  await of(`to hide ${run}`).waitFor();
  await look("reports");
  await checkInert();
  const first = of(`keep ${run}`);
  await press(first, "reasons");
  await first.locator(".nested .entry", { hasText: reporter.username }).waitFor();
  assert.match(await first.locator(".nested .text").innerText(), /^<img src=x/);
  await look("reasons");
  await press(first, "reject");
  await confirm();
  await marked(first, "Rejected");
  await press(of(`to hide ${run}`), "hide");
  await confirm({ note: "Please stay friendly." });
  await marked(of(`to hide ${run}`), "Decided: hidden");
  await press(of(`to delete ${run}`), "delete");
  await page.locator("#sure").getByText("This cannot be undone.").waitFor();
  await confirm();
  await marked(of(`to delete ${run}`), "Decided: deleted");
  await press(of(`to warn about ${run}`), "warn");
  await page.locator("#sure #sureYes").click();
  assert.ok(await page.locator("#sure").isVisible(), "a warning needs a note");
  await confirm({ note: "This is the last warning." });
  await marked(of(`to warn about ${run}`), "Decided: warned");
  const danmaku = of("Not nice").filter({ hasText: `dan ${run}` });
  await press(danmaku, "hide");
  await page.keyboard.press("Escape");
  await page.locator("#sure").waitFor({ state: "hidden" });
  assert.equal(await danmaku.locator(".mark", { hasText: "Decided" }).count(), 0, "Escape decides");
  const account = of("Spam everywhere").filter({ hasText: author.username });
  await press(account, "ban");
  await look("ban");
  await confirm({ note: "Spam", days: "1" });
  await marked(account, "Decided: banned");
  await marked(account, "Banned");
  await search("reports", { state: "accepted" });
  await entry("reports", `to hide ${run}`).waitFor();
}

async function comments({ author, comments: [one] }) {
  await go("people");
  await search("people", { q: author.username });
  const account = entry("people", author.username);
  await marked(account, "Banned");
  await press(account, "unban"); // so that the comments are there again
  await account.locator("[data-act=ban]").waitFor();
  await account.getByRole("link", { name: "Comments" }).click();
  await part("comments").waitFor();
  await entry("comments", `number 24 ${run}`).waitFor();
  assert.equal(await part("comments").locator("[name=author]").inputValue(), author.username);
  assert.equal(await entries("comments").count(), 20);
  await look("comments");
  await part("comments").locator("> .more").click();
  await entry("comments", `keep ${run}`).waitFor();
  await checkInert();
  assert.ok(await page.evaluate(() => document.activeElement.matches(".entry")), "the keyboard does not go on from the new ones");
  const first = entry("comments", `keep ${run}`);
  await press(first, "hide");
  await marked(first, "Hidden");
  await press(first, "restore");
  await marked(first, "Visible");
  await search("comments", { q: `number 7 ${run}` });
  assert.equal(await entries("comments").count(), 1);
  await press(entry("comments", `number 7 ${run}`), "delete");
  await confirm();
  await page.waitForFunction(() => !document.querySelector("#commentsPart > .entries > .entry"));
  await search("comments", { q: "", state: "hidden" });
  await entry("comments", `to hide ${run}`).waitFor();
  const all = part("comments").locator("> .head > .entry");
  await press(all, "hideAll");
  await confirm({ note: "Too many" });
  await entry("comments", `number 24 ${run}`).waitFor();
  assert.equal((await api("GET", `/comments/${one.id}`).catch(() => ({ text: "" }))).text, "", "it is still there");
  await search("comments", { author: author.username, state: "" });
  let calls = 0;
  await page.route("**/content", async (route) => { // the first answer says that there is more
    const answer = await route.fetch();
    await page.waitForTimeout(300);
    await route.fulfill({ response: answer, json: { ...(await answer.json()), is_done: ++calls > 1 } });
  });
  await press(part("comments").locator("> .head > .entry"), "restoreAll");
  await confirm();
  await page.locator(".progress", { hasText: "done so far" }).getByRole("button", { name: "Stop" }).waitFor();
  await marked(entry("comments", `number 24 ${run}`), "Visible");
  assert.match(await part("comments").locator("> .head .progress").innerText(), /Done: 2\d in all/);
  assert.equal(calls, 2);
  await page.unroute("**/content");
}

async function things({ author, video, other, danmaku: [, second] }) {
  await go("danmaku");
  await search("danmaku", { author: author.username });
  const mu = entry("danmaku", `mu ${run}`);
  assert.match(await mu.innerText(), /1:15/);
  await press(mu, "hide");
  await marked(mu, "Hidden");
  await press(mu, "restore");
  await marked(mu, "Visible");
  await look("danmaku");
  await press(mu, "delete");
  await confirm();
  await mu.waitFor({ state: "detached" });
  expectError(/404/);
  await assert.rejects(api("PUT", `/admin/danmaku/${second.id}/hidden`));
  await go("videos");
  await search("videos", { author: author.username, q: "Another" });
  const film = entry("videos", `Another film ${run}`);
  await press(film, "hide");
  await confirm({ note: "Not for school" });
  await marked(film, "Hidden");
  assert.match(await film.innerText(), /Not for school/);
  await assert.rejects(api("GET", `/videos/${other.id}`));
  expectError(null);
  await press(film, "restore");
  await marked(film, "Visible");
  await api("GET", `/videos/${other.id}`);
  await search("videos", { q: "" });
  await entry("videos", "onerror").waitFor();
  await checkInert();
  await look("videos");
  await entry("videos", "onerror").locator(".title a").click(); // leads to the video
  await page.waitForURL(`**/watch?v=${video.id}`);
  await page.goBack();
  await part("videos").waitFor();
  await search("people", { q: author.username }).catch(() => {});
  await go("live");
  await search("live", { author: author.username });
  const room = entry("live", run);
  await press(room, "close");
  await confirm({ note: "Somebody else's film" });
  await marked(room, "Closed");
  await search("live", { author: "", q: run, state: "closed" });
  await entry("live", "Somebody else's film").waitFor();
  await checkInert();
  await look("live");
  await press(entry("live", run), "open");
  await page.locator("#livePart [data-act=close]").waitFor();
}

async function wordsAndTags() {
  await go("blocked");
  const form = part("blocked").locator(".adding");
  const add = async (word, action) => {
    await form.locator("[name=word]").fill(word);
    await form.locator("[name=action]").selectOption(action);
    await form.locator("button").click();
  };
  await add(`bad${run}`, "reject");
  const word = entry("blocked", `bad${run}`);
  await marked(word, "Refuse the text");
  expectError(/409/);
  await add(`BAD ${run}`, "hide");
  await form.getByText("This word is blocked already.").waitFor();
  expectError(null);
  await press(word, "change");
  await confirm({ action: "review" });
  await marked(word, "Hold it for review");
  await add(`<b>${run}</b>`, "hide");
  await entry("blocked", `<b>${run}`).waitFor();
  await checkInert();
  await look("words");
  for (const text of [`bad${run}`, `<b>${run}`]) {
    await press(entry("blocked", text), "remove");
    await entry("blocked", text).waitFor({ state: "detached" });
  }
  await go("tags");
  await search("tags", { prefix: `old${run}` });
  const tag = entry("tags", `# old${run}`);
  await press(tag, "merge");
  await confirm({ into: `not there ${run}` });
  await tag.getByText("There is no such tag.").waitFor();
  await press(tag, "merge");
  await confirm({ into: `#NEW${run}` });
  await tag.waitFor({ state: "detached" });
  await search("tags", { prefix: `new${run}` });
  await look("tags");
  await press(entry("tags", `# new${run}`), "delete");
  await confirm();
  await entry("tags", `# new${run}`).waitFor({ state: "detached" });
}

async function people({ author }) {
  await go("people");
  await search("people", { q: "adm" });
  expectError(/403/);
  await press(entry("people", "admin"), "ban");
  await confirm({ note: "x" });
  await entry("people", "admin").getByText("You may not do this.").waitFor();
  expectError(null);
  assert.equal(await page.locator("[data-act=role]").count(), 0, "a moderator sees what only admins do");
  await search("people", { q: author.username });
  const account = entry("people", author.username);
  await press(account, "ban");
  await confirm({ note: "Spam", days: "date", date: "2099-12-31" });
  await marked(account, "Banned");
  await account.getByText(/2099/).waitFor();
  await look("people");
  await press(account, "unban");
  await account.locator("[data-act=ban]").waitFor();
  await press(account, "hideAll");
  await page.locator("#sure [value=comments]").uncheck();
  await page.locator("#sure [value=videos]").uncheck();
  await look("all-of-a-person");
  await confirm();
  await account.getByText(/Done: \d in all/).waitFor();
}

async function asAdmin({ author }) {
  await logOut();
  await logIn("admin", DEMO);
  await go("figures");
  await page.locator(".chart").first().waitFor();
  assert.equal(await page.locator(".chart rect").count(), 8 * 30);
  const [today] = (await api("GET", "/admin/stats", undefined, await adminToken())).days.slice(-1);
  assert.ok(today.comment_count >= 25 && today.report_count >= 5, JSON.stringify(today));
  await page.locator("#dayTable summary").click();
  assert.equal(await page.locator("#dayTable tbody tr").count(), 30);
  const row = page.locator("#dayTable tbody tr").first();
  assert.equal(await row.locator("th").innerText(), today.day);
  assert.equal(Number((await row.locator("td").nth(2).innerText()).replace(",", "")), today.comment_count);
  await look("figures");
  await page.screenshot({ path: `${process.argv[3]}/admin-figures-full.png`, fullPage: true });
  await go("jobs");
  await entries("jobs").first().waitFor();
  await press(entries("jobs").first(), "retry");
  await entries("jobs").first().getByText(/Waiting|Running|Done/).waitFor();
  await look("jobs");
  await go("logs");
  await search("logs", { actor: "moderator", action: "comment.hide" });
  await entry("logs", "comment.hide").first().waitFor();
  await look("logs");
  await go("queries");
  await entries("queries").first().waitFor();
  const longest = await entries("queries").locator("dd").filter({ hasText: / ms$/ }).allInnerTexts();
  const ms = longest.map((text) => Number(text.replace(/\D/g, "")));
  assert.deepEqual(ms, ms.toSorted((one, other) => other - one), "the slowest do not come first");
  await look("queries");
  await go("people");
  await search("people", { q: author.username });
  const account = entry("people", author.username);
  await press(account, "role");
  await confirm({ role: "moderator" });
  await marked(account, "Moderator");
  await press(account, "quota");
  await confirm({ quota: "2.5" });
  await account.getByText("of 2.5 GiB").waitFor();
  await press(account, "role");
  await confirm({ role: "user" });
  await account.locator(".mark").waitFor({ state: "detached" });
  await press(account, "quota");
  assert.equal(await page.locator("#sure [name=quota]").inputValue(), "2.5");
  await confirm({ quota: "" });
  await account.getByText("of the default").waitFor();
}

let token = null;
async function adminToken() {
  return (token ??= (await api("POST", "/auth/login", { username: "admin", password: DEMO })).token);
}

/** With the keyboard alone: to a part, to its list, and to a decision. */
async function keyboard({ author }) {
  await page.goto(`${address}/admin#people/${encodeURIComponent(author.username)}`);
  await entry("people", author.username).waitFor();
  await tabTo(page, "#peoplePart [data-act=ban]");
  await page.keyboard.press("Enter");
  await page.locator("#sure[open]").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#sure").waitFor({ state: "hidden" });
  assert.ok(await page.evaluate(() => document.activeElement.matches("[data-act=ban]")), "the focus is lost after the dialog");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement.matches("[data-act=hideAll]")), "Tab does not go on from there");
}

/** The session ends at the server: the desk is closed, and the login says why. */
async function ended() {
  const { token: used } = JSON.parse(await page.evaluate(() => sessionStorage.getItem("session")));
  expectError(/401/);
  await api("POST", "/auth/logout", undefined, used);
  await page.locator('#desk nav a[href="#jobs"]').click();
  await shows("#sessionNote", "Your login has ended. Please log in again.");
  await page.locator("#desk").waitFor({ state: "hidden" });
  await logIn("moderator", DEMO);
  await part("reports").waitFor(); // the address still names the jobs, which are for admins
  expectError(null);
}

async function pictures() {
  for (const [name, options] of [
    ["phone", { viewport: { width: 360, height: 740 }, colorScheme: "dark", locale: "zh-CN", reducedMotion: "reduce" }],
    ["dark", { colorScheme: "dark" }],
    ["zh", { locale: "zh-CN" }],
  ]) {
    const on = await open(options);
    await on.goto(`${address}/admin`);
    if (name === "phone") await look("phone-login", on);
    await logIn("admin", DEMO, on);
    for (const one of [...PARTS, ...ADMIN_PARTS]) {
      await go(one, on);
      await on.locator(`#${one}Part :is(.entry, .chart)`).first().waitFor({ timeout: 2000 }).catch(() => {}); // some may be empty
      assert.ok(await on.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${one} is wider than the screen`);
      await checkInert(on);
      if (name === "phone" || ["reports", "figures"].includes(one)) await look(`${name}-${one}`, on);
    }
    if (name === "phone") {
      await go("people", on);
      await on.locator("#peoplePart [data-act=ban]").first().click();
      await look("phone-ban", on);
      await on.keyboard.press("Escape");
    }
    if (name !== "dark") assert.equal(await on.locator("#desk").innerText().then((text) => /\b(Reports|Search|Hide|Ban)\b/.test(text)), false, "English on the Chinese page");
  }
}

try {
  const there = await world();
  await entering(there);
  await reports(there);
  await comments(there);
  await things(there);
  await wordsAndTags();
  await people(there);
  await asAdmin(there);
  await keyboard(there);
  await ended();
  await pictures();
} catch (error) {
  faults.push(String(error.stack));
  await look("failed").catch(() => {});
}
await close("The page /admin", "login, reports, comments, danmaku, videos, live rooms, people, words, tags, figures, jobs, logs, slow queries, markup, keyboard, telephone");
