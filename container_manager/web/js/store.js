// What the page knows. Views read it and are told when it changed; only this module writes it.

import { api } from "./api.js";
import { batched } from "./dom.js";

const containers = new Map();
const listeners = new Set();

// Answers and events cross each other on the way. `clock` counts what was taken in, so that an answer which was
// asked for earlier never covers what an event has told since.
let clock = 0;
const lastState = new Map(); // cuid → {at, data}
const lastPut = new Map(); // cuid → at
const gone = new Set(); // a cuid never comes back

export const store = {
  /** Has the list been read at least once? */
  loaded: false,
  /** Why the list could not be read, until it can. */
  error: null,
  /** "connecting", "live", "lost" or "refused": the stream of changes. */
  connection: "connecting",
  /** When the server was last heard, in ms. */
  heard: Date.now(),
  /** What /healthz said last: which engine, which versions. */
  health: null,
  /** Since when (ms) the engine is away; null while it is there. */
  engineAway: null,
  /** image → {layers, layers_done, current, total, text}: pulls under way. */
  pulls: new Map(),
  /** cuid → verb that this page asked for and that has not been answered. */
  pending: new Map(),

  get containers() {
    return [...containers.values()];
  },
  get: (cuid) => containers.get(cuid),

  /** Call `listener` now and after every change; gives the function that ends it. */
  subscribe(listener) {
    listeners.add(listener);
    listener();
    return () => listeners.delete(listener);
  },

  set(change) {
    Object.assign(store, change);
    changed();
  },
  put(container) {
    if (gone.has(container.cuid)) return;
    lastPut.set(container.cuid, ++clock);
    containers.set(container.cuid, { ...containers.get(container.cuid), ...container });
    changed();
  },
  drop(cuid) {
    gone.add(cuid);
    for (const map of [containers, lastState, lastPut]) map.delete(cuid);
    changed();
  },
  setPending(cuid, verb) {
    if (verb) store.pending.set(cuid, verb);
    else store.pending.delete(cuid);
    changed();
  },

  /** Put the container that `request` answers with, under what events tell meanwhile. */
  async settle(request) {
    const since = clock;
    const answer = await request;
    store.put(underEvents(answer, since));
  },

  /** Read everything anew. */
  async load() {
    const since = clock;
    const mine = (newest = Symbol("load"));
    try {
      const list = await api.containers();
      if (newest !== mine) return;
      const listed = new Set(list.map(({ cuid }) => cuid));
      for (const cuid of containers.keys()) {
        if (!listed.has(cuid) && lastPut.get(cuid) <= since) containers.delete(cuid);
      }
      list.forEach((container) => store.put(underEvents(container, since)));
      store.loaded = true;
      store.error = null;
    } catch (error) {
      if (newest === mine) store.error = error;
    }
    changed();
  },

  /** Take in one event of the server's stream: {kind, cuid, …}. */
  apply({ kind, cuid, ...data }) {
    clock += 1;
    if (kind === "deleted") store.drop(cuid);
    else if (kind === "created" || kind === "updated") refresh(cuid);
    else if (kind === "progress") pulled(data);
    else if (kind === "state") {
      lastState.set(cuid, { at: clock, data });
      if (containers.has(cuid)) store.put({ cuid, ...data });
    }
  },
};

function pulled({ image, done, ...step }) {
  if (done) store.pulls.delete(image);
  else store.pulls.set(image, step);
  changed();
}

let newest = null;

const underEvents = (answer, since) => {
  const told = lastState.get(answer.cuid);
  return told && told.at > since ? { ...answer, ...told.data } : answer;
};

/** Read one container anew. */
async function refresh(cuid) {
  try {
    await store.settle(api.container(cuid));
  } catch (error) {
    if (error.code === "CONTAINER_NOT_FOUND") store.drop(cuid);
  }
}

const changed = batched(() => [...listeners].forEach((listener) => listener()));
