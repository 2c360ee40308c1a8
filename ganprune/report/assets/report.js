"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  for (const box of document.querySelectorAll(".compare")) {
    const slider = box.querySelector("input");
    const show = () => box.style.setProperty("--cut", `${slider.value}%`);
    slider.addEventListener("input", show);
    show();
  }

  const key = "ganprune-theme";
  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const use = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  const remembered = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // a page opened from a file may not remember
    }
  };
  let theme = themes.includes(remembered()) ? remembered() : "auto";
  use(theme);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    use(theme);
    try {
      localStorage.setItem(key, theme);
    } catch {
      // as above
    }
  });
})();
