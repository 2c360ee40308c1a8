// Where no mathematical font is installed, as on many phones, some browsers hardly lower indices. Measure one, in
// letters of 100 pixels; where that is so, the style sheet lowers them.
document.addEventListener("DOMContentLoaded", () => {
  const probe = document.createElement("div");
  probe.style.cssText = "position: absolute; visibility: hidden; font-size: 100px";
  probe.innerHTML = "<math><msub><mi>G</mi><mi>G</mi></msub></math>";
  document.body.append(probe);
  const [base, index] = [...probe.querySelectorAll("mi")].map((letter) => letter.getBoundingClientRect());
  document.documentElement.classList.toggle("indices-on-the-line", index.bottom - base.bottom < 15);
  probe.remove();
});
