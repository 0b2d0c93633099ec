// One file: an image is shown, a text can be edited, anything else is there to be downloaded.

import { api } from "../api.js";
import { confirm, openDialog } from "../dialog.js";
import { h, text } from "../dom.js";
import { bytes } from "../format.js";
import { icon } from "../icons.js";
import { toast } from "../toast.js";

const MOST_TEXT = 1 << 20;
const MOST_IMAGE = 8 << 20;
const IMAGES = { png: "png", jpg: "jpeg", jpeg: "jpeg", gif: "gif", webp: "webp", avif: "avif", svg: "svg+xml" };

/** Show `path`; `entry` null makes a new file. Resolves with true when it was saved. */
export async function openFile(cuid, path, entry) {
  const shown = entry ? await read(cuid, path, entry).catch((error) => ({ error })) : { text: "", etag: null };
  let dirty = false;
  let saved = false;
  const name = path.split("/").at(-1);
  await openDialog(
    path,
    (close) => {
      if (shown.text === undefined) return preview(cuid, path, entry, shown, close);
      return editor({ cuid, path, shown, fresh: !entry, close, onDirty: (now) => (dirty = now), onSaved: () => (saved = true) });
    },
    { wide: true, canLeave: () => !dirty || leaveAnyway(name, () => (dirty = false)) },
  );
  return saved;
}

/** Closing with unsaved changes asks first, and then needs a second close: no change is lost by one key. */
function leaveAnyway(name, forget) {
  confirm(`Leave ${name} unsaved?`, "Your changes to it are lost.", { label: "Leave it" }).then((answer) => {
    if (!answer) return;
    forget();
    document.querySelector("dialog[open] [aria-label=Close]")?.click();
  });
  return false;
}

async function read(cuid, path, { size }) {
  const kind = IMAGES[path.split(".").at(-1).toLowerCase()];
  if (kind && size <= MOST_IMAGE) {
    const body = await (await api.readFile(cuid, path)).blob();
    return { image: await asDataUrl(new Blob([body], { type: `image/${kind}` })) };
  }
  if (size > MOST_TEXT) return { reason: `At ${bytes(size)} it is too large to be shown here.` };
  const response = await api.readFile(cuid, path);
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(await response.arrayBuffer()), etag: response.headers.get("ETag") };
  } catch {
    return { reason: "It is not a text." };
  }
}

function asDataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function preview(cuid, path, entry, { image, reason, error }, close) {
  return h(
    "div",
    { class: "dialog-body" },
    image ? h("img", { class: "preview", src: image, alt: path }) : h("div", { class: "empty" }, icon("file"), h("h2", {}, error ? error.message : "No preview"), h("p", {}, error ? error.hint : reason)),
    h(
      "footer",
      { class: "dialog-foot" },
      h("button", { type: "button", class: "button", onclick: () => close() }, "Close"),
      h("a", { class: "button button-primary", href: api.fileUrl(cuid, path), download: path.split("/").at(-1) }, icon("download"), "Download"),
    ),
  );
}

function editor({ cuid, path, shown, fresh, close, onDirty, onSaved }) {
  let etag = shown.etag;
  let stored = shown.text;
  const area = h("textarea", { class: "code-editor", "aria-label": `Content of ${path}`, value: stored, spellcheck: "false", autocapitalize: "off", autofocus: true, wrap: "off" });
  const state = h("span", { class: "soft", role: "status" });
  const problem = h("p", { class: "form-error", role: "alert" });
  const save = h("button", { type: "submit", class: "button button-primary" }, fresh ? "Create" : "Save");
  const form = h(
    "form",
    { class: "dialog-body", method: "dialog", onsubmit: send, onkeydown: keys },
    area,
    problem,
    h("footer", { class: "dialog-foot" }, state, h("span", { class: "spacer" }), h("button", { type: "button", class: "button", onclick: () => form.closest("dialog").querySelector("[aria-label=Close]").click() }, "Close"), save),
  );

  function draw() {
    const dirty = area.value !== stored;
    onDirty(dirty);
    text(state, dirty ? "Not saved" : "");
    save.disabled = !dirty && !fresh;
  }

  async function send(event) {
    event?.preventDefault();
    if (save.disabled) return;
    save.disabled = true;
    problem.textContent = "";
    const content = area.value;
    try {
      await api.writeFile(cuid, path, content, etag ? { "If-Match": etag } : fresh ? { "If-None-Match": "*" } : {});
      stored = content;
      onDirty(false);
      onSaved();
      toast(`${path} saved`);
      close();
    } catch (error) {
      problem.textContent = `${error.message} ${error.hint ?? ""}`;
      draw();
    }
  }

  function keys(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      send();
    } else if (event.key === "Tab" && event.target === area && !event.shiftKey) {
      event.preventDefault();
      document.execCommand("insertText", false, "    ");
    }
  }

  area.addEventListener("input", draw);
  draw();
  return form;
}
