// All requests: what ended, on the left of now, and what is due, on its right; both as
// requests a second, in columns.

import * as axis from "./axis.js";
import { time } from "./clock.js";
import { by } from "./elements.js";
import { number } from "./words.js";

const FRAMES_OF_RATE = 8; // two seconds
const SECONDS_KEPT = axis.LONGEST * axis.NOW_AT;

const NOTHING = { waiting: 0, asking: 0, sending: 0, later: 0, start: 0, step: 1, due: [] };

// What the server last said of all that are in flight.
export let told = NOTHING;

let ends = [], drawnFrom = 0, highest = 1;

export function forget() {
  ends = [];
  told = NOTHING;
}

export function remember({ now, since, ended, failed, overview }) {
  if (overview) told = overview;
  // What came of a time in which nobody watched has no place.
  if (since > 0 && since < 60) ends.push({ to: now, since, ended, failed });
  while (ends.length && ends[0].to < now - SECONDS_KEPT) ends.shift();
}

// Requests that ended a second, lately.
export function rate() {
  const recent = ends.slice(-FRAMES_OF_RATE);
  const span = recent.reduce((sum, { since }) => sum + since, 0);
  const ended = recent.reduce((sum, frame) => sum + frame.ended, 0);
  return span ? ended / span : 0;
}

export function draw() {
  if (!axis.width) return;
  // As wide as three pixels, or a frame.
  const wide = Math.max(0.25, Math.ceil(3 * axis.length / axis.width / 0.25) * 0.25);
  drawnFrom = time();
  const past = columnsOfPast(wide), future = columnsOfFuture();
  const rates = [...past.values()].map(({ ended }) => ended / wide);
  const last = drawnFrom + axis.length * (1 - axis.NOW_AT);
  for (const { at, rate } of future) if (at < last) rates.push(rate);
  const most = Math.max(1, ...rates);
  // Seldom another one, so that columns can be compared with what they just were.
  if (most > highest || most < highest / 4) highest = nice(most);
  let ended = "", failed = "", due = "";
  for (const [at, sum] of past) {
    if (!sum.ended) continue;
    const bad = sum.failed / wide, all = sum.ended / wide;
    if (sum.failed) failed += column(at * wide, wide, 0, bad);
    if (sum.ended > sum.failed) ended += column(at * wide, wide, bad, all);
  }
  for (const { at, wide: w, rate } of future) due += column(at, w, 0, rate);
  by("overview").setAttribute("viewBox", `0 0 ${axis.width} 100`);
  by("ended").setAttribute("d", ended);
  by("failed").setAttribute("d", failed);
  by("due").setAttribute("d", due);
  by("highest").textContent = `${number(highest)} a second`;
}

export function move(now) {
  const left = (axis.share(drawnFrom - now) * axis.width).toFixed(2);
  const group = by("overview").firstElementChild;
  group.setAttribute("transform", `translate(${left} 0) scale(${axis.scale()} 1)`);
}

function columnsOfPast(wide) {
  const begins = drawnFrom - axis.length * axis.NOW_AT - wide;
  const past = new Map();
  for (let at = ends.length - 1; at >= 0 && ends[at].to > begins; at--) {
    const { to, since, ended, failed } = ends[at];
    const column = Math.floor((to - since / 2) / wide);
    const sum = past.get(column) ?? { ended: 0, failed: 0 };
    sum.ended += ended;
    sum.failed += failed;
    past.set(column, sum);
  }
  return past;
}

function columnsOfFuture() {
  const { start, step, due } = told;
  const future = [];
  due.forEach((count, index) => {
    // What has been due since is on the left of now, and has most likely ended.
    const at = Math.max(start + index * step, drawnFrom);
    const wide = start + (index + 1) * step - at;
    if (count && wide > 0) future.push({ at, wide, rate: count / step });
  });
  return future;
}

function column(at, wide, low, high) {
  const y = (rate) => (100 - 100 * Math.min(rate / highest, 1)).toFixed(1);
  const left = (at - drawnFrom).toFixed(3), across = (wide * 0.86).toFixed(3);
  return `M${left} ${y(low)}h${across}V${y(high)}h-${across}z`;
}

function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].find((step) => step * power >= most) * power;
}
