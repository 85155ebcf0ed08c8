// The like and the favourite of the video on /watch, and the button for any such mark.
import { ask, byId, link, send, session } from "./api.js";
import { compact } from "./formats.js";
import { logIn } from "./login.js";

let path, marks;

/** Make a button that is pressed or not, with a count. Return a function that shows what the server says of both.
 *
 *  A press shows at once. Then put(isOn) tells the server, and reload() gets what is true: others press as well. */
export function markButton(button, put, reload, tell) {
  let isOn = false, told = [false, 0], isBusy = false;
  const draw = (on, count) => {
    isOn = on;
    button.setAttribute("aria-pressed", on);
    button.querySelector(".count").textContent = count ? compact(count) : "";
  };
  button.addEventListener("click", async () => {
    const isNew = !session; // they may have put the mark there before, and do not want to take it away
    if (!(await logIn())) return;
    const wanted = isNew || !isOn;
    draw(wanted, Math.max(0, told[1] + wanted - told[0]));
    if (isBusy) return; // the loop of the press before sends this one too
    isBusy = true;
    try {
      for (let sent = null; sent !== isOn;) await put(sent = isOn);
      tell("");
    } catch (problem) {
      draw(...told);
      tell(problem.message);
    }
    isBusy = false;
    await reload().catch(() => {}); // then what was sent stays on the screen
  });
  return (...truth) => {
    told = truth;
    if (!isBusy) draw(...truth);
  };
}

/** Show the marks of a video, and the numbers of its comments and danmaku. */
export function showMarks(video) {
  path = `/videos/${video.id}`;
  marks ??= ["like", "favorite"].map((name) => {
    const put = (isOn) => send(isOn ? "PUT" : "DELETE", `${path}/${name}`);
    return markButton(byId(name), put, reloadMarks, (text) => { byId("markError").textContent = text; });
  });
  marks[0](video.is_liked, video.like_count);
  marks[1](video.is_favorited, video.favorite_count);
  byId("commentCount").textContent = compact(video.comment_count);
  byId("danmakuCount").textContent = video.danmaku_count ? compact(video.danmaku_count) : "";
}

/** Get the numbers again, as something has changed. */
export async function reloadMarks() {
  showMarks(await ask(path, { token: link.token }));
}
