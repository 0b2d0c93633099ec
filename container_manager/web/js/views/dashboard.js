// The list of all containers: filters in the address, rows that change in place.

import { activity, perform, possible, VERBS } from "../actions.js";
import { h, reconcile, text } from "../dom.js";
import { date, since, stateLabel, stateTone, title } from "../format.js";
import { icon } from "../icons.js";
import { menu } from "../menu.js";
import { store } from "../store.js";
import { createContainer } from "./create.js";

const STATUSES = [
  ["running", "Running"],
  ["paused", "Paused"],
  ["restarting", "Restarting"],
  ["exited", "Exited"],
  ["created", "Not started"],
];
const CLOCK_MS = 10_000;

export function dashboard() {
  let filters = { status: "", tag: "", q: "" };

  const search = h("input", { type: "search", placeholder: "Name, image, id, port…", "aria-label": "Search containers", autocomplete: "off", spellcheck: "false", oninput: () => go({ q: search.value }) });
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Filter by state" });
  const tags = h("div", { class: "chips chips-tags", role: "group", "aria-label": "Filter by tag" });
  const rows = h("ul", { class: "rows", "aria-label": "Containers", onkeydown: arrows });
  const count = h("span", { class: "count soft", role: "status" });
  const place = h("div", { class: "place" });
  const element = h(
    "section",
    { class: "dashboard" },
    h("div", { class: "page-head" }, h("h1", {}, "Containers"), count),
    h("div", { class: "filters" }, h("div", { class: "search" }, icon("search"), search, h("kbd", {}, "/")), chips, tags),
    h("div", { class: "card list" }, rows, place),
  );

  /** Write the filters into the address without a new entry in the history. */
  function go(change) {
    filters = { ...filters, ...change };
    const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value)).toString();
    history.replaceState(null, "", query ? `#/?${query}` : "#/");
    render();
  }

  function render() {
    const all = store.containers;
    const shown = all.filter((container) => matches(container, filters));
    renderChips(all);
    reconcile(rows, shown, (container) => container.cuid, row);
    text(count, all.length ? (shown.length === all.length ? `${all.length}` : `${shown.length} of ${all.length}`) : "");
    element.classList.toggle("is-empty", !all.length);
    const empty = shown.length ? "" : !store.loaded ? (store.error ? "error" : "loading") : all.length ? "none" : "first";
    rows.hidden = !shown.length;
    if (place.dataset.shows !== empty) {
      place.dataset.shows = empty;
      place.replaceChildren(...emptyState(empty, () => { search.value = ""; go({ status: "", tag: "", q: "" }); }));
    }
  }

  function renderChips(all) {
    const counts = STATUSES.map(([status, label]) => ({ key: status, label, count: all.filter((one) => one.status === status).length }));
    const wanted = counts.filter((chip) => chip.count || chip.key === filters.status);
    reconcile(chips, [{ key: "", label: "All", count: all.length }, ...wanted], (chip) => chip.key, (chip) => chipButton("status", chip.key));
    const names = [...new Set(all.flatMap((one) => one.tags ?? []))].sort();
    if (filters.tag && !names.includes(filters.tag)) names.unshift(filters.tag);
    reconcile(tags, names.slice(0, 24).map((name) => ({ key: name, label: `#${name}` })), (chip) => chip.key, (chip) => chipButton("tag", chip.key));
  }

  function chipButton(filter, key) {
    const label = document.createTextNode("");
    const number = h("b", {});
    const button = h("button", { type: "button", class: "chip", onclick: () => go({ [filter]: filters[filter] === key ? "" : key }) }, label, number);
    return {
      element: button,
      update(chip) {
        label.data = chip.label;
        text(number, chip.count === undefined ? "" : String(chip.count));
        number.hidden = chip.count === undefined;
        button.setAttribute("aria-pressed", String(filters[filter] === key));
      },
    };
  }

  function row(container) {
    const { cuid } = container;
    let now = container;
    const state = h("span", { class: "state" }, h("span", { class: "dot" }), h("span", { class: "word" }));
    const name = h("a", { class: "row-name truncate", href: `#/c/${cuid}` });
    const image = h("span", { class: "row-image mono truncate" });
    const tagList = h("span", { class: "row-tags" });
    const ports = h("span", { class: "row-ports" });
    const age = h("span", { class: "row-age soft" });
    const buttons = h("span", { class: "row-actions" });
    const bar = h("span", { class: "bar row-bar" }, h("i"));
    const line = h(
      "li",
      { class: "row", dataset: { cuid }, onclick: (event) => event.target.closest("a, button, .menu") || getSelection().toString() || (location.hash = `#/c/${cuid}`) },
      state,
      h("span", { class: "row-title" }, name, image),
      tagList,
      ports,
      age,
      buttons,
      bar,
    );
    buttons.append(
      actionButton(() => now, 0),
      actionButton(() => now, 1),
      menu(`More for ${title(container)}`, () => rowMenu(now)),
    );
    return {
      element: line,
      update(next) {
        now = next;
        const doing = activity(next);
        state.dataset.tone = doing ? "busy" : stateTone(next);
        text(state.lastElementChild, doing ? doing.label : stateLabel(next));
        text(name, title(next));
        text(image, next.image ?? "");
        text(age, ageOf(next));
        age.title = next.started_at ? `Started ${date(next.started_at)}` : `Created ${date(next.created_at)}`;
        bar.hidden = !doing;
        bar.toggleAttribute("data-open", doing?.fraction === null);
        bar.firstElementChild.style.setProperty("--done", doing?.fraction ?? 0);
        reconcile(tagList, (next.tags ?? []).slice(0, 4), (tag) => tag, (tag) => ({ element: h("button", { type: "button", class: "tag", title: `Only #${tag}`, onclick: () => go({ tag }) }, tag) }));
        reconcile(ports, portLinks(next), (port) => port.key, (port) => ({ element: port.url ? h("a", { class: "mono", href: port.url, target: "_blank", rel: "noopener", title: port.title }, port.label) : h("span", { class: "mono soft", title: port.title }, port.label) }));
        for (const button of buttons.querySelectorAll("[data-slot]")) button.redraw();
      },
    };
  }

  const unsubscribe = store.subscribe(render);
  const clock = setInterval(render, CLOCK_MS);
  return {
    kind: "dashboard",
    element,
    filter(parameters) {
      filters = { status: parameters.get("status") ?? "", tag: parameters.get("tag") ?? "", q: parameters.get("q") ?? "" };
      if (search.value !== filters.q) search.value = filters.q;
      document.title = "Containers";
      render();
    },
    destroy() {
      unsubscribe();
      clearInterval(clock);
    },
  };
}

/** The `slot`-th most likely verb as a button that changes with the state; disabled while something runs. */
export function actionButton(current, slot, { labelled = false } = {}) {
  const button = h("button", { type: "button", class: labelled ? "button" : "icon-button", dataset: { slot }, onclick: () => perform(button.dataset.verb, current()) });
  button.redraw = () => {
    const container = current();
    const verb = possible(container)[slot];
    const busy = activity(container) !== null;
    button.hidden = !verb;
    if (!verb) return;
    button.disabled = busy;
    if (button.dataset.verb === verb) return;
    button.dataset.verb = verb;
    const { label, icon: name } = VERBS[verb];
    button.title = label;
    button.setAttribute("aria-label", `${label} ${title(container)}`);
    button.replaceChildren(icon(name), ...(labelled ? [label] : []));
  };
  return button;
}

function rowMenu(container) {
  const open = (tab, label, name) => ({ label, icon: name, run: () => (location.hash = `#/c/${container.cuid}/${tab}`) });
  return [
    open("logs", "Logs", "logs"),
    open("terminal", "Terminal", "terminal"),
    open("files", "Files", "folder"),
    ...possible(container).slice(2).map((verb) => ({ label: VERBS[verb].label, icon: VERBS[verb].icon, run: () => perform(verb, container) })),
    { label: "Delete…", icon: "trash", danger: true, run: () => perform("delete", container) },
  ];
}

function matches(container, { status, tag, q }) {
  if (status && container.status !== status) return false;
  if (tag && !container.tags?.includes(tag)) return false;
  const ports = [...(container.ports ?? []), ...(container.bound_ports ?? [])].map((port) => `:${port.host}`);
  const hay = [container.name, container.cuid, container.image, ...(container.tags ?? []), ...ports].join(" ").toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}

function ageOf(container) {
  if (container.status === "running" || container.status === "paused") return `Up ${since(container.started_at)}`;
  if (container.status === "exited") return `${since(container.finished_at)} ago`;
  return container.status === "created" ? `Made ${since(container.created_at)} ago` : "";
}

/** Ports that are bound, as links; else those that will be. */
export function portLinks(container) {
  const bound = container.bound_ports?.length > 0;
  const ports = bound ? oneFamily(container.bound_ports) : (container.ports ?? []);
  const links = ports.map(({ host, container: inside, protocol }) => ({
    key: `${bound}${host}-${inside}-${protocol}`,
    label: host ? `:${host}` : `→${inside}`,
    title: `${host || "any"} → ${inside}/${protocol}`,
    url: bound && protocol === "tcp" ? `http://${location.hostname}:${host}/` : null,
  }));
  return [...new Map(links.map((link) => [link.key, link])).values()];
}

/** The engine binds a port for IPv4 and for IPv6, under two numbers when it chose them: one of the two is enough. */
function oneFamily(ports) {
  const isIpv6 = (port) => port.host_ip?.includes(":");
  const first = new Set(ports.filter((port) => !isIpv6(port)).map((port) => `${port.container}/${port.protocol}`));
  return ports.filter((port) => !isIpv6(port) || !first.has(`${port.container}/${port.protocol}`));
}

function emptyState(kind, clear) {
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
  const step = (number, heading, body) => h("li", {}, h("b", {}, number), h("div", {}, h("h3", {}, heading), h("p", {}, body)));
  return h(
    "div",
    { class: "empty empty-first" },
    icon("box"),
    h("h2", {}, "Run your first program"),
    h("p", {}, "A container is one program with its files, its limits and its own terminal. Three steps, or three API calls:"),
    h(
      "ol",
      { class: "steps" },
      step("1", "Create", "Name an image, such as python:3.12-slim."),
      step("2", "Drop files", "A folder or zip with a boot.py lands in /app."),
      step("3", "Start", "Watch its log, type in its terminal."),
    ),
    h("button", { type: "button", class: "button button-primary", onclick: () => createContainer() }, icon("plus"), "Create a container"),
    h("p", {}, h("a", { href: "/docs" }, "Or use the API")),
  );
}

/** Up and down move from row to row. */
function arrows(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  if (event.target.closest(".menu-list")) return;
  const names = [...event.currentTarget.querySelectorAll(".row-name")];
  const index = names.indexOf(event.target.closest(".row")?.querySelector(".row-name"));
  names[index + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  event.preventDefault();
}
