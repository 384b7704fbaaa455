// What scripts add to pages for people: passkeys, the signature of this device's key, times in the reader's zone, and
// words where an answer does not come. Every form works without them, but where only a passkey will do.

import { proof } from "./device-key.js";
import { named, put } from "./fields.js";
import { assert, create, supported, trouble } from "./passkeys.js";

const REACHED_MS = 5000;
const { account, ath, bound } = document.documentElement.dataset;

/** Have this browser's key sign what the form asks; a sign-in is signed, too, and binds the session to the key. */
async function sign(form) {
  if ("signsFor" in form.dataset) {
    const own = { account: form.dataset.signsFor, ath: form.dataset.ath };
    put(form, "_dpop", await proof("POST", form.getAttribute("action"), own, named(form)));
    return;
  }
  const signsIn = "signsIn" in form.dataset;
  if (!signsIn && bound === undefined) return;
  const url = form.getAttribute("action");
  put(form, "_dpop", signsIn ? await proof("POST", url) : await proof("POST", url, { account, ath }, named(form)));
}

/** Say that an answer did not come, in the words that the page brought along. */
function say(what) {
  const place = document.getElementById("trouble");
  if (!place) return;
  place.textContent = place.dataset[what];
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" });
}

/** Whether this origin is reached at all: a form that is sent into nothing would leave the browser's own page of errors. */
async function reached() {
  try {
    await fetch(import.meta.url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(REACHED_MS) });
    return true;
  } catch (error) {
    return error.name === "TimeoutError";
  }
}

async function send(form) {
  const buttons = [...form.querySelectorAll("button")];
  for (const one of buttons) one.disabled = true;
  try {
    if (await reached()) {
      await sign(form);
      form.submit();
      return;
    }
    say("offline");
  } catch (error) {
    say("failed");
    throw error;
  }
  for (const one of buttons) one.disabled = false;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.getAttribute("action").endsWith("/language")) return;
  event.preventDefault();
  send(form);
});

addEventListener("pageshow", (event) => {
  // What was true when the browser kept this page may not be now, and its forms were sent.
  if (event.persisted) location.reload();
});

document.addEventListener("htmx:responseError", () => say("failed"));
document.addEventListener("htmx:sendError", () => say("offline"));
document.addEventListener("htmx:timeout", () => say("failed"));

/** A button that has the browser's authenticator answer, once there is one. */
function answersWith(place, options, answer) {
  if (!supported()) return;
  place.hidden = false;
  const form = place.closest("form");
  place.querySelector("button").addEventListener("click", async () => {
    try {
      put(form, "_proof.passkey", await answer(JSON.parse(options)));
      await send(form);
    } catch (error) {
      let said = place.querySelector("[role=alert]");
      if (!said) {
        said = document.createElement("span");
        said.className = "trouble";
        said.setAttribute("role", "alert");
        place.append(said);
      }
      said.textContent = trouble(error);
    }
  });
}

for (const place of document.querySelectorAll("[data-passkey]")) answersWith(place, place.dataset.passkey, assert);
for (const place of document.querySelectorAll("[data-creates]")) answersWith(place, place.dataset.creates, create);

/** Of a form that tightens or loosens, show only the sentence that is true of what is chosen now. */
function weigh(form) {
  const inputs = [...form.querySelectorAll("[data-tighter]")];
  const way = (one) => (Number(one.value) - Number(one.defaultValue)) * (one.dataset.tighter === "more" ? 1 : -1);
  const looser = inputs.some((one) => way(one) < 0);
  const changed = inputs.some((one) => way(one) !== 0);
  for (const one of form.querySelectorAll("[data-when]")) {
    one.hidden = changed && inputs.length > 0 && (one.dataset.when === "looser") !== looser;
  }
}

for (const range of document.querySelectorAll("[data-shown]")) {
  const shown = document.getElementById(range.dataset.shown);
  range.addEventListener("input", () => {
    shown.textContent = `${range.value} ${range.dataset.unit ?? "%"}`;
  });
}
for (const input of document.querySelectorAll("[data-tighter]")) {
  input.addEventListener("input", () => weigh(input.form));
}

const SUMS = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((one) => one * 10 ** power)).slice(3);

/** A slider of round sums for a field that takes any sum. */
for (const slider of document.querySelectorAll("[data-slides]")) {
  const field = document.getElementById(slider.dataset.slides);
  slider.max = String(SUMS.length - 1);
  const near = () => SUMS.findIndex((sum) => sum >= Number(field.value || 1000));
  slider.value = String(near() < 0 ? SUMS.length - 1 : near());
  slider.addEventListener("input", () => {
    field.value = String(SUMS[Number(slider.value)]);
    field.dispatchEvent(new Event("input"));
  });
  slider.closest("[hidden]").hidden = false;
}

const language = document.documentElement.lang;
const local = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const away = new Intl.RelativeTimeFormat(language, { numeric: "always" });
const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1000]];
const ahead = Date.now() - Date.parse(document.documentElement.dataset.now ?? new Date().toISOString());

/** How long it is until an instant, by the server's clock: the two largest units, rounded up in the smaller one. */
function left(until) {
  const ms = Math.max(0, Date.parse(until) - (Date.now() - ahead));
  const [unit, size] = UNITS.find(([, one]) => ms >= one) ?? UNITS.at(-1);
  return away.format(Math.ceil(ms / size), unit);
}

function count() {
  for (const one of document.querySelectorAll("[data-until]")) one.textContent = left(one.dataset.until);
}

function dress() {
  for (const one of document.querySelectorAll("time[datetime]:not([title])")) {
    one.title = one.textContent;
    one.textContent = local.format(new Date(one.dateTime));
  }
  count();
}

document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
dress();
document.addEventListener("htmx:afterSettle", dress);
setInterval(count, 1000);

// On a phone the ways on are one line to be pushed: the page that is open must be in sight.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
