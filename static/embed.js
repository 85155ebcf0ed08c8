// The page /embed/<id>: a player in a frame of another site.
import { countView } from "./count_view.js";

const player = document.getElementById("video");
if (player) countView(player, () => fetch(player.dataset.views, { method: "POST" }));
for (const name of ["play", "pause", "ended"]) player?.addEventListener(name, () => player.classList.toggle("playing", !player.paused));
