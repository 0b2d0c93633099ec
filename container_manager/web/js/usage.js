// CPU and memory of a running container as two small charts, fed by its stream of samples while they can be seen.

import { h, svg, text } from "./dom.js";
import { bytes } from "./format.js";

const SHOWN = 60;
const WIDTH = 300;
const HEIGHT = 64;
const RETRY_MS = 2000;

/** A card with the charts. `watch(on)` says whether it can be seen and the container runs. */
export function usageCard(cuid) {
  const cpu = chart("CPU", (sample) => sample.cpu, ({ cpu: cores }) => `${cores < 0.1 ? cores.toFixed(3) : cores.toFixed(2)} ${cores === 1 ? "core" : "cores"}`);
  const memory = chart("Memory", (sample) => sample.memory, ({ memory: used, memory_limit: limit }) => `${bytes(used)} of ${bytes(limit)}`);
  const network = h("p", { class: "soft usage-network" });
  const element = h("article", { class: "card fact usage", hidden: true }, h("header", { class: "fact-head" }, h("h2", {}, "Usage"), network), h("div", { class: "charts" }, cpu.element, memory.element));
  let source = null;
  let samples = [];
  let wanted = false;

  function open() {
    if (source || !wanted) return;
    const mine = (source = new EventSource(`/containers/${cuid}/stats`));
    mine.addEventListener("sample", (event) => {
      samples = [...samples, JSON.parse(event.data)].slice(-SHOWN);
      const last = samples.at(-1);
      cpu.draw(samples, 1);
      memory.draw(samples, last.memory_limit);
      text(network, `${bytes(last.received)} in, ${bytes(last.sent)} out`);
      element.hidden = false;
    });
    mine.addEventListener("end", close);
    mine.onerror = () => {
      if (mine.readyState !== EventSource.CLOSED) return;
      close();
      setTimeout(open, RETRY_MS);
    };
  }

  function close() {
    source?.close();
    source = null;
  }

  return {
    element,
    watch(on) {
      wanted = on;
      if (on) return open();
      close();
      samples = [];
      element.hidden = true;
    },
  };
}

/** One chart. The scale is `least`, or more when the values are: a quiet program shows a quiet line. */
function chart(title, valueOf, label) {
  const value = h("b", {});
  const picture = svg(`0 0 ${WIDTH} ${HEIGHT}`, "", "");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.classList.add("chart");
  const [area, line] = picture.children;
  area.classList.add("chart-area");
  return {
    element: h("figure", {}, h("figcaption", {}, h("span", { class: "soft" }, title), value), picture),
    draw(samples, scale) {
      text(value, label(samples.at(-1)));
      const values = samples.map(valueOf);
      const peak = Math.max(...values, 1e-9);
      // Half of the height is used at least, and a line at the limit stays below the edge.
      const top = Math.min(Math.max(scale, peak), peak * 2) * 1.05;
      const points = values.map((one, index) => `${(((SHOWN - values.length + index) / (SHOWN - 1)) * WIDTH).toFixed(1)} ${(HEIGHT - (one / top) * HEIGHT).toFixed(1)}`);
      line.setAttribute("d", `M${points.join("L")}`);
      area.setAttribute("d", `M${points.join("L")}V${HEIGHT}H${points[0].split(" ")[0]}Z`);
    },
  };
}
