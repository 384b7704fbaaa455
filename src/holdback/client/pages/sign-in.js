import { signIn } from "./holdback.js";
import { busy } from "./elements.js";
import { attempt, tell } from "./page.js";
import { pages, routes } from "./platform.js";
import { prover } from "./step-up.js";

const form = document.getElementById("sign-in");

async function begin() {
  const name = form.elements.namedItem("name").value.trim();
  const answer = await signIn(routes.signIn, name, prover("Sign in", [["As", name]], { passwordFirst: true }));
  if (answer.decision === "allow") location.assign(pages.home);
  else tell(answer);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(form, () => attempt(begin));
});
