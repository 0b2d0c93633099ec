// The server's API as functions. Every failure is an ApiError with the server's own message.

import { hintFor } from "./hints.js";

export class ApiError extends Error {
  constructor({ message, code = "UNKNOWN", status = 0, details = {}, request_id = "" }) {
    super(message);
    Object.assign(this, { code, status, details: details ?? {}, requestId: request_id });
  }

  /** What the reader can do about it. */
  get hint() {
    return hintFor(this);
  }
}

const offline = () =>
  new ApiError({ code: "OFFLINE", message: "The server does not answer." });

/** The ApiError that `body` (text) of a refused request describes. */
export function errorFrom(status, body) {
  try {
    const parsed = JSON.parse(body);
    if (typeof parsed.message === "string") return new ApiError({ ...parsed, status });
  } catch {
    // Not ours: a proxy in between answered.
  }
  return new ApiError({ status, message: `The server answered ${status || "nothing"}.` });
}

// A browser cuts every connection when a network interface comes or goes, which each container on its own machine
// makes happen. What may be asked twice is asked again before anybody is told.
const AGAIN_MS = [100, 400, 1500];

/**
 * One request. `json` is sent as such; `again` says whether it may be sent twice. Gives the Response once it is known
 * to be good.
 */
export async function send(method, path, { json, body, headers = {}, query, signal, again = method !== "POST" } = {}) {
  const url = query ? `${path}?${new URLSearchParams(query)}` : path;
  if (json !== undefined) {
    body = JSON.stringify(json);
    headers = { ...headers, "Content-Type": "application/json" };
  }
  for (const pause of [...(again ? AGAIN_MS : []), null]) {
    let response;
    try {
      response = await fetch(url, { method, body, headers, signal, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (pause === null) throw offline();
      await new Promise((resolve) => setTimeout(resolve, pause));
      continue;
    }
    if (!response.ok) throw errorFrom(response.status, await response.text().catch(() => ""));
    return response;
  }
  throw offline();
}

const json = async (...request) => (await send(...request)).json();

const at = (cuid, rest = "") => `/containers/${encodeURIComponent(cuid)}${rest}`;

export const api = {
  health: () => json("GET", "/healthz"),

  /** Every container, page after page. */
  async containers() {
    const all = [];
    let cursor = null;
    do {
      const query = cursor ? { limit: 200, cursor } : { limit: 200 };
      const page = await json("GET", "/containers", { query });
      all.push(...page.containers);
      cursor = page.next_cursor;
    } while (cursor);
    return all;
  },
  container: (cuid) => json("GET", at(cuid)),
  create: (settings) => json("POST", "/containers", { json: settings }),
  update: (cuid, change) => json("PATCH", at(cuid), { json: change }),
  ports: (cuid, ports) => json("PATCH", at(cuid, "/ports"), { json: { ports } }),
  /** A step of its life. Asked twice, each does the same as once. */
  act: (cuid, verb) => json("POST", at(cuid, `/${verb}`), { again: true }),
  remove: (cuid, { force, keepFiles }) =>
    json("DELETE", at(cuid), { query: { force: Boolean(force), keep_files: Boolean(keepFiles) } }),
  logs: (cuid, query, signal) => send("GET", at(cuid, "/logs"), { query, signal }),
  compose: async (cuid) => (await send("GET", at(cuid, "/compose"))).text(),

  /** A directory's entries, in parts: `more` is what asks for the next one, null when there is none. */
  async files(cuid, path, cursor = null) {
    const { entries, next_cursor: more } = await json("GET", at(cuid, "/files"), { query: cursor ? { path, cursor } : { path } });
    return { entries, more };
  },
  fileUrl: (cuid, path) => at(cuid, `/download?${new URLSearchParams({ path })}`),
  zipUrl: (cuid, path) => at(cuid, `/download-zip?${new URLSearchParams({ path })}`),
  readFile: (cuid, path, options) => send("GET", at(cuid, "/download"), { query: { path }, ...options }),
  writeFile: (cuid, path, body, headers = {}) =>
    json("PUT", at(cuid, "/files"), {
      query: { path },
      body,
      headers: { "Content-Type": "application/octet-stream", ...headers },
    }),
  removeFile: (cuid, path, { recursive }) => json("DELETE", at(cuid, "/files"), { query: { path, recursive } }),
  makeDirectory: (cuid, path) => json("POST", at(cuid, "/directories"), { json: { path } }),
  moveFile: (cuid, from, to) => json("POST", at(cuid, "/move"), { json: { from, to } }),
  uploadUrl: (cuid, path, mode = "merge") => at(cuid, `/upload-zip?${new URLSearchParams({ path, mode })}`),

  sessions: (cuid) => json("GET", at(cuid, "/sessions")),
  openSession: (cuid, options) => json("POST", at(cuid, "/sessions"), { json: options, again: true }),
  endSession: (cuid, sid) => json("DELETE", at(cuid, `/sessions/${encodeURIComponent(sid)}`)),
  ticket: (request) => json("POST", "/ws-tickets", { json: request, again: true }),
  recordings: (cuid) => json("GET", at(cuid, "/recordings")),
  removeRecording: (cuid, name) => json("DELETE", at(cuid, `/recordings/${encodeURIComponent(name)}`)),
  recording: (cuid, name) => send("GET", at(cuid, `/recordings/${encodeURIComponent(name)}`)),
  recordingUrl: (cuid, name) => at(cuid, `/recordings/${encodeURIComponent(name)}`),
};
