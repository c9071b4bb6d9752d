// Dragging on the board, on top of the "Move to" menus that work without it. A card carries
// data-move-url; a column data-stage, and data-dialog ("win" or "lose") when a move there asks
// first: then the card's data-win-url or data-lose-url is opened in the dialog.

let dragged = null;
const columnOf = (target) => target.closest?.("[data-stage]");

function mark(column) {
  document.querySelectorAll("[data-over]").forEach((other) => other.removeAttribute("data-over"));
  column?.setAttribute("data-over", "");
}

function move(card, column) {
  const asks = column.dataset.dialog;
  if (asks) return htmx.ajax("GET", card.dataset[`${asks}Url`], { target: "#dialog", swap: "innerHTML" });
  const values = { stage: column.dataset.stage, board: "1" };
  return htmx.ajax("POST", card.dataset.moveUrl, { target: "#board", swap: "outerHTML", values });
}

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("[data-move-url]");
  dragged?.classList.add("dragging");
});
document.addEventListener("dragover", (event) => {
  const column = columnOf(event.target);
  if (!dragged || !column) return;
  event.preventDefault();
  mark(column);
});
document.addEventListener("drop", (event) => {
  const column = columnOf(event.target);
  if (!dragged || !column) return;
  event.preventDefault();
  if (!column.contains(dragged)) move(dragged, column);
});
document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragging");
  dragged = null;
  mark(null);
});
