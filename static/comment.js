// How /watch shows one comment: a copy of the template "comment". The text of strangers is text here, never markup.
import { byId, copy, now, session, words } from "./api.js";
import { counted, linkTo, showAge } from "./formats.js";

const EDIT_TIME = 15 * 60 * 1000; // milliseconds; the API decides
const TIME = /(?<!\d|\d[:：])(?:(\d{1,2})[:：])?(\d{1,3})[:：]([0-5]\d)(?!\d|[:：]\d)/g; // 1:23, 1:02:03

/** Fill the item of a comment, and show the buttons that the viewer may press. */
export function showComment(item, comment, video, mayWrite) {
  const find = (selector) => item.querySelector(selector);
  const viewer = session?.user.id;
  const isOwner = viewer === video.user_id;
  const isThere = !comment.is_deleted, isSeen = isThere && !comment.is_pending;
  const isYoung = now() - new Date(comment.created_at) < EDIT_TIME;
  const isApproved = video.comment_policy === "approved" && !comment.is_pending && !isOwner; // so it stays as it is
  const isShown = {
    isTheOwner: isThere && comment.user_id === video.user_id,
    pinned: comment.is_pinned,
    pending: comment.is_pending,
    edited: comment.edited_at !== null,
    author: isThere,
    like: isSeen,
    answer: isSeen && mayWrite,
    edit: isThere && comment.user_id === viewer && isYoung && !isApproved,
    delete: comment.can_delete,
    pin: isSeen && isOwner && comment.root_id === null,
    approve: comment.is_pending && isOwner,
    openReplies: comment.reply_count > 0,
  };
  for (const [name, is] of Object.entries(isShown)) find(`.${name}`).hidden = !is;
  item.classList.toggle("isPinned", comment.is_pinned);
  item.classList.toggle("isGone", !isThere);
  item.setAttribute("aria-label", comment.username ?? words.removed);
  find(".letter").textContent = [...(comment.username ?? "–")][0];
  find(".avatar").dataset.hue = (comment.user_id ?? 0) % 6;
  if (isThere && comment.avatar_url && find(".avatar img")) find(".avatar img").src = comment.avatar_url;
  else find(".avatar img")?.remove();
  find(".author bdi").textContent = comment.username ?? "";
  if (isThere) find(".author").href = linkTo({ user: comment.username });
  showAge(find("time"), comment.created_at);
  find(".pin").textContent = comment.is_pinned ? words.unpin : words.pin;
  find(".openReplies .count").textContent = counted(comment.reply_count, words.reply, words.replies);
  if (isThere) writeText(find(".text"), comment, video);
  else find(".text").textContent = words.removed;
}

/** Write the text of a comment. A time such as 1:23 becomes a button, unless the video is shorter.
 *
 *  Characters that force a direction on others are left out, as they turn words and times around. */
function writeText(place, { text: written, reply_to: name }, video) {
  const text = written.replace(/[\u202D\u202E]/g, "");
  place.replaceChildren();
  if (name !== null) {
    const anchor = copy("mention");
    anchor.href = linkTo({ user: name });
    anchor.querySelector("bdi").textContent = name;
    place.append(anchor, " ");
  }
  let end = 0;
  for (const found of text.matchAll(TIME)) {
    const [hours, minutes, seconds] = found.slice(1).map((part) => Number(part ?? 0));
    const at = hours * 3600 + minutes * 60 + seconds;
    if (!video.stream_url || at * 1000 > (video.duration_ms ?? Infinity) || (found[1] && minutes > 59)) continue;
    const button = copy("seek");
    button.textContent = found[0];
    button.onclick = () => seek(at);
    place.append(text.slice(end, found.index), button);
    end = found.index + found[0].length;
  }
  place.append(text.slice(end));
}

function seek(seconds) {
  const player = byId("video");
  player.currentTime = seconds;
  player.play().catch(() => {}); // a browser may want a press on the player first
  player.scrollIntoView({ block: "nearest" });
  player.focus({ preventScroll: true });
}

/** Show the beginning of a tall comment, and a button for the rest. */
export function foldComment(item) {
  const text = item.querySelector(".text");
  item.classList.add("isFolded");
  const isTall = text.scrollHeight > text.clientHeight + 8;
  item.classList.toggle("isFolded", isTall);
  item.querySelector(".unfold").hidden = !isTall;
}
