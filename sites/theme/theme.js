// Runs before anything is drawn: the chosen theme must be there with the first pixel.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("docmill-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // no storage: the system's theme it is
  }
})();
