// Send a file in pieces, with tus 1.0.0 (docs/videos.md). What has arrived stays on the server, so it goes on after a failure.
import { address, asking, explain, Problem, session, words } from "./api.js";

const PIECE = 16 * 1024 * 1024; // bytes
const WAITS = [1, 2, 4, 8, 15, 30]; // seconds before each next try
const BUSY = [409, 423]; // the offset has changed, or another request has the upload: ask again

/** Send a file, and return the address of its video.
 *
 *  `about` is what the server is told of it. `known` is the address of the upload if it has begun before, and keep(address)
 *  is called for each new one. tell(bytes) is called while it goes on; `signal` ends it. */
export async function sendFile(file, about, { known = null, keep = () => {}, tell = () => {}, signal } = {}) {
  let upload = known, failures = 0;
  for (;;) {
    try {
      if (!upload) keep(upload = await create(file, about, signal));
      let [offset, video] = read(await request("HEAD", upload, { signal }));
      while (!video) {
        tell(offset);
        [offset, video] = read(await sendPiece(upload, file, offset, tell, signal));
        failures = 0;
      }
      tell(file.size);
      return video;
    } catch (problem) {
      if (known && upload === known && [404, 410].includes(problem.status)) {
        upload = null; // the server has given it up
      } else if (failures < WAITS.length && (problem.isPassing || BUSY.includes(problem.status)) && problem.status !== 507) {
        await wait(WAITS[failures++], signal);
      } else {
        throw problem;
      }
    }
  }
}

/** Delete what has arrived. */
export const drop = (upload) => request("DELETE", upload);

async function create(file, about, signal) {
  const metadata = Object.entries({ ...about, filename: file.name }).map(([name, value]) => `${name} ${base64(value)}`);
  const headers = { "Upload-Length": String(file.size), "Upload-Metadata": metadata.join(",") };
  const answer = await request("POST", address("/uploads").href, { headers, signal });
  return new URL(answer.getResponseHeader("Location"), location).href;
}

function sendPiece(upload, file, offset, tell, signal) {
  return request("PATCH", upload, {
    headers: { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
    body: file.slice(offset, offset + PIECE),
    tell: (loaded) => tell(offset + loaded),
    signal,
  });
}

/** Return how many bytes have arrived, and the address of the video if it is made. */
const read = (answer) => [Number(answer.getResponseHeader("Upload-Offset")), answer.getResponseHeader("Content-Location")];

/** XMLHttpRequest tells how much of a body is sent; fetch does not. */
function request(method, url, { headers = {}, body = null, tell = () => {}, signal } = {}) {
  const [used, sent] = [session, new XMLHttpRequest()];
  return new Promise((resolve, reject) => {
    sent.open(method, url);
    for (const [name, value] of Object.entries({ "Tus-Resumable": "1.0.0", ...asking(used), ...headers })) {
      sent.setRequestHeader(name, value);
    }
    sent.upload.onprogress = ({ loaded }) => tell(loaded);
    sent.onload = () => {
      if (sent.status < 400) return resolve(sent);
      const answer = { status: sent.status, headers: { get: (name) => sent.getResponseHeader(name) } };
      reject(explain(answer, parse(sent.responseText), used, new URL(url).pathname));
    };
    sent.onerror = () => reject(new Problem(words.gone));
    sent.onabort = () => reject(signal.reason);
    signal?.addEventListener("abort", () => sent.abort());
    if (signal?.aborted) reject(signal.reason);
    else sent.send(body);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch { // the answer to a HEAD has no body, and that of a proxy may be no JSON
    return {};
  }
}

function wait(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => reject(signal.reason));
  });
}

/** Text as Base64 of its UTF-8. */
const base64 = (text) => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
