// The names of actions and challenges, as Holdback and the platform's signer compute them.

const utf8 = (text) => new TextEncoder().encode(text);

export const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** Text, or anything as JSON, in base64url. */
export const encoded = (value) => base64url(utf8(JSON.stringify(value)));

export const sha256 = (text) => crypto.subtle.digest("SHA-256", utf8(text));

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}

/** The SHA-256 that names this action of this account exactly (`holdback.client.action_digest`). A password is no part. */
export function actionDigest(account, action) {
  const { password, ...named } = action;
  return sha256(`${account}\n${JSON.stringify(sorted(named))}`);
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What a passkey must be asked to sign to confirm this action of this account under an open step-up, in base64url. */
export async function passkeyChallenge(account, action, { id, nonce }) {
  const digest = hex(await actionDigest(account, action));
  const [customer] = account.split(".");
  return base64url(await sha256(["holdback passkey 1", customer, id, digest, nonce].join("\n")));
}
