// Plays an asciicast (v2 or v3) into a screen, at the speed at which it happened or faster.

/** Lines of a recording as {width, height, title, duration, events: [[seconds, kind, data]]}. A cut end still plays. */
export function parseCast(source, { longestPause = 2 } = {}) {
  const lines = source.split("\n").filter(Boolean);
  if (!lines.length) throw new Error("Nothing was recorded yet.");
  const head = JSON.parse(lines[0]);
  const events = [];
  let real = 0;
  let time = 0;
  for (const line of lines.slice(1)) {
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      continue; // the last line of a recording that was cut off, or a comment
    }
    const [stamp, kind, data] = event;
    // Version 3 counts from the event before, version 2 from the start.
    const pause = head.version === 3 ? stamp : stamp - real;
    real += pause;
    // Nobody waits through a pause in which nothing happened.
    time += Math.min(Math.max(0, pause), longestPause);
    events.push([time, kind, data]);
  }
  const { cols = head.width ?? 80, rows = head.height ?? 24 } = head.term ?? {};
  return { width: cols, height: rows, title: head.title ?? "", duration: time, events };
}

/** A player over `screen`; `changed()` is called when its position or state did. */
export function player(screen, cast, changed) {
  let position = 0; // seconds
  let next = 0; // the first event that is not shown yet
  let speed = 1;
  let playing = false;
  let frame = 0;
  let last = 0;

  function show(until) {
    while (next < cast.events.length && cast.events[next][0] <= until) {
      const [, kind, data] = cast.events[next];
      next += 1;
      if (kind === "o") screen.write(data);
      else if (kind === "r") screen.term.resize(...data.split("x").map(Number));
    }
    position = until;
  }

  function tick(now) {
    show(Math.min(cast.duration, position + ((now - last) / 1000) * speed));
    last = now;
    if (position >= cast.duration) playing = false;
    else frame = requestAnimationFrame(tick);
    changed();
  }

  const control = {
    get playing() {
      return playing;
    },
    get position() {
      return position;
    },
    get speed() {
      return speed;
    },
    set speed(value) {
      speed = value;
      changed();
    },
    play() {
      if (position >= cast.duration) control.seek(0);
      playing = true;
      last = performance.now();
      frame = requestAnimationFrame(tick);
      changed();
    },
    pause() {
      playing = false;
      cancelAnimationFrame(frame);
      changed();
    },
    seek(to) {
      if (to < position) {
        screen.reset();
        screen.term.resize(cast.width, cast.height);
        next = 0;
      }
      show(to);
      changed();
    },
    destroy: () => cancelAnimationFrame(frame),
  };
  return control;
}
