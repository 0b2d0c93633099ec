// Values as people read them.

const UNITS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** Seconds as "3 min", "2 d". */
export function duration(seconds) {
  const [size, unit] = UNITS.find(([length]) => seconds >= length) ?? [1, "s"];
  return `${Math.max(0, Math.floor(seconds / size))} ${unit}`;
}

const SPANS = [...UNITS.slice(0, 2), [60, "m"], [1, "s"]];

/** Seconds as they are written into a field: "8h", "90m". "" for none. */
export function span(seconds) {
  if (!seconds) return "";
  const [size, unit] = SPANS.find(([length]) => seconds % length === 0);
  return `${seconds / size}${unit}`;
}

/** The seconds that "8h", "90 min" or "45" say; 0 for "". What says nothing is given back for the server to refuse. */
export function parseSpan(value) {
  const written = value.trim();
  if (!written) return 0;
  const [, number, unit] = /^(\d+)\s*(s|m|min|h|d)?$/i.exec(written) ?? [];
  if (!number) return written;
  return Number(number) * { s: 1, m: 60, min: 60, h: 3600, d: 86400 }[(unit ?? "s").toLowerCase()];
}

/** Seconds as a clock: "1:05", "1:02:03". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** The time since an ISO timestamp: "3 min". "" when there is none. */
export function since(timestamp) {
  return timestamp ? duration((Date.now() - Date.parse(timestamp)) / 1000) : "";
}

/** Bytes as "1.4 MB" (powers of 1024). */
export function bytes(count) {
  let value = count;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (value < 1024) return `${unit === "B" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TB`;
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** An ISO timestamp in the reader's own way. */
export function date(timestamp) {
  return timestamp ? DATE.format(new Date(timestamp)) : "";
}

/** What a container is called: its name, or the start of its cuid. */
export function title(container) {
  return container.name || container.cuid.slice(0, 9);
}

/** Its state in a word or two, with the exit code where that matters. */
export function stateLabel(container) {
  if (container.problem) return "Broken file";
  const { status, exit_code: code, oom_killed: oom } = container;
  if (status === "created") return "Not started";
  if (status === "exited" && oom) return "Out of memory";
  if (status === "exited" && code) return `Exited · ${code}`;
  return status[0].toUpperCase() + status.slice(1);
}

/** The colour of the state's dot, a word that the style sheet knows. */
export function stateTone(container) {
  if (container.problem || container.status === "dead") return "bad";
  if (container.status === "exited") return container.exit_code ? "bad" : "off";
  return { running: "good", paused: "warn", restarting: "busy", removing: "busy", created: "new" }[container.status] ?? "off";
}
