// Shells in the container: one screen, the sessions that it can show, and how it is connected to one of them.

import { perform } from "../actions.js";
import { api } from "../api.js";
import { confirm } from "../dialog.js";
import { h, reconcile, text } from "../dom.js";
import { icon } from "../icons.js";
import { menu } from "../menu.js";
import { store } from "../store.js";
import { connect } from "../terminal/link.js";
import { openScreen } from "../terminal/screen.js";
import { searchBar } from "../terminal/search_bar.js";
import { touchKeys } from "../terminal/touch_keys.js";
import { complain, toast } from "../toast.js";

const ROLES = ["owner", "helper", "observer"];
const roleIn = (parameters) => ROLES.find((role) => role === parameters.get("role")) ?? "owner";
const LIVE = { owner: "Connected", helper: "Helping", observer: "Watching" };
const remembered = (cuid) => `session:${cuid}`;

export function terminalPane(first, parameters) {
  const { cuid } = first;
  let container = first;
  let screen = null; // {term, …} once its font is there
  let link = null;
  let sessions = [];
  let sid = null;
  let role = roleIn(parameters);
  // What the pane shows is this one word: idle, opening, live, lost, ended, refused.
  let phase = "idle";
  let why = "";
  let wanted = parameters.get("session") ?? sessionStorage.getItem(remembered(cuid));

  const pills = h("div", { class: "session-pills", role: "group", "aria-label": "Sessions" });
  const status = h("span", { class: "state terminal-state", role: "status" }, h("span", { class: "dot" }), h("span", { class: "word" }));
  const button = (name, label, run) => h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick: run }, icon(name));
  const newButton = button("plus", "New shell", () => open({}));
  const recordButton = h("button", { type: "button", class: "button button-small button-quiet record", title: "A new shell that is recorded", onclick: () => open({ record: true }) }, icon("record"), "Record");
  const shareMenu = menu("Share this shell", () => [
    { label: "Copy a link to watch", icon: "eye", run: () => share("observer", "Whoever opens it sees this shell, and cannot type.") },
    { label: "Copy a link to type along", icon: "keyboard", run: () => share("helper", "Whoever opens it types into this shell too.") },
  ], "share");
  const search = searchBar();
  const endButton = button("close", "End this shell", end);
  const host = h("div", { class: "screen" });
  const cover = h("div", { class: "empty screen-cover" });
  const element = h(
    "section",
    { class: "pane pane-terminal card", "aria-label": "Terminal" },
    h("div", { class: "pane-bar" }, pills, newButton, h("span", { class: "spacer" }), search.elements, shareMenu, recordButton, status, endButton),
    h("div", { class: "screen-frame" }, host, cover),
    touchKeys((keys) => {
      link?.type(keys);
      screen?.term.focus();
    }),
  );

  const running = () => container.status === "running";

  // --- what is shown -----------------------------------------------------------------------------

  function render() {
    const tones = { opening: ["busy", "Connecting…"], live: ["good", LIVE[role]], lost: ["warn", "Reconnecting…"], ended: ["off", "Ended"], refused: ["bad", "Refused"], idle: ["off", ""] };
    const [tone, word] = tones[phase];
    status.dataset.tone = tone;
    status.hidden = !word;
    text(status.lastElementChild, word);
    const current = sessions.find((session) => session.sid === sid);
    status.title = why;
    recordButton.setAttribute("aria-pressed", String(Boolean(current?.recording)));
    for (const control of [newButton, recordButton]) control.disabled = !running() || phase === "opening";
    for (const control of [shareMenu.querySelector("button"), endButton]) control.disabled = !(phase === "live" || phase === "lost");
    reconcile(pills, sessions, (session) => session.sid, pill);
    drawCover();
  }

  function pill(session) {
    const label = h("span", {});
    const viewers = h("span", { class: "viewers soft" });
    const element = h("button", { type: "button", class: "session-pill", onclick: () => session.sid !== sid && attach(session.sid) }, label, viewers);
    return {
      element,
      update(now) {
        text(label, `Shell ${sessions.findIndex((one) => one.sid === now.sid) + 1}`);
        const looking = Object.values(now.viewers).reduce((sum, count) => sum + count, 0);
        text(viewers, [now.recording ? "●" : "", looking > 1 ? `${looking}` : ""].join(" ").trim());
        element.title = `Since ${new Date(now.created_at).toLocaleTimeString()}, ${looking} ${looking === 1 ? "looks" : "look"} at it${now.recording ? ", recorded" : ""}`;
        element.setAttribute("aria-pressed", String(now.sid === sid));
        if (now.sid === sid) element.scrollIntoView({ block: "nearest", inline: "nearest" });
      },
    };
  }

  function drawCover() {
    const shows = phase === "ended" || phase === "refused" ? phase : !running() && phase !== "live" ? "stopped" : "";
    const key = shows + why + container.status;
    if (cover.dataset.shows === key) return;
    cover.dataset.shows = key;
    cover.hidden = !shows;
    const again = h("button", { type: "button", class: "button", onclick: () => open({}) }, icon("plus"), "New shell");
    const start = h("button", { type: "button", class: "button", onclick: () => perform(container.status === "paused" ? "unpause" : "start", container) }, icon("play"), container.status === "paused" ? "Resume it" : "Start it");
    const says = {
      ended: [h("h2", {}, "The shell has ended"), h("p", {}, why), running() ? again : start],
      refused: [h("h2", {}, "No shell"), h("p", {}, why), running() ? again : start],
      stopped: [h("h2", {}, container.status === "paused" ? "It is paused" : "It is not running"), h("p", {}, "A shell opens here by itself once it runs."), start],
    }[shows];
    cover.replaceChildren(icon("terminal"), ...(says ?? []));
  }

  function become(next, reason = "") {
    phase = next;
    why = reason;
    render();
  }

  // --- sessions ----------------------------------------------------------------------------------

  let screenComing = null;
  /** The screen, made once. Its keys go to whatever session is attached then. */
  function theScreen() {
    screenComing ??= openScreen(host).then((made) => {
      screen = made;
      search.use(made);
      made.term.onData((data) => link?.type(data));
      made.term.onBinary((data) => link?.typeBytes(data));
      new ResizeObserver(() => resize()).observe(host);
      return made;
    });
    return screenComing;
  }

  function resize() {
    const size = screen?.fit();
    if (size && role !== "observer") link?.resize(size);
    return size;
  }

  async function reload() {
    ({ sessions } = await api.sessions(cuid));
    render();
  }

  /** Show the session of before, if it is still there; else open one. */
  async function begin() {
    become("opening");
    try {
      await theScreen();
      await reload();
      if (phase !== "opening") return;
      const known = sessions.find((session) => session.sid === wanted);
      if (known) return attach(known.sid);
      if (role !== "owner") return become("refused", "The shell that was shared is not there any more.");
      await open({});
    } catch (error) {
      refuse(error);
    }
  }

  async function open(options) {
    become("opening");
    role = "owner";
    try {
      await theScreen();
      const session = await api.openSession(cuid, { ...options, ...(resize() ?? { cols: 80, rows: 24 }) });
      attach(session.sid);
    } catch (error) {
      refuse(error);
    }
  }

  function refuse(error) {
    become("refused", [error.message, error.hint].filter(Boolean).join(" "));
  }

  function attach(next) {
    link?.leave();
    sid = wanted = next;
    sessionStorage.setItem(remembered(cuid), sid);
    become("opening");
    screen.reset();
    screen.term.options.disableStdin = role === "observer";
    const mine = (link = connect({
      cuid,
      sid,
      role,
      size: role === "observer" ? null : resize(),
      on: {
        attached() {
          // The server replays what was shown; it comes onto an empty screen.
          screen.reset();
          become("live");
          if (!element.hidden) screen.term.focus();
          reload().catch(() => {});
        },
        output: (data) => screen.write(data),
        lost: () => become("lost"),
        exit(frame) {
          if (mine !== link) return;
          link = null;
          sessionStorage.removeItem(remembered(cuid));
          const reason = frame.reason ?? (frame.code ? `Exit code ${frame.code}.` : "");
          become("ended", store.engineAway === null ? reason : "The container engine went away, and the shell with it.");
          reload().catch(() => {});
        },
        error(error) {
          if (mine !== link) return;
          // A frame that was refused leaves the session as it is; a refused connection has none.
          if (phase === "live") return complain(error);
          link = null;
          sessionStorage.removeItem(remembered(cuid));
          refuse(error);
        },
        size: (cols, rows) => role === "observer" && screen.term.resize(cols, rows),
      },
    }));
  }

  async function end() {
    if (!(await confirm("End this shell?", "What runs in it is ended too.", { label: "End it" }))) return;
    try {
      await api.endSession(cuid, sid);
    } catch (error) {
      complain(error);
    }
  }

  async function share(as, says) {
    const url = `${location.origin}/#/c/${cuid}/terminal?session=${sid}&role=${as}`;
    try {
      await navigator.clipboard.writeText(url);
      toast("Link copied", { detail: says });
    } catch {
      // No clipboard without HTTPS.
      toast("The link to this shell", { detail: url, tone: "info" });
    }
  }

  // Who else looks is told when it is looked for: with each change of this page's own, and on coming back to it.
  const again = () => phase === "live" && !element.hidden && reload().catch(() => {});
  addEventListener("focus", again);

  if (running()) begin();
  render();
  return {
    element,
    update(next) {
      const started = next.status === "running" && (container.status !== "running" || container.started_at !== next.started_at);
      container = next;
      render();
      if (started && !link && phase !== "opening") begin();
    },
    shown(visible, given) {
      if (!visible) return;
      const named = given.get("session");
      if (named && named !== wanted) {
        wanted = named;
        role = roleIn(given);
        if (running()) begin();
      }
      resize();
      if (phase !== "live") return;
      screen.term.focus();
      again();
    },
    destroy() {
      removeEventListener("focus", again);
      link?.leave();
      screen?.dispose();
    },
  };
}
