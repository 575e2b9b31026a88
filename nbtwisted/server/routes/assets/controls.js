// What can be done: pause, filter and reset. Importing it is enough.

import * as clock from "./clock.js";
import { by, hasRequests } from "./elements.js";
import { inFlight, tell } from "./figures.js";
import * as links from "./links.js";
import * as stream from "./stream.js";
import { number } from "./words.js";

const TYPING = 300; // milliseconds after the last key until it is looked for

let isPaused = false, typing = 0;

function pause(isToPause) {
  isPaused = isToPause;
  by("pause").setAttribute("aria-pressed", String(isPaused));
  by("pause").textContent = isPaused ? "Go on" : "Pause";
  if (isPaused) {
    clock.stop();
    stream.stop();
    stream.say("paused", "still");
  } else {
    stream.say("connecting", "still");
    stream.watch();
  }
}

by("pause").addEventListener("click", () => pause(!isPaused));

document.addEventListener("visibilitychange", () => {
  if (isPaused) return;
  if (document.hidden) stream.stop();
  else stream.watch();
});

by("key").value = stream.key;
by("key").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    stream.setKey(by("key").value);
    // What is paused is looked for when it goes on.
    if (!isPaused) pause(false);
  }, TYPING);
});

by("reset").addEventListener("click", () => {
  by("ask-text").textContent = hasRequests ? whatIsReleased() : whatEnds();
  by("ask").showModal();
});

function whatIsReleased() {
  return "It forgets the journal, the totals and every key, and lets go of what is held: what "
    + "waits is answered at once, what is half sent or stalled loses its connection. "
    + `${number(inFlight)} ${inFlight === 1 ? "request is" : "requests are"} in flight.`;
}

function whatEnds() {
  return "It forgets the journal and the totals, and ends what is open. "
    + `${number(links.open)} ${links.open === 1 ? "link is" : "links are"} open.`;
}

by("leave").addEventListener("click", () => by("ask").close());

by("go").addEventListener("click", async () => {
  by("ask").close();
  try {
    const answer = await fetch("reset", { method: "POST" });
    const told = await answer.json();
    const what = (hasRequests ? "request" : "link") + (told.released === 1 ? " was" : "s were");
    if (!answer.ok) tell(`Not reset: ${told.error}.`);
    else tell(`Reset: ${number(told.released)} ${what} ${hasRequests ? "let go" : "ended"}.`);
  } catch {
    tell("Not reset: the server did not answer.");
  }
});
