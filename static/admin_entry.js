// One entry of a list of the page /admin: a copy of the template "entry". The text of strangers is text here, never markup.
import { byId, copy, language, wordFor, words } from "./api.js";
import { linkTo, showAge } from "./formats.js";

const TURNING = /[\u202A-\u202E\u2066-\u2069]/g; // characters that turn the words around them
const clean = (text) => String(text).replace(TURNING, "");

/** Return the element of a thing.
 *
 *  describe(data) says what it shows: `title`, `href`, `marks`, `time`, `text`, `facts` as pairs of a name and a text or an
 *  element, and `acts` as pairs of a name and a function. What this returns is the thing from then on; null: it is gone;
 *  undefined: nothing has changed. */
export function entry(data, describe) {
  const item = copy("entry");
  const find = (selector) => item.querySelector(selector);
  const { title = "", href, marks = [], time, text = "", facts = [], acts = [] } = describe(data);
  find(".title").append(href ? link(title, href) : clean(title));
  find(".marksHere").append(...marks.filter(Boolean).map(mark));
  if (time) showAge(find("time"), time);
  else find("time").remove();
  find(".text").textContent = clean(text);
  for (const [name, value] of facts) {
    if (value === null || value === undefined || value === "") continue;
    const fact = copy("fact");
    fact.querySelector("dt").textContent = name;
    fact.querySelector("dd").append(value instanceof Node ? value : clean(value));
    find(".facts").append(fact);
  }
  for (const [name, work] of acts) {
    const button = copy("act");
    button.textContent = wordFor("act", name);
    button.dataset.act = name;
    button.onclick = () => act(item, describe, work);
    find(".acts").append(button);
  }
  return item;
}

/** Do what a button of an entry says, show the entry as it is then, and tell in the entry if it fails. */
async function act(item, describe, work) {
  const find = (selector) => item.querySelector(`:scope > ${selector}`);
  if (item.ariaBusy === "true") return; // the buttons are not disabled: the dialog gives the focus back to them
  item.ariaBusy = "true";
  find(".error").textContent = find(".progress").textContent = "";
  try {
    const changed = await work(item);
    if (changed === null) {
      (item.nextElementSibling ?? item.previousElementSibling ?? item.closest(".part").querySelector("h2")).focus();
      item.remove();
    } else if (changed) {
      const fresh = entry(changed, describe);
      item.replaceWith(fresh);
      fresh.focus();
    }
  } catch (problem) {
    find(".error").textContent = problem.message;
  } finally {
    item.ariaBusy = "false";
  }
}

/** Repeat a call that works for a few seconds at a time, until it is done. The entry shows how far it is, and a button stops it.
 *
 *  count(answer) is how many things the call has changed. Return whether all is done. */
export async function untilDone(item, call, count) {
  const place = item.querySelector(":scope > .progress");
  const stop = copy("act");
  let sum = 0, isStopped = false, isDone = false;
  stop.textContent = words.actStop;
  stop.onclick = () => { isStopped = stop.disabled = true; };
  const say = (text) => place.replaceChildren(text.replace("{}", sum.toLocaleString(language)));
  try {
    while (!isStopped && !isDone) {
      say(words.sumChanged);
      place.append(" ", stop);
      const answer = await call();
      sum += count(answer);
      isDone = answer.is_done;
    }
  } finally {
    say(isDone ? words.sumDone : words.sumStopped);
  }
  return isDone;
}

function mark(text) {
  const found = copy("mark");
  found.textContent = text;
  return found;
}

/** A link with a text. Addresses are ours: a part of this page, or /watch. */
export function link(text, href) {
  const found = copy("link");
  found.textContent = clean(text);
  found.href = href;
  return found;
}

/** A link to a part of this page, with a name. */
export const partLink = (text, part, name) => link(text, `#${part}/${encodeURIComponent(name)}`);

/** A link to a person's account, or a sentence if there is none. */
export const personLink = (name) => (name ? partLink(name, "people", name) : words.nobody);

/** A link to a video. */
export const videoLink = (id, title) => link(title ?? `# ${id}`, linkTo({ v: id }, document.body.dataset.watch));

/** Return the address of an account. */
export const accountPath = (name) => `/admin/users/${encodeURIComponent(name)}`;

/** Write an instant in the reader's own time. */
export const instant = (text) => text && new Date(text).toLocaleString(language);

/** 1536 -> 1.5 KiB. */
export function bytes(count) {
  let amount = count, unit = 0;
  for (; amount >= 1024 && unit < 4; unit++) amount /= 1024;
  return `${amount.toLocaleString(language, { maximumFractionDigits: unit ? 1 : 0 })} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** Set the text of a list of names and values, as on the part with the figures. */
export function showNumbers(id, pairs) {
  byId(id).replaceChildren(...pairs.map(([name, value]) => {
    const fact = copy("fact");
    fact.querySelector("dt").textContent = name;
    fact.querySelector("dd").textContent = typeof value === "number" ? value.toLocaleString(language) : value;
    return fact;
  }));
}
