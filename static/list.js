// The lists of the pages /admin and /account. The form of a list filters it, if it has one, and a button loads more.
import { ask, words } from "./api.js";

const PAGE_SIZE = 20;

/** Fill a list from the API, and again whenever its form is sent.
 *
 *  `path` is the address, `show(item)` makes the element of an item, `filter(values)` may change what the form says before it
 *  is sent, and `head(values)` may make an element to stand above the list. */
export function fillList(place, { path, show, filter = (values) => values, head = () => [] }) {
  const find = (selector) => place.querySelector(`:scope > ${selector}`);
  const [form, entries, state, retry, more] = ["[role=search]", ".entries", ".state", ".retry", ".more"].map(find);
  let loads = 0, headFor = null;

  async function load(values, after) {
    const loading = ++loads;
    more.hidden = retry.hidden = true;
    state.textContent = words.loading;
    if (!after) entries.replaceChildren();
    try {
      const { items, next } = await ask(path, { limit: PAGE_SIZE, ...values, after });
      if (loading !== loads) return; // the form was sent again meanwhile
      const added = items.map(show);
      entries.append(...added);
      if (after) added[0]?.focus(); // the keyboard goes on from here
      if (entries.children.length) state.textContent = "";
      else state.textContent = next ? words.emptySoFar : words.empty; // a search looks at so many rows for one page
      more.hidden = !next;
      more.onclick = () => load(values, next);
    } catch (problem) {
      if (loading !== loads) return;
      state.textContent = problem.message;
      retry.hidden = !problem.isPassing;
      retry.onclick = () => load(values, after);
    }
  }

  function begin() {
    const said = form ? Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()])) : {};
    const values = filter(said);
    const key = JSON.stringify(values);
    if (key !== headFor) find(".head")?.replaceChildren(...head(values)); // else what it tells stays there
    headFor = key;
    return load(values);
  }

  if (form) {
    form.onsubmit = (event) => {
      event.preventDefault();
      begin();
    };
    form.onchange = (event) => { if (event.target.matches("select")) begin(); };
  }
  return begin();
}

/** Put a name from the address into the form. Without one, the form stays as it is. */
export function setField(place, name, value) {
  if (value) {
    const form = place.querySelector("form[role=search]");
    form.reset();
    form.elements[name].value = value;
  }
}
