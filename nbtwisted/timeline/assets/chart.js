"use strict";
// A cross-hair for each chart. It moves to where the pointer is, or by the arrow keys,
// and what it reads out is a row of the table under the chart.

function addReader(figure) {
  const canvas = figure.querySelector(".canvas");
  const heads = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const rows = [...figure.querySelectorAll("tbody tr")];
  const places = rows.map((row) => Number(row.dataset.x));
  const readout = add(figure, "p", "readout faint screen-only");
  readout.textContent = "Point at the chart, or go to it by Tab and use the arrow keys.";
  figure.insertBefore(readout, figure.querySelector("details"));
  let current = 0;

  // A slider is what screen readers leave the arrow keys to.
  const reader = add(canvas, "div", "reader screen-only");
  reader.tabIndex = 0;
  reader.setAttribute("role", "slider");
  reader.setAttribute("aria-label", figure.querySelector("h2").textContent);
  reader.setAttribute("aria-valuemin", "1");
  reader.setAttribute("aria-valuemax", String(rows.length));
  const hair = add(reader, "div", "hair");
  show(0);
  hair.hidden = true;

  function show(index) {
    current = Math.min(Math.max(index, 0), rows.length - 1);
    const [head, ...cells] = [...rows[current].cells].map((cell) => cell.textContent);
    const values = cells.map((cell, place) => `${heads[place + 1]} ${cell}`);
    const text = `${head}: ${values.join(", ")}`;
    reader.setAttribute("aria-valuenow", String(current + 1));
    reader.setAttribute("aria-valuetext", text);
    hair.style.left = `${places[current] * 100}%`;
    hair.hidden = false;
    return text;
  }

  function read(index) {
    readout.textContent = show(index);
    readout.classList.remove("faint");
  }

  function nearest(share) {
    let best = 0;
    places.forEach((place, index) => {
      if (Math.abs(place - share) < Math.abs(places[best] - share)) best = index;
    });
    return best;
  }

  // Over the part of whichever drawing is shown that the axes span.
  function fit() {
    for (const plot of canvas.querySelectorAll(".plot")) {
      const box = plot.getBoundingClientRect();
      if (!box.width) continue;
      const outer = canvas.getBoundingClientRect();
      reader.style.left = `${box.left - outer.left}px`;
      reader.style.top = `${box.top - outer.top}px`;
      reader.style.width = `${box.width}px`;
      reader.style.height = `${box.height}px`;
    }
  }
  new ResizeObserver(fit).observe(canvas);

  function point(event) {
    const box = reader.getBoundingClientRect();
    read(nearest((event.clientX - box.left) / box.width));
  }
  reader.addEventListener("pointermove", point);
  reader.addEventListener("pointerdown", point);
  reader.addEventListener("pointerleave", () => {
    hair.hidden = document.activeElement !== reader;
  });
  reader.addEventListener("focus", () => read(current));
  reader.addEventListener("blur", () => { hair.hidden = true; });
  reader.addEventListener("keydown", (event) => {
    const far = Math.max(Math.round(rows.length / 10), 1);
    const moves = {
      ArrowLeft: current - 1, ArrowDown: current - 1,
      ArrowRight: current + 1, ArrowUp: current + 1,
      PageDown: current - far, PageUp: current + far,
      Home: 0, End: rows.length - 1,
    };
    if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in moves)) return;
    event.preventDefault();
    read(moves[event.key]);
  });
}

function add(parent, name, classes) {
  const element = document.createElement(name);
  element.className = classes;
  parent.append(element);
  return element;
}

document.querySelectorAll("figure.chart").forEach(addReader);
