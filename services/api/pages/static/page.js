// Keeps the page up to date: asks for its living part every few seconds and puts it in the place of the old one.
// Without JavaScript everything works as well, by loading the page again.
"use strict";

const every = 5000;
const live = document.getElementById("live");
const lost = document.getElementById("lost");
const announce = document.getElementById("announce");
const address = new URL(location.href);
address.searchParams.delete("notice");
history.replaceState(null, "", address);
address.searchParams.set("part", "live");

const levels = () => [...live.querySelectorAll("[data-level]")].map((brand) => `${brand.dataset.word} · ${brand.dataset.name}`);
let shown = live.innerHTML;
let known = levels().join("; ");

function busy() {
  // Nobody's choice or text selection is taken out of their hands.
  const control = document.activeElement;
  const choosing = control && live.contains(control) && control.matches("select, input, textarea");
  // Nor what somebody has begun to write, wherever they are looking now.
  const written = [...live.querySelectorAll("textarea:not([readonly]), input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
  const selection = getSelection();
  return choosing || written || (selection && !selection.isCollapsed && live.contains(selection.anchorNode));
}

function show(html) {
  if (html === shown || busy()) return;
  const chosen = document.activeElement && live.contains(document.activeElement) ? path(document.activeElement) : null;
  const opened = [...live.querySelectorAll("details[open][id]")].map((details) => details.id);
  live.innerHTML = html;
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  shown = html;
  if (chosen) live.querySelector(chosen)?.focus({ preventScroll: true });
  const now = levels();
  if (now.length) document.title = `${now[0]} · Tocsin`;
  if (now.join("; ") !== known) announce.textContent = now.join("; ");
  known = now.join("; ");
}

function path(element) {
  const form = element.closest("form");
  if (form?.id) return `#${form.id} ${element.localName}`;
  if (form) return `form[action="${form.getAttribute("action")}"] ${element.localName}`;
  return element.localName === "a" ? `a[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" }, redirect: "manual" });
    // Signed out, or the session has ended: the sign-in page says what to do.
    if (answer.type === "opaqueredirect") return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.text());
    live.dataset.seen = answer.headers.get("X-Tocsin-Time") ?? live.dataset.seen;
    lost.hidden = true;
  } catch {
    lost.textContent = lost.dataset.words.replace("{time}", live.dataset.seen);
    lost.hidden = false;
  }
}

setInterval(refresh, every);
document.addEventListener("visibilitychange", refresh);
