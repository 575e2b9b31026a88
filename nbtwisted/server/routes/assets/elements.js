// The page's elements: found, made and filled. Everything that a stranger sent becomes text
// by textContent, and nothing else.

export const by = (id) => document.getElementById(id);

export function make(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function put(id, text) {
  const element = by(id);
  // What reads a page aloud would read the same again.
  if (element.textContent !== text) element.textContent = text;
}

// Whether nothing is to move but what a frame moves.
export const still = matchMedia("(prefers-reduced-motion: reduce)");

// What the page is of: it may be both.
export const hasRequests = document.body.classList.contains("has-requests");
export const hasLinks = document.body.classList.contains("has-links");
