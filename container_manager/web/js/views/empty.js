// What the list shows while it has no rows.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { store } from "../store.js";
import { chooser } from "../upload/take_drops.js";
import { createContainer } from "./create.js";

/** Nodes for `kind`: loading, error, none (of those there are matches) or first; `clear()` takes the filters away. */
export function emptyState(kind, clear) {
  switch (kind) {
    case "loading":
      return [1, 2, 3].map(() => h("div", { class: "row row-ghost", "aria-hidden": "true" }));
    case "error":
      return [h("div", { class: "empty" }, icon("alert"), h("h2", {}, store.error.message), h("p", {}, store.error.hint))];
    case "none":
      return [
        h("div", { class: "empty" }, icon("search"), h("h2", {}, "No container matches"), h("p", {}, "Take a filter away to see more."), h("button", { type: "button", class: "button", onclick: clear }, "Show all")),
      ];
    case "first":
      return [firstSteps()];
    default:
      return [];
  }
}

function firstSteps() {
  const folder = chooser({ folder: true, chosen: (files) => createContainer({ files }) });
  return h(
    "div",
    { class: "empty empty-first" },
    icon("upload"),
    h("h2", {}, "Run your first program"),
    h("p", {}, "Drop a folder with a ", h("code", {}, "boot.py"), " here. It gets a container of its own, with limits, a log and a terminal."),
    h(
      "div",
      { class: "empty-actions" },
      h("button", { type: "button", class: "button button-primary", onclick: folder.open }, icon("folder"), "Choose a folder"),
      h("button", { type: "button", class: "button", onclick: () => createContainer() }, icon("plus"), "Create a container"),
    ),
    folder.element,
    h(
      "dl",
      { class: "ways" },
      h("div", {}, h("dt", {}, "At a shell"), h("dd", {}, h("code", {}, "container-manager run ./my-app"))),
      h("div", {}, h("dt", {}, "From a program"), h("dd", {}, h("code", {}, "POST /containers"), " — ", h("a", { href: "/docs" }, "the API"))),
    ),
  );
}
