// The console: a page's shell holds nothing. What it shows is fetched with a proof of this device's key, and so is what
// comes of a form. A copied cookie has no key.

import { proof } from "./device-key.js";
import { named, put } from "./fields.js";

const { account, ath, home, lost } = document.documentElement.dataset;
const local = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
const MINUTE_MS = 60_000;
const READS = {}; // reading is no action: it is signed for as none
let endsAt = Number.POSITIVE_INFINITY;

function say(text) {
  const said = document.createElement("p");
  said.className = "trouble";
  said.setAttribute("role", "alert");
  said.textContent = text;
  const main = document.getElementById("main");
  main.removeAttribute("aria-busy");
  main.replaceChildren(said);
}

/** Times in the reader's own zone. */
function localize(part) {
  for (const one of part.querySelectorAll("time[datetime]")) {
    one.title = one.textContent;
    one.textContent = local.format(new Date(one.dateTime));
  }
}

/** Put what the server sent in the place of what has the same ids. */
function place(html) {
  const sent = new DOMParser().parseFromString(html, "text/html");
  for (const part of [...sent.body.children]) {
    const here = part.id ? document.getElementById(part.id) : null;
    if (here === null) continue;
    const fresh = document.adoptNode(part);
    here.replaceWith(fresh);
    localize(fresh);
  }
  const main = document.getElementById("main");
  if (main.dataset.title) document.title = main.dataset.title;
  dispatchEvent(new CustomEvent("holdback:shown"));
}

async function shown(url, request) {
  let response = null;
  try {
    response = await fetch(url, { credentials: "same-origin", redirect: "manual", cache: "no-store", ...request });
  } catch {
    say(lost);
    return;
  }
  if (response.type === "opaqueredirect") {
    location.assign(`${home}/sign-in`);
    return;
  }
  const isPage = (response.headers.get("content-type") ?? "").startsWith("text/html");
  if (isPage) place(await response.text());
  else say(lost);
}

async function load() {
  const url = location.pathname + location.search;
  await shown(url, { headers: { DPoP: await proof("GET", url, { account, ath }, READS) } });
}

/** What the device signs for: the action whole, as a page prepared it, or what its fields say. */
function asked(form) {
  const whole = form.elements.namedItem("_action");
  if (whole) return JSON.parse(whole.value);
  return form.dataset.asks ? { action: form.dataset.asks } : named(form);
}

async function send(form) {
  const chosen = form.querySelector("[data-about]");
  if (chosen) put(form, "_account", chosen.value.trim());
  const about = form.elements.namedItem("_account")?.value ?? account;
  const url = form.getAttribute("action");
  const buttons = [...form.querySelectorAll("button")];
  for (const one of buttons) one.disabled = true;
  try {
    put(form, "_dpop", await proof("POST", url, { account: about, ath }, asked(form)));
    await shown(url, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    document.getElementById("main").focus();
    scrollTo(0, 0);
  } catch {
    say(lost);
  } finally {
    for (const one of buttons) one.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || "plain" in form.dataset) return;
  event.preventDefault();
  send(form);
});

/** How long the session still counts, whatever this machine's clock says; then nothing stays on the screen. */
function count() {
  const one = document.querySelector("[data-left-s]");
  if (!one) return;
  const left = endsAt - performance.now();
  one.textContent = one.dataset.left.replace("{left}", Math.max(0, Math.ceil(left / MINUTE_MS)));
  if (left <= 0) say(one.dataset.over);
}

addEventListener("holdback:shown", () => {
  const one = document.querySelector("[data-left-s]");
  if (one) endsAt = Math.min(endsAt, performance.now() + Number(one.dataset.leftS) * 1000);
  count();
});
setInterval(count, MINUTE_MS / 4);
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
load().catch(() => say(lost));
