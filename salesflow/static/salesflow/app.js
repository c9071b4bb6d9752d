// Behaviour of every page, bound once to the document and steered by data attributes:
//   data-shortcut="n"          a key (or "g l", two in a row) clicks or focuses this element
//   data-rows, data-row        j and k walk the rows; the row's first link takes the focus
//   data-row-shortcut="d"      a key that clicks this element of the row that has the focus
//   details.menu               closes on Esc or a click elsewhere; arrow keys walk .menu-item
//   data-dialog-open="id"      opens that <dialog>; data-dialog-close closes the one around it
//   #dialog                    opens by itself when htmx fills it; closes on the event dialog-close
//   data-tabs                  a [role=tablist] whose tabs name their panels in aria-controls
//   data-toggle="id"           shows or hides an element by the class "open"
//   data-theme-choice="dark"   light, dark or system; data-reveal shows a password
//   time[data-relative]        is written as "3 days ago" in the language of the page
//   data-submit-on-change      a form that sends itself; data-focus takes the focus when it appears

const root = document.documentElement;
const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]");
const all = (selector, scope = document) => [...scope.querySelectorAll(selector)];

// --- Keyboard ------------------------------------------------------------------------------------

let pressedBefore = "";

function activate(element) {
  if (element.matches("input, textarea, select")) {
    element.focus();
    element.select?.();
  } else element.click();
}

function runShortcut(key) {
  const sequence = `${pressedBefore} ${key}`.trim();
  const find = (keys) => document.querySelector(`[data-shortcut="${CSS.escape(keys)}"]`);
  const row = document.activeElement?.closest("[data-row]");
  const own = pressedBefore ? null : row?.querySelector(`[data-row-shortcut="${CSS.escape(key)}"]`);
  const target = own ?? find(sequence) ?? find(key);
  pressedBefore = key === "g" && !target ? "g" : "";
  if (!target) return false;
  activate(target);
  return true;
}

function walkRows(step) {
  const rows = all("[data-row]");
  if (!rows.length) return;
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(Math.max(here + step, 0), rows.length - 1)];
  (next.querySelector("a") ?? next.querySelector("button"))?.focus();
  next.scrollIntoView({ block: "nearest" });
}

function walkMenu(menu, event) {
  const items = all(".menu-item", menu).filter((item) => item.offsetParent);
  const here = items.indexOf(document.activeElement);
  const to = { ArrowDown: here + 1, ArrowUp: here < 0 ? -1 : here - 1, Home: 0, End: -1 }[event.key];
  if (to === undefined || !items.length) return;
  event.preventDefault();
  items.at(to % items.length).focus();
}

function closeMenu(menu) {
  menu.open = false;
  menu.querySelector("summary").focus();
}

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu") ?? document.querySelector("details.menu[open]");
  if (menu?.open && event.key === "Escape") return closeMenu(menu);
  if (menu?.open) walkMenu(menu, event);
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && isTyping(event.target)) return event.target.blur();
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "j" || event.key === "k") walkRows(event.key === "j" ? 1 : -1);
  // A key that is held down decides once.
  else if (!event.repeat && runShortcut(event.key)) event.preventDefault();
});

// --- Menus, dialogs, tabs ------------------------------------------------------------------------

function selectTab(tab) {
  for (const other of all("[role=tab]", tab.closest("[role=tablist]"))) {
    const selected = other === tab;
    other.setAttribute("aria-selected", String(selected));
    other.tabIndex = selected ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !selected;
  }
}

function toggle(button) {
  const open = document.getElementById(button.dataset.toggle).classList.toggle("open");
  button.setAttribute("aria-expanded", String(open));
}

function reveal(button) {
  const input = button.parentElement.querySelector("input");
  input.type = input.type === "password" ? "text" : "password";
  button.setAttribute("aria-pressed", String(input.type === "text"));
}

const onClick = {
  "[data-dialog-open]": (element) => document.getElementById(element.dataset.dialogOpen).showModal(),
  "[data-dialog-close]": (element) => element.closest("dialog")?.close(),
  "[data-theme-choice]": (element) => chooseTheme(element.dataset.themeChoice),
  "[data-toggle]": toggle,
  "[data-reveal]": reveal,
  "[data-toast-close]": (element) => element.closest(".toast").remove(),
  "[role=tab]": (element) => { selectTab(element); focusFirstField(element.getAttribute("aria-controls")); },
};

function focusFirstField(panelId) {
  document.querySelector(`#${CSS.escape(panelId)} :is(textarea, input:not([type=hidden], [type=radio]))`)?.focus();
}

document.addEventListener("toggle", (event) => {
  if (event.target.matches("details.menu[open]")) event.target.querySelector(".menu-panel").scrollIntoView({ block: "nearest" });
}, true);

document.addEventListener("click", (event) => {
  for (const menu of all("details.menu[open]")) {
    const chosen = event.target.closest(".menu-item:not([aria-pressed])");
    if (!menu.contains(event.target) || chosen) menu.open = false;
  }
  if (event.target.matches("dialog")) event.target.close();
  for (const [selector, act] of Object.entries(onClick)) {
    const element = event.target.closest(selector);
    if (!element) continue;
    if (element.tagName === "A" && element.hasAttribute("data-dialog-close") && element.closest("dialog")) event.preventDefault();
    act(element);
  }
});

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[role=tab]");
  if (!tab || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const tabs = all("[role=tab]", tab.closest("[role=tablist]"));
  const next = tabs.at((tabs.indexOf(tab) + (event.key === "ArrowRight" ? 1 : -1)) % tabs.length);
  selectTab(next);
  next.focus();
});

document.addEventListener("change", (event) => event.target.closest("form[data-submit-on-change]")?.requestSubmit());
document.body.addEventListener("dialog-close", () => document.getElementById("dialog")?.close());

// --- Theme ---------------------------------------------------------------------------------------

function chooseTheme(choice) {
  if (choice === "system") delete root.dataset.theme;
  else root.dataset.theme = choice;
  try {
    localStorage.setItem("theme", choice);
  } catch {
    // Forbidden storage: the choice lasts as long as the page.
  }
  markTheme();
  document.dispatchEvent(new Event("themechange"));
}

function markTheme() {
  const current = root.dataset.theme ?? "system";
  for (const button of all("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === current));
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));

// --- Times and toasts ----------------------------------------------------------------------------

const STEPS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "auto" });

function writeRelativeTimes() {
  for (const element of all("time[data-relative]")) {
    const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
    if (Number.isNaN(seconds)) continue;
    const [unit, length] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? STEPS.at(-1);
    element.textContent = Math.abs(seconds) < 45 ? relative.format(0, "second") : relative.format(Math.trunc(seconds / length), unit);
  }
}

function expireToasts() {
  for (const toast of all(".toast[data-expires]:not([data-seen])")) {
    toast.dataset.seen = "";
    const leave = () => toast.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : toast.remove();
    setTimeout(leave, Number(toast.dataset.expires));
  }
}

function showError(text) {
  const toast = document.getElementById("toast-template").content.cloneNode(true);
  toast.querySelector("p").textContent = text;
  document.getElementById("toasts").append(toast);
}

// --- htmx ----------------------------------------------------------------------------------------

function centre(selector) {
  for (const step of all(selector)) {
    const list = step.parentElement;
    list.scrollLeft = step.offsetLeft - list.offsetLeft - (list.clientWidth - step.clientWidth) / 2;
  }
}

function openDialog(dialog) {
  dialog.setAttribute("aria-label", dialog.querySelector("h2")?.textContent ?? "");
  if (!dialog.open) dialog.showModal();
}

function refresh() {
  centre("[aria-current=step]");
  writeRelativeTimes();
  expireToasts();
  markTheme();
}

// A page may have kept the request back.
document.addEventListener("htmx:beforeRequest", (event) => root.classList.toggle("busy", !event.defaultPrevented));
document.addEventListener("htmx:afterRequest", () => root.classList.remove("busy"));
document.addEventListener("htmx:afterSettle", (event) => {
  refresh();
  const dialog = event.target.closest?.("#dialog");
  if (dialog?.firstElementChild) openDialog(dialog);
  event.target.querySelector?.("[data-focus]")?.focus();
});
for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, () => {
    const texts = document.getElementById("toasts").dataset;
    showError(failure === "htmx:responseError" ? texts.refused : texts.unreachable);
  });
}

refresh();
centre(".nav > [aria-current=page]");
setInterval(writeRelativeTimes, 30000);
