// The bytes of a link over time, as columns above and below its line: up, to the upstream,
// and down, to the client. Their height is logarithmic, for one lane in ten has most bytes.

import * as axis from "./axis.js";

const SECONDS_KEPT = 60; // as viewing_links.py has them
const TENFOLD = 0.25; // of the height: so much less is a tenth
const LOWEST = 0.12; // what is there at all is seen
const ROOM = 44; // of a hundred, above and below the line
const PIXELS = 3; // a column's least width

// Bytes a second of a column that takes the whole height, the same in all lanes.
export let highest = 1000;

export class Bytes {
  // `samples` are what passed before: seconds since `began`, bytes up, bytes down.
  constructor(began, interval, samples) {
    this.samples = samples.map(([at, up, down]) => ({ at: began + at, wide: interval, up, down }));
    this.isNew = true;
  }

  add(now, since, up, down) {
    if (up <= 0 && down <= 0) return;
    const wide = Math.max(since, 0.05);
    this.samples.push({ at: now - wide, wide, up: Math.max(up, 0), down: Math.max(down, 0) });
    this.isNew = true;
  }

  forget(now) {
    const kept = this.samples.findIndex(({ at, wide }) => at + wide > now - SECONDS_KEPT);
    if (kept) this.samples.splice(0, kept < 0 ? this.samples.length : kept);
  }

  // As wide as there are pixels for: { at, wide, up, down }, the last two a second.
  columns() {
    const least = PIXELS * axis.length / Math.max(axis.width, 1);
    const merged = new Map(), columns = [];
    for (const { at, wide, up, down } of this.samples) {
      if (wide >= least) {
        columns.push({ at, wide, up: up / wide, down: down / wide });
        continue;
      }
      const place = Math.floor((at + wide / 2) / least);
      const sum = merged.get(place) ?? { at: place * least, wide: least, up: 0, down: 0 };
      sum.up += up / least;
      sum.down += down / least;
      merged.set(place, sum);
    }
    return [...columns, ...merged.values()];
  }
}

// Fits the height to all that is shown; returns whether it is another one.
export function fit(all) {
  let most = 1000;
  for (const bytes of all) {
    for (const { up, down } of bytes.columns()) most = Math.max(most, up, down);
  }
  const nice = 10 ** Math.ceil(Math.log10(most));
  // Seldom a lower one, so that columns can be compared with what they just were.
  const isOther = nice > highest || nice < highest / 10;
  if (isOther) highest = nice;
  return isOther;
}

// What an SVG draws above and below its line, in seconds from `base`.
export function paths(bytes, base) {
  let up = "", down = "";
  for (const column of bytes.columns()) {
    const left = (column.at - base).toFixed(3), across = (column.wide * 0.86).toFixed(3);
    if (column.up) up += `M${left} 48h${across}v-${height(column.up)}h-${across}z`;
    if (column.down) down += `M${left} 52h${across}v${height(column.down)}h-${across}z`;
  }
  return { up, down };
}

function height(rate) {
  const share = 1 + TENFOLD * Math.log10(rate / highest);
  return (ROOM * Math.min(Math.max(share, LOWEST), 1)).toFixed(1);
}
