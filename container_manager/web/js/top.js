// The top of the page: how the connection stands, the theme, the banner over everything that may be out of date.

import { pullProgress } from "./actions.js";
import { h, text } from "./dom.js";
import { duration } from "./format.js";
import { icon } from "./icons.js";
import { store } from "./store.js";

const CLOCK_MS = 1000;

/** What is wrong with the connection, as {title, detail, since, action}; null when nothing is. */
function trouble() {
  const { connection, engineAway, heard, health } = store;
  if (connection === "refused")
    return { tone: "bad", title: "You are not logged in any more.", detail: "The password was changed, or the browser forgot it.", action: { label: "Log in", run: () => location.reload() } };
  if (connection === "lost") return { tone: "warn", title: "The server does not answer.", detail: "What you see is from then. The page goes on by itself.", since: heard };
  if (engineAway !== null) {
    const name = health?.engine ? health.engine.name[0].toUpperCase() + health.engine.name.slice(1) : "The container engine";
    return { tone: "bad", title: `${name} does not answer.`, detail: "What you see is from then. Start it on the server; everything goes on by itself.", since: engineAway };
  }
  return null;
}

const STATES = { connecting: ["busy", "Connecting…"], live: ["good", "Live"], lost: ["warn", "Reconnecting…"], refused: ["bad", "Logged out"] };

/** The state beside the brand: a dot, a word, the engine's name, or the image that is being pulled. */
export function connectionState() {
  const state = h("span", { class: "state", role: "status" }, h("span", { class: "dot" }), h("span", { class: "word" }));
  const engine = h("span", { class: "engine truncate" });
  store.subscribe(() => {
    const { connection, engineAway, health, pulls } = store;
    const [tone, word] = connection === "live" && engineAway !== null ? ["bad", "Engine away"] : STATES[connection];
    state.dataset.tone = tone;
    text(state.lastElementChild, word);
    const [pull] = pulls;
    if (pull) return void text(engine, `${pullProgress(pull[1]).label}: ${pull[0]}`);
    text(engine, health && engineAway === null ? `${health.engine.name} ${health.engine.version} · compose ${health.compose_version}` : "");
  });
  return [state, engine];
}

/** One line over the page while what it shows may be out of date: what is wrong, since when, what to do. */
export function banner() {
  const title = h("b", {});
  const since = h("span", { class: "banner-since" });
  const detail = h("span", { class: "soft" });
  const action = h("button", { type: "button", class: "button button-small" });
  // Announced once: the age, which ticks, stands outside of the live region.
  const element = h("div", { class: "banner", hidden: true }, icon("alert"), h("p", {}, h("span", { role: "alert" }, title), " ", since, " ", detail), action);
  let clock = 0;
  action.addEventListener("click", () => trouble()?.action?.run());
  const draw = () => {
    const now = trouble();
    element.hidden = !now;
    clearTimeout(clock);
    if (!now) return void text(title, "");
    element.dataset.tone = now.tone;
    text(title, now.title);
    text(detail, now.detail);
    text(since, now.since ? `Last seen ${duration((Date.now() - now.since) / 1000)} ago.` : "");
    action.hidden = !now.action;
    text(action, now.action?.label ?? "");
    clock = setTimeout(draw, CLOCK_MS);
  };
  store.subscribe(draw);
  return element;
}

export function themeButton() {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const button = h("button", { type: "button", class: "icon-button", "aria-label": "Light or dark", title: "Light or dark" });
  const draw = () => button.replaceChildren(icon(dark() ? "sun" : "moon"));
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  return button;
}
