// The server's stream of changes (GET /events) into the store. No polling.

import { api } from "./api.js";
import { store } from "./store.js";

const KINDS = ["created", "updated", "deleted", "state", "progress"];
const RETRY_MS = 1000;
// A connection that comes back at once was never lost to anybody's eye.
const LOST_MS = 2000;
// A browser allows six connections to one HTTP/1.1 server over all tabs: a hidden tab gives its own back.
const HIDDEN_MS = 30_000;

let source = null;
let hiding = 0;
let losing = 0;

/** Follow the server from now on. */
export function follow() {
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_MS);
    else if (!source) open();
  });
  addEventListener("online", () => source || open());
  open();
}

function close() {
  source?.close();
  source = null;
}

function open() {
  close();
  const mine = (source = new EventSource("/events"));
  let fresh = true;
  mine.onopen = () => {
    clearTimeout(losing);
    losing = 0;
    store.set({ connection: "live" });
    checkHealth();
    // A reconnect by the browser itself goes on after the last event it saw; only a new stream starts from a list.
    if (fresh) store.load();
    fresh = false;
  };
  mine.onerror = () => {
    losing ||= setTimeout(() => store.set({ connection: "lost" }), LOST_MS);
    if (mine.readyState !== EventSource.CLOSED) return;
    close();
    if (!store.loaded) store.load();
    setTimeout(() => source || document.hidden || open(), RETRY_MS);
  };
  for (const kind of KINDS) {
    mine.addEventListener(kind, (event) => store.apply({ ...JSON.parse(event.data), kind }));
  }
  mine.addEventListener("reset", () => store.load());
}

/** The engine and its version, for the top of the page. A sick engine answers 503, with the same facts. */
async function checkHealth() {
  try {
    store.set({ health: await api.health() });
  } catch (error) {
    store.set({ health: { status: "error", error } });
  }
}
