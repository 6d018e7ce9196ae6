// Points in time as a reader says them, in the browser's language.

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

/** @param {number} at milliseconds since 1970 */
export function clockTime(at) {
  return clock.format(at);
}

/** @param {number} at */
export function fullTime(at) {
  return full.format(at);
}

/**
 * A key that two moments share when they lie on the same local day.
 *
 * @param {number} at
 */
export function dayOf(at) {
  return midnight(at).getTime();
}

/**
 * "Today", "Yesterday", "Monday, 3 March", and with the year when it is another one.
 *
 * @param {number} at
 * @param {number} now
 */
export function dayName(at, now) {
  // Rounded: a day on which the clocks change is not 24 hours long.
  const daysAgo = Math.round((dayOf(now) - dayOf(at)) / 86_400_000);
  if (daysAgo === 0 || daysAgo === 1) {
    const name = relative.format(-daysAgo, "day");
    return name[0].toUpperCase() + name.slice(1);
  }
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? weekday : date).format(at);
}

/** @param {number} at */
function midnight(at) {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  return day;
}
