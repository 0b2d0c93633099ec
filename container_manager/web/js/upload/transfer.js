// Entries on their way into a container: zipped if they must be, and sent.

import { api } from "../api.js";
import { bytes } from "../format.js";
import { singleZip, unwrapProgram } from "./collect.js";
import { sendZip } from "./send.js";
import { zip } from "./zip.js";

/**
 * Upload `entries` into `target` (a folder below /app, "" for /app itself). `show(what, fraction)` tells how far it is,
 * the fraction null while that is not known. Gives the server's answer, and the name of a folder whose contents were
 * taken in its place.
 */
export async function transfer(cuid, target, entries, show, signal) {
  const { entries: ready, unwrapped } = target ? { entries, unwrapped: null } : unwrapProgram(entries);
  const zipping = (read, total) => show(`Zipping ${ready.length} files — ${bytes(read)} of ${bytes(total)}`, total ? read / total : 1);
  const body = singleZip(ready) ?? (await zip(ready, zipping, signal));
  const sending = (sent, total) => (sent < total ? show(`Uploading — ${bytes(sent)} of ${bytes(total)}`, sent / total) : show("Unpacking…", null));
  const answer = await sendZip(api.uploadUrl(cuid, target), body, sending, signal);
  return { ...answer, unwrapped };
}

/** A bar with a text beside it, for `show` of a transfer. */
export function drawProgress(label, bar, what, fraction) {
  label.textContent = what;
  bar.toggleAttribute("data-open", fraction === null);
  bar.firstElementChild.style.setProperty("--done", fraction ?? 0);
  if (fraction === null) bar.removeAttribute("aria-valuenow");
  else bar.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
}
