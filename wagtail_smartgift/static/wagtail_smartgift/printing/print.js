// The button that prints. Without scripts there is none, and the browser's menu has it.
for (const button of document.querySelectorAll("[data-smartgift-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
