// The builder of sequences, on top of forms and links that work without it:
//   form[data-saves]           Ctrl+Enter in a field saves the step
//   .fault-list a              closes the dialog in which it stands, and the step takes the focus
//   .step-verbs                a step that was moved keeps the focus, also where its button is gone

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("form[data-saves]");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".fault-list a");
  if (!link) return;
  link.closest("dialog")?.close();
  document.querySelector(`${link.hash} .row-link`)?.focus({ preventScroll: true });
});

let moved = "";
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.closest?.(".step-verbs")) moved = event.target.closest(".step-card").id;
});

document.addEventListener("htmx:afterSettle", () => {
  const card = moved && document.getElementById(moved);
  moved = "";
  if (!card) return;
  card.scrollIntoView({ block: "nearest" });
  if (document.activeElement !== document.body) return;
  card.querySelector(".step-verbs > button:enabled")?.focus({ preventScroll: true });
});
