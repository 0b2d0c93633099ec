// The live log. Every line is read with its time, so that a stream which was cut goes on exactly where it was.

import { perform } from "../actions.js";
import { ansiReader } from "../ansi.js";
import { api } from "../api.js";
import { h, text } from "../dom.js";
import { HIDDEN_MS } from "../feed.js";
import { finder } from "../find.js";
import { title } from "../format.js";
import { icon } from "../icons.js";

const TAIL = 1000;
const MOST_LINES = 6000;
const NEAR_END = 32;
const AGAIN_MS = 1000;
const ALIVE = ["running", "restarting", "paused"];

export function logsPane(first) {
  let container = first;
  let following = true;
  let unseen = 0;
  let stream = null;
  let wake = () => {};
  let destroyed = false;
  let readRun = null; // the start that was read to its end
  const run = () => container.started_at ?? null;

  const lines = h("div", { class: "log-lines", role: "log", "aria-label": "Log", "aria-live": "off", tabindex: "0" });
  const empty = h("div", { class: "empty log-empty" });
  const jump = h("button", { type: "button", class: "button button-small jump", hidden: true, onclick: () => toEnd() }, icon("down"), h("span", {}));
  const status = h("span", { class: "log-status soft", role: "status" });
  const find = finder(lines);
  const wrapButton = toggle("wrap", "Wrap long lines", localStorage.getItem("wrap") !== "false", (on) => {
    lines.classList.toggle("is-wrapped", on);
    if (following) toEnd();
    localStorage.setItem("wrap", String(on));
  });
  const timeButton = toggle("clock", "Show the time of each line", localStorage.getItem("log-times") === "true", (on) => {
    lines.classList.toggle("has-times", on);
    if (following) toEnd();
    localStorage.setItem("log-times", String(on));
  });
  const save = h("a", { class: "button button-small button-quiet", download: `${title(first)}.log`, href: `/containers/${first.cuid}/logs?tail=all&timestamps=true` }, icon("download"), "Save all");
  const element = h(
    "section",
    { class: "pane pane-logs card", "aria-label": "Logs" },
    h("div", { class: "pane-bar" }, find.element, status, h("span", { class: "spacer" }), timeButton, wrapButton, save),
    h("div", { class: "log-frame" }, lines, empty, jump),
  );
  lines.classList.toggle("is-wrapped", wrapButton.getAttribute("aria-pressed") === "true");
  lines.classList.toggle("has-times", timeButton.getAttribute("aria-pressed") === "true");

  /** Is the reader at the end? Asked of the element itself: a scroll's event comes later than the scroll. */
  function look() {
    if (!lines.clientHeight) return;
    following = lines.scrollHeight - lines.scrollTop - lines.clientHeight < NEAR_END;
    if (following) unseen = 0;
    drawJump();
  }
  lines.addEventListener("scroll", look);
  new ResizeObserver(() => following && toEnd()).observe(lines);

  function toEnd() {
    following = true;
    unseen = 0;
    lines.scrollTop = lines.scrollHeight;
    drawJump();
  }

  function drawJump() {
    jump.hidden = following;
    text(jump.lastElementChild, unseen ? `${unseen} new` : "To the end");
  }

  // --- drawing ---------------------------------------------------------------------------------

  const read = ansiReader();
  let partial = null; // {text, node} of a last line that has no end yet
  let last = ""; // the time of the last whole line, as the engine writes it
  let resumed = ""; // `last` when this stream began: it may repeat lines up to then

  /** Add `chunk` to what is shown; an unfinished last line is drawn, and drawn again once there is more of it. */
  function add(chunk) {
    look();
    const parts = ((partial?.text ?? "") + chunk).split("\n");
    dropPartial();
    const open = parts.pop();
    const fresh = [];
    for (const part of parts) {
      const { time, line } = timed(part);
      if (time && time <= resumed) continue;
      last = time || last;
      fresh.push(lineElement(time, read(line)));
    }
    const added = fresh.length;
    if (open) {
      // Colours are only carried on from whole lines: a reader of its own draws the open one.
      const { time, line } = timed(open);
      partial = { text: open, node: lineElement(time, ansiReader()(line)) };
      if (!time || time > resumed) fresh.push(partial.node);
    }
    lines.append(...fresh.slice(-MOST_LINES));
    const spare = lines.children.length - MOST_LINES;
    if (spare > 0 && (following || spare > MOST_LINES)) [...lines.children].slice(0, spare).forEach((line) => line.remove());
    if (following) lines.scrollTop = lines.scrollHeight;
    else unseen += added;
    find.refresh();
    drawJump();
    drawEmpty();
  }

  function dropPartial() {
    partial?.node.remove();
    partial = null;
  }

  function drawEmpty() {
    // Nothing is said of a log before it was read.
    const ended = container.status === "created" ? "unstarted" : readRun === run() ? "nothing" : "";
    const shows = lines.childElementCount ? "" : ALIVE.includes(container.status) ? "silent" : ended;
    if (empty.dataset.shows === shows) return;
    empty.dataset.shows = shows;
    empty.hidden = !shows;
    const start = h("button", { type: "button", class: "button", onclick: () => perform("start", container) }, icon("play"), "Start it");
    const says = {
      silent: [h("h2", {}, "Silent so far"), h("p", {}, "Lines appear here the moment they are printed. Python holds them back unless it runs with -u, as boot.py does.")],
      unstarted: [h("h2", {}, "No log yet"), h("p", {}, "What the program prints appears here once it runs."), start],
      nothing: [h("h2", {}, "It printed nothing"), h("p", {}, "The program ended without a line."), start],
    }[shows];
    empty.replaceChildren(icon("logs"), ...(says ?? []));
  }

  // --- reading ---------------------------------------------------------------------------------

  // A hidden tab gives its connection back, as it does with the stream of changes, and reads on where it was.
  let away = false;
  let hiding = 0;
  function onVisibility() {
    clearTimeout(hiding);
    if (document.hidden) {
      hiding = setTimeout(() => {
        away = true;
        stream?.abort();
      }, HIDDEN_MS);
    } else if (away) {
      away = false;
      wake();
    }
  }
  document.addEventListener("visibilitychange", onVisibility);

  async function follow() {
    while (!destroyed) {
      if (away || !run() || (readRun === run() && !ALIVE.includes(container.status))) {
        if (!away) text(status, run() ? "Ended" : "");
        await new Promise((resolve) => (wake = resolve));
        continue;
      }
      const reading = run();
      stream = new AbortController();
      try {
        await readOne(stream.signal);
        readRun = reading;
        drawEmpty();
        if (!ALIVE.includes(container.status)) continue;
      } catch (error) {
        if (stream.signal.aborted) continue;
        // Without a status the connection was cut: the loop goes on with a new one.
        text(status, error.status ? error.message : "Reconnecting…");
      }
      // The state's event may be a moment behind the end of the stream.
      await Promise.race([new Promise((resolve) => (wake = resolve)), new Promise((resolve) => setTimeout(resolve, AGAIN_MS))]);
    }
  }

  async function readOne(signal) {
    const from = last ? { tail: "all", since: last } : { tail: TAIL };
    const response = await api.logs(container.cuid, { ...from, follow: true, timestamps: true }, signal);
    text(status, "Live");
    resumed = last;
    dropPartial();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      add(value);
    }
  }

  drawEmpty();
  follow();
  return {
    element,
    update(next) {
      const changed = next.started_at !== container.started_at || next.status !== container.status;
      container = next;
      drawEmpty();
      if (changed) wake();
    },
    shown(visible) {
      if (visible && following) toEnd();
    },
    destroy() {
      document.removeEventListener("visibilitychange", onVisibility);
      clearTimeout(hiding);
      destroyed = true;
      stream?.abort();
      wake();
    },
  };
}

const TIMED = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) ?(.*)$/s;

/** A line's time and text. */
function timed(part) {
  const [, time = "", line = part] = TIMED.exec(part) ?? [];
  return { time, line };
}

/** The time is drawn by the style sheet, so that it is neither found nor copied. */
function lineElement(time, content) {
  return h("div", { class: "log-line", dataset: { time: time.slice(11, 23) } }, content);
}

function toggle(name, label, on, change) {
  const button = h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, "aria-pressed": String(on) }, icon(name));
  button.addEventListener("click", () => {
    const next = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(next));
    change(next);
  });
  return button;
}
