// The page /account, the first page and the pages of errors in a real browser: node account.mjs ADDRESS FOLDER.
// Screenshots go to the folder; any error makes the exit code 1.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { address, api, close, expectError, faults, folder, look as shoot, open, tabTo } from "./browser.mjs";

const page = await open({ locale: "zh-CN" });
const look = (name, on = page) => shoot(`account-${name}`, on);
const go = (path, on = page) => on.goto(address + path);
const CLIP = "postman/clip.mp4";
const name = `reader_${Date.now()}`;
const password = "a first password";
const entry = (title, on = page) => on.locator("#videosPart .entry").filter({ hasText: title });

/** Nothing may be wider than the window, on a telephone least of all. */
async function fits(on) {
  const [wide, most] = await on.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= most, `${on.url()} is ${wide} wide, and the window ${most}`);
}

async function register() {
  await go("/account");
  assert.equal(await page.getAttribute("html", "lang"), "zh");
  await page.getByRole("heading", { name: "注册" }).waitFor();
  await look("register");
  await page.locator("#register").getByLabel("用户名").fill("demo");
  await page.locator("#register").getByLabel("密码，8 到 128 个字符").fill(password);
  expectError(/409/);
  await page.keyboard.press("Enter");
  await page.locator("#register .error:not(:empty)").waitFor();
  await look("name-taken");
  expectError(null);
  await page.locator("#register").getByLabel("用户名").fill(name);
  await page.getByLabel("邮箱，可以不填").fill(`${name}@example.org`);
  await page.locator("#register").getByLabel("显示密码").check();
  assert.equal(await page.locator("#register").getByLabel("密码，8 到 128 个字符").getAttribute("type"), "text");
  await page.locator("#register .strong").click();
  await page.getByRole("heading", { name: `你好，${name}` }).waitFor();
  await page.getByText("还没有确认").waitFor();
  await page.locator("#videosPart").getByText("这里还什么都没有。").waitFor();
  await page.locator("#sessionsPart").getByText("这个设备").waitFor();
}

/** The browser is Chinese, and the page was chosen in English: the sentences of the API are English too. */
async function speaksAsThePage() {
  await go("/account?lang=en");
  await page.locator("#register").getByLabel("Username").fill("a b");
  await page.locator("#register").getByLabel("Password, 8 to 128 characters").fill(password);
  expectError(/422/);
  await page.locator("#register .strong").click();
  await page.locator("#register").getByText("A username has letters of any script").waitFor();
  expectError(null);
  await go("/account");
}

async function upload() {
  await page.locator("#uploadForm").getByLabel("文件").first().setInputFiles(CLIP);
  assert.equal(await page.getByLabel("标题，不填就用文件名").inputValue(), "clip");
  await page.getByLabel("标题，不填就用文件名").fill("海边的早晨");
  await page.locator("#uploadForm").getByLabel("简介").fill("海鸥和风。");
  await page.getByLabel("分类").selectOption({ label: "旅行" });
  await page.getByLabel("标签，用逗号分开").fill("海，早晨, sea");
  let shares = 0;
  await page.exposeFunction("noteShare", () => { shares++; });
  await page.evaluate(() => new MutationObserver(() => window.noteShare()).observe(document.getElementById("uploadCount"), { childList: true }));
  await page.locator("#send").click();
  await page.getByText("上传好了：").waitFor();
  assert.ok(shares >= 2, "there was no progress");
  await entry("海边的早晨").waitFor();
  await look("uploaded");
  await entry("海边的早晨").locator("img").waitFor({ timeout: 20_000 }); // the worker has made a thumbnail
  const { items: [video] } = await api("GET", `/videos?user=${name}`);
  assert.deepEqual([video.title, video.description, video.category, video.tags], ["海边的早晨", "海鸥和风。", "travel", ["海", "早晨", "sea"]]);
  return video;
}

async function refused() {
  await page.locator("#uploadForm").getByLabel("文件").first().setInputFiles({ name: "no film.mp4", mimeType: "video/mp4", buffer: Buffer.from("this is no film") });
  expectError(/422/);
  await page.locator("#send").click();
  await page.locator("#uploadResult:not(:empty)").waitFor();
  assert.match(await page.innerText("#uploadResult"), /不能这样发送/);
  await look("refused");
  expectError(null);
  await page.reload();
  assert.ok(await page.locator("#unfinished").isHidden(), "a file that was refused would go on");
}

/** Break an upload off in the middle, reload, choose the file again: it goes on where it was. */
async function goesOn() {
  const film = readFileSync(CLIP);
  const large = Buffer.concat([film, Buffer.alloc(40 * 1024 * 1024)]); // more than two pieces; players ignore what follows
  const chosen = { name: "long.mp4", mimeType: "video/mp4", buffer: large };
  const pieces = [];
  page.on("request", (request) => {
    if (request.method() === "PATCH" && request.url().includes("/uploads/")) pieces.push(request.headers()["upload-offset"]);
  });
  await page.route("**/uploads/*", (route) =>
    (route.request().method() === "PATCH" && route.request().headers()["upload-offset"] !== "0" ? route.abort() : route.continue()));
  expectError(/ERR_FAILED/);
  await setFile(chosen);
  await page.locator("#send").click();
  await page.waitForFunction(() => document.getElementById("uploadBar").value > 0.3);
  await look("uploading");
  page.once("dialog", (dialog) => dialog.accept()); // the browser asks before it leaves
  await page.reload();
  expectError(null);
  await page.getByText("“long.mp4”还没有传完").waitFor();
  await page.unroute("**/uploads/*");
  await look("unfinished");
  pieces.length = 0;
  await setFile(chosen);
  await page.locator("#send").click();
  await page.getByText("上传好了：").waitFor({ timeout: 30_000 });
  assert.ok(Number(pieces[0]) >= 16 * 1024 * 1024, `it began again, at ${pieces[0]}`);
  await entry("long").waitFor();
}

/** Choose a file with the same date each time: Playwright would give each the time of now. */
async function setFile({ name: file, mimeType, buffer }) {
  const input = page.locator("#uploadForm input[type=file]");
  const bytes = await page.evaluateHandle((count) => new Uint8Array(count), buffer.length);
  await bytes.evaluate((all, head) => all.set(head), [...buffer.subarray(0, readFileSync(CLIP).length)]);
  await input.evaluate((element, [all, title, type]) => {
    const list = new DataTransfer();
    list.items.add(new File([all], title, { type, lastModified: 1_700_000_000_000 }));
    element.files = list.files;
    element.dispatchEvent(new Event("change", { bubbles: true }));
  }, [bytes, file, mimeType]);
}

async function stopped() {
  await page.route("**/uploads/*", (route) => (route.request().method() === "PATCH" ? null : route.continue())); // it hangs
  await page.locator("#uploadForm").getByLabel("文件").first().setInputFiles(CLIP);
  await page.locator("#send").click();
  await page.locator("#uploading").waitFor();
  expectError(/ERR_|abort/i);
  await page.getByRole("button", { name: "取消上传" }).click();
  await page.getByText("已取消上传。").waitFor();
  expectError(null);
  await page.unroute("**/uploads/*");
  assert.equal(await page.evaluate(() => localStorage.getItem("upload")), null);
}

async function own(token) {
  const later = await api("POST", "/videos", { title: "没有文件的", visibility: "private" }, token);
  await page.reload();
  await entry("没有文件的").getByText("还没有文件").waitFor();
  await look("videos");
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"), entry("没有文件的").getByRole("button", { name: "上传文件" }).click(),
  ]);
  await chooser.setFiles(CLIP);
  await entry("没有文件的").getByRole("button", { name: "上传文件" }).waitFor({ state: "detached" });
  assert.ok((await api("GET", `/videos/${later.id}`, undefined, token)).stream_url);

  await entry("没有文件的").getByRole("button", { name: "修改" }).click();
  await page.locator("#sure").getByLabel("标题").fill("<b>改过的</b>");
  await look("edit");
  await page.locator("#sureYes").click();
  await entry("<b>改过的</b>").waitFor();
  await entry("<b>改过的</b>").getByRole("link").click(); // its owner may watch it
  await page.waitForFunction(() => document.getElementById("video")?.readyState >= 1);
  await page.getByText("私密视频").waitFor();
  await page.goBack();
  await entry("<b>改过的</b>").getByRole("button", { name: "删除" }).click();
  await page.locator("#sureYes").click();
  await entry("<b>改过的</b>").waitFor({ state: "detached" });
}

async function watch(video) {
  await go("/watch");
  await page.locator(".card", { hasText: "海边的早晨" }).getByRole("link").first().click();
  await page.waitForURL(new RegExp(`v=${video.id}`));
  await page.locator("#video").evaluate((film) => film.play());
  await page.waitForFunction(() => document.getElementById("video").currentTime > 0.2);
  await page.locator("#me a").click(); // the name in the header leads to the account
  await page.getByRole("heading", { name: `你好，${name}` }).waitFor();
}

async function sessions() {
  const other = await api("POST", "/auth/login", { username: name, password });
  await page.reload();
  const entries = page.locator("#sessionsPart .entry");
  await entries.nth(1).waitFor();
  await page.locator("#sessionsPart").scrollIntoViewIfNeeded();
  await look("sessions");
  const before = await entries.count();
  await entries.getByRole("button", { name: "退出这个设备" }).first().click();
  await page.waitForFunction((count) => document.querySelectorAll("#sessionsPart .entry").length < count, before);
  assert.equal((await fetch(`${address}/api/v1/me`, { headers: { Authorization: `Bearer ${other.token}` } })).status, 401);
  await page.getByRole("button", { name: "全部退出" }).click();
  await page.locator("#sureYes").click();
  await page.getByText("所有设备都已退出。").waitFor();
  await page.getByRole("heading", { name: "注册" }).waitFor();
  await page.getByRole("button", { name: "已有账号，登录" }).click();
  await page.locator("#username").fill(name);
  await page.locator("#password").fill(password);
  await look("login");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: `你好，${name}` }).waitFor();
}

async function keyboard() {
  const keys = await open();
  await go("/account", keys);
  await keys.getByRole("heading", { name: "Register" }).waitFor();
  await keys.keyboard.press("Tab");
  assert.equal(await keys.evaluate(() => document.activeElement.className), "skip");
  await tabTo(keys, "#known");
  await keys.keyboard.press("Enter");
  await keys.locator("#login[open]").waitFor();
  await tabTo(keys, "#login a[href$='#forgot']");
  await keys.keyboard.press("Enter");
  await keys.getByRole("heading", { name: "Forgotten password" }).waitFor();
  assert.ok(await keys.locator("#login").isHidden());
  await keys.locator("#forgot input:focus").waitFor();
  await keys.context().close();
}

/** Every page, light and dark, on a desktop and on a telephone, in both languages. */
async function everywhere({ token, user }) {
  const pages = [["home", "/"], ["page", "/account"], ["nowhere", "/nowhere"], ["form", "/login"], ["missing", "/watch?v=999999"], ["forgot", "/account#forgot"]];
  for (const [kind, colorScheme, width, height, locale] of [
    ["light", "light", 1280, 900, "en-US"], ["dark", "dark", 1280, 900, "zh-CN"], ["phone", "light", 360, 740, "zh-CN"], ["phone-dark", "dark", 360, 740, "en-US"]]) {
    const on = await open({ viewport: { width, height }, colorScheme, locale, reducedMotion: "reduce" });
    expectError(/404/);
    for (const [part, path] of pages) {
      await go(path, on);
      await on.waitForLoadState("networkidle");
      await fits(on);
      await on.screenshot({ path: join(folder, `pages-${part}-${kind}.png`), fullPage: part !== "missing" });
    }
    expectError(null);
    await on.evaluate((kept) => sessionStorage.setItem("session", kept), JSON.stringify({ token, user: { id: user.id, username: user.username } }));
    await go("/account", on);
    await on.locator("#videosPart .entry").first().waitFor();
    await on.locator("#sessionsPart .entry").first().waitFor();
    await on.waitForLoadState("networkidle");
    await fits(on);
    await on.screenshot({ path: join(folder, `pages-mine-${kind}.png`), fullPage: true });
    await go("/docs", on);
    await on.locator(".opblock-tag").first().waitFor();
    assert.equal(await on.evaluate(() => document.documentElement.classList.contains("dark-mode")), colorScheme === "dark");
    await on.screenshot({ path: join(folder, `pages-docs-${kind}.png`) });
    await on.context().close();
  }
  const plain = await open({ javaScriptEnabled: false });
  await go("/account", plain);
  assert.match(await plain.innerText("noscript p"), /The page needs JavaScript\./);
  await look("no-script", plain);
}

try {
  await speaksAsThePage();
  await register();
  const video = await upload();
  const { token } = await api("POST", "/auth/login", { username: name, password });
  await refused();
  await goesOn();
  await stopped();
  await own(token);
  await watch(video);
  await sessions();
  await keyboard();
  await everywhere(await api("POST", "/auth/login", { username: name, password }));
} catch (error) {
  await look("failed");
  faults.push(error.stack);
}
await close("/account", "language, register, upload, refused, goes on, stopped, videos, watch, sessions, keyboard, every page in four ways, no script");
