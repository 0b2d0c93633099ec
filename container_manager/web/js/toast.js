// Short messages in the corner. An error stays until it is closed or has been on show for long.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN_MS = { info: 4000, error: 20_000 };
const AT_ONCE = 4;

/** Show `title`; `detail` says what to do; `action` {label, run} is a button. */
export function toast(title, { detail = "", tone = "info", action = null, small = "" } = {}) {
  const host = document.getElementById("toasts");
  const close = () => {
    clearTimeout(timer);
    element.remove();
  };
  const element = h(
    "div",
    { class: `toast toast-${tone}`, role: tone === "error" ? "alert" : "status" },
    icon(tone === "error" ? "alert" : "check"),
    h(
      "div",
      { class: "toast-body" },
      h("p", { class: "toast-title" }, title),
      detail && h("p", { class: "toast-detail" }, detail),
      small && h("p", { class: "toast-small" }, small),
      action &&
        h("button", { type: "button", class: "button button-small", onclick: () => { close(); action.run(); } }, action.label),
    ),
    h("button", { type: "button", class: "icon-button", "aria-label": "Close message", onclick: close }, icon("close")),
  );
  const timer = setTimeout(close, SHOWN_MS[tone]);
  // Said again, it is the same message once more, not a second one.
  const same = [...host.children].find((one) => one.querySelector(".toast-title").textContent === title);
  same?.remove();
  host.append(element);
  while (host.children.length > AT_ONCE) host.firstElementChild.remove();
  return close;
}

/** An error as a message: what happened, what to do, and the request's id for whoever runs the server. */
export function complain(error, action = null) {
  if (error.name === "AbortError") return;
  console.error(error);
  // The first sentence says what happened; what follows is to be read after it.
  const [title, ...rest] = error.message.split(/(?<=\.)\s+(?=[A-Z])/);
  toast(title, {
    tone: "error",
    detail: [...rest, error.hint].filter(Boolean).join(" "),
    small: error.requestId ? `Request ${error.requestId}` : "",
    action,
  });
}
