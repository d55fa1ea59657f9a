// Sets the colours before the page is drawn, and shares the choice with the admin, which keeps it under the same name.
"use strict";

(() => {
  const NAMES = ["auto", "light", "dark"];
  const kept = () => {
    try {
      const name = localStorage.getItem("theme");
      return NAMES.includes(name) ? name : "auto";
    } catch {
      return "auto"; // storage is forbidden: the choice lasts as long as the page
    }
  };
  const keep = (name) => {
    try {
      localStorage.setItem("theme", name);
    } catch {
      // see above
    }
  };
  let theme = kept();

  function show() {
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) {
      button.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
      button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system" : theme}`);
    }
    document.dispatchEvent(new Event("console:theme"));
  }

  show();
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      theme = NAMES[(NAMES.indexOf(theme) + 1) % NAMES.length];
      keep(theme);
      show();
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
})();
