// A row for each request that is shown: its name, its bar and its state. Bars that do not
// change only move, and what grows is stretched.

import * as axis from "./axis.js";
import { time } from "./clock.js";
import * as details from "./details.js";
import { by, make } from "./elements.js";
import * as lanes from "./lanes.js";
import {
  IN_FLIGHT, kind, label, milliseconds, name, number, partOfUpstream, state, timeOfDay,
} from "./words.js";

const rows = new Map(); // by the request's number

export const count = () => rows.size;

export function countInFlight() {
  let found = 0;
  for (const { told } of rows.values()) if (told.outcome === IN_FLIGHT) found++;
  return found;
}

export const ages = (now) => [...rows.values()].map(({ told }) => now - told.came);

export function add(told) {
  if (rows.has(told.id)) return update(told);
  const row = { told, facts };
  row.element = make("li");
  row.button = make("button", "lane");
  row.button.type = "button";
  row.button.tabIndex = -1;
  const request = make("span", "request");
  request.append(made(label(told)));
  const track = make("span", "track");
  track.setAttribute("aria-hidden", "true");
  row.bar = make("span", "bar-of-one");
  row.plan = make("span", "plan");
  row.fill = make("span", "fill");
  row.rest = make("span", "rest");
  row.theirs = make("span", "theirs");
  row.bar.append(row.plan, row.fill, row.theirs, row.rest);
  track.append(row.bar);
  row.state = make("span", "state");
  row.button.append(request, track, row.state);
  row.element.append(row.button);
  row.button.addEventListener("pointerenter", () => details.choose(row));
  row.button.addEventListener("focus", () => {
    lanes.takeTurn(row);
    details.choose(row);
  });
  rows.set(told.id, row);
  lanes.take(row);
  // The newest is read first.
  by("rows").prepend(row.element);
  show(row);
}

function made({ key, begin, end }) {
  const parts = make("span", "label");
  if (key) parts.append(make("b", "chosen", key), " ");
  const what = make("span", "what");
  what.append(make("span", "begin", begin), make("span", "end", end));
  parts.append(what);
  return parts;
}

export function update(told) {
  const row = rows.get(told.id);
  if (!row) return;
  Object.assign(row.told, told);
  row.drawn = null;
  show(row);
}

export function drop(id) {
  const row = rows.get(id);
  if (!row) return;
  rows.delete(id);
  lanes.leave(row);
}

export function keepOnly(ids) {
  for (const id of [...rows.keys()]) if (!ids.has(id)) drop(id);
}

function show(row) {
  const { outcome, held, asked } = row.told;
  const now = kind(row.told);
  row.element.dataset.kind = now;
  row.element.classList.toggle("is-released", outcome === "released");
  const isOpen = outcome === IN_FLIGHT || now === "cancelled";
  row.plan.hidden = !(isOpen && held === null && asked !== null);
  row.rest.hidden = held === null;
  row.theirs.hidden = row.told.asking_since === null;
  tellState(row);
  details.update(row);
}

function tellState(row) {
  const text = state(row.told, time());
  if (row.said !== text) row.state.textContent = row.said = text;
}

function facts(t) {
  const orNotYet = (s) => (s === null ? "not yet" : milliseconds(s));
  const all = [
    ["request", name(t), "wide"],
    ["outcome", t.outcome], ["status", t.status ?? "none"], ["fault", t.fault ?? "none"],
    ["asked", orNotYet(t.asked)], ["held", orNotYet(t.held)],
    ["bytes sent", number(t.sent)], ["came", timeOfDay(t.came)],
    ["from", t.peer], ["number", t.id],
  ];
  if (t.asking_since !== null) {
    const isOver = t.outcome !== IN_FLIGHT && t.upstream === null;
    all.splice(6, 0, ["upstream took", isOver ? "no answer" : orNotYet(t.upstream)]);
  }
  if (t.upstream_error !== null) all.push(["error on the upstream's side", t.upstream_error]);
  if (t.rule !== null) all.push(["rule", t.rule]);
  if (t.key !== name(t)) all.push(["key", t.key]);
  return all;
}

// Those that wait say for how long.
export function tellWaits() {
  for (const row of rows.values()) {
    if (row.told.outcome === IN_FLIGHT && row.told.held === null) tellState(row);
  }
}

export function draw(now) {
  for (const row of rows.values()) drawOne(row, now);
}

function drawOne(row, now) {
  const { came, asked, held, ended, outcome } = row.told;
  const { bar, plan, fill, theirs, rest } = row;
  const scale = axis.scale();
  const left = axis.width * axis.NOW_AT + (came - now) * scale;
  bar.style.transform = `translateX(${left.toFixed(2)}px)`;
  const end = Math.max(outcome === IN_FLIGHT ? now : ended, came) - came;
  const part = partOfUpstream(row.told, end);
  const took = part?.seconds ?? 0;
  const waited = held === null ? end : Math.min(held + took, end);
  if (row.drawn !== scale) {
    plan.style.width = planned(asked, took, scale);
    const isGrowing = held === null && outcome === IN_FLIGHT;
    fill.style.width = isGrowing ? "1px" : `${waited * scale}px`;
    fill.style.transform = "none";
    rest.style.transform = `translateX(${waited * scale}px)`;
    bar.style.width = `${Math.max(end * scale, 3)}px`;
    rest.style.width = `${(end - waited) * scale}px`;
    if (part) {
      theirs.style.transform = `translateX(${part.from * scale}px)`;
      theirs.style.width = `${took * scale}px`;
    }
    row.drawn = scale;
  }
  if (outcome !== IN_FLIGHT) return;
  if (part && row.told.upstream === null) {
    theirs.style.width = `${took * scale}px`;
    plan.style.width = planned(asked, took, scale);
  }
  if (held === null) fill.style.transform = `scaleX(${Math.max(end * scale, 1)})`;
  else rest.style.width = `${(end - waited) * scale}px`;
}

// Most of a long one is out of sight when the window is short, and need not be painted.
function planned(asked, took, scale) {
  return `${Math.min(((asked ?? 0) + took) * scale, 20000)}px`;
}
