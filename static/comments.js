// The comments on the video of /watch. A comment is a list item, with its replies inside.
import { ask, byId, copy, link, onSession, send, session, words } from "./api.js";
import { foldComment, showComment } from "./comment.js";
import { logIn } from "./login.js";
import { markButton, reloadMarks } from "./marks.js";

const PAGE_SIZE = 20;
const MAX_PENDING_PAGES = 10;

const cards = new Map(); // the comments on the page by id: { comment, item, show }
let video, mayWrite = false, sort = "new", loads = 0;

/** Show the comments on a video. */
export function showComments(shown) {
  video = shown;
  byId("comments").hidden = false;
  load();
  onSession(() => (document.querySelector("#comments .compose") ? showForm() : load())); // do not lose what they write
}

const isOwner = () => session?.user.id === video.user_id;
const list = (path, parameters) => ask(path, { limit: PAGE_SIZE, token: link.token, ...parameters });
const tell = (text) => { byId("commentState").textContent = text; };

// The lists

/** Load the first page. What is there stays until then. */
async function load() {
  const loading = ++loads;
  await fetchPage(loading, load, async () => {
    const [, pending, first] = await Promise.all([showForm(), getPending(), getPage()]);
    if (loading !== loads) return; // the order was changed meanwhile
    cards.clear();
    byId("waiting").replaceChildren();
    byId("threads").replaceChildren();
    add(byId("waiting"), pending);
    showPage(loading, first);
  });
}

async function loadMore(loading, after) {
  await fetchPage(loading, () => loadMore(loading, after), async () => {
    const found = await getPage(after);
    if (loading === loads) showPage(loading, found)[0]?.focus(); // the keyboard goes on from here
  });
}

const getPage = (after) => list(`/videos/${video.id}/comments`, { sort, after });

/** Do the work, say that it is under way, and offer to try again if it fails. */
async function fetchPage(loading, again, work) {
  const [more, retry] = [byId("moreComments"), byId("retryComments")];
  more.hidden = retry.hidden = true;
  tell(byId("threads").children.length ? "" : words.loading);
  try {
    await work();
  } catch (problem) {
    if (loading !== loads) return;
    tell(problem.message);
    retry.hidden = !problem.isPassing;
    retry.onclick = again;
  }
}

function showPage(loading, { items, next }) {
  const [threads, more] = [byId("threads"), byId("moreComments")];
  const added = add(threads, items);
  tell(threads.children.length || video.comment_policy === "closed" ? "" : words.noComments);
  more.hidden = !next;
  more.onclick = () => loadMore(loading, next);
  return added;
}

/** Get the comments that wait for approval: for the owner all of them, for others their own. */
async function getPending() {
  const path = isOwner() ? "/me/videos/comments" : "/me/comments";
  const isWanted = session && (isOwner() || video.comment_policy === "approved");
  const here = [];
  for (let after = null, pages = 0; isWanted && pages < MAX_PENDING_PAGES; pages++) {
    const { items, next } = await ask(path, { limit: 100, after, is_pending: isOwner() && "true" });
    here.push(...items.filter((one) => one.is_pending && one.video_id === video.id));
    if (!(after = next)) break;
  }
  return here.map((one) => ({ ...one, can_delete: true, is_liked: false }));
}

/** Add comments to a list, but for those that are on the page. Return their elements. */
function add(place, comments, isFirst = false) {
  const items = comments.filter(({ id }) => !cards.has(id)).map(card);
  if (isFirst) place.querySelector(":scope > :not(.isPinned)")?.before(...items);
  if (!items[0]?.isConnected) place.append(...items);
  items.forEach(foldComment);
  return items;
}

// One comment, and what its buttons do

function card(comment) {
  const item = copy("comment");
  const find = (selector) => item.querySelector(selector);
  const one = { comment, item };
  const { id } = comment;
  const on = (act, work) => { find(`.${act}`).onclick = () => run(item, work); };
  cards.set(id, one);
  find(".avatar img").onerror = (event) => event.target.remove(); // then the letter behind it shows
  const mark = markButton(find(".like"), (isOn) => send(isOn ? "PUT" : "DELETE", `/comments/${id}/like`), () => reload(id), (text) => {
    find(".error").textContent = text;
  });
  one.show = () => {
    showComment(item, one.comment, video, mayWrite);
    mark(one.comment.is_liked, one.comment.like_count);
  };
  on("answer", () => answer(one));
  on("edit", () => edit(one));
  on("delete", () => remove(one));
  on("pin", async () => {
    await ask(`/comments/${id}/pin`, {}, { method: one.comment.is_pinned ? "DELETE" : "PUT" });
    await load();
    cards.get(id)?.item.focus();
  });
  on("approve", async () => {
    await ask(`/comments/${id}/approval`, {}, { method: "PUT" });
    await reloadMarks();
    await load();
    byId("commentsHeading").focus();
  });
  find(".unfold").onclick = () => {
    item.classList.remove("isFolded");
    find(".unfold").hidden = true;
    item.focus();
  };
  find(".openReplies").onclick = () => openReplies(one, find(".thread").hidden);
  one.show();
  return item;
}

/** Do what a button of a comment says, and tell in the comment if it fails. */
async function run(item, work) {
  const error = item.querySelector(".error");
  error.textContent = "";
  try {
    await work();
  } catch (problem) {
    error.textContent = problem.message;
  }
}

/** Get a comment again, as something has changed. Take it away if it is gone. */
async function reload(id) {
  const one = cards.get(id);
  if (!one) return;
  try {
    one.comment = await ask(`/comments/${id}`, { token: link.token });
    one.show();
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    drop(id);
  }
}

function drop(id) {
  cards.get(id)?.item.remove();
  cards.delete(id);
}

// Replies

/** Show or hide the replies of a root. */
async function openReplies(one, isOpen) {
  const thread = one.item.querySelector(".thread");
  thread.hidden = !isOpen;
  one.item.querySelector(".openReplies").setAttribute("aria-expanded", isOpen);
  if (isOpen && !thread.querySelector(".replies").children.length) await loadReplies(one);
}

async function loadReplies(one, after) {
  const thread = one.item.querySelector(".thread");
  const more = thread.querySelector(":scope > .moreReplies");
  more.hidden = true;
  await run(one.item, async () => {
    const { items, next } = await list(`/comments/${one.comment.id}/replies`, { after }).catch((problem) => {
      more.hidden = false;
      more.onclick = () => loadReplies(one, after);
      throw problem;
    });
    const added = add(thread.querySelector(".replies"), items);
    if (after) added[0]?.focus();
    more.hidden = !next;
    more.onclick = () => loadReplies(one, next);
  });
}

// Writing

/** Show the form, or a sentence in its place. */
async function showForm() {
  const policy = isOwner() ? "open" : video.comment_policy;
  const isFollower = async () => (await ask(`/users/${encodeURIComponent(video.username)}`).catch(() => ({}))).is_followed;
  let text = policy === "approved" ? words.approvedFirst : "";
  mayWrite = policy !== "closed" && Boolean(session) && (policy !== "followers" || (await isFollower()));
  if (policy === "closed") text = words.codeCommentsClosed;
  else if (policy === "followers" && !mayWrite) text = words.codeFollowersOnly;
  else if (!session) text = words.logInToWrite;
  byId("notice").hidden = !text;
  byId("noticeText").textContent = text;
  byId("noticeLogin").hidden = Boolean(session) || policy === "closed";
  byId("write").hidden = !mayWrite;
  for (const one of cards.values()) one.show();
}

/** Make a form send its text once at a time. What was written stays there if it fails. */
function sendBy(form, work) {
  const [box, button, error] = ["textarea", "button", ".error"].map((selector) => form.querySelector(selector));
  form.onkeydown = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return box.focus();
    if (button.disabled) return;
    button.disabled = true;
    error.textContent = "";
    try {
      if (await logIn()) await work(text); // a session may have ended meanwhile
    } catch (problem) {
      error.textContent = problem.message;
      box.focus();
    } finally {
      button.disabled = false;
    }
  };
}

const create = (text, parent) => send("POST", `/videos/${video.id}/comments`, { text, parent_id: parent });

sendBy(byId("write"), async (text) => {
  const comment = await create(text);
  byId("write").reset();
  tell(comment.is_pending ? words.nowWaiting : "");
  const [item] = add(byId(comment.is_pending ? "waiting" : "threads"), [comment], true);
  item?.focus();
  await reloadMarks();
});

/** Open a form below a comment, with its text. It closes when work() has sent the text, or with Escape. */
function compose(one, label, text, work) {
  const place = one.item.querySelector(".formPlace");
  const form = copy("compose");
  const close = () => {
    form.remove();
    one.item.focus();
  };
  form.querySelector(".label").textContent = label;
  form.querySelector("textarea").value = text;
  form.querySelector(".cancel").onclick = close;
  sendBy(form, async (changed) => {
    await work(changed);
    form.remove();
  });
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  place.replaceChildren(form);
  form.querySelector("textarea").focus();
}

function answer(one) {
  const { id, username, root_id: rootId } = one.comment;
  compose(one, words.answerTo.replace("{}", () => username), "", async (text) => {
    const comment = await create(text, id);
    const root = cards.get(rootId ?? id);
    if (comment.is_pending) {
      tell(words.nowWaiting);
      add(byId("waiting"), [comment])[0]?.focus();
      return;
    }
    await openReplies(root, true);
    add(root.item.querySelector(".replies"), [comment]);
    cards.get(comment.id).item.focus();
    await Promise.all([reload(root.comment.id), reloadMarks()]);
  });
}

function edit(one) {
  compose(one, words.editLabel, one.comment.text, async (text) => {
    one.comment = await send("PATCH", `/comments/${one.comment.id}`, { text });
    one.show();
    foldComment(one.item);
    one.item.focus();
  });
}

async function remove({ comment, item }) {
  const dialog = byId("sure");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "yes") return;
  await ask(`/comments/${comment.id}`, {}, { method: "DELETE" });
  const near = item.nextElementSibling ?? item.previousElementSibling ?? byId("commentsHeading");
  if (comment.reply_count) await reload(comment.id); // perhaps a mark stays
  else drop(comment.id);
  if (comment.root_id !== null) await reload(comment.root_id); // a mark goes with its last reply
  (item.isConnected ? item : near.isConnected ? near : byId("commentsHeading")).focus();
  await reloadMarks();
}

for (const button of document.querySelectorAll("#sorts button")) {
  button.addEventListener("click", () => {
    sort = button.dataset.sort;
    for (const one of document.querySelectorAll("#sorts button")) one.setAttribute("aria-pressed", one === button);
    load();
  });
}
byId("noticeLogin").addEventListener("click", logIn);
