// A place to drop files on, or to choose them with: zips them, uploads the zip, shows how far it is.

import { api } from "../api.js";
import { h, text } from "../dom.js";
import { bytes } from "../format.js";
import { icon } from "../icons.js";
import { complain, toast } from "../toast.js";
import { fromDrop, fromFiles, singleZip, unwrapProgram } from "./collect.js";
import { sendZip } from "./send.js";
import { zip } from "./zip.js";

/** Uploads into the directory that `directory()` names; `done()` is called after each. `area` takes the drops. */
export function dropZone({ cuid, area, directory, done }) {
  let running = null; // the AbortController of what goes on
  const files = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files to upload", onchange: () => chosen(files) });
  const folder = h("input", { type: "file", webkitdirectory: true, hidden: true, "aria-label": "Folder to upload", onchange: () => chosen(folder) });
  const label = h("span", { class: "drop-label", role: "status" });
  const bar = h("div", { class: "bar", role: "progressbar", "aria-label": "Upload" }, h("i"));
  const cancel = h("button", { type: "button", class: "button button-small", onclick: () => running?.abort() }, "Cancel");
  const idle = h(
    "div",
    { class: "drop-idle" },
    icon("upload"),
    h("p", {}, h("b", {}, "Drop a folder, files or a zip here"), h("span", { class: "soft" }, " — they are unpacked into ", h("code", { class: "drop-path" }, "/app"))),
    h("span", { class: "spacer" }),
    h("button", { type: "button", class: "button button-small", onclick: () => files.click() }, icon("file"), "Files"),
    h("button", { type: "button", class: "button button-small", onclick: () => folder.click() }, icon("folder"), "Folder"),
  );
  const busy = h("div", { class: "drop-busy", hidden: true }, label, bar, cancel);
  const element = h("div", { class: "drop-zone" }, idle, busy, files, folder);

  let depth = 0;
  const over = (by) => {
    depth = Math.max(0, depth + by);
    area.classList.toggle("is-dropping", depth > 0);
  };
  area.addEventListener("dragenter", (event) => event.dataTransfer.types.includes("Files") && over(1));
  area.addEventListener("dragleave", () => over(-1));
  area.addEventListener("drop", (event) => {
    depth = 0;
    over(0);
    event.preventDefault();
    start(fromDrop(event.dataTransfer));
  });

  function chosen(input) {
    const list = fromFiles(input.files);
    input.value = "";
    if (list.length) start(Promise.resolve(list));
  }

  function show(what, fraction) {
    idle.hidden = true;
    busy.hidden = false;
    text(label, what);
    bar.toggleAttribute("data-open", fraction === null);
    bar.firstElementChild.style.setProperty("--done", fraction ?? 0);
    bar.setAttribute("aria-valuenow", String(Math.round((fraction ?? 0) * 100)));
  }

  async function start(collecting) {
    if (running) return void toast("One upload at a time", { detail: "Wait for this one, or cancel it." });
    const { signal } = (running = new AbortController());
    const target = directory();
    try {
      show("Looking…", null);
      const { entries, unwrapped } = target ? { entries: await collecting, unwrapped: null } : unwrapProgram(await collecting);
      if (!entries.length) return;
      const ready = singleZip(entries);
      const body = ready ?? (await zip(entries, (read, total) => show(`Zipping ${entries.length} files — ${bytes(read)} of ${bytes(total)}`, total ? read / total : 1), signal));
      const answer = await sendZip(api.uploadUrl(cuid, target), body, (sent, total) =>
        sent < total ? show(`Uploading — ${bytes(sent)} of ${bytes(total)}`, sent / total) : show("Unpacking…", null), signal);
      toast(`${answer.files} ${answer.files === 1 ? "file" : "files"} uploaded`, { detail: unwrapped ? `The contents of ${unwrapped} are in /app.` : "" });
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
