// Where each row is: in a lane of its own for as long as it is shown, so that nothing that is
// read moves but to the left. A new one takes the uppermost lane that is free. One row is in
// the order of the Tab key; the arrow keys go from it to the others.

import { by } from "./elements.js";

const lanes = []; // rows, and undefined where one is free
let turn = null;

export function take(row) {
  const free = lanes.findIndex((taken) => !taken);
  row.lane = free < 0 ? lanes.length : free;
  lanes[row.lane] = row;
  place(row);
}

export function leave(row) {
  const hadFocus = row.button === document.activeElement;
  row.element.remove();
  lanes[row.lane] = undefined;
  while (lanes.length && !lanes[lanes.length - 1]) lanes.pop();
  if (hadFocus) reach(nearest(row.lane));
}

export function tidy() {
  // Empty lanes wait for others to come, but those that are left move together.
  const kept = lanes.filter(Boolean);
  const free = lanes.length - kept.length;
  if (free > 2 && free > kept.length / 3) {
    lanes.length = 0;
    for (const row of kept) {
      row.lane = lanes.push(row) - 1;
      place(row);
    }
  }
  by("rows").style.setProperty("--lanes", lanes.length);
  if (kept.length && !kept.includes(turn)) takeTurn(kept[0]);
}

function place(row) {
  row.element.style.setProperty("--row", row.lane);
}

export function takeTurn(row) {
  if (turn) turn.button.tabIndex = -1;
  turn = row;
  turn.button.tabIndex = 0;
}

function reach(row) {
  if (!row) return;
  takeTurn(row);
  row.button.focus();
}

function nearest(lane) {
  for (let away = 0; away < lanes.length; away++) {
    const found = lanes[lane - away] ?? lanes[lane + away];
    if (found) return found;
  }
  return lanes.find(Boolean);
}

by("rows").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const from = turn?.lane ?? 0;
  let to = null;
  if (step) {
    for (let lane = from + step; lane in lanes && !to; lane += step) to = lanes[lane];
  } else if (event.key === "Home") to = lanes.find(Boolean);
  else if (event.key === "End") to = lanes[lanes.length - 1];
  else return;
  event.preventDefault();
  reach(to);
});
