// One entry of a list: a copy of the template "entry". The text of strangers is text here, never markup.
import { copy, language, wordFor } from "./api.js";
import { showAge } from "./formats.js";
import { fillThumb } from "./thumb.js";

const TURNING = /[\u202A-\u202E\u2066-\u2069]/g; // characters that turn the words around them
const clean = (text) => String(text).replace(TURNING, "");

/** Return the element of a thing.
 *
 *  describe(data) says what it shows: `thumb` as for fillThumb(), `title`, `href`, `marks`, `time`, `text`, `facts` as pairs of a
 *  name and a text or an element, and `acts` as pairs of a name and a function. What this returns is the thing from then on;
 *  null: it is gone; undefined: nothing has changed. `begin` is called with the element. */
export function entry(data, describe) {
  const item = copy("entry");
  const find = (selector) => item.querySelector(selector);
  const { thumb, title = "", href, marks = [], time, text = "", facts = [], acts = [], begin } = describe(data);
  if (thumb) fillThumb(item, thumb);
  else find(".thumb").remove();
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
  begin?.(item);
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

/** Write an instant in the reader's own time. */
export const instant = (text) => text && new Date(text).toLocaleString(language);

/** 1536 -> 1.5 KiB. */
export function bytes(count) {
  let amount = count, unit = 0;
  for (; amount >= 1024 && unit < 4; unit++) amount /= 1024;
  return `${amount.toLocaleString(language, { maximumFractionDigits: unit ? 1 : 0 })} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}
