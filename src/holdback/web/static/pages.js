// What scripts add to pages for people: passkeys, the signature of this device's key, and times in the reader's zone.
// Every form works without them, but where only a passkey will do.

import { proof } from "./device-key.js";
import { named, put } from "./fields.js";
import { assert, create, supported, trouble } from "./passkeys.js";

const { account, ath, bound } = document.documentElement.dataset;

/** Have this browser's key sign what the form asks; a sign-in is signed, too, and binds the session to the key. */
async function sign(form) {
  const signsIn = "signsIn" in form.dataset;
  if (!signsIn && bound === undefined) return;
  const url = form.getAttribute("action");
  put(form, "_dpop", signsIn ? await proof("POST", url) : await proof("POST", url, { account, ath }, named(form)));
}

async function send(form) {
  const buttons = [...form.querySelectorAll("button")];
  for (const one of buttons) one.disabled = true;
  try {
    await sign(form);
    form.submit();
  } finally {
    for (const one of buttons) one.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.getAttribute("action").endsWith("/language")) return;
  event.preventDefault();
  send(form);
});

addEventListener("pageshow", (event) => {
  // What was true when the browser kept this page may not be now.
  if (event.persisted) location.reload();
});

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

for (const range of document.querySelectorAll("[data-shown]")) {
  const shown = document.getElementById(range.dataset.shown);
  range.addEventListener("input", () => {
    shown.textContent = `${range.value} %`;
  });
}

const local = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
for (const one of document.querySelectorAll("time[datetime]")) {
  one.title = one.textContent;
  one.textContent = local.format(new Date(one.dateTime));
}
