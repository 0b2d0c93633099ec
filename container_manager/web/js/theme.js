// Runs before the first paint, so that a chosen theme does not flash. Not a module for that reason.
(() => {
  const stored = localStorage.getItem("theme");
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
