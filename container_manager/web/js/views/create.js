// The dialog that makes a container, and brings its files along.

import { perform } from "../actions.js";
import { api } from "../api.js";
import { openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { choice, clearFaults, field, group, showFaults } from "../forms.js";
import { environmentEditor, limitsEditor, portsEditor, words } from "../rows.js";
import { store } from "../store.js";
import { complain, toast } from "../toast.js";
import { filesField } from "../upload/files_field.js";
import { drawProgress, transfer } from "../upload/transfer.js";

const RUNS = [
  ["boot", "My files", "A boot.py of yours"],
  ["command", "A command", "Instead of boot.py"],
  ["image", "The image’s own", "As its author meant it"],
];
const USUAL_IMAGE = "python:3.12-slim";

/** Ask for the settings, create, upload, and go on with what comes next. `files`: a promise of what was dropped. */
export async function createContainer({ files = null } = {}) {
  const upload = new AbortController();
  const made = await openDialog("New container", (close) => form(close, files, upload.signal), { wide: true, canLeave: () => upload.abort() ?? true });
  if (!made) return;
  const { container, starts, error } = made;
  store.put(container);
  if (error) complain(error);
  location.hash = `#/c/${container.cuid}/${starts ? "logs" : "files"}`;
  if (starts) perform("start", container);
  else if (!error) toast("Created. Drop your files, then start it.");
}

function form(close, dropped, signal) {
  const text = (name, placeholder, more = {}) => h("input", { name, placeholder, autocomplete: "off", spellcheck: "false", ...more });
  const used = store.containers.map((container) => container.image).filter(Boolean);
  const image = text("image", USUAL_IMAGE, { required: true, autofocus: true, list: "known-images", value: used.at(-1) ?? USUAL_IMAGE, onfocus: () => image.select() });
  const name = text("name", "web-server");
  const command = text("command", "python -u /app/main.py");
  const tags = text("tags", "class-a, demo");
  const user = text("user", "the image’s");
  const restart = h("select", { name: "restart" }, ["no", "on-failure", "unless-stopped", "always"].map((value) => h("option", {}, value)));
  const env = environmentEditor();
  const ports = portsEditor();
  const limits = limitsEditor();
  const commandField = field("command", "Command", command, "Files of yours are in /app. Split into words as a shell does; use sh -c '…' for pipes.");
  const errors = h("p", { class: "form-error", role: "alert" });
  const submit = h("button", { type: "submit", class: "button button-primary" });
  const label = h("span", { role: "status" });
  const bar = h("div", { class: "bar", role: "progressbar", "aria-label": "Upload" }, h("i"));
  const progress = h("div", { class: "form-progress", hidden: true }, label, bar);
  const runs = () => element.elements.runs.value;

  const section = (title, ...content) => h("details", { class: "section" }, h("summary", {}, title), h("div", { class: "section-body" }, ...content));
  const element = h(
    "form",
    { class: "dialog-body", method: "dialog", novalidate: true, onsubmit: send, onchange: draw },
    h("datalist", { id: "known-images" }, [...new Set(used)].map((value) => h("option", { value }))),
    h("div", { class: "pair" }, field("image", "Image", image, "Pulled at the first start if it is not here yet."), field("name", "Name (optional)", name)),
    group("runs", "What runs", choice("runs", "What runs", RUNS, "boot")),
    commandField,
  );
  const files = filesField({ area: element, boots: () => runs() === "boot", changed: filesChanged });
  element.append(
    files.element,
    field("tags", "Tags", tags, "Words to find it by, separated by commas."),
    section("Ports", group("ports", "Published ports", ports.element, "Leave the server’s port empty to get a free one.")),
    section("Environment", group("env", "Variables", env.element, "Paste a whole .env file into a name to fill in many. Values arrive exactly as typed.")),
    section("Limits", limits.element),
    section("User and restart", h("div", { class: "pair" }, field("restart", "Restart when it ends", restart), field("user", "User", user, "A name, a uid, or uid:gid."))),
    errors,
    progress,
    h("footer", { class: "dialog-foot" }, h("button", { type: "button", class: "button", onclick: () => element.closest("dialog").querySelector("[aria-label=Close]").click() }, "Cancel"), submit),
  );
  draw();
  if (dropped) files.take(dropped);

  function filesChanged(about) {
    if (about?.name && !name.value) name.value = nameFrom(about.name);
    draw();
  }

  function draw() {
    commandField.hidden = runs() !== "command";
    files.refresh();
    submit.textContent = runs() === "boot" && !files.entries ? "Create" : "Create and start";
  }

  function settings() {
    const filled = (entries) => Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== ""));
    return {
      // An image left out is told by the server in its own words, as every other fault is.
      ...filled({ image: image.value.trim(), name: name.value.trim(), user: user.value.trim() }),
      ...(runs() === "command" ? { command: command.value } : {}),
      ...(restart.value === "no" ? {} : { restart: restart.value }),
      tags: words(tags.value),
      env: env.read(),
      ports: ports.read(),
      ...limits.read(),
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
      await bring(await api.create(settings()));
    } catch (error) {
      const made = error.code === "OFFLINE" && (await madeAllTheSame(settings(), known));
      if (made) return bring(made);
      errors.textContent = showFaults(element, error).map((fault) => fault.message).join(" ");
      if (errors.textContent && error.hint) errors.textContent += ` ${error.hint}`;
    } finally {
      submit.disabled = false;
    }
  }

  /** Upload the files into what was made, and close. It is there whatever becomes of them. */
  async function bring(container) {
    if (!files.entries) return close({ container, starts: runs() !== "boot" });
    progress.hidden = false;
    try {
      await transfer(container.cuid, "", files.entries, (what, fraction) => drawProgress(label, bar, what, fraction), signal);
      close({ container, starts: true });
    } catch (error) {
      close({ container, starts: false, error });
    }
  }
  return element;
}

/** A container's name from that of a folder or an archive: what is not allowed becomes a dash. */
function nameFrom(name) {
  return name.replace(/\.zip$/i, "").normalize("NFKD").replace(/[^\w.-]+/g, "-").replace(/^[^a-z\d]+|-+$/gi, "").slice(0, 63);
}

/** The container of a request whose answer got lost, if it is there: never make a second one unasked. */
async function madeAllTheSame({ image, name }, known) {
  const list = await api.containers().catch(() => []);
  return list.findLast((one) => !known.has(one.cuid) && one.image === image && (one.name ?? "") === (name ?? ""));
}
