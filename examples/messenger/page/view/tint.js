// A colour for a name, the same on every page: people and rooms are told apart before they are read.

/** Hues that stay apart in both themes; the unlucky ones (mud, near-duplicates of the accent) are left out. */
const HUES = [18, 45, 72, 112, 148, 200, 232, 258, 285, 312, 338, 358];

/** @param {string} name */
export function hueOf(name) {
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5;
  for (const unit of name.toLowerCase()) hash = Math.imul(hash ^ /** @type {number} */ (unit.codePointAt(0)), 0x01000193);
  // Names that differ in one letter would still be neighbours: every bit has to reach every other one.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return HUES[((hash ^ (hash >>> 16)) >>> 0) % HUES.length];
}

/**
 * Gives an element the colour of a name; the style sheets decide what of it takes the colour.
 *
 * @param {HTMLElement} element
 * @param {string} name
 */
export function tint(element, name) {
  element.style.setProperty("--hue", String(hueOf(name)));
}

/**
 * Makes an element the avatar of a name: its initials on its colour.
 *
 * @param {HTMLElement} element
 * @param {string} name
 */
export function paintAvatar(element, name) {
  tint(element, name);
  element.textContent = initials(name);
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return chosen.map((word) => [...word][0].toUpperCase()).join("");
}
