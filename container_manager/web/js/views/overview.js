// What a container is and how it stands.

import { perform } from "../actions.js";
import { h } from "../dom.js";
import { date, duration, since, span, stateLabel } from "../format.js";
import { icon } from "../icons.js";
import { usageCard } from "../usage.js";
import { edit } from "./edit.js";
import { portLinks } from "./row.js";

const CLOCK_MS = 10_000;
const RUNS = { boot: "boot.py", image: "the image’s own command", command: "its command" };

export function overviewPane(first) {
  let container = first;
  let revealed = false;
  const element = h("section", { class: "pane pane-overview", "aria-label": "Overview" });
  const usage = usageCard(first.cuid);
  let visible = false;
  let drawn = "";

  const watch = () => usage.watch(visible && !document.hidden && container.status === "running");
  document.addEventListener("visibilitychange", watch);

  function render() {
    // Drawn anew only when something that it shows has changed: a text that is being selected stays.
    const state = JSON.stringify([container, revealed, container.started_at && since(container.started_at), container.finished_at && since(container.finished_at)]);
    if (state === drawn) return;
    drawn = state;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.keep : null;
    element.replaceChildren(...[problem(container), nextStep(container), h("div", { class: "facts" }, h("div", {}, usage.element, stateCard(container), limitsCard(container)), h("div", {}, setupCard(container), environmentCard(container)))].filter(Boolean));
    if (focused) element.querySelector(`[data-keep="${focused}"]`)?.focus();
  }

  function environmentCard({ env }) {
    const names = Object.keys(env ?? {});
    const reveal = h("button", { type: "button", class: "button button-small button-quiet", dataset: { keep: "reveal" }, "aria-pressed": String(revealed), onclick: () => ((revealed = !revealed), render()) }, icon("eye"), revealed ? "Hide values" : "Show values");
    return card(
      "Environment",
      names.length ? reveal : null,
      names.length
        ? h("dl", { class: "pairs pairs-env" }, names.flatMap((name) => [h("dt", { class: "mono" }, name), h("dd", { class: "mono env-value" }, revealed ? env[name] : "••••••")]))
        : h("p", { class: "soft" }, "No variables of your own. CONTAINER_UID and TAGS are always there."),
    );
  }

  const clock = setInterval(render, CLOCK_MS);
  render();
  return {
    element,
    update(next) {
      container = next;
      render();
      watch();
    },
    shown(now) {
      visible = now;
      watch();
    },
    destroy() {
      clearInterval(clock);
      document.removeEventListener("visibilitychange", watch);
      usage.watch(false);
    },
  };
}

function card(heading, action, ...content) {
  return h("article", { class: "card fact" }, h("header", { class: "fact-head" }, h("h2", {}, heading), action), ...content);
}

function pairs(entries) {
  return h("dl", { class: "pairs" }, entries.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function problem({ problem: text }) {
  if (!text) return null;
  return h("div", { class: "note note-bad", role: "alert" }, icon("alert"), h("div", {}, h("h3", {}, "Its Compose file cannot be read"), h("p", {}, text), h("p", { class: "soft" }, "Correct the file on the server: it is read again by itself. Until then only deleting is possible.")));
}

/** What a newcomer would not know to do next. */
function nextStep(container) {
  if (container.status !== "created" || container.problem) return null;
  const files = container.command
    ? [h("h3", {}, "Ready to start"), h("p", { class: "soft" }, "It runs its command. Files of yours, if it needs any, go into /app.")]
    : [h("h3", {}, "Next: its files"), h("p", { class: "soft" }, "Drop a folder or a zip with a boot.py under Files, then start it. Without a boot.py the image’s own command runs.")];
  return h(
    "div",
    { class: "note" },
    icon("upload"),
    h("div", { class: "note-body" }, ...files),
    h("div", { class: "note-actions" }, h("a", { class: "button button-small", href: `#/c/${container.cuid}/files`, dataset: { keep: "files" } }, "Open files"), h("button", { type: "button", class: "button button-small button-primary", dataset: { keep: "start" }, onclick: () => perform("start", container) }, "Start")),
  );
}

function stateCard(container) {
  const ports = portLinks(container);
  const ended = container.status === "exited" || container.status === "dead";
  return card(
    "State",
    null,
    pairs([
      ["Status", stateLabel(container)],
      ["Started", container.started_at && `${date(container.started_at)} (${since(container.started_at)} ago)`],
      ["Ended", ended && container.finished_at && `${date(container.finished_at)} (${since(container.finished_at)} ago)`],
      ["Exit code", ended && container.exit_code !== null && String(container.exit_code)],
      ["Runs", container.runs && RUNS[container.runs]],
      ["Created", date(container.created_at)],
      ["Ports", ports.length > 0 && h("span", { class: "port-list" }, ports.map((port) => (port.url ? h("a", { class: "mono", href: port.url, target: "_blank", rel: "noopener" }, port.title) : h("span", { class: "mono" }, port.title))))],
    ]),
  );
}

function setupCard(container) {
  const command = Array.isArray(container.command) ? container.command.join(" ") : container.command;
  return card(
    "Set-up",
    h("button", { type: "button", class: "button button-small", dataset: { keep: "edit" }, disabled: Boolean(container.problem), onclick: () => edit(container) }, icon("edit"), "Change"),
    pairs([
      ["Image", h("span", { class: "mono" }, container.image)],
      ["Command", command && h("code", { class: "command", title: command }, command)],
      ["Tags", container.tags?.length > 0 && h("span", { class: "row-tags" }, container.tags.map((tag) => h("a", { class: "tag", href: `#/?tag=${encodeURIComponent(tag)}` }, tag)))],
      ["User", container.user && h("span", { class: "mono" }, container.user)],
      ["Restart", container.restart],
      ["Volumes", container.volumes?.length > 0 && h("span", { class: "mono" }, container.volumes.join(", "))],
    ]),
  );
}

function limitsCard({ resources = {}, ttl, idle_timeout: idle, status, started_at: started }) {
  const { cpus, memory, pids } = resources;
  const left = ttl && status === "running" ? ttl - (Date.now() - Date.parse(started)) / 1000 : 0;
  return card(
    "Limits",
    null,
    pairs([
      ["CPUs", cpus ? String(cpus) : "the server’s default"],
      ["Memory", memory ?? "the server’s default"],
      ["Processes", pids ? String(pids) : "the server’s default"],
      ["Stops after", ttl > 0 && `${span(ttl)}${left > 0 ? ` (${duration(left)} left)` : ""}`],
      ["Stops when idle", idle > 0 && `for ${span(idle)}`],
    ]),
  );
}
