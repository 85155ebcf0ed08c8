// The page /watch. It calls the public API, and puts the answers into the elements of templates/watch.html:
//   /watch                 a list of videos; ?sort= ?category= ?tag= ?user= ?q= go to the API as they are
//   /watch?live=5          a live room: see live.js
//   /watch?v=7             one video, to play
//   /watch?v=7#token=...   a private video; browsers do not send the part after the # to the server
// Each link is a real link that loads the page again, so back, forward, reload and bookmarks work by themselves.
// Text is set only with textContent: a title such as <img onerror=...> stays text.
import { ask, byId, copy, link, onSession, page, send, session, words } from "./api.js";
import { showComments } from "./comments.js";
import { countView } from "./count_view.js";
import { showDanmaku } from "./danmaku.js";
import { counted, duration, linkTo, showAge } from "./formats.js";
import "./frame.js";
import { showLiveRow } from "./live_row.js";
import { reloadMarks, showMarks } from "./marks.js";
import { keepProgress } from "./progress.js";
import { fillThumb } from "./thumb.js";

const PAGE_SIZE = 24;

/** Return the address of a file. <video> and <img> send no bearer token, so the token of a private video is added. */
function fileAddress(path) {
  const url = new URL(path, page);
  if (link.token) url.searchParams.set("token", link.token);
  return url;
}

/** Fill the fields that cards and the player both have. */
function describe(video, author, count, time) {
  author.textContent = video.username;
  author.closest("a").href = linkTo({ user: video.username });
  count.textContent = counted(video.view_count, words.view, words.views);
  showAge(time, video.created_at);
}

// A list

function card(video) {
  const item = copy("card");
  const find = (selector) => item.querySelector(selector);
  find("h2 a").href = linkTo({ v: video.id });
  find("h2 bdi").textContent = video.title;
  describe(video, find(".author bdi"), find(".views"), find("time"));
  const badge = video.stream_url ? video.duration_ms !== null && duration(video.duration_ms) : words.noFile;
  fillThumb(item, { id: video.id, title: video.title, picture: video.thumbnail_url, badge: badge || "" });
  return item;
}

/** Show grey cards while the real cards load. */
function wait(count) {
  for (let n = 0; n < count; n++) {
    const item = copy("card");
    item.classList.add("waiting");
    item.setAttribute("aria-hidden", "true");
    byId("videos").append(item);
  }
}

/** Fill the list with the result of work(). Show that it is loading, and show an error if it fails. */
async function fill(work) {
  const [place, state, retry, more] = ["videos", "state", "retry", "more"].map(byId);
  byId("browse").hidden = false;
  state.textContent = "";
  retry.hidden = more.hidden = true;
  wait(8);
  try {
    const { items, next = null, hasRest = false } = await work();
    const focused = place.querySelectorAll(".card:not(.waiting)").length && document.activeElement === document.body;
    place.querySelectorAll(".waiting").forEach((item) => item.remove());
    const cards = items.map(card);
    place.append(...cards);
    if (focused) cards[0]?.querySelector("a").focus(); // the keyboard user who pressed "more" goes on from here
    if (!place.children.length) state.textContent = words.empty;
    more.hidden = !next && !hasRest;
    more.textContent = next ? words.more : words.withoutFile;
    more.onclick = () => {
      if (!next) isPlayable = "false";
      fill(() => list(next));
    };
  } catch (error) {
    place.querySelectorAll(".waiting").forEach((item) => item.remove());
    state.textContent = error.message;
    retry.hidden = !error.isPassing;
    retry.onclick = () => fill(work);
  }
}

const isSearch = ["tag", "user", "q"].some((name) => page.searchParams.has(name));
let isPlayable = isSearch ? null : "true"; // those with a file come first, then at wish the others; a search finds all

/** Return the list's parameters from the page's address. */
function wanted() {
  const names = ["sort", "category", "tag", "user", "q"];
  const asked = Object.fromEntries(names.map((name) => [name, page.searchParams.get(name)]));
  return { ...asked, is_playable: isPlayable, limit: PAGE_SIZE };
}

/** Get a page of the list. At the end of those with a file, `hasRest` says whether there are others. */
async function list(after) {
  const found = await ask("/videos", { ...wanted(), after });
  if (isPlayable !== "true" || found.next) return found;
  const rest = await ask("/videos", { ...wanted(), is_playable: "false", limit: 1 });
  const hasRest = rest.items.length > 0;
  if (found.items.length || after || !hasRest) return { ...found, hasRest };
  isPlayable = "false";
  return list();
}

// One video

/** Get a video and show it in the player. */
async function open(id) {
  const show = (isThere) => {
    document.body.classList.toggle("playing", isThere);
    byId("player").hidden = !isThere;
  };
  show(true);
  try {
    const found = await ask(`/videos/${id}`, { token: link.token });
    if (found.visibility === "private" && found.user_id === session?.user.id) { // a link of their own, for the file
      const shared = await send("POST", `/videos/${id}/share`, { seconds: 24 * 3600 }).catch(() => link);
      link.token = shared.token;
    }
    present(found);
    load(found);
    showComments(found);
    return found;
  } catch (error) {
    show(false);
    throw error;
  }
}

function present(video) {
  document.title = `${video.title} · ${document.body.dataset.site}`;
  byId("title").textContent = video.title;
  describe(video, byId("author"), byId("views"), byId("time"));
  byId("description").textContent = video.description;
  byId("private").hidden = video.visibility !== "private";
  showMarks(video);
  const category = document.querySelector(`[data-category="${CSS.escape(video.category ?? "")}"]`);
  if (category) {
    byId("category").textContent = category.textContent;
    byId("category").href = category.href;
    byId("category").hidden = false;
  }
  byId("tags").replaceChildren(...video.tags.map((tag) => {
    const item = document.createElement("li");
    const anchor = document.createElement("a");
    anchor.textContent = tag;
    anchor.href = linkTo({ tag });
    item.append(anchor);
    return item;
  }));
}

/** Load the file into the player, or say why there is nothing to play. */
function load(video) {
  const player = byId("video");
  const fault = (text) => {
    byId("fault").textContent = text;
    byId("fault").hidden = false;
    player.hidden = byId("stage").hidden = byId("danmaku").hidden = true;
  };
  if (!video.stream_url) return fault(words.nothingToPlay);
  player.addEventListener("error", () => fault(words.broken));
  player.setAttribute("aria-label", video.title);
  if (video.thumbnail_url) player.poster = fileAddress(video.thumbnail_url);
  player.src = fileAddress(video.stream_url);
  keepProgress(player, video);
  showDanmaku(video);
  countView(player, () => send("POST", `/videos/${video.id}/views`));
}

/** Get the videos to show beside one: related videos, and new ones if there are few. */
async function beside(video) {
  const related = video.visibility === "public" ? (await ask(`/videos/${video.id}/related`)).items : [];
  const fresh = related.length < 8 ? (await ask("/videos", { is_playable: "true", limit: 12 })).items : [];
  const known = new Set([video.id]);
  return [...related, ...fresh].filter(({ id }) => !known.has(id) && known.add(id)).slice(0, 12);
}

const id = page.searchParams.get("v");
let video; // the video in the player
if (id) {
  fill(async () => ({ items: await beside(video ??= await open(id)) }));
} else {
  document.title = `${byId("heading").textContent.trim()} · ${document.body.dataset.site}`;
  fill(list);
  if (!isSearch) showLiveRow(page.searchParams.get("category"));
}

onSession(() => {
  if (video) reloadMarks().catch(() => {});
  else if (id && session) location.reload(); // perhaps it is theirs
});
addEventListener("hashchange", () => location.reload()); // another token
