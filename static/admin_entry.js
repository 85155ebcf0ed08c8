// What the lists of the page /admin have beside entry.js: links to people and things, and work that takes long.
import { byId, copy, language, words } from "./api.js";
import { link } from "./entry.js";
import { linkTo } from "./formats.js";

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

/** A link to a part of this page, with a name. */
export const partLink = (text, part, name) => link(text, `#${part}/${encodeURIComponent(name)}`);

/** A link to a person's account, or a sentence if there is none. */
export const personLink = (name) => (name ? partLink(name, "people", name) : words.nobody);

/** A link to a video. */
export const videoLink = (id, title) => link(title ?? `# ${id}`, linkTo({ v: id }, document.body.dataset.watch));

/** Return the address of an account. */
export const accountPath = (name) => `/admin/users/${encodeURIComponent(name)}`;

/** Set the text of a list of names and values, as on the part with the figures. */
export function showNumbers(id, pairs) {
  byId(id).replaceChildren(...pairs.map(([name, value]) => {
    const fact = copy("fact");
    fact.querySelector("dt").textContent = name;
    fact.querySelector("dd").textContent = typeof value === "number" ? value.toLocaleString(language) : value;
    return fact;
  }));
}
