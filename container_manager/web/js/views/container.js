// One container: its head, its tabs, and the panes behind them. A pane lives as long as the page does.

import { activity, perform } from "../actions.js";
import { h, text } from "../dom.js";
import { stateLabel, stateTone, title } from "../format.js";
import { icon } from "../icons.js";
import { menu } from "../menu.js";
import { store } from "../store.js";
import { toast } from "../toast.js";
import { composePane } from "./compose.js";
import { filesPane } from "./files.js";
import { logsPane } from "./logs.js";
import { overviewPane } from "./overview.js";
import { recordingsPane } from "./recordings.js";
import { actionButton } from "./row.js";
import { terminalPane } from "./terminal.js";

const TABS = [
  ["overview", "Overview", "box", overviewPane],
  ["logs", "Logs", "logs", logsPane],
  ["terminal", "Terminal", "terminal", terminalPane],
  ["files", "Files", "folder", filesPane],
  ["recordings", "Recordings", "record", recordingsPane],
  ["compose", "Compose", "file", composePane],
];
const CONSOLES = ["logs", "terminal"];

export function containerPage(cuid) {
  const panes = new Map();
  let selected = "";
  let parameters = new URLSearchParams();
  let beside = localStorage.getItem("beside") === "true";
  let shownContainer = null;

  const name = h("h1", { class: "truncate" });
  const state = h("span", { class: "state", role: "status" }, h("span", { class: "dot" }), h("span", { class: "word" }));
  const bar = h("div", { class: "bar head-bar", hidden: true }, h("i"));
  const buttons = [0, 1, 2].map((slot) => actionButton(() => shownContainer, slot, { labelled: true }));
  const tabs = h(
    "nav",
    { class: "tabs", "aria-label": "Parts of this container" },
    TABS.map(([key, label, symbol]) => h("a", { class: "tab", href: `#/c/${cuid}/${key}`, dataset: { tab: key } }, icon(symbol), label)),
  );
  const besideButton = h("button", { type: "button", class: "button button-small button-quiet beside", title: "Logs and terminal side by side", onclick: toggleBeside }, icon("columns"), "Side by side");
  const fullButton = h("button", { type: "button", class: "icon-button", "aria-label": "Full size", title: "Full size", onclick: toggleFull }, icon("expand"));
  const content = h("div", { class: "panes" });
  const body = h(
    "div",
    { class: "container-body" },
    h(
      "header",
      { class: "container-head" },
      h("a", { class: "icon-button back", href: "#/", "aria-label": "All containers" }, icon("left")),
      h("div", { class: "container-title" }, h("div", { class: "container-name" }, name, state), subtitle(cuid)),
      h("div", { class: "container-actions" }, buttons, menu("More", () => [{ label: "Delete…", icon: "trash", danger: true, run: () => perform("delete", shownContainer) }])),
      bar,
    ),
    h("div", { class: "tabs-line" }, tabs, besideButton, fullButton),
    content,
  );
  const element = h("section", { class: "container-page" }, body);
  const missing = h("div", { class: "empty card" }, icon("box"), h("h2", {}, "There is no such container"), h("p", {}, "It was deleted, or the address is wrong."), h("a", { class: "button", href: "#/" }, "All containers"));

  function render() {
    const container = store.get(cuid);
    if (!container && !store.loaded) return void (body.hidden = true);
    if (!container) {
      if (shownContainer) {
        toast(`${title(shownContainer)} is deleted`);
        return void (location.hash = "#/");
      }
      element.replaceChildren(missing);
      return;
    }
    const first = !shownContainer;
    shownContainer = container;
    body.hidden = false;
    if (!body.isConnected) element.replaceChildren(body);
    const doing = activity(container);
    text(name, title(container));
    document.title = `${title(container)} · Containers`;
    state.dataset.tone = doing ? "busy" : stateTone(container);
    text(state.lastElementChild, doing ? doing.label : stateLabel(container));
    bar.hidden = !doing;
    bar.toggleAttribute("data-open", doing?.fraction === null);
    bar.firstElementChild.style.setProperty("--done", doing?.fraction ?? 0);
    buttons.forEach((button) => button.redraw());
    if (first) arrange();
    for (const pane of panes.values()) pane.update?.(container);
  }

  /** Make and show the panes that the tab asks for. */
  function arrange() {
    if (!shownContainer || !selected) return;
    const console = CONSOLES.includes(selected);
    const wanted = console && beside ? CONSOLES : [selected];
    for (const key of wanted) {
      if (panes.has(key)) continue;
      const make = TABS.find(([tab]) => tab === key)[3];
      const pane = make(shownContainer, parameters);
      pane.element.dataset.pane = key;
      panes.set(key, pane);
    }
    content.append(...TABS.map(([key]) => panes.get(key)?.element).filter((pane) => pane && !pane.isConnected));
    content.classList.toggle("panes-beside", wanted.length > 1);
    body.dataset.tab = selected;
    for (const [key, pane] of panes) {
      const visible = wanted.includes(key);
      pane.element.hidden = !visible;
      pane.shown?.(visible, parameters);
    }
    for (const tab of tabs.children) {
      if (tab.dataset.tab === selected) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    besideButton.hidden = !console;
    fullButton.hidden = !console;
    besideButton.setAttribute("aria-pressed", String(beside));
    if (!console) setFull(false);
  }

  function toggleBeside() {
    beside = !beside;
    localStorage.setItem("beside", String(beside));
    arrange();
  }

  function setFull(full) {
    body.classList.toggle("is-full", full);
    fullButton.replaceChildren(icon(full ? "shrink" : "expand"));
    fullButton.setAttribute("aria-pressed", String(full));
  }
  function toggleFull() {
    setFull(!body.classList.contains("is-full"));
  }

  const unsubscribe = store.subscribe(render);
  return {
    kind: "container",
    cuid,
    element,
    select(tab, given) {
      parameters = given;
      selected = TABS.some(([key]) => key === tab) ? tab : "overview";
      arrange();
    },
    selectIndex(index) {
      if (TABS[index]) location.hash = `#/c/${cuid}/${TABS[index][0]}`;
    },
    destroy() {
      unsubscribe();
      for (const pane of panes.values()) pane.destroy?.();
    },
  };
}

function subtitle(cuid) {
  return h(
    "p",
    { class: "container-cuid soft" },
    h("span", { class: "mono truncate" }, cuid),
    h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": "Copy its id",
        title: "Copy its id",
        onclick: async () => {
          await navigator.clipboard?.writeText(cuid);
          toast("Id copied");
        },
      },
      icon("copy"),
    ),
  );
}
