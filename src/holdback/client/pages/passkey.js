import { busy, element } from "./elements.js";
import { attempt, change, header, say, seniority, standing, tell } from "./page.js";
import { create, supported, trouble } from "./passkeys.js";

const add = document.getElementById("add");

async function show() {
  const held = (await standing()).authenticators.filter((one) => one.kind === "passkey");
  const cards = held.map((one) => element("li", {}, ...seniority(one)));
  document.getElementById("held").replaceChildren(...(cards.length ? cards : [element("li", {}, "None yet.")]));
}

async function enrol() {
  const bound = await change({ action: "authenticator.bind", kind: "passkey" }, "Add a passkey");
  if (bound.decision !== "allow") {
    tell(bound);
    return;
  }
  const { authenticator, passkey } = bound.enrolment;
  let response = "";
  try {
    response = await create(passkey);
  } catch (error) {
    say("deny", element("h2", {}, "No passkey was added"), element("p", { "data-code": error.name }, trouble(error)));
    return;
  }
  const action = { action: "authenticator.confirm", authenticator };
  const proofs = [{ kind: "passkey", authenticator, response }];
  tell(await change(action, "Add a passkey", { proofs }), "Your passkey is added");
  await show();
}

header();
add.addEventListener("click", () => busy(add, () => attempt(enrol)));
if (!supported()) {
  add.disabled = true;
  say("deny", element("p", {}, "This browser is too old for passkeys."));
}
attempt(show);
