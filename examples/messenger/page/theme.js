// The colour theme: the system's until the reader chooses one, then the choice.
//
// A classic script in the head, not a module: it runs before the first paint, so a chosen theme never flashes the other one.

(function () {
  "use strict";

  const KEY = "switchboard.theme";
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

  /** Storage may be forbidden by the browser; a theme is not worth an error. */
  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
  }

  function toggle() {
    const theme = isDark() ? "light" : "dark";
    root.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // The choice then lasts as long as the page.
    }
  }

  const chosen = stored();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  document.addEventListener("click", function (event) {
    if (event.target instanceof Element && event.target.closest("[data-theme-toggle]")) toggle();
  });
})();
