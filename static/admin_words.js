// The parts of the page /admin about words: those that are blocked, and tags.
import { askFor } from "./admin_dialog.js";
import { untilDone } from "./admin_entry.js";
import { fillList } from "./list.js";
import { ask, Problem, wordFor, words } from "./api.js";
import { entry } from "./entry.js";

export function showWords(place) {
  const form = place.querySelector(".adding");
  const [button, error] = [form.querySelector("button"), form.querySelector(".error")];
  const show = (word) => entry(word, describeWord);
  form.onsubmit = async (event) => {
    event.preventDefault();
    const { word, action } = form.elements;
    if (!word.value.trim()) return word.focus();
    button.disabled = true;
    error.textContent = "";
    try {
      const made = await ask("/admin/words", {}, { method: "POST", body: { word: word.value.trim(), action: action.value } });
      place.querySelector(".entries").prepend(show(made));
      place.querySelector(".state").textContent = "";
      form.reset();
    } catch (problem) {
      error.textContent = problem.message;
    } finally {
      button.disabled = false;
    }
    word.focus();
  };
  return fillList(place, { path: "/admin/words", show });
}

function describeWord(word) {
  const path = `/admin/words/${word.id}`;
  return {
    title: word.word,
    marks: [wordFor("action", word.action)],
    time: word.created_at,
    acts: [
      ["change", async () => {
        const said = await askFor(words.actChange, { fields: ["action"], text: word.word, values: { action: word.action } });
        return said && ask(path, {}, { method: "PATCH", body: { action: said.action } });
      }],
      ["remove", async () => {
        await ask(path, {}, { method: "DELETE" });
        return null;
      }],
    ],
  };
}

export const showTags = (place) => fillList(place, { path: "/tags", show: (tag) => entry(tag, describeTag) });

function describeTag(tag) {
  const path = `/admin/tags/${tag.id}`;
  const work = (item, call) => untilDone(item, call, (answer) => answer.video_count);
  return {
    title: `# ${tag.name}`,
    acts: [
      ["merge", async (item) => {
        const said = await askFor(words.actMerge, { fields: ["into"], needed: ["into"], text: `# ${tag.name}` });
        if (!said) return undefined;
        const into = await findTag(said.into);
        return (await work(item, () => ask(`${path}/merge`, {}, { method: "PUT", body: { into } }))) ? null : undefined;
      }],
      ["delete", async (item) => {
        if (!(await askFor(words.actDelete, { text: `# ${tag.name}. ${words.cannotBeUndone}` }))) return undefined;
        return (await work(item, () => ask(path, {}, { method: "DELETE" }))) ? null : undefined;
      }],
    ],
  };
}

/** Return the id of the tag with this name. It is the first that begins so, as they are sorted by name. */
async function findTag(name) {
  const { items: [first] } = await ask("/tags", { prefix: name.replace(/^#\s*/, ""), limit: 1 });
  const plain = (text) => text.normalize("NFKC").toLowerCase().trim();
  if (!first || plain(first.name) !== plain(name.replace(/^#\s*/, ""))) throw new Problem(words.noTag);
  return first.id;
}
