// Draws what the server holds from the events that it sends. Wires the parts together; each
// keeps what it knows to itself:
//
//   elements  the page's elements: found, made, filled
//   words     requests, times and counts in words          pure
//   clock     the server's clock
//   stream    the events, and how they are kept coming
//   axis      the axis of time and its window
//   lanes     where each row is, and the way there by keys
//   details   all of the request that is pointed at
//   rows      a row for each request that is shown
//   overview  all requests, in columns
//   figures   figures and sentences
//   rules     the rules, with a switch for each
//   bytes     a link's bytes over time
//   links     a lane for each link, of a proxy for any protocol
//   controls  pause, filter, reset
//
// Each imports only such as are above it.

import * as axis from "./axis.js";
import * as clock from "./clock.js";
import "./controls.js";
import { hasLinks, hasRequests, still } from "./elements.js";
import * as figures from "./figures.js";
import * as lanes from "./lanes.js";
import * as links from "./links.js";
import * as overview from "./overview.js";
import * as rows from "./rows.js";
import * as rules from "./rules.js";
import * as stream from "./stream.js";

let drawnAt = 0;

function draw() {
  drawnAt = clock.time();
  axis.draw();
  rows.draw(drawnAt);
  overview.move(drawnAt);
  links.draw(drawnAt);
}

function move() {
  requestAnimationFrame(move);
  if (!stream.isWatching() || still.matches || !clock.isSet() || document.hidden) return;
  // Nobody sees less than a third of a pixel.
  const moved = (clock.time() - drawnAt) * axis.scale();
  if (moved > 0.33 || axis.isGliding()) draw();
}

axis.begin(() => {
  overview.draw();
  draw();
});
requestAnimationFrame(move);
stream.begin({
  hello(told) {
    figures.askedAt(told.url);
    // Of another kind than the one that made the page, it has another page.
    const hasUpstream = document.body.classList.contains("has-upstream");
    const is = [hasRequests, hasLinks, hasUpstream];
    const isToBe = [told.has_requests, told.has_links, told.upstream !== null];
    if (String(is) !== String(isToBe)) location.reload();
  },
  anotherServer() {
    overview.forget();
    links.forget();
    clock.forget();
    figures.tell("This is another server than before: it was started anew.");
  },
  frame(told, isFirst) {
    clock.set(told.now);
    if (isFirst) rows.keepOnly(new Set(told.rows.map(({ id }) => id)));
    for (const change of told.changes) rows.update(change);
    for (const id of told.gone) rows.drop(id);
    for (const row of told.rows) rows.add(row);
    lanes.tidy();
    rows.tellWaits();
    overview.remember(told);
    if (told.links) links.update(told.links, told.now, told.since, isFirst);
    axis.fit([...rows.ages(clock.time()), ...links.ages(clock.time())]);
    if (hasRequests) figures.draw(told);
    rules.update(told);
    overview.draw();
    draw();
  },
});
