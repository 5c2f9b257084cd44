// What screen readers call parts of the theme that have no name.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
document.querySelectorAll(".md-code__nav").forEach((part, index) => {
  part.setAttribute("aria-label", `Code ${index + 1}`);
});
// Tables that scroll can be reached with the keyboard; the theme wraps them after this script has run.
window.addEventListener("load", () => {
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((part) => {
    part.tabIndex = 0;
  });
});
