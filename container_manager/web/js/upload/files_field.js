// The files of a container that is about to be made: dropped on the form, or chosen, then told back.

import { h } from "../dom.js";
import { bytes } from "../format.js";
import { icon } from "../icons.js";
import { complain } from "../toast.js";
import { contents, describe } from "./collect.js";
import { chooser, takeDrops } from "./take_drops.js";

/**
 * `changed(description)` is called with what `describe` says of them, or null once they are taken away; `boots()` says
 * whether a boot.py of them is what runs.
 */
export function filesField({ area, boots, changed }) {
  let entries = null;
  let about = null;
  const files = chooser({ chosen: take });
  const folder = chooser({ folder: true, chosen: take });
  const what = h("p", {});
  const choose = [
    h("button", { type: "button", class: "button button-small", onclick: files.open }, icon("file"), "Files"),
    h("button", { type: "button", class: "button button-small", onclick: folder.open }, icon("folder"), "Folder"),
  ];
  const clear = h("button", { type: "button", class: "icon-button", "aria-label": "Take the files away", onclick: () => show(null) }, icon("close"));
  const element = h("div", { class: "files-field" }, icon("upload"), what, choose, clear, files.element, folder.element);
  takeDrops(area, take);

  async function take(coming) {
    try {
      const found = await coming;
      if (found.length) show(found);
    } catch (error) {
      complain(error);
    }
  }

  function show(next) {
    entries = next;
    about = entries && describe(entries);
    changed(about);
  }

  function refresh() {
    const says = !about
      ? [h("b", {}, "Drop a folder or a zip here"), h("small", {}, boots() ? "With a boot.py at its top, which runs. You can also do it later." : "Files that it needs, if any. They land in /app.")]
      : [
          h("b", { class: "truncate" }, about.name || `${about.files} files`),
          h("small", {}, about.name && about.files > 1 ? `${about.files} files, ${bytes(about.bytes)}` : bytes(about.bytes)),
          boots() && !about.zip && !about.runs && h("small", { class: "field-error" }, "There is no boot.py at its top: choose “A command” to say what runs."),
        ];
    what.replaceChildren(...says.filter(Boolean));
    choose.forEach((button) => (button.hidden = about !== null));
    clear.hidden = about === null;
  }

  return {
    element,
    take,
    refresh,
    /** What goes to /app: of a folder its contents, for it is the whole program. */
    get entries() {
      return entries && (contents(entries)?.entries ?? entries);
    },
  };
}
