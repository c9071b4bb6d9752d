// What the console's pages do without the server: copy a text, tick all rows of a page, ask for
// nothing while nobody looks.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.dataset.copied = "";
    button.addEventListener("blur", () => delete button.dataset.copied, { once: true });
  } catch {
    // No clipboard without HTTPS: the text is selected, so that the keyboard can copy it.
    getSelection().selectAllChildren(source);
  }
});

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-tick-all]")) return;
  for (const box of target.form.elements) {
    if (box.name === target.dataset.tickAll) box.checked = target.checked;
  }
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-while-visible]")) event.preventDefault();
});
