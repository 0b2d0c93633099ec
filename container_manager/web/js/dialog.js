// Modal dialogs on <dialog>: focus is kept inside and goes back by itself.

import { h } from "./dom.js";
import { field } from "./forms.js";
import { icon } from "./icons.js";

/** Is a dialog open? Page-wide shortcuts stay silent then. */
export const dialogOpen = () => document.querySelector("dialog[open]") !== null;

/**
 * Show a dialog with `content(close)` in it; resolves with what `close` was given, undefined when dismissed.
 * Everything is in place before it is visible, and gone in the same turn in which it closes.
 */
export function openDialog(heading, content, { wide = false, canLeave = () => true } = {}) {
  return new Promise((resolve) => {
    const close = (result) => {
      if (!element.isConnected) return;
      element.close();
      element.remove();
      resolve(result);
    };
    const leave = () => canLeave() && close();
    const element = h(
      "dialog",
      {
        class: wide ? "dialog dialog-wide" : "dialog",
        "aria-label": heading,
        oncancel: (event) => {
          event.preventDefault();
          leave();
        },
        onkeydown: (event) => event.stopPropagation(),
        // The backdrop is the dialog itself; what lies in it is another target.
        onmousedown: (event) => event.target === element && leave(),
      },
      h(
        "header",
        { class: "dialog-head" },
        h("h2", {}, heading),
        h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: leave }, icon("close")),
      ),
      content(close),
    );
    document.body.append(element);
    element.showModal();
    element.querySelector("[autofocus]")?.focus();
  });
}

/** Ask before something that cannot be undone. Resolves with the form's data when confirmed, else undefined. */
export function confirm(heading, body, { label, danger = true, extra = null }) {
  return openDialog(heading, (close) =>
    h(
      "form",
      {
        method: "dialog",
        class: "dialog-body",
        onsubmit: (event) => {
          event.preventDefault();
          close(new FormData(event.target));
        },
      },
      h("p", {}, body),
      extra,
      h(
        "footer",
        { class: "dialog-foot" },
        h("button", { type: "button", class: "button", onclick: () => close() }, "Cancel"),
        h("button", { type: "submit", class: danger ? "button button-danger" : "button button-primary", autofocus: true }, label),
      ),
    ),
  );
}

/** Ask for one line of text. Resolves with it, undefined when dismissed. */
export function ask(heading, { label, value = "", button = "OK", hint = "" }) {
  return openDialog(heading, (close) => {
    const input = h("input", { name: "text", value, required: true, autofocus: true, autocomplete: "off", spellcheck: "false" });
    return h(
      "form",
      {
        method: "dialog",
        class: "dialog-body",
        onsubmit: (event) => {
          event.preventDefault();
          close(input.value.trim());
        },
      },
      field("text", label, input, hint),
      h(
        "footer",
        { class: "dialog-foot" },
        h("button", { type: "button", class: "button", onclick: () => close() }, "Cancel"),
        h("button", { type: "submit", class: "button button-primary" }, button),
      ),
    );
  });
}
