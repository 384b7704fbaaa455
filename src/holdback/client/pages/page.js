// What every page shares: who is signed in, the way around, and how an answer is said.

import { ask, read, signOut } from "./holdback.js";
import { button, element, instant } from "./elements.js";
import { pages, routes } from "./platform.js";
import { prover, worthSaying } from "./step-up.js";

const HEADINGS = {
  allow: "Done",
  hold: "This waits",
  deny: "Not allowed",
  step_up: "Not confirmed, so nothing was done",
};

export const region = () => document.getElementById("answer");

/** Say something in the page's live region. `kind` is allow, hold, deny or step_up. */
export function say(kind, ...children) {
  region().replaceChildren(element("div", { class: `answer ${kind}` }, ...children));
  region().scrollIntoView({ block: "nearest" });
}

const WHEN = {
  hold: (answer) => answer.hold.release_at && ["It goes on at ", instant(answer.hold.release_at), " unless stopped."],
  allow: (answer) => answer.usable_from && ["It counts from ", instant(answer.usable_from), " on."],
};

/** Say what was decided and why, in Holdback's own sentences. */
export function tell(answer, done = HEADINGS.allow) {
  const heading = answer.decision === "allow" ? done : HEADINGS[answer.decision];
  // What was left unconfirmed needs no reasons: its owner left it.
  const reasons = answer.decision === "step_up" ? [] : worthSaying(answer.reasons);
  const when = WHEN[answer.decision]?.(answer);
  const list = reasons.map((reason) => element("li", { "data-code": reason.code }, reason.text));
  say(
    answer.decision,
    element("h2", {}, heading),
    list.length ? element("ul", {}, ...list) : null,
    when ? element("p", {}, ...when) : null,
  );
  return answer;
}

/** Run what a page does; whatever goes wrong is said. Without a session the way leads to the sign-in. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.status === 401) {
      location.assign(pages.signIn);
    } else {
      say("deny", element("h2", {}, "That did not work"), element("p", { "data-code": error.code }, error.message));
    }
    return null;
  }
}

/** Ask for a change of the account's security, with the dialog for what must be proved. */
export const change = (action, title, { summary, proofs } = {}) =>
  ask(routes.security, action, { prove: prover(title, summary), proofs });

async function leave() {
  await attempt(() => signOut(routes.signOut));
  location.assign(pages.signIn);
}

const WAYS = [
  ["Pay", "pay.html"],
  ["Passkeys", "passkey.html"],
  ["Authenticator app", "authenticator.html"],
  ["Sessions", "sessions.html"],
];

/** The header with the way around. */
export function header() {
  const here = location.pathname.split("/").pop();
  const links = WAYS.map(([name, href]) =>
    element("li", {}, element("a", { href, "aria-current": href === here ? "page" : null }, name)),
  );
  const out = button("Sign out", leave, { class: "quiet" });
  const nav = element("nav", { "aria-label": "Account" }, element("ul", {}, ...links));
  document.querySelector("header").append(nav, out);
}

/** How the account's security stands. */
export const standing = () => read(routes.security);

/** Since when something is held, and whether it counts for money and changes yet. */
export function seniority(one) {
  if (one.suspended) return [element("strong", {}, "Suspended"), ": it proves nothing."];
  if (!one.confirmed) return ["Not confirmed yet: it proves nothing."];
  if (one.senior) return ["Added ", instant(one.since), "."];
  const from = one.senior_from ? ["from ", instant(one.senior_from), " on"] : ["once we could tell you of it"];
  return ["New: it signs you in at once, and counts for payments and changes ", ...from, "."];
}
