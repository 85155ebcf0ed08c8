// The upload of the page /account. An upload that broke off goes on, even after a reload, when the same file is chosen again.
import { ask, byId, language, session, words } from "./api.js";
import { bytes, link } from "./entry.js";
import { linkTo } from "./formats.js";
import { drop, sendFile } from "./tus.js";

const KEPT = "upload"; // in localStorage: where the upload that is under way is, and of which file
const form = byId("uploadForm");
const { file, title } = form.elements;
let ending = null; // ends the upload that is under way

/** Show the form. done() is called when there is a new video. */
export function prepareUpload(done) {
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!ending) send(file.files[0], done);
  };
  fillCategories();
  showUnfinished();
}

file.addEventListener("change", () => {
  const chosen = file.files[0];
  if (chosen && !title.value) title.value = chosen.name.replace(/\.\w{2,4}$/, "").slice(0, 200);
  byId("uploadResult").replaceChildren();
  showUnfinished();
});
byId("stopUpload").addEventListener("click", () => ending?.abort(new DOMException("stopped", "AbortError")));
addEventListener("beforeunload", (event) => { if (ending) event.preventDefault(); }); // the browser asks

async function send(chosen, done) {
  const { description, visibility, category, tags } = form.elements;
  const known = find(chosen);
  const more = { // what does not go with the file; of an upload that goes on, also what may have changed since
    ...(known && title.value && { title: title.value }),
    ...(description.value && { description: description.value }),
    ...(category.value && { category: category.value }),
    ...(tags.value.trim() && { tags: split(tags.value) }),
  };
  const about = { ...(title.value.trim() && { title: title.value.trim() }), visibility: visibility.value };
  let isStored = false;
  ending = new AbortController();
  show(0, chosen.size);
  try {
    const path = await sendFile(chosen, about, {
      known: known?.url,
      keep: (url) => keep({ ...mark(chosen), url }),
      tell: (count) => show(count, chosen.size),
      signal: ending.signal,
    });
    keep(null);
    isStored = true;
    const id = path.split("/").at(-1);
    if (Object.keys(more).length) await ask(`/videos/${id}`, {}, { method: "PATCH", body: more });
    form.reset();
    tell(words.uploaded, link(about.title ?? chosen.name, videoAddress({ id, visibility: about.visibility })));
  } catch (problem) {
    if (problem.name === "AbortError") await stop();
    else tell(problem.message);
    if (problem.status === 422) keep(null); // the file is no video, or a field is wrong: to go on would help nobody
  } finally {
    ending = null;
    byId("uploading").hidden = true;
    byId("send").disabled = false;
    showUnfinished();
  }
  if (isStored) done();
}

/** Delete what has arrived of the upload that was stopped. */
async function stop() {
  const kept = read();
  keep(null);
  if (kept) await drop(kept.url).catch(() => {}); // the server forgets it after a day
  tell(words.uploadStopped);
}

function show(count, size) {
  const share = size ? count / size : 1;
  byId("uploading").hidden = false;
  byId("send").disabled = true;
  byId("uploadBar").value = share;
  const percent = share.toLocaleString(language, { style: "percent" });
  byId("uploadCount").textContent = share === 1 ? words.checking : `${percent} · ${bytes(count)} / ${bytes(size)}`;
}

function tell(text, ...more) {
  byId("uploadResult").replaceChildren(text, ...(more.length ? [" ", ...more] : []));
}

/** Return the address of the page that plays a video. */
export const videoAddress = ({ id, visibility }) =>
  linkTo({ v: id, ...(visibility !== "public" && { private: 1 }) }, document.body.dataset.watch);

const split = (text) => [...new Set(text.split(/[,，、]/).map((tag) => tag.trim()).filter(Boolean))];

async function fillCategories() {
  const { category } = form.elements;
  const { items } = await ask("/categories").catch(() => ({ items: [] }));
  category.replaceChildren(category.options[0], ...items.map(({ slug, name, name_en }) =>
    new Option((language === "en" && name_en) || name, slug)));
}

// What is under way

const mark = ({ name, size, lastModified }) => ({ user: session.user.id, name, size, lastModified });

/** Return the upload of this file that broke off, if there is one. */
function find(chosen) {
  const kept = read();
  return kept && Object.entries(mark(chosen)).every(([name, value]) => kept[name] === value) ? kept : null;
}

/** Say what can go on. */
function showUnfinished() {
  const kept = read();
  const [chosen] = file.files;
  const isOther = chosen && !find(chosen);
  byId("unfinished").hidden = !kept || kept.user !== session?.user.id || isOther;
  byId("unfinished").textContent = kept ? words.unfinished.replace("{}", () => kept.name) : "";
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT));
  } catch { // the browser keeps nothing
    return null;
  }
}

function keep(value) {
  try {
    if (value) localStorage.setItem(KEPT, JSON.stringify(value));
    else localStorage.removeItem(KEPT);
  } catch { /* see read() */ }
}
