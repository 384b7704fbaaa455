import { busy, button, element, instant } from "./elements.js";
import { attempt, change, header, standing, tell } from "./page.js";
import { pages } from "./platform.js";

async function end(which) {
  tell(await change({ action: "session.end", which }, "Sign it out"), "That session has ended");
  await show();
}

async function endAll() {
  const answer = await change({ action: "session.end_all" }, "Sign out everywhere");
  if (answer.decision === "allow") location.assign(pages.signIn);
  else tell(answer);
}

const freeze = async () => tell(await change({ action: "account.freeze" }, "Freeze my account"), "Your account is frozen");

function card(one) {
  const since = ["Signed in ", instant(one.started_at), ", last seen ", instant(one.seen_at), "."];
  if (one.mine) return element("li", {}, element("strong", {}, "This browser"), ". ", ...since);
  const out = button("Sign it out", () => attempt(() => end(one.id)), { class: "quiet" });
  return element("li", {}, ...since, " ", out);
}

async function show() {
  const { sessions } = await standing();
  document.getElementById("open").replaceChildren(...sessions.map(card));
}

const wire = (id, work) => {
  const control = document.getElementById(id);
  control.addEventListener("click", () => busy(control, () => attempt(work)));
};

header();
wire("end-all", endAll);
wire("freeze", freeze);
attempt(show);
