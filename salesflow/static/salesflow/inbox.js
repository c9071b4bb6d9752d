// The inbox and the thread on a lead's page, on top of forms and links that work without it:
//   #thread, #inbox-list       are asked for news every second; what has changed is put in its
//                              place by id and version, so that focus, open menus and drafts stay
//   data-merge                 "append": children stay where they are; "order": they move
//   form[data-composer]        Ctrl+Enter sends, Ctrl+Shift+Enter sends and closes; others see that
//                              somebody writes; a draft lasts until it is sent
//   textarea[data-signs]       "/" or "@" opens suggestions
//   [name=switch]              what is typed before its answer is there goes into the field that comes
//   #message-files             names what was chosen; it stays chosen until the message is sent
//   data-copy                  puts its text in the clipboard
//   data-focuses="id"          a pressed button that only takes the focus there

const EVERY = 1000, AT_MOST = 30000, TELL_EVERY = 8000;
const byId = (id) => document.getElementById(id);
const thread = () => document.querySelector("#thread[data-lead]");
const list = () => byId("inbox-list");
const writer = () => document.querySelector("form[data-composer]");
const words = () => byId("message-body");

// --- News ----------------------------------------------------------------------------------------

let waiting = EVERY, timer = null, asking = false, askAgain = false;

function question() {
  const open = thread(), rows = list();
  const asked = new URLSearchParams(rows?.dataset.query ?? "");
  if (rows && !rows.dataset.page) {
    asked.set("list_version", rows.dataset.version);
    asked.set("since", rows.dataset.since);
    asked.set("selected", open?.dataset.conversation ?? "");
  }
  if (open) {
    asked.set("lead", open.dataset.lead);
    asked.set("on", open.dataset.channel);
    asked.set("place", open.dataset.place);
    asked.set("pulse", open.dataset.pulse);
    asked.set("seen", open.dataset.seen);
    // On a lead's page it may stand behind another tab, where nobody reads it.
    if (document.visibilityState === "visible" && open.getClientRects().length) asked.set("visible", "1");
  }
  return asked;
}

async function ask() {
  if (asking) { askAgain = true; return; }
  const open = thread(), address = open?.dataset.pulseUrl ?? list()?.dataset.pulseUrl;
  if (!address || (!open && !list())) return;
  asking = true;
  try {
    const response = await fetch(`${address}?${question()}`, { headers: { "X-Requested-With": "fetch" } });
    if (!response.ok || response.redirected) throw new Error(String(response.status));
    const since = response.headers.get("X-Inbox-Since");
    if (since && list()) list().dataset.since = since;
    if (response.status === 200) show(await response.text(), open);
    waiting = EVERY;
    document.documentElement.classList.remove("out-of-touch");
  } catch {
    waiting = Math.min(waiting * 2, AT_MOST);
    document.documentElement.classList.add("out-of-touch");
  } finally {
    asking = false;
    plan(askAgain ? 0 : waiting);
    askAgain = false;
  }
}

function plan(delay) {
  clearTimeout(timer);
  timer = setTimeout(ask, document.visibilityState === "visible" ? delay : Math.max(delay, 15000));
}

function show(html, asked) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const atEnd = isAtEnd(), left = asked !== thread();
  for (const part of page.querySelectorAll("[data-part]")) {
    const target = byId(part.dataset.part);
    // Of a thread that was left meanwhile nothing is shown in the place of the one that is open now.
    if (!target || (left && part.dataset.part.startsWith("thread"))) continue;
    if (part.dataset.part === "thread") noteThread(part.dataset);
    else if (target.dataset.merge) merge(target, part);
    else replace(target, part);
  }
  if (left) markChosen();
  if (atEnd) scrollToEnd();
}

function noteThread(news) {
  const open = thread();
  open.dataset.pulse = news.pulse;
  open.dataset.seen = news.seen;
  open.dataset.conversation = news.conversation;
  const form = writer();
  if (!form || words()?.value) return;
  // What is on the screen before the first word is written has been seen.
  form.elements.seen.value = news.seen;
  const box = byId("composer-box");
  if (box.dataset.window !== news.window && box.dataset.mode === open.dataset.channel) renewWriter(open);
}

function renewWriter(open) {
  const values = { channel: open.dataset.channel, place: open.dataset.place };
  htmx.ajax("GET", writer().getAttribute("action"), { target: "#composer-box", swap: "outerHTML", values });
}

function replace(target, part) {
  if (part.dataset.version && part.dataset.version === target.dataset.version) return;
  // A menu that somebody has open stays: the next question brings the news again.
  if (target.querySelector("details[open]")) { if (thread()) thread().dataset.pulse = ""; return; }
  const focused = target.contains(document.activeElement) ? document.activeElement.title : "";
  target.innerHTML = part.innerHTML;
  if (part.dataset.version) target.dataset.version = part.dataset.version;
  if (focused) [...target.querySelectorAll("[title]")].find((each) => each.title === focused)?.focus();
  htmx.process(target);
}

function merge(target, part) {
  const moves = target.dataset.merge === "order";
  const news = [...part.children], shown = new Set(news.map((each) => each.id));
  let before = null, first = null;
  for (const fresh of news) {
    const known = byId(fresh.id);
    let here = known;
    if (!known || (known.dataset.version ?? "") !== (fresh.dataset.version ?? "")) here = put(target, known, fresh, before);
    else if (moves && known.previousElementSibling !== before) put(target, null, known, before);
    // The line of a day stands above what was fetched of it earlier, too.
    if (moves || fresh.dataset.key) first ??= here;
    before = here;
  }
  const from = moves ? 0 : [...target.children].indexOf(first);
  for (const old of [...target.children].slice(Math.max(from, 0))) {
    if (old.id && !shown.has(old.id)) old.remove();
  }
  target.dataset.version = part.dataset.version;
}

function put(target, known, fresh, before) {
  const focused = known?.contains(document.activeElement) ? document.activeElement.id : fresh.contains(document.activeElement) ? document.activeElement.id : "";
  if (known && (target.dataset.merge === "append" || before === known.previousElementSibling)) known.replaceWith(fresh);
  else {
    known?.remove();
    if (before) before.after(fresh);
    else target.querySelector(":scope > .more") ? target.querySelector(":scope > .more").after(fresh) : target.prepend(fresh);
  }
  if (!known) fresh.classList.add("is-new");
  htmx.process(fresh);
  if (focused) byId(focused)?.focus({ preventScroll: true });
  return fresh;
}

// --- The thread ----------------------------------------------------------------------------------

const scroller = () => document.querySelector(".thread-scroll");

function isAtEnd() {
  const box = scroller();
  return !box || box.scrollHeight - box.scrollTop - box.clientHeight < 80;
}

function scrollToEnd() {
  const box = scroller();
  if (box) box.scrollTop = box.scrollHeight;
}

/** An earlier page may end on the day on which the next one begins. */
function joinDays() {
  const days = new Set();
  for (const day of document.querySelectorAll("#thread-entries > .day")) {
    if (days.has(day.id)) day.remove();
    days.add(day.id);
  }
}

function markChosen() {
  const chosen = thread()?.dataset.conversation;
  for (const link of document.querySelectorAll(".inbox-link[data-conversation]")) {
    if (link.dataset.conversation === chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// --- The composer --------------------------------------------------------------------------------

let toldAt = 0;
// The draft that goes along when the channel is switched: what is sent on one is not left on another.
let taken = "";

const draftName = (form = writer(), mode = form?.elements.mode.value) => form && `draft:${form.getAttribute("action")}:${mode}`;

function stored(action) {
  try {
    return action(sessionStorage);
  } catch {
    // Forbidden storage: the draft lasts as long as the page.
    return null;
  }
}

function restoreDraft() {
  const area = words(), name = draftName();
  if (!area || !name || area.value || area.closest(".writer").querySelector("[role=alert]")) return;
  area.value = stored((store) => store.getItem(name)) ?? "";
}

function keepDraft(area) {
  const name = draftName();
  if (name) stored((store) => area.value ? store.setItem(name, area.value) : store.removeItem(name));
}

function takeDraftAlong() {
  if (taken && words()?.value) {
    stored((store) => store.removeItem(taken));
    keepDraft(words());
  }
  taken = "";
}

function tellReplying(form) {
  if (Date.now() - toldAt < TELL_EVERY || form.elements.mode.value === "note") return;
  toldAt = Date.now();
  const body = new URLSearchParams({ channel: form.elements.mode.value, csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
  fetch(form.dataset.replyingUrl, { method: "POST", body }).catch(() => {});
}

document.addEventListener("input", (event) => {
  if (event.target !== words()) return;
  keepDraft(event.target);
  const form = writer();
  if (event.target.value) tellReplying(form);
  suggest(event.target, form);
});

document.addEventListener("keydown", (event) => {
  if (event.target === words() && walkSuggestions(event)) return;
  const form = event.target.closest?.("form[data-composer]");
  if (!form || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  const button = (event.shiftKey && form.querySelector("[data-send-and-close]")) || form.querySelector("[data-send]");
  button?.click();
}, true);

document.addEventListener("click", async (event) => {
  const holder = event.target.closest("[data-focuses][aria-pressed=true]");
  if (holder) {
    event.preventDefault();
    event.stopPropagation();
    byId(holder.dataset.focuses)?.focus();
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) await copyText(copy);
}, true);

async function copyText(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("good");
  } catch {
    // No clipboard without HTTPS: the text is selected, so that the keyboard can copy it.
    getSelection().selectAllChildren(button.closest(".entry").querySelector(".words"));
  }
}

// --- Typed ahead ---------------------------------------------------------------------------------

// "n" and the first words of a note, typed at once: until the field is there they are no shortcuts,
// one of which would close the conversation. Null while no field is awaited.
let ahead = null;

function typeAhead(event) {
  if (ahead === null || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if (event.key === "Backspace") ahead = ahead.slice(0, -1);
  else if (event.key.length === 1) ahead += event.key;
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function insertAhead() {
  const area = words();
  if (ahead && area) {
    area.setRangeText(ahead, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
  ahead = null;
}

document.addEventListener("keydown", typeAhead, true);
document.addEventListener("htmx:beforeRequest", ({ target, detail }) => { if (target === writer() && detail.requestConfig.parameters.switch) ahead = ""; });
document.addEventListener("htmx:afterRequest", ({ detail }) => { if (!detail.successful && detail.elt.matches("[data-composer]")) ahead = null; });

// --- Files ---------------------------------------------------------------------------------------

// Chosen for a message that was not sent yet, while the composer is replaced.
let kept = null;

const fileField = () => byId("message-files");

function showFiles(field) {
  const files = [...field.files], { most, each, together } = field.dataset, limits = byId("files-limits");
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const isTooMuch = files.length > most || total > together || files.some((file) => file.size > each);
  field.setCustomValidity(isTooMuch ? limits.textContent : "");
  limits.dataset.tone = isTooMuch ? "bad" : "";
  byId("chosen-files").replaceChildren(...files.map((file) => Object.assign(document.createElement("li"), { textContent: file.name })));
}

function keepFiles({ xhr, requestConfig }) {
  const isSent = requestConfig.verb === "post" && xhr.status === 200 && !requestConfig.parameters.switch;
  if (isSent) kept = null;
  else if (fileField()?.files.length) kept = fileField().files;
}

function restoreFiles() {
  const field = fileField();
  if (!field || !kept) return;
  field.files = kept;
  kept = null;
  showFiles(field);
  document.querySelector("[data-files-left]")?.remove();
}

document.addEventListener("change", (event) => { if (event.target === fileField()) showFiles(event.target); });
// A switch of channel need not carry them there and back.
document.addEventListener("htmx:configRequest", (event) => { if (event.target === writer() && event.detail.parameters.switch) event.detail.formData.delete("files"); });
document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target.id === "composer-box") keepFiles(event.detail); });

// --- Suggestions ---------------------------------------------------------------------------------

let typed = null;

function signBefore(area) {
  const before = area.value.slice(0, area.selectionStart);
  const found = before.match(/(?:^|\s)([/@])([^\s/@]{0,30})$/u);
  if (!found || !area.dataset.signs.includes(found[1])) return null;
  return { sign: found[1], words: found[2], start: area.selectionStart - found[2].length - 1 };
}

async function suggest(area, form) {
  const box = byId("suggestions");
  typed = signBefore(area);
  if (!typed) return closeSuggestions();
  const asked = new URLSearchParams({ sign: typed.sign, q: typed.words, channel: form.elements.mode.value });
  const wanted = typed;
  const response = await fetch(`${form.dataset.suggestionsUrl}?${asked}`, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!response?.ok || typed !== wanted) return;
  box.innerHTML = await response.text();
  box.hidden = !box.querySelector(".suggestion");
  choose(box.querySelector(".suggestion"));
}

function choose(option) {
  for (const other of byId("suggestions").querySelectorAll(".suggestion")) other.setAttribute("aria-selected", String(other === option));
  if (option) words().setAttribute("aria-activedescendant", option.id);
  option?.scrollIntoView({ block: "nearest" });
}

function closeSuggestions() {
  const box = byId("suggestions");
  if (box) box.hidden = true;
  words()?.removeAttribute("aria-activedescendant");
  typed = null;
}

function walkSuggestions(event) {
  const box = byId("suggestions");
  if (!box || box.hidden || event.ctrlKey || event.metaKey) return false;
  const options = [...box.querySelectorAll(".suggestion")];
  const here = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(options.at((here + (event.key === "ArrowDown" ? 1 : -1)) % options.length));
  else if (event.key === "Enter" || event.key === "Tab") insert(options[here]);
  else if (event.key === "Escape") closeSuggestions();
  else return false;
  event.preventDefault();
  event.stopPropagation();
  return true;
}

function insert(option) {
  const area = words();
  area.setRangeText(option.dataset.insert, typed.start, area.selectionStart, "end");
  const subject = byId("message-subject");
  if (option.dataset.subject && subject && !subject.value) subject.value = option.dataset.subject;
  closeSuggestions();
  keepDraft(area);
  area.focus();
}

document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("#suggestions .suggestion");
  if (!option) return;
  event.preventDefault();
  insert(option);
});

// --- htmx ----------------------------------------------------------------------------------------

// Afterwards the form is gone, and no event about it reaches the page.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.shouldSwap && detail.target.id === "composer-box" && detail.requestConfig.parameters.switch) taken = draftName();
});

// The server says so: an answer that refuses a form, or sends to the login, is none of failure to htmx.
document.body.addEventListener("written", ({ target: form }) => {
  // What was typed before the window closed is kept beside the template that went.
  const isTemplate = form.querySelector("[name=template]:checked");
  if (form.matches("form[data-composer]") && !isTemplate) stored((store) => store.removeItem(draftName(form)));
});

document.addEventListener("htmx:afterSettle", (event) => {
  const target = event.detail.target ?? event.target;
  if (event.target.id === "thread" || target.querySelector?.("#thread")) {
    // Chosen for somebody else.
    kept = null;
    markChosen();
    scrollToEnd();
    restoreDraft();
    plan(0);
  }
  if (event.target.id === "inbox-body") markChosen();
  if (event.target.closest?.("#thread-entries")) joinDays();
  if (event.target.id === "composer-box") {
    restoreDraft();
    takeDraftAlong();
    restoreFiles();
    if (!event.target.querySelector("[data-focus]")) words()?.focus();
    insertAhead();
  }
});

document.body.addEventListener("thread-changed", () => ask());
document.addEventListener("visibilitychange", () => plan(document.visibilityState === "visible" ? 0 : 15000));

scrollToEnd();
restoreDraft();
plan(EVERY);
