// Fields with a label and a hint, and the server's faults written beside the fields they are about.

import { h } from "./dom.js";

let ids = 0;

/** A labelled control. `name` is the API's name of the field, so that a fault finds it. */
export function field(name, label, control, hint = "") {
  control.id = `field-${(ids += 1)}`;
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  return h(
    "div",
    { class: "field", dataset: { field: name } },
    h("label", { for: control.id }, label),
    control,
    hint && h("small", { id: `${control.id}-hint` }, hint),
  );
}

/** A heading with controls below that are not one control. */
export function group(name, label, control, hint = "") {
  return h("div", { class: "field", role: "group", "aria-label": label, dataset: { field: name } }, h("span", {}, label), control, hint && h("small", {}, hint));
}

/** A choice of a few, as buttons. */
export function choice(name, label, options, value) {
  return h(
    "fieldset",
    { class: "choice" },
    h("legend", { class: "visually-hidden" }, label),
    options.map(([key, heading, body]) =>
      h("label", { class: "choice-option" }, h("input", { type: "radio", name, value: key, checked: key === value }), h("b", {}, heading), h("small", {}, body)),
    ),
  );
}

/** Show each fault of `error` at its field; gives the faults that found none. */
export function showFaults(form, error) {
  clearFaults(form);
  const faults = error.details?.errors ?? (error.details?.field ? [{ field: error.details.field, message: error.message }] : []);
  const homeless = faults.filter((fault) => {
    const place = placeOf(form, String(fault.field ?? ""));
    if (!place) return true;
    place.closest("details")?.setAttribute("open", "");
    place.append(h("span", { class: "field-error", role: "alert" }, fault.message));
    place.querySelector("input, textarea, select")?.setAttribute("aria-invalid", "true");
    return false;
  });
  form.querySelector("[aria-invalid]")?.focus();
  return faults.length ? homeless : [{ message: error.message }];
}

export function clearFaults(form) {
  form.querySelectorAll(".field-error").forEach((element) => element.remove());
  form.querySelectorAll("[aria-invalid]").forEach((element) => element.removeAttribute("aria-invalid"));
}

function placeOf(form, path) {
  const parts = path.split(".");
  for (let length = parts.length; length > 0; length -= 1) {
    const place = form.querySelector(`[data-field="${CSS.escape(parts.slice(0, length).join("."))}"]`);
    if (place) return place;
  }
  return null;
}
