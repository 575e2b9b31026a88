// All that is known of the request that is pointed at.

import { by, make } from "./elements.js";
import { IN_FLIGHT, milliseconds, name, number, timeOfDay } from "./words.js";

let chosen = null;

export function choose(row) {
  chosen?.button.classList.remove("is-chosen");
  chosen = row;
  row.button.classList.add("is-chosen");
  draw();
}

export function update(row) {
  if (row === chosen) draw();
}

function draw() {
  const t = chosen.told;
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
  by("hint").hidden = true;
  by("facts").hidden = false;
  by("facts").replaceChildren(...all.map(([term, value, className]) => {
    const group = make("div", className);
    const isCode = term === "request" || term === "key";
    group.append(make("dt", "", term), make("dd", isCode ? "label" : "", value));
    return group;
  }));
}
