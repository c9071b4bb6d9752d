// The builder of sequences, on top of forms and links that work without it:
//   form[data-saves]           Ctrl+Enter in a field saves the step; what was typed in it outlives
//                              changes of other steps
//   [data-closes]              closes the form of its step; asks first where something was typed
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

// --- What was typed -------------------------------------------------------------------------------

// What the form of each open step said when it was opened, by the id of its card: a form that was
// refused comes back with what was typed in it, and is not saved any more than before.
const opened = new Map();
// Not .is-open: htmx lends a fresh card the classes of the old one while it settles.
const OPEN = ".step-card:has(> form[data-saves])";
const NOT_TYPED = ["csrfmiddlewaretoken", "revision"];

const formOf = (card) => card.querySelector("form[data-saves]");
const openCards = (scope = document) => [...scope.querySelectorAll(OPEN)];

function saidIn(card) {
  const fields = [...new FormData(formOf(card))];
  return JSON.stringify(fields.filter(([name]) => !NOT_TYPED.includes(name)));
}

const isUnsaved = (card) => opened.has(card.id) && saidIn(card) !== opened.get(card.id);

function noteOpened() {
  const cards = openCards();
  const ids = cards.map((card) => card.id);
  for (const id of opened.keys()) if (!ids.includes(id)) opened.delete(id);
  for (const card of cards) if (!opened.has(card.id)) opened.set(card.id, saidIn(card));
}

// The draft was changed from this page: that is no reason to take its other forms for outdated.
// Those that were, because somebody else has changed it, stay so and are told when they are saved.
document.addEventListener("builder-changed", ({ detail }) => {
  for (const card of openCards()) {
    const { revision } = formOf(card).elements;
    if (revision.value === String(detail.seen)) revision.value = detail.now;
  }
});

// Forms in which something was typed are put into the fresh builder, with their fields as they are.
function putBack(old, fresh, asker) {
  const removed = asker.closest(".step-verbs")?.closest(".step-row");
  for (const card of openCards(old)) {
    if (card.contains(asker) || !isUnsaved(card)) continue;
    const folded = document.getElementById(card.id);
    if (folded) folded.replaceWith(card);
    // Somebody else has taken the step out: what was typed can be copied from the top of the list.
    else if (!removed?.contains(card)) fresh.prepend(card);
  }
}

let typingIn = null;
document.addEventListener("htmx:beforeSwap", () => {
  typingIn = document.activeElement;
});

document.addEventListener("htmx:afterSwap", ({ target, detail }) => {
  if (target.id !== "builder") return;
  putBack(detail.target, target, detail.requestConfig.elt);
  if (typingIn?.closest(OPEN) && target.contains(typingIn)) typingIn.focus({ preventScroll: true });
});
// Not before all parts of an answer are in their places.
document.addEventListener("htmx:afterSettle", noteOpened);

// --- Leaving it -----------------------------------------------------------------------------------

let isLeaving = false;

// Before the request, since what a dialog does is done by the time the page is left.
document.addEventListener("htmx:confirm", (event) => {
  const { elt, target, verb } = event.detail;
  const leaves = target?.id === "dialog" && verb === "post";
  const closed = elt.matches("[data-closes]") ? [elt.closest(OPEN)] : [];
  const card = (leaves ? openCards() : closed).find(isUnsaved);
  if (!card) return;
  if (!confirm(formOf(card).dataset.unsaved)) event.preventDefault();
  else isLeaving = leaves;
});

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  isLeaving &&= Boolean(detail.xhr.getResponseHeader("HX-Redirect"));
});

window.addEventListener("beforeunload", (event) => {
  if (!isLeaving && openCards().some(isUnsaved)) event.preventDefault();
});

noteOpened();
