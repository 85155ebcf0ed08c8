// A real browser for the tests of /watch, run as: node TEST.mjs ADDRESS FOLDER. Screenshots go to the folder.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

export const [address, folder] = process.argv.slice(2);
const { chromium } = createRequire(resolve(folder, "package.json"))("playwright-core");
export const faults = []; // any makes the exit code 1
let expected = null;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  timeout: 30_000,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** Errors on a page that match this are expected now; null: none are. */
export const expectError = (pattern) => { expected = pattern; };

/** A page of its own, with the options of a browser context. What goes wrong on it is noted. */
export async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-US", ...options });
  const opened = await context.newPage();
  opened.setDefaultTimeout(10_000);
  const note = (text) => expected?.test(text) || faults.push(`${opened.url()}: ${text}`);
  opened.on("console", (message) => { // a violation of the Content-Security-Policy is told here as well
    if (["error", "warning"].includes(message.type())) note(`${message.text()} ${message.location().url}`);
  });
  opened.on("pageerror", (error) => note(String(error)));
  opened.on("request", (request) => {
    if (new URL(request.url()).host !== new URL(address).host) note(`asks ${request.url()}`);
  });
  return opened;
}

export const look = (name, on) => on.screenshot({ path: join(folder, `${name}.png`) });

/** With the keyboard alone: go on with Tab until something has the focus. */
export async function tabTo(page, selector) {
  for (let tries = 0; tries < 120; tries++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  throw new Error(`Tab does not come to ${selector}`);
}

/** Call the API past the page. */
export async function api(method, path, body, token) {
  const isForm = body instanceof FormData;
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && !isForm && { "Content-Type": "application/json" }) };
  const answer = await fetch(`${address}/api/v1${path}`, { method, headers, body: isForm ? body : body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return [202, 204].includes(answer.status) ? null : answer.json();
}

/** End the browser and the test, and say what was tested. */
export async function close(subject, parts) {
  await browser.close();
  faults.forEach((fault) => console.error(fault));
  console.log(faults.length ? `${subject} has faults.` : `${subject} is fine: ${parts}.`);
  process.exit(faults.length ? 1 : 0);
}
