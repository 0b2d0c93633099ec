// A place to drop files on, or to choose them with: uploads them and shows how far that is.

import { h, text } from "../dom.js";
import { icon } from "../icons.js";
import { complain, toast } from "../toast.js";
import { chooser, takeDrops } from "./take_drops.js";
import { drawProgress, transfer } from "./transfer.js";

/** Uploads into the directory that `directory()` names; `done()` is called after each. `area` takes the drops. */
export function dropZone({ cuid, area, directory, done }) {
  let running = null; // the AbortController of what goes on
  const files = chooser({ chosen: start });
  const folder = chooser({ folder: true, chosen: start });
  const label = h("span", { class: "drop-label", role: "status" });
  const bar = h("div", { class: "bar", role: "progressbar", "aria-label": "Upload" }, h("i"));
  const cancel = h("button", { type: "button", class: "button button-small", onclick: () => running?.abort() }, "Cancel");
  const idle = h(
    "div",
    { class: "drop-idle" },
    icon("upload"),
    h("p", {}, h("b", {}, "Drop a folder, files or a zip here"), h("span", { class: "soft" }, " — they are unpacked into ", h("code", { class: "drop-path" }, "/app"))),
    h("span", { class: "spacer" }),
    h("button", { type: "button", class: "button button-small", onclick: files.open }, icon("file"), "Files"),
    h("button", { type: "button", class: "button button-small", onclick: folder.open }, icon("folder"), "Folder"),
  );
  const busy = h("div", { class: "drop-busy", hidden: true }, label, bar, cancel);
  const element = h("div", { class: "drop-zone" }, idle, busy, files.element, folder.element);
  takeDrops(area, start);

  function show(what, fraction) {
    idle.hidden = true;
    busy.hidden = false;
    drawProgress(label, bar, what, fraction);
  }

  async function start(collecting) {
    if (running) return void toast("One upload at a time", { detail: "Wait for this one, or cancel it." });
    const { signal } = (running = new AbortController());
    try {
      show("Looking…", null);
      const entries = await collecting;
      if (!entries.length) return;
      const { files: count, unwrapped } = await transfer(cuid, directory(), entries, show, signal);
      toast(`${count} ${count === 1 ? "file" : "files"} uploaded`, { detail: unwrapped ? `The contents of ${unwrapped} are in /app.` : "" });
    } catch (error) {
      if (error.name !== "AbortError") complain(error);
      else toast("Upload cancelled", { detail: "Nothing was changed." });
    } finally {
      running = null;
      busy.hidden = true;
      idle.hidden = false;
      done();
    }
  }

  return {
    element,
    /** The directory has changed. */
    refresh: () => text(element.querySelector(".drop-path"), `/app${directory() ? `/${directory()}` : ""}`),
    destroy: () => running?.abort(),
  };
}
