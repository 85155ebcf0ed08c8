// The pages of /debug in a real browser: node debug.mjs ADDRESS FOLDER, with the demo world. Screenshots go to the folder;
// any error makes the exit code 1.
import assert from "node:assert/strict";
import { address, close, expectError, look as shoot, open, tabTo } from "./browser.mjs";

const LOGIN = { username: "demo", password: "rawreel-demo" };
const phone = { viewport: { width: 390, height: 844 } };
const headers = { "Content-Type": "application/json" };

/** Send a request past the page, and return its answer and the address of its page. */
async function send(method, path, body, token) {
  const options = { method, headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) }, body: body && JSON.stringify(body) };
  const answer = await fetch(`${address}${path}`, options);
  return { status: answer.status, link: answer.headers.get("X-Debug"), json: answer.status === 204 ? null : await answer.json() };
}

const login = await send("POST", "/api/v1/auth/login", LOGIN);
const { token } = login.json;
const list = await send("GET", "/api/v1/videos?limit=5", undefined, token);
const like = await send("PUT", `/api/v1/videos/${list.json.items[0].id}/like`, undefined, token);
const missing = await send("PUT", "/api/v1/videos/999999999/like", undefined, token);
assert.equal(missing.status, 404);

/** The page is no wider than the window: what is wide scrolls by itself. */
const fits = async (page) => assert.ok(
  await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${page.url()} is wider than the window`);

for (const [name, options] of [
  ["en", {}], ["zh", { locale: "zh-CN" }], ["dark", { colorScheme: "dark" }], ["phone", { ...phone, locale: "zh-CN" }],
  ["phone-dark", { ...phone, colorScheme: "dark" }],
]) {
  const page = await open(options);
  const isChinese = options.locale === "zh-CN";
  await page.goto(`${address}/debug`);
  assert.equal(await page.locator("h1").textContent(), isChinese ? "最近的请求" : "The last requests");
  await fits(page);
  await shoot(`debug-list-${name}`, page);
  await page.goto(`${address}${like.link}`);
  assert.ok((await page.locator(".bound").allTextContents()).join().includes("COMMIT"), `${like.link} has no COMMIT`);
  await fits(page);
  await page.screenshot({ path: `${process.argv[3]}/debug-like-${name}.png`, fullPage: true });
  await page.goto(`${address}${missing.link}`);
  assert.ok((await page.locator(".bound").allTextContents()).join().includes("ROLLBACK"), `${missing.link} has no ROLLBACK`);
  await page.goto(`${address}${list.link}`);
  await page.locator(".plan li").first().waitFor();
  await fits(page);
  await page.screenshot({ path: `${process.argv[3]}/debug-videos-${name}.png`, fullPage: true });
  await page.locator(".touched a").first().click();
  await page.locator("svg .chosen").waitFor();
  await page.waitForLoadState(); // with its stylesheets
  await fits(page);
  await shoot(`debug-table-${name}`, page);
  await page.goto(`${address}/debug/schema`);
  await page.locator("svg .box").first().waitFor();
  await fits(page);
  await page.screenshot({ path: `${process.argv[3]}/debug-schema-${name}.png`, fullPage: true });
  await page.context().close();
}

const page = await open();
await page.goto(`${address}${login.link}`);
const text = await page.locator("main").textContent();
assert.ok(!text.includes(LOGIN.password) && !text.includes(token), "a secret is on the page");
assert.ok(text.includes("••••••"));
await page.goto(`${address}/debug/schema`);
await page.locator('.box[data-table="videos"]').hover();
await page.waitForFunction(() => document.querySelectorAll(".line.isNear").length > 3);
await tabTo(page, ".box");
await page.waitForFunction(() => document.querySelectorAll(".line.isFar").length > 3);
await page.locator("#language").click();
await page.locator("h1").getByText("数据表和外键").waitFor();
expectError(/404/);
await page.goto(`${address}/debug/requests/gone`);
assert.equal(await page.locator("h1").textContent(), "No such request");
await send("DELETE", `/api/v1/videos/${list.json.items[0].id}/like`, undefined, token); // the demo world stays as it is
await close("The glass box", "requests, statements, plans, transactions, masks, the schema, two languages, light and dark, a telephone");
