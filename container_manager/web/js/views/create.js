// The dialog that makes a container.

import { perform } from "../actions.js";
import { api } from "../api.js";
import { openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { choice, clearFaults, field, group, showFaults } from "../forms.js";
import { environmentEditor, portsEditor, words } from "../rows.js";
import { store } from "../store.js";
import { toast } from "../toast.js";

const RUNS = [
  ["boot", "My files", "A boot.py that you drop in next"],
  ["command", "A command", "Runs instead of boot.py"],
  ["image", "The image’s own", "As its author meant it"],
];

/** Ask for the settings, create, and go on with what comes next for this kind. */
export async function createContainer() {
  const made = await openDialog("New container", form, { wide: true });
  if (!made) return;
  const { container, runs } = made;
  store.put(container);
  location.hash = `#/c/${container.cuid}/${runs === "boot" ? "files" : "logs"}`;
  if (runs === "boot") toast("Created. Drop your files, then start it.");
  else perform("start", container);
}

function form(close) {
  const images = [...new Set(store.containers.map((container) => container.image).filter(Boolean))];
  const text = (name, placeholder, more = {}) => h("input", { name, placeholder, autocomplete: "off", spellcheck: "false", ...more });
  const image = text("image", "python:3.12-slim", { required: true, autofocus: true, list: "known-images" });
  const name = text("name", "web-server");
  const command = text("command", "python -m http.server 8000");
  const tags = text("tags", "class-a, demo");
  const cpus = text("cpus", "1", { inputmode: "decimal" });
  const memory = text("memory", "1g");
  const pids = text("pids", "512", { inputmode: "numeric" });
  const user = text("user", "the image’s");
  const restart = h("select", { name: "restart" }, ["no", "on-failure", "unless-stopped", "always"].map((value) => h("option", {}, value)));
  const env = environmentEditor();
  const ports = portsEditor();
  const commandField = field("command", "Command", command, "Split into words as a shell does. Use sh -c '…' for pipes.");
  commandField.hidden = true;
  const errors = h("p", { class: "form-error", role: "alert" });
  const submit = h("button", { type: "submit", class: "button button-primary" }, "Create");
  const runs = () => element.elements.runs.value;

  const section = (title, ...content) => h("details", { class: "section" }, h("summary", {}, title), h("div", { class: "section-body" }, ...content));
  const element = h(
    "form",
    { class: "dialog-body", method: "dialog", novalidate: true, onsubmit: send, onchange: chosen },
    h("datalist", { id: "known-images" }, images.map((value) => h("option", { value }))),
    h("div", { class: "pair" }, field("image", "Image", image, "Pulled at the first start if it is not here yet."), field("name", "Name (optional)", name)),
    group("runs", "What runs", choice("runs", "What runs", RUNS, "boot")),
    commandField,
    field("tags", "Tags", tags, "Words to find it by, separated by commas."),
    section("Ports", group("ports", "Published ports", ports.element, "Leave the server’s port empty to get a free one.")),
    section("Environment", group("env", "Variables", env.element, "Paste a whole .env file into a name to fill in many. Values arrive exactly as typed.")),
    section(
      "Limits and restart",
      h("div", { class: "triple" }, field("resources.cpus", "CPUs", cpus), field("resources.memory", "Memory", memory), field("resources.pids", "Processes", pids)),
      h("div", { class: "pair" }, field("restart", "Restart when it ends", restart), field("user", "User", user, "A name, a uid, or uid:gid.")),
    ),
    errors,
    h("footer", { class: "dialog-foot" }, h("button", { type: "button", class: "button", onclick: () => close() }, "Cancel"), submit),
  );

  function chosen() {
    commandField.hidden = runs() !== "command";
    submit.textContent = runs() === "boot" ? "Create" : "Create and start";
  }

  function settings() {
    const filled = (entries) => Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== "" && value !== undefined));
    const number = (value) => (value.trim() === "" ? "" : Number(value.replace(",", ".")));
    return {
      // An image left out is told by the server in its own words, as every other fault is.
      ...filled({ image: image.value.trim(), name: name.value.trim(), user: user.value.trim() }),
      ...(runs() === "command" ? { command: command.value } : {}),
      ...(restart.value === "no" ? {} : { restart: restart.value }),
      tags: words(tags.value),
      env: env.read(),
      ports: ports.read(),
      resources: filled({ cpus: number(cpus.value), memory: memory.value.trim(), pids: number(pids.value) }),
    };
  }

  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    clearFaults(element);
    errors.textContent = "";
    const known = new Set(store.containers.map((container) => container.cuid));
    try {
      close({ container: await api.create(settings()), runs: runs() });
    } catch (error) {
      const made = error.code === "OFFLINE" && (await madeAllTheSame(settings(), known));
      if (made) return close({ container: made, runs: runs() });
      errors.textContent = showFaults(element, error).map((fault) => fault.message).join(" ");
      if (errors.textContent && error.hint) errors.textContent += ` ${error.hint}`;
    } finally {
      submit.disabled = false;
    }
  }
  return element;
}

/** The container of a request whose answer got lost, if it is there: never make a second one unasked. */
async function madeAllTheSame({ image, name }, known) {
  const list = await api.containers().catch(() => []);
  return list.findLast((one) => !known.has(one.cuid) && one.image === image && (one.name ?? "") === (name ?? ""));
}
