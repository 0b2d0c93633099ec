// Recorded sessions: a list, and a player.

import { api } from "../api.js";
import { confirm, openDialog } from "../dialog.js";
import { h, reconcile, text } from "../dom.js";
import { bytes, clock, date, duration } from "../format.js";
import { icon } from "../icons.js";
import { menu } from "../menu.js";
import { parseCast, player } from "../player.js";
import { openScreen } from "../terminal/screen.js";
import { complain } from "../toast.js";
import { download } from "./files.js";

const PADDING = 24; // of the player's frame, left and right

export function recordingsPane({ cuid }) {
  const list = h("ul", { class: "file-rows", "aria-label": "Recordings" });
  const empty = h("div", { class: "empty", hidden: true }, icon("record"), h("h2", {}, "No recordings yet"), h("p", {}, "Press Record in the terminal: that shell is kept as an asciicast, to watch again here or with any asciinema player."));
  const element = h("section", { class: "pane pane-recordings card", "aria-label": "Recordings" }, list, empty);

  async function load() {
    try {
      const { recordings } = await api.recordings(cuid);
      reconcile(list, recordings, (recording) => recording.name, row);
      empty.hidden = recordings.length > 0;
      list.hidden = !recordings.length;
    } catch (error) {
      complain(error);
    }
  }

  function row(recording) {
    const size = h("span", { class: "file-size soft" });
    const about = h("span", { class: "file-time soft" });
    return {
      element: h(
        "li",
        { class: "file-row", dataset: { name: recording.name } },
        h("button", { type: "button", class: "file-name", onclick: () => play(cuid, recording) }, icon("play"), h("span", { class: "truncate" }, date(recording.started_at))),
        size,
        about,
        menu("More for this recording", () => [
          { label: "Play", icon: "play", run: () => play(cuid, recording) },
          { label: "Download", icon: "download", run: () => download(api.recordingUrl(cuid, recording.name), recording.name) },
          { label: "Delete…", icon: "trash", danger: true, run: () => remove(recording) },
        ]),
      ),
      update(now) {
        const length = duration((Date.parse(now.changed_at) - Date.parse(now.started_at)) / 1000);
        text(size, bytes(now.size));
        text(about, [now.live ? "being recorded" : length, now.user].filter(Boolean).join(" · "));
      },
    };
  }

  async function remove(recording) {
    if (!(await confirm("Delete this recording?", "It is gone for good.", { label: "Delete" }))) return;
    try {
      await api.removeRecording(cuid, recording.name);
    } catch (error) {
      complain(error);
    }
    load();
  }

  return { element, shown: (visible) => visible && load() };
}

async function play(cuid, recording) {
  let cast;
  try {
    cast = parseCast(await (await api.recording(cuid, recording.name)).text());
  } catch (error) {
    return complain(error);
  }
  const host = h("div", { class: "screen player-screen" });
  const toggle = h("button", { type: "button", class: "icon-button", "aria-label": "Play", autofocus: true, disabled: true }, icon("play"));
  const slider = h("input", { type: "range", min: 0, max: Math.max(cast.duration, 0.01), step: "any", value: 0, "aria-label": "Position" });
  const time = h("span", { class: "mono soft player-time" });
  const speed = h("select", { "aria-label": "Speed" }, [1, 2, 4, 8].map((factor) => h("option", { value: factor }, `${factor}×`)));
  let screen = null;
  let control = null;

  function draw() {
    toggle.replaceChildren(icon(control.playing ? "pause" : "play"));
    toggle.setAttribute("aria-label", control.playing ? "Pause" : "Play");
    slider.value = control.position;
    text(time, `${clock(control.position)} / ${clock(cast.duration)}`);
  }

  const shown = openDialog(
    `Recording of ${date(recording.started_at)}`,
    () => h("div", { class: "player" }, h("div", { class: "player-frame" }, host), h("div", { class: "player-bar" }, toggle, slider, time, speed)),
    { wide: true },
  );
  host.closest("dialog").classList.add("dialog-full");
  screen = await openScreen(host, { readOnly: true, scrollback: 5000, size: { cols: cast.width, rows: cast.height } });
  const room = host.parentElement.clientWidth - PADDING;
  screen.shrink(room);
  control = player(screen, cast, draw);
  toggle.addEventListener("click", () => (control.playing ? control.pause() : control.play()));
  slider.addEventListener("input", () => control.seek(Number(slider.value)));
  speed.addEventListener("change", () => (control.speed = Number(speed.value)));
  toggle.disabled = false;
  draw();
  control.play();
  await shown;
  control.destroy();
  screen.dispose();
}
