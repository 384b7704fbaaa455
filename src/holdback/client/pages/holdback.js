// What a page needs to ask a platform that stands on Holdback: every call proves the device's key, and an answer that
// wants more proof is asked again with it. Nothing here decides: Holdback does, behind the platform's backend.

import { followClock, proof } from "./device-key.js";
import { passkeyChallenge } from "./digest.js";
import { forget, keep, recall } from "./keeping.js";

const TRIES = 3;
const BUSY = new Set([502, 503, 504]);
const SESSION = "session";

/** What a page that only reads has signed: the backend asks, as a dry run, whether the session could still be ended. */
const STILL_SIGNED_IN = { action: "session.end" };

/** The platform could not take the request. `code` is for programs, the message for people. */
export class NotTaken extends Error {
  constructor(status, code, message) {
    super(message);
    this.name = "NotTaken";
    this.status = status;
    this.code = code;
  }
}

const offline = () => new NotTaken(0, "offline", "There is no connection. Nothing is known to be done; look before you try again.");

/** Sent again after a failed try, a request is the same question with the same proof, so it counts once. */
async function sent(url, request) {
  let response = null;
  for (let left = TRIES; left > 0 && (response === null || BUSY.has(response.status)); left -= 1) {
    response = await fetch(url, request).catch((error) => {
      if (error instanceof TypeError) return null;
      throw error;
    });
  }
  if (response === null) throw offline();
  followClock(response.headers.get("date"));
  return response;
}

async function call(method, url, signed, body) {
  const headers = { Accept: "application/json", DPoP: signed };
  const request = { method, headers, credentials: "same-origin", redirect: "error", cache: "no-store" };
  if (body !== undefined) {
    Object.assign(headers, { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() });
    request.body = JSON.stringify(body);
  }
  const response = await sent(url, request);
  let answer = null;
  try {
    answer = await response.json();
  } catch {
    throw new NotTaken(response.status, "not_understood", "The answer could not be read. Look before you try again.");
  }
  if (!response.ok) throw new NotTaken(response.status, answer.error, answer.detail ?? "The request was not taken.");
  return answer;
}

async function session() {
  const found = await recall(SESSION);
  if (!found) throw new NotTaken(401, "not_signed_in", "Sign in first.");
  return found;
}

async function resumed(answer, prove, again) {
  let last = answer;
  while (last.decision === "step_up") {
    const proofs = await prove(last);
    if (proofs === null) return last;
    last = await again({ challenge: last.challenge.id, proofs });
  }
  return last;
}

/** Read something that only the signed-in owner may. */
export async function read(url) {
  return call("GET", url, await proof("GET", url, await session(), STILL_SIGNED_IN));
}

/** Ask for an action. `body` is how the route wants it; `proofs` are those that go along from the beginning.
 *
 * `prove(answer)` is called for each step-up and gives proofs, or null to leave it. The answer is a decision (`allow`,
 * `hold`, `deny`), or the step-up that was left. A passkey is shown only a challenge that is made of this very action:
 * a backend that asks for another to be signed is found out here.
 */
export async function ask(url, action, { prove, body = { action }, proofs = [] } = {}) {
  const mine = await session();
  const question = structuredClone(body);
  const named = structuredClone(action);
  const again = async (more) => call("POST", url, await proof("POST", url, mine, named), { ...question, ...more });
  const checked = async (answer) => {
    const { passkey } = answer.challenge;
    if (passkey && passkey.challenge !== (await passkeyChallenge(mine.account, named, answer.challenge))) {
      throw new NotTaken(0, "other_challenge", "You were asked to confirm something else than what is shown. Nothing was confirmed.");
    }
    return prove(answer);
  };
  return resumed(await again(proofs.length > 0 ? { proofs } : {}), checked, again);
}

/** Sign in by name. From then on this browser's key signs whatever is asked. */
export async function signIn(url, name, prove) {
  const again = async (more) => call("POST", url, await proof("POST", url), { name, cookie: true, ...more });
  const answer = await resumed(await again({}), prove, again);
  if (answer.decision === "allow") await keep(SESSION, { account: answer.account, ath: answer.session.ath });
  return answer;
}

/** End the session, whatever becomes of the answer. */
export async function signOut(url) {
  try {
    return await ask(url, STILL_SIGNED_IN, { body: {} });
  } finally {
    await forget(SESSION);
  }
}
