// Start: the top of the page, the address, the keys, and the stream of changes.

import { dialogOpen, openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { follow } from "./feed.js";
import { icon } from "./icons.js";
import { banner, connectionState, themeButton } from "./top.js";
import { containerPage } from "./views/container.js";
import { createContainer } from "./views/create.js";
import { dashboard } from "./views/dashboard.js";

const main = document.getElementById("main");
let page = null;

/** Show what the address's fragment names: `#/` the list, `#/c/<cuid>/<tab>` a container. */
function route() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const [, kind, cuid, tab = "overview"] = path.split("/");
  const parameters = new URLSearchParams(query);
  if (kind === "c" && cuid) {
    if (page?.cuid !== cuid) show(containerPage(cuid));
    page.select(tab, parameters);
  } else {
    if (page?.kind !== "dashboard") show(dashboard());
    page.filter(parameters);
  }
}

function show(next) {
  const first = !page;
  page?.destroy();
  page = next;
  main.replaceChildren(page.element);
  scrollTo(0, 0);
  // Who goes on by keyboard, or listens, goes on at the new page; a page that was just opened is read from its top.
  if (!first) main.focus({ preventScroll: true });
}

function topBar() {
  const create = h(
    "button",
    { type: "button", class: "button button-primary", id: "new-container", "aria-label": "New container", onclick: () => createContainer() },
    icon("plus"),
    "New container",
  );
  const keys = h("button", { type: "button", class: "icon-button keys-button", "aria-label": "Keyboard shortcuts", title: "Keyboard shortcuts (?)", onclick: showKeys }, icon("keyboard"));
  document.getElementById("top-actions").append(keys, themeButton(), create);
  document.getElementById("connection").append(...connectionState());
  document.querySelector(".top").after(banner());
  // The address's fragment is the page that is shown: a link into the document must not change it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
}

const KEYS = [
  ["/", "Search"],
  ["n", "New container"],
  ["g", "All containers"],
  ["1 – 6", "Tabs of a container"],
  ["↑ ↓", "Move through a list"],
  ["F6", "Out of the terminal"],
  ["?", "This help"],
];

function showKeys() {
  openDialog("Keyboard", () =>
    h("dl", { class: "keys" }, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
  );
}

/** Keys that work everywhere but where text is typed. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || dialogOpen()) return;
  if (event.target.closest("input, textarea, select, [contenteditable], .xterm")) return;
  const act = {
    "/": () => document.querySelector("input[type=search]")?.focus(),
    n: () => createContainer(),
    g: () => (location.hash = "#/"),
    "?": showKeys,
  }[event.key] ?? (/^[1-9]$/.test(event.key) ? () => page.selectIndex?.(Number(event.key) - 1) : null);
  if (!act) return;
  event.preventDefault();
  act();
}

sessionStorage.removeItem("loads");
topBar();
addEventListener("hashchange", route);
addEventListener("keydown", onKey);
// A file dropped beside a drop zone must not replace the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
route();
follow();
