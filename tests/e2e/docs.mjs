// The pages in a real browser: node docs.mjs ADDRESS FOLDER. Screenshots go to the folder; any error makes the exit code 1.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [address, folder] = process.argv.slice(2);
const { chromium } = createRequire(resolve(folder, "package.json"))("playwright-core");
const faults = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  timeout: 30_000,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
page.setDefaultTimeout(15_000);
page.on("console", (message) => { // a violation of the Content-Security-Policy is told here as well
  if (["error", "warning"].includes(message.type())) faults.push(`${page.url()}: ${message.text()}`);
});
page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
page.on("request", (request) => {
  const { protocol, host } = new URL(request.url());
  if (protocol !== "data:" && protocol !== "blob:" && host !== new URL(address).host) faults.push(`${page.url()} asks ${request.url()}`);
});
page.on("response", (response) => {
  if (response.status() >= 400) faults.push(`${response.url()}: ${response.status()}`);
});

const declared = await (await fetch(`${address}/openapi.json`)).json();
const openResource = (tag) => page.locator(`.opblock-tag[data-tag="${tag}"]`).click();

const look = (name) => page.screenshot({ path: join(folder, name) });

/** Open an operation of the docs page, fill in its body or its parameter, send it, and return what is shown. */
async function attempt(method, path, value) {
  const block = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
  const tag = declared.paths[path][method].tags[0];
  if (!await block.count()) await openResource(tag);
  await block.locator(".opblock-summary-control").click();
  if (typeof value === "object") await block.locator("textarea.body-param__text").fill(JSON.stringify(value));
  if (typeof value === "number") await block.locator(".parameters input").first().fill(String(value));
  await block.locator("button.execute").click();
  const answer = block.locator(".live-responses-table .response");
  await answer.waitFor();
  await answer.scrollIntoViewIfNeeded();
  const [body] = await answer.locator(".highlight-code code").allInnerTexts();
  return { status: (await answer.locator(".response-col_status").innerText()).trim(), body };
}

async function docs() {
  await page.goto(`${address}/docs`);
  await page.locator(".opblock-tag").first().waitFor();
  await look("docs.png");
  const operations = Object.values(declared.paths).flatMap(Object.values);
  for (const { name } of declared.tags) {
    await openResource(name);
    const count = operations.filter(({ tags }) => tags[0] === name).length;
    await page.waitForFunction((all) => document.querySelectorAll(".opblock").length === all, count);
    await openResource(name); // and close it
  }

  // With the examples as they are. The token of the login is used, and revoked by the logout.
  assert.match((await attempt("post", "/api/v1/auth/login")).body, /"token"/);
  await look("docs-login.png");
  const video = await attempt("post", "/api/v1/videos", { title: "海", visibility: "private" });
  assert.match(video.status, /^201/);
  assert.match(video.body, /"username": "demo"/);
  await look("docs-try.png");
  const mine = await attempt("get", "/api/v1/videos/{video_id}", JSON.parse(video.body).id);
  assert.match(mine.status, /^200/, "the token was not sent where a login is optional");
  await page.reload();
  await page.locator(".opblock-tag").first().waitFor();
  assert.match((await attempt("get", "/api/v1/me")).status, /^200/, "a reload lost the token");
  assert.equal(await page.evaluate(() => localStorage.length), 0, "the token outlives the tab");
  assert.match((await attempt("post", "/api/v1/auth/logout")).status, /^204/);
  assert.equal(await page.evaluate(() => sessionStorage.authorized), "{}", "the page still has the token");
}

async function tutorial() {
  await page.goto(`${address}/`);
  assert.match(await page.innerText("h1"), /Hello World! Hello Flask!/);
  assert.ok(await page.evaluate(() => [...document.images].every((image) => image.naturalWidth > 0)), "an image is missing");
  await look("tutorial.png");

  await page.goto(`${address}/login`);
  await page.fill("#username", "张三");
  await page.fill("#password", "12345678");
  await look("login.png");
  await page.click("input[type=submit]");
  assert.equal(new URL(page.url()).pathname, "/success");
  assert.equal(await page.innerText("body"), "Hello,张三");
}

/** The links of all mails; without a mail server they are in the log. */
const links = (purpose) =>
  readFileSync(join(folder, "server.log"), "utf8").match(new RegExp(`/account#${purpose}=[\\w-]+&account=\\S+`, "g")) ?? [];

/** The link of the mail that something brings. */
async function mailed(purpose, action) {
  const before = links(purpose).length;
  await action();
  for (let tries = 0; tries < 50; tries++) {
    if (links(purpose).length > before) return links(purpose).at(-1);
    await page.waitForTimeout(100);
  }
  throw new Error(`no mail to ${purpose}`);
}

async function account() {
  const username = `reader_${Date.now()}`;
  const send = (path, body) => fetch(`${address}/api/v1/auth/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const email = `${username}@example.org`;
  await page.goto(address + await mailed("verify", () => send("register", { username, email, password: "a first password" })));
  assert.equal(page.url(), `${address}/account`, "the token stays in the address bar");
  await page.locator("#verify").getByText(username).waitFor();
  await look("account-verify.png");
  await page.keyboard.type("a first password"); // its field has the focus
  await page.keyboard.press("Enter");
  await page.getByText("Your e-mail address is confirmed.").waitFor();

  await page.goto(`${address}/account#forgot`);
  await page.reload(); // from the same page, only the part after the # has changed
  await page.locator("#forgot").getByLabel("Username or e-mail address").fill(email);
  const reset = await mailed("reset", () => page.keyboard.press("Enter"));
  await page.getByText("a mail is on its way").waitFor();
  await page.goto(address + reset);
  await page.locator("#reset").getByText(username).waitFor();
  await page.getByLabel("New password").fill("a second password");
  await page.locator("#reset").getByLabel("Show the password").check();
  await look("account-reset.png");
  await page.getByRole("button", { name: "Set it" }).click();
  await page.getByText("Your password is set").waitFor();
  await look("account-done.png");
  assert.equal((await send("login", { username, password: "a second password" })).status, 200);
}

try {
  await docs();
  await tutorial();
  await account();
} catch (error) {
  await look("failed.png");
  faults.push(error.stack);
} finally {
  await browser.close();
}
faults.forEach((fault) => console.error(fault));
console.log(faults.length ? "The pages have faults." : "The pages are fine: docs, try it, tutorial, login, account.");
process.exit(faults.length ? 1 : 0);
