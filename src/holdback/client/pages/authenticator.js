import { busy, element } from "./elements.js";
import { attempt, change, header, region, seniority, standing, tell } from "./page.js";

const add = document.getElementById("add");
const section = document.getElementById("enrol");
const form = document.getElementById("confirm");
let enrolling = "";

async function show() {
  const held = (await standing()).authenticators.filter((one) => one.kind === "totp");
  const cards = held.map((one) => element("li", {}, ...seniority(one)));
  document.getElementById("held").replaceChildren(...(cards.length ? cards : [element("li", {}, "None yet.")]));
}

async function enrol() {
  const bound = await change({ action: "authenticator.bind", kind: "totp" }, "Add an authenticator app");
  if (bound.decision !== "allow") {
    tell(bound);
    return;
  }
  const { authenticator, otpauth_uri: uri, qr_svg: qr } = bound.enrolment;
  enrolling = authenticator;
  const picture = document.getElementById("qr");
  // As an image, so that nothing in it can act.
  if (qr) picture.src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
  picture.hidden = !qr;
  const secret = new URL(uri).searchParams.get("secret");
  document.getElementById("secret").textContent = secret.replaceAll(/(.{4})(?=.)/g, "$1 ");
  region().replaceChildren();
  section.hidden = false;
  document.getElementById("enrol-title").focus();
}

async function confirm() {
  const response = form.elements.namedItem("code").value;
  const action = { action: "authenticator.confirm", authenticator: enrolling };
  const proofs = [{ kind: "totp", authenticator: enrolling, response }];
  const answer = tell(await change(action, "Add an authenticator app", { proofs }), "Your app is added");
  form.reset();
  if (answer.decision !== "allow") return;
  section.hidden = true;
  document.getElementById("secret").textContent = "";
  document.getElementById("qr").removeAttribute("src");
  await show();
}

header();
add.addEventListener("click", () => busy(add, () => attempt(enrol)));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(form, () => attempt(confirm));
});
attempt(show);
