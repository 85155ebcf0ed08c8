// The picture of a live room: HLS by the browser itself (Safari, and Chrome since 142), or by hls.js, which the server may
// have (script/hls-js).
// deploy/nginx-rtmp.conf writes no end into a playlist, so the room tells when a stream begins and ends, not the player.
const AGAIN = 2000; // milliseconds until the next try: the playlist comes some seconds after the stream
const KIND = "application/vnd.apple.mpegurl";

/** Return what plays a stream in a <video>: { start, stop }. tell(name) says what is wrong; null: nothing is. */
export function makePlayer(video, script, tell) {
  let hls = null, timer = 0, wanted = null;

  async function load() {
    clearTimeout(timer);
    const address = wanted;
    if (video.canPlayType(KIND)) {
      video.src = address;
    } else {
      const Hls = await fetchLibrary();
      if (wanted !== address) return; // it has ended meanwhile
      if (!Hls) return tell("noHls");
      attach(Hls, address);
    }
    tell("loading");
    play();
  }

  /** Get hls.js, if it is there and of use in this browser. */
  async function fetchLibrary() {
    if (!script) return null;
    try {
      const { default: Hls } = await import(script);
      return Hls.isSupported() ? Hls : null;
    } catch { // an old file, or none
      return null;
    }
  }

  function attach(Hls, address) {
    hls?.destroy();
    hls = new Hls({ enableWorker: false, liveSyncDurationCount: 2, liveMaxLatencyDurationCount: 6 });
    let rescued = 0;
    hls.on(Hls.Events.ERROR, (_, { fatal, type }) => {
      if (!fatal) return;
      if (type === Hls.ErrorTypes.MEDIA_ERROR && !rescued++) hls.recoverMediaError();
      else retry();
    });
    hls.loadSource(address);
    hls.attachMedia(video);
  }

  function retry() {
    if (!wanted) return;
    clearTimeout(timer);
    timer = setTimeout(load, AGAIN);
  }

  /** Begin to play. A browser may allow that only without sound. */
  async function play() {
    try {
      await video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return;
      video.muted = true;
      video.play().catch(() => {}); // they press the button
    }
  }

  for (const name of ["loadeddata", "playing"]) video.addEventListener(name, () => wanted && tell(null));
  video.addEventListener("error", () => { if (!hls) retry(); });

  return {
    start(address) {
      wanted = address;
      load();
    },

    stop() {
      wanted = null;
      clearTimeout(timer);
      hls?.destroy();
      hls = null;
      video.removeAttribute("src");
      video.load();
    },
  };
}
