// The step-up: a dialog that says what is about to be done, and asks for one of the ways to prove who does it.

import { element } from "./elements.js";
import { assert, supported, trouble } from "./passkeys.js";

const CODE = { inputmode: "numeric", autocomplete: "one-time-code", pattern: "[0-9 ]{6,9}", maxlength: "9" };
const KINDS = {
  password: { name: "Password", input: { type: "password", autocomplete: "current-password", maxlength: "512" } },
  totp: { name: "Code of your authenticator app", input: CODE },
  sms: { name: "Code of the text message", input: CODE },
  email: { name: "Code of the e-mail", input: CODE },
  contact_code: { name: "Code that we sent you", input: { ...CODE, pattern: "[0-9A-Za-z -]{4,64}", maxlength: "64" } },
  backup_code: { name: "Backup code", input: { autocomplete: "off", spellcheck: "false", maxlength: "64" } },
  passkey: { name: "Passkey", input: null },
};

/** Codes that are sent to one who is not signed in only after the password was right. */
const SENT = new Set(["sms", "email"]);

let number = 0;

const titled = (kinds) => kinds.map((kind) => KINDS[kind]?.name ?? kind).join(" and ");
const usable = (kinds) => kinds.every((kind) => kind in KINDS && (kind !== "passkey" || supported()));

function field(kind, required) {
  const id = `proof-${kind}-${(number += 1)}`;
  const input = element("input", { id, name: kind, required, ...KINDS[kind].input });
  return element("p", { class: "field" }, element("label", { for: id }, KINDS[kind].name), input);
}

function ways(accept, choose) {
  if (accept.length < 2) return null;
  const name = `way-${(number += 1)}`;
  const options = accept.map((kinds, place) =>
    element(
      "label",
      { class: "choice" },
      element("input", { type: "radio", name, checked: place === 0, change: () => choose(kinds) }),
      titled(kinds),
    ),
  );
  return element("fieldset", {}, element("legend", {}, "How do you want to prove it?"), ...options);
}

/** The reasons that a page says. That a sign-in is unlike its owner is one sentence; each way in which is for the platform,
 * and would tell a thief what to mend. */
export const worthSaying = (reasons) => reasons.filter((reason) => !reason.code.startsWith("risk_"));

function told(reasons) {
  // What is wanted is what the fields say; a wrong proof or a wait must be said.
  const said = worthSaying(reasons).filter((reason) => reason.code !== "proof_required");
  return said.map((reason) => reason.text).join(" ");
}

async function proofs(kinds, form, challenge) {
  const found = [];
  for (const kind of kinds) {
    const response = kind === "passkey" ? await assert(challenge.passkey) : form.elements.namedItem(kind).value;
    if (response !== "") found.push({ kind, response });
  }
  return found;
}

/** A function for `ask`: shows what is to be done (`title`, and pairs of name and value) and gets proofs for it.
 *
 * With `passwordFirst`, as for `signIn`, the password is asked for alone where a code is sent to whoever knows it. Whether
 * it was right is not told then, so the code may be left out in the next round, and the password be sent again.
 */
export const prover = (title, summary = [], { passwordFirst = false } = {}) => {
  let last = null;
  return async (answer) => {
    const waits = (kind) => passwordFirst && SENT.has(kind);
    const first = last === null;
    const wanted = (kinds) => (first && kinds.includes("password") ? kinds.filter((kind) => !waits(kind)) : kinds);
    const began = !first && last.every((proof) => proof.kind === "password") && answer.challenge.accept.flat().some(waits);
    const note = began ? "If the password was right, a code is on its way." : told(answer.reasons);
    const password = began ? last[0].response : "";
    last = await dialogue(title, summary, answer, { wanted, optional: waits, note, password });
    return last;
  };
};

function dialogue(title, summary, answer, { wanted, optional, note, password }) {
  const { accept, ...challenge } = answer.challenge;
  const possible = accept.filter(usable).sort((one, other) => other.includes("passkey") - one.includes("passkey"));
  if (possible.length === 0) return Promise.reject(new Error("This browser cannot prove what is asked for."));
  return new Promise((resolve) => {
    const id = (number += 1);
    let kinds = possible[0];
    const fields = element("div");
    const alert = element("p", { role: "alert", class: "trouble" }, note);
    const submit = element("button", { type: "submit" });
    const cancel = element("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Cancel");
    const choose = (chosen) => {
      kinds = wanted(chosen);
      fields.replaceChildren(...kinds.filter((kind) => kind !== "passkey").map((kind) => field(kind, !optional(kind))));
      const known = fields.querySelector("input[name=password]");
      if (known) known.value = password;
      submit.textContent = kinds.includes("passkey") ? "Confirm with your passkey" : "Confirm";
    };
    const confirm = async (event) => {
      event.preventDefault();
      submit.disabled = true;
      try {
        const given = await proofs(kinds, form, challenge);
        resolve(given);
        dialog.close();
      } catch (error) {
        alert.textContent = trouble(error);
      } finally {
        submit.disabled = false;
      }
    };
    const form = element(
      "form",
      { submit: confirm },
      element("h2", { id: `title-${id}` }, title),
      summary.length ? element("dl", { id: `what-${id}` }, ...summary.flatMap(pair)) : null,
      alert,
      ways(possible, choose),
      fields,
      element("p", { class: "actions" }, submit, cancel),
    );
    const described = summary.length ? `what-${id}` : null;
    const dialog = element("dialog", { "aria-labelledby": `title-${id}`, "aria-describedby": described }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(null);
    });
    choose(kinds);
    document.body.append(dialog);
    dialog.showModal();
    const inputs = [...fields.querySelectorAll("input")];
    (inputs.find((input) => input.value === "") ?? submit).focus();
  });
}

const pair = ([name, value]) => [element("dt", {}, name), element("dd", {}, value)];
