// What can be done with a container in its state, and doing it.

import { api } from "./api.js";
import { confirm } from "./dialog.js";
import { h } from "./dom.js";
import { title } from "./format.js";
import { store } from "./store.js";
import { complain, toast } from "./toast.js";

export const VERBS = {
  start: { label: "Start", doing: "Starting…", icon: "play" },
  stop: { label: "Stop", doing: "Stopping…", icon: "stop" },
  restart: { label: "Restart", doing: "Restarting…", icon: "restart" },
  pause: { label: "Pause", doing: "Pausing…", icon: "pause" },
  unpause: { label: "Resume", doing: "Resuming…", icon: "play" },
  delete: { label: "Delete", doing: "Deleting…", icon: "trash" },
};

const POSSIBLE = {
  running: ["stop", "restart", "pause"],
  restarting: ["stop"],
  paused: ["unpause", "stop"],
  removing: [],
};

/** The verbs that `container` can take now, the likeliest first. Deleting is always possible. */
export const possible = (container) => (container.problem ? [] : (POSSIBLE[container.status] ?? ["start"]));

/** What this page waits for on `container`: a short text and a fraction (null when unknown); null when nothing. */
export function activity(container) {
  const verb = store.pending.get(container.cuid);
  if (!verb) return null;
  const pull = store.pulls.get(container.image);
  return pull ? pullProgress(pull) : { label: VERBS[verb].doing, fraction: null };
}

/** A pull as a short text and a fraction: of its bytes, or of its layers while sizes are not known. */
export function pullProgress({ current, total, layers, layers_done: done }) {
  const fraction = total ? Math.min(1, current / total) : layers ? done / layers : null;
  return { label: fraction === null ? "Pulling image…" : `Pulling image ${Math.round(fraction * 100)} %`, fraction };
}

/** Run `verb` on `container`; tells of failures, never throws. */
export async function perform(verb, container) {
  const { cuid } = container;
  if (store.pending.has(cuid)) return;
  if (verb === "delete") return remove(container);
  store.setPending(cuid, verb);
  try {
    await store.settle(api.act(cuid, verb).then(({ ports, ...state }) => ({ ...state, bound_ports: ports })));
  } catch (error) {
    complain(error, wayOut(error, cuid));
  } finally {
    store.setPending(cuid, null);
  }
}

async function remove(container) {
  const { cuid, status } = container;
  const running = status === "running" || status === "paused" || status === "restarting";
  const answer = await confirm(
    `Delete ${title(container)}?`,
    running ? "It is running: it will be stopped first. This cannot be undone." : "This cannot be undone.",
    {
      label: "Delete",
      extra: h(
        "label",
        { class: "check" },
        h("input", { type: "checkbox", name: "keep" }),
        "Keep its files on the server",
      ),
    },
  );
  if (!answer) return;
  store.setPending(cuid, "delete");
  try {
    await api.remove(cuid, { force: running, keepFiles: answer.has("keep") });
    store.drop(cuid);
    toast(`${title(container)} is deleted`);
  } catch (error) {
    // It was asked for twice, and the first answer got lost.
    if (error.code === "CONTAINER_NOT_FOUND") store.drop(cuid);
    else complain(error);
  } finally {
    store.setPending(cuid, null);
  }
}

/** A button on the message that leads to where the error can be mended. */
function wayOut(error, cuid) {
  const go = (tab) => () => (location.hash = `#/c/${cuid}/${tab}`);
  if (error.code === "BOOT_MISSING") return { label: "Open files", run: go("files") };
  if (error.code === "PORT_IN_USE") return { label: "Change ports", run: go("overview") };
  if (error.code === "IMAGE_NOT_FOUND" || error.code === "START_REFUSED") return { label: "Open its set-up", run: go("overview") };
  return null;
}
