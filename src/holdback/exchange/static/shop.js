// What scripts add to the shop's pages: the signature of this browser's key, passkeys, and times in the reader's zone.
// Every form works without them, but where only a passkey will do.

import { proof } from "/pages/device-key.js";
import { passkeyChallenge } from "/pages/digest.js";
import { assert, supported, trouble } from "/pages/passkeys.js";

const { account, ath } = document.documentElement.dataset;

/** The action that a form asks for, as the server reads it from the same fields. */
function named(form) {
  const given = [...new FormData(form)].filter(([name, value]) => !name.startsWith("_") && value !== "");
  return Object.fromEntries(given);
}

function put(form, name, value) {
  let field = form.elements.namedItem(name);
  if (!field) {
    field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    form.append(field);
  }
  field.value = value;
}

/** Have this browser's key sign what the form asks; a sign-in that is signed binds the session to the key. */
async function signed(form) {
  const url = form.getAttribute("action");
  if ("signsIn" in form.dataset) return proof("POST", url);
  return proof("POST", url, { account, ath }, named(form));
}

async function send(form) {
  const buttons = [...form.querySelectorAll("button")];
  for (const one of buttons) one.disabled = true;
  try {
    put(form, "_dpop", await signed(form));
  } catch {
    // A browser that keeps no key asks without one; whether that is enough is not for this page to say.
  }
  form.submit();
  for (const one of buttons) one.disabled = false;
}

document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  event.preventDefault();
  send(event.target);
});

addEventListener("pageshow", (event) => {
  // What was true when the browser kept this page may not be now.
  if (event.persisted) location.reload();
});

/** A passkey is shown only a challenge that is made of the very action on this page. */
async function confirmed(form, challenge) {
  const expected = "signsIn" in form.dataset ? null : await passkeyChallenge(account, named(form), challenge);
  if (expected !== null && expected !== challenge.passkey.challenge) throw new Error("another challenge");
  return assert(challenge.passkey);
}

for (const place of document.querySelectorAll("[data-passkey]")) {
  if (!supported()) continue;
  const form = place.closest("form");
  place.hidden = false;
  place.querySelector("button").addEventListener("click", async () => {
    try {
      put(form, "_proof.passkey", await confirmed(form, JSON.parse(place.dataset.passkey)));
      await send(form);
    } catch (error) {
      place.querySelector("[role=alert]").textContent = trouble(error);
    }
  });
}

const local = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
for (const one of document.querySelectorAll("time[datetime]")) {
  one.title = one.textContent;
  one.textContent = local.format(new Date(one.dateTime));
}
