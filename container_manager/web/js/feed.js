// The server's stream of changes (GET /events) into the store. No polling.

import { api } from "./api.js";
import { store } from "./store.js";

const KINDS = ["created", "updated", "deleted", "state", "progress"];
const RETRY_MS = 1000;
// A connection that comes back at once was never lost to anybody's eye.
const LOST_MS = 2000;
// A browser allows six connections to one HTTP/1.1 server over all tabs: a hidden tab gives its own back.
export const HIDDEN_MS = 30_000;

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
    store.set({ connection: "live", heard: Date.now() });
    checkHealth();
    // A reconnect by the browser itself goes on after the last event it saw; only a new stream starts from a list.
    if (fresh) store.load();
    fresh = false;
  };
  mine.onerror = () => {
    if (!losing) {
      const heard = Date.now();
      losing = setTimeout(() => store.connection !== "refused" && store.set({ connection: "lost", heard }), LOST_MS);
    }
    if (mine.readyState !== EventSource.CLOSED) return;
    close();
    if (!store.loaded) store.load();
    checkHealth();
    // Who is not let in does not ask every second: each time counts as a wrong password.
    setTimeout(() => source || document.hidden || store.connection === "refused" || open(), RETRY_MS);
  };
  for (const kind of KINDS) {
    mine.addEventListener(kind, (event) => store.apply({ ...JSON.parse(event.data), kind }));
  }
  mine.addEventListener("engine", (event) => engineSeen(JSON.parse(event.data)));
  mine.addEventListener("reset", () => store.load());
}

function engineSeen({ available, states_age_seconds: age }) {
  store.set({ engineAway: available ? null : Date.now() - age * 1000 });
  if (available) checkHealth();
}

/** The engine and its version, for the top of the page. A sick engine answers 503, with the same facts. */
async function checkHealth() {
  try {
    store.set({ health: await api.health(), engineAway: null });
  } catch (error) {
    if (error.code === "UNAUTHORIZED") store.set({ connection: "refused" });
    if (error.code === "ENGINE_UNAVAILABLE") store.set({ engineAway: Date.now() - (error.details.states_age_seconds ?? 0) * 1000 });
  }
}
