// A client of the API, with the types that openapi-typescript makes of /openapi.json. script/e2e compiles it with all checks of
// TypeScript, and runs it.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

declare const process: { argv: string[] };
type Video = components["schemas"]["videos.get"];

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });

/** Return what a call has given, or stop with its problem document. */
function answered<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const describe = ({ title, tags, duration_ms }: Video): string =>
  `${title} [${tags.map((tag) => tag.toUpperCase()).join(", ")}] ${duration_ms === null ? "no film" : duration_ms / 1000}`;

const body = { username: "demo", password: "rawreel-demo" };
const session = answered(await client.POST("/api/v1/auth/login", { body }));
client.use({ onRequest: ({ request }) => void request.headers.set("Authorization", `Bearer ${session.token}`) });

const video = answered(await client.POST("/api/v1/videos", { body: { title: "大连的海", tags: ["大连", "sea"] } }));
const page = answered(await client.GET("/api/v1/videos", { params: { query: { limit: 1 } } }));
if (page.items[0]?.id !== video.id) throw new Error("the new video is not the first of the list");
const path = { video_id: video.id };
console.log(describe(answered(await client.GET("/api/v1/videos/{video_id}", { params: { path } }))));

const { response } = await client.DELETE("/api/v1/videos/{video_id}", { params: { path } });
if (response.status !== 204) throw new Error(`the video was not deleted: ${response.status}`);
const { error } = await client.GET("/api/v1/videos/{video_id}", { params: { path } });
if (error?.code !== "not_found") throw new Error(`the video is still there: ${error?.detail}`);
console.log("The client in TypeScript compiles, and works.");
