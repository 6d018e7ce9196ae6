// A message's text as nodes: links can be followed, everything else is text. Nothing that somebody wrote is ever parsed as HTML.

const LINK = /\bhttps?:\/\/[^\s<>"'`]+/giu;

/** Signs that end a sentence rather than the address before them. */
const TRAILING = /[.,;:!?)\]}…]+$/u;

const ONLY_EMOJI = /^(?:\p{Emoji_Presentation}|\p{Emoji}\uFE0F|\p{Emoji_Modifier}|\p{Regional_Indicator}|\u200D|\uFE0F|\s){1,16}$/u;

/**
 * @param {string} text
 * @returns {(string | HTMLAnchorElement)[]}
 */
export function withLinks(text) {
  /** @type {(string | HTMLAnchorElement)[]} */
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const address = trimmed(match[0]);
    if (!URL.canParse(address)) continue;
    nodes.push(text.slice(end, match.index), link(address));
    end = match.index + address.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

/**
 * A few emoji and nothing else: shown large.
 *
 * @param {string} text
 */
export function isOnlyEmoji(text) {
  return ONLY_EMOJI.test(text) && [...new Intl.Segmenter().segment(text.replace(/\s/gu, ""))].length <= 3;
}

/** @param {string} address */
function trimmed(address) {
  const tail = TRAILING.exec(address)?.[0] ?? "";
  // A closing bracket that was opened inside the address belongs to it, as in …/Jack_(connector).
  if (tail.startsWith(")") && address.includes("(")) return address.slice(0, address.length - tail.length + 1);
  return address.slice(0, address.length - tail.length);
}

/** @param {string} address */
function link(address) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.textContent = address;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer nofollow";
  return anchor;
}
