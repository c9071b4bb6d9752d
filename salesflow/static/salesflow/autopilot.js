// The keys of the queue of drafts that need more than a click on an element (app.js has those):
//   e, on [data-edit]           the editor opens, and takes the focus
//   Ctrl+Enter in the editor    saves and approves
//   1 to 4, while the menu of reasons is open, choose [data-key]
// Who leaves what they have typed is asked first.

const editor = () => document.getElementById("draft-editor");
const textOf = (form) => form?.querySelector("textarea");

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-edit]")) return;
  // app.js opens or closes it after this.
  setTimeout(() => {
    const form = editor();
    if (!form?.classList.contains("open")) return;
    form.scrollIntoView({ block: "nearest" });
    textOf(form)?.focus();
  });
});

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("#draft-editor");
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    // htmx tells by a click which button it was.
    form.querySelector("[data-save-and-approve]").click();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
  const reason = document.querySelector(`#dismiss-menu[open] [data-key="${CSS.escape(event.key)}"]`);
  if (!reason) return;
  event.preventDefault();
  reason.click();
});

// --- What was typed -------------------------------------------------------------------------------

function isUnsaved() {
  const text = textOf(editor());
  return Boolean(text) && text.value !== text.defaultValue;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const leaves = event.detail.target?.id === "draft" && !event.detail.elt.closest("#draft-editor");
  if (leaves && isUnsaved() && !confirm(editor().dataset.unsaved)) event.preventDefault();
});

// htmx gives the next draft's editor, which is closed, the focus that this one had: the next key
// would be typed into it instead of deciding about the draft.
document.addEventListener("htmx:beforeSwap", (event) => {
  const form = editor();
  const decided = event.detail.target?.id === "draft" && event.detail.xhr.status < 300;
  if (decided && form?.contains(document.activeElement)) document.activeElement.blur();
});

// --- What nobody can have read --------------------------------------------------------------------

const READING = 500; // milliseconds
let shownAt = -READING;

// The next draft takes the decided one's place: the second tap of two was not meant for it.
document.addEventListener("htmx:afterSwap", (event) => {
  const before = event.detail.target;
  const decided = before?.id === "draft" && event.detail.requestConfig?.verb === "post";
  if (decided && before.dataset.draft !== document.getElementById("draft")?.dataset.draft) shownAt = performance.now();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "a" && performance.now() - shownAt < READING && !event.target.closest?.("input, textarea, select")) event.preventDefault();
});

window.addEventListener("beforeunload", (event) => {
  if (isUnsaved()) event.preventDefault();
});
