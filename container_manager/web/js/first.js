// Runs before everything else, and before the first paint. Not a module for that reason.
(() => {
  // A chosen theme must not flash.
  const stored = localStorage.getItem("theme");
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;

  // Opened as http://user:password@host/, a page may fetch nothing: go on without, the browser knows them now.
  if (new URL(document.baseURI).username) return location.replace(location.href);

  // A module or style sheet that was cut off on its way (a browser cuts every connection when a network interface
  // comes or goes, as one does with each container) would leave an empty page: load it again, a few times at most.
  // main.js ends the count.
  const MOST = 5;
  const tries = Number(sessionStorage.getItem("loads") ?? 0);
  addEventListener(
    "error",
    (event) => {
      if (!event.target?.matches?.("script, link[rel=stylesheet]") || tries >= MOST) return;
      sessionStorage.setItem("loads", String(tries + 1));
      setTimeout(() => location.reload(), 200 * (tries + 1));
    },
    true,
  );
})();
