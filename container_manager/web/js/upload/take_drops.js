// Ways in for files: dropping them on a part of the page, and the browser's dialog.

import { h } from "../dom.js";
import { fromDrop, fromFiles } from "./collect.js";

/** Call `dropped(promise of entries)` for what is dropped on `area`, which has the class is-dropping meanwhile. */
export function takeDrops(area, dropped) {
  let depth = 0;
  const over = (by) => {
    depth = Math.max(0, depth + by);
    area.classList.toggle("is-dropping", depth > 0);
  };
  area.addEventListener("dragenter", (event) => event.dataTransfer.types.includes("Files") && over(1));
  area.addEventListener("dragleave", () => over(-1));
  area.addEventListener("drop", (event) => {
    over(-depth);
    event.preventDefault();
    dropped(fromDrop(event.dataTransfer));
  });
}

/** A hidden input and `open()`, which shows the browser's dialog; `chosen(promise of entries)` gets what was chosen. */
export function chooser({ folder = false, chosen }) {
  const element = h("input", {
    type: "file",
    hidden: true,
    multiple: !folder,
    webkitdirectory: folder,
    "aria-label": folder ? "Folder to upload" : "Files to upload",
    onchange: () => {
      const entries = fromFiles(element.files);
      element.value = "";
      if (entries.length) chosen(Promise.resolve(entries));
    },
  });
  return { element, open: () => element.click() };
}
