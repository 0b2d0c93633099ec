// The files of a container: a folder at a time, to look at, edit, move, download, delete, and to drop new ones on.

import { api } from "../api.js";
import { ask, confirm } from "../dialog.js";
import { h, reconcile, text } from "../dom.js";
import { bytes, date } from "../format.js";
import { icon } from "../icons.js";
import { menu } from "../menu.js";
import { complain, toast } from "../toast.js";
import { dropZone } from "../upload/drop_zone.js";
import { openFile } from "./file.js";

const ORDER = { directory: 0, file: 1, link: 1 };

export function filesPane({ cuid }) {
  let path = ""; // below /app, without a slash at either end
  let entries = null;
  let more = null; // asks for the entries after those that are shown
  let reading = 0;

  const crumbs = h("nav", { class: "crumbs mono", "aria-label": "Folder" });
  const list = h("ul", { class: "file-rows", "aria-label": "Files", onkeydown: arrows });
  const empty = h("div", { class: "empty", hidden: true }, icon("folder"), h("h2", {}, "Nothing here yet"), h("p", {}, "Drop your program on this page. A boot.py in /app is what runs; a requirements.txt beside it is installed first."));
  const rest = h("button", { type: "button", class: "button button-quiet file-rest", hidden: true, onclick: () => load(more) }, icon("down"), "Show more");
  const head = h(
    "div",
    { class: "pane-bar" },
    crumbs,
    h("span", { class: "spacer" }),
    action("folder-plus", "New folder", newFolder),
    action("plus", "New file", newFile),
    h("a", { class: "button button-small button-quiet", download: true, dataset: { role: "zip" } }, icon("download"), "Zip"),
  );
  const card = h("div", { class: "card file-list" }, head, list, rest, empty);
  const element = h("section", { class: "pane pane-files", "aria-label": "Files of the container" });
  const zone = dropZone({ cuid, area: element, directory: () => path, done: () => load() });
  element.append(zone.element, card);

  function action(name, label, run) {
    return h("button", { type: "button", class: "button button-small button-quiet", onclick: run }, icon(name), label);
  }

  const join = (name, folder = path) => (folder ? `${folder}/${name}` : name);

  /** Read the folder, or what follows `cursor` in it. The newest request alone is shown. */
  async function load(cursor = null) {
    const mine = (reading += 1);
    try {
      const answer = await api.files(cuid, path, cursor);
      if (mine !== reading) return;
      entries = cursor ? [...entries, ...answer.entries] : answer.entries;
      more = answer.more;
      draw();
    } catch (error) {
      if (mine !== reading) return;
      if (error.code === "FILE_NOT_FOUND" && path) return void go("");
      complain(error);
    }
  }

  function go(next) {
    path = next;
    list.replaceChildren();
    list.rows?.clear();
    load();
    drawHead();
  }

  function drawHead() {
    const parts = path ? path.split("/") : [];
    crumbs.replaceChildren(
      ...["/app", ...parts].flatMap((part, index) => [
        index ? h("span", { class: "soft" }, "/") : "",
        h("button", { type: "button", class: "crumb", "aria-current": index === parts.length ? "location" : null, onclick: () => go(parts.slice(0, index).join("/")) }, part),
      ]),
    );
    head.querySelector("[data-role=zip]").href = api.zipUrl(cuid, path);
    zone.refresh();
  }

  function draw() {
    drawHead();
    const sorted = [...entries].sort((a, b) => (ORDER[a.type] ?? 2) - (ORDER[b.type] ?? 2) || a.name.localeCompare(b.name));
    reconcile(list, sorted, (entry) => `${entry.type}:${entry.name}`, row);
    rest.hidden = more === null;
    empty.hidden = sorted.length > 0;
    list.hidden = !sorted.length;
  }

  function row(first) {
    let entry = first;
    const open = () => {
      if (entry.type === "directory") go(join(entry.name));
      else if (entry.type === "file") view();
      else if (entry.type === "link") toast(`A link to ${entry.target}`, { detail: "Links are not followed here." });
      else toast("Not a file", { detail: "A pipe, a socket or a device holds nothing that could be shown." });
    };
    const view = async () => (await openFile(cuid, join(entry.name), entry)) && load();
    const size = h("span", { class: "file-size soft" });
    const time = h("span", { class: "file-time soft" });
    const element = h(
      "li",
      { class: "file-row", dataset: { name: entry.name } },
      h("button", { type: "button", class: "file-name", onclick: open }, icon(entry.type === "directory" ? "folder" : "file"), h("span", { class: "truncate", title: entry.name }, entry.name)),
      size,
      time,
      menu(`More for ${entry.name}`, () =>
        [
          entry.type === "file" && { label: "View and edit", icon: "edit", run: view },
          entry.type === "file" && { label: "Download", icon: "download", run: () => download(api.fileUrl(cuid, join(entry.name)), entry.name) },
          entry.type === "directory" && { label: "Download as zip", icon: "download", run: () => download(api.zipUrl(cuid, join(entry.name)), `${entry.name}.zip`) },
          { label: "Rename or move…", icon: "right", run: () => move(entry) },
          { label: "Delete…", icon: "trash", danger: true, run: () => remove(entry) },
        ].filter(Boolean),
      ),
    );
    element.classList.toggle("is-directory", entry.type === "directory");
    return {
      element,
      update(next) {
        entry = next;
        text(size, entry.type === "file" ? bytes(entry.size) : entry.type === "link" ? "link" : "");
        text(time, date(entry.mtime));
      },
    };
  }

  /** Run one change of the mount, tell what went wrong, show what is there now. */
  async function change(run) {
    try {
      await run();
    } catch (error) {
      complain(error);
    }
    await load();
  }

  async function newFolder() {
    const name = await ask("New folder", { label: "Name", button: "Create" });
    if (name) await change(() => api.makeDirectory(cuid, join(name)));
  }
  async function newFile() {
    const name = await ask("New file", { label: "Name", button: "Create", value: path || entries?.some((entry) => entry.name === "boot.py") ? "" : "boot.py" });
    if (name && (await openFile(cuid, join(name), null))) load();
  }
  async function move(entry) {
    const from = join(entry.name);
    const to = await ask(`Move ${entry.name}`, { label: "New path below /app", value: from, button: "Move" });
    if (to && to !== from) await change(() => api.moveFile(cuid, from, to.replace(/^\/app\//, "").replace(/^\/+/, "")));
  }
  async function remove(entry) {
    const where = join(entry.name);
    let inside = 0;
    try {
      if (entry.type === "directory") inside = (await api.files(cuid, where)).entries.length;
    } catch (error) {
      return complain(error);
    }
    const body = inside ? `Its ${inside === 1 ? "one entry" : `${inside} entries`}, and all that lies below, will be gone for good.` : "It will be gone for good.";
    if (await confirm(`Delete ${entry.name}?`, body, { label: "Delete" })) await change(() => api.removeFile(cuid, where, { recursive: inside > 0 }));
  }

  drawHead();
  return {
    element,
    shown: (visible) => visible && load(),
    destroy: () => zone.destroy(),
  };
}

export function download(url, name) {
  h("a", { href: url, download: name }).click();
}

/** Up and down move from row to row, left goes to the folder above. */
function arrows(event) {
  if (event.target.closest(".menu-list")) return;
  const names = [...event.currentTarget.querySelectorAll(".file-name")];
  const index = names.indexOf(event.target.closest(".file-row")?.querySelector(".file-name"));
  if (event.key === "ArrowDown") names[index + 1]?.focus();
  else if (event.key === "ArrowUp") names[index - 1]?.focus();
  else return;
  event.preventDefault();
}
