// The row of live rooms above the list of /watch. Without any, or if they cannot be had, there is no row.
import { ask, byId, words } from "./api.js";
import { counted, linkTo, showAge } from "./formats.js";
import { fillThumb } from "./thumb.js";

const MOST = 8;

function card(room) {
  const item = byId("card").content.cloneNode(true).firstElementChild;
  const find = (selector) => item.querySelector(selector);
  find("h2 a").href = linkTo({ live: room.id });
  find("h2 bdi").textContent = room.title;
  find(".author bdi").textContent = room.username;
  find(".author").href = linkTo({ user: room.username });
  find(".views").textContent = counted(room.viewer_count, words.viewer, words.viewers);
  showAge(find("time"), room.started_at);
  fillThumb(item, { id: room.id, title: room.title, picture: room.cover_url, badge: words.live });
  find(".badge").classList.add("onAir");
  return item;
}

/** Show the rooms that are live now, of all or of a category, those with the most viewers first. */
export async function showLiveRow(category) {
  const found = await ask("/live", { category, limit: MOST }).catch(() => ({ items: [] }));
  byId("liveRooms").replaceChildren(...found.items.map(card));
  byId("liveNow").hidden = !found.items.length;
}
