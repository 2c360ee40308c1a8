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

  for (const button of document.querySelectorAll(".copy")) {
    const code = button.previousElementSibling;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        getSelection().selectAllChildren(code); // a page opened from a file may not write there itself
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
  }

  const reveal = () => {
    const part = document.getElementById(location.hash.slice(1));
    part?.querySelector("details")?.setAttribute("open", "");
  };
  addEventListener("hashchange", reveal);
  reveal();
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });

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
  button.hidden = false;
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
