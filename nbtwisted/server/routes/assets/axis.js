// The axis of time, and its window: what most of what is shown fits in. It gets longer at
// once, and shorter when it is calm.

import { local } from "./clock.js";
import { by, make, still } from "./elements.js";

export const NOW_AT = 0.75; // of the width, as in live.css
const WINDOWS = [[10, 2], [30, 5], [60, 10], [300, 60], [900, 180], [3600, 600]];
export const LONGEST = WINDOWS[WINDOWS.length - 1][0];
const CALM = 4; // seconds for which a shorter window must do before it is taken
const GLIDE = 0.6; // seconds that a change of window takes

// In pixels, and in seconds.
export let width = 0, length = WINDOWS[0][0];

const grids = document.querySelectorAll(".grid .track");

let target = WINDOWS[0], from = length, changedAt = -Infinity, fitsSince = null;
let drawnLength = 0;

// Pixels a second.
export const scale = () => width / length;

// Where a time is, so many seconds from now, as a share of the width.
export const share = (seconds) => NOW_AT + seconds / length;

export const isGliding = () => local() - changedAt < GLIDE + 0.1;

export function begin(whenWidthChanges) {
  drawTicks();
  new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    whenWidthChanges();
  }).observe(by("axis"));
}

export function fit(ages) {
  ages.sort((a, b) => a - b);
  const age = ages[Math.floor((ages.length - 1) * 0.75)] ?? 0;
  const fits = WINDOWS.find(([long]) => age * 1.1 <= long * NOW_AT);
  const wanted = fits ?? WINDOWS[WINDOWS.length - 1];
  if (wanted[0] >= target[0]) fitsSince = null;
  else fitsSince ??= local();
  if (wanted[0] > target[0] || fitsSince !== null && local() - fitsSince > CALM) {
    from = length;
    target = wanted;
    changedAt = local();
    fitsSince = null;
    drawTicks();
  }
}

export function draw() {
  const done = still.matches ? 1 : Math.min((local() - changedAt) / GLIDE, 1);
  const eased = 1 - (1 - done) ** 3;
  length = Math.exp(Math.log(from) + (Math.log(target[0]) - Math.log(from)) * eased);
  if (length !== drawnLength) placeTicks();
  drawnLength = length;
}

function drawTicks() {
  const [long, step] = target;
  const labels = [], lines = [];
  const first = -Math.floor(long * NOW_AT / step) * step;
  for (let at = first; at <= long * (1 - NOW_AT); at += step) {
    const away = Math.abs(at);
    const distance = long <= 60 ? `${away} s` : `${away / 60} min`;
    const text = at === 0 ? "now" : (at < 0 ? "−" : "+") + distance;
    const label = make("span", at === 0 ? "is-now" : "", text);
    const line = make("span", at === 0 ? "now" : "");
    label.dataset.at = line.dataset.at = at;
    labels.push(label);
    lines.push(line);
  }
  by("axis").replaceChildren(...labels);
  for (const grid of grids) grid.replaceChildren(...lines.map((line) => line.cloneNode()));
  placeTicks();
}

function placeTicks() {
  for (const tick of [by("axis"), ...grids].flatMap(({ children }) => [...children])) {
    const left = share(Number(tick.dataset.at));
    tick.style.left = `${left * 100}%`;
    // Half of a label would stick out of the picture.
    tick.hidden = tick.parentElement.id === "axis" && (left < 0.02 || left > 0.97);
  }
}
