// All that is known of what is pointed at: the `facts` of a row, as terms with their values.

import { by, make } from "./elements.js";

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
  by("hint").hidden = true;
  by("facts").hidden = false;
  by("facts").replaceChildren(...chosen.facts(chosen.told).map(([term, value, className]) => {
    const group = make("div", className);
    const isCode = term === "request" || term === "key";
    group.append(make("dt", "", term), make("dd", isCode ? "label" : "", value));
    return group;
  }));
}
