// The key of this browser: a copied cookie is worthless without it (DPoP, RFC 9449).
//
// WebCrypto makes it non-extractable and IndexedDB keeps it, so that not even a script on this page can carry it away; it
// can only sign with it while the page is open. Each proof is good for one request, and names the very action it asks.

import { actionDigest, base64url, encoded } from "./digest.js";
import { keepFirst, recall } from "./keeping.js";

const KEY = "device key";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const SKEW_MS = 2000;

let loaded = null;
let clock = null;

async function load() {
  const pair = (await recall(KEY)) ?? (await keepFirst(KEY, await crypto.subtle.generateKey(ALGORITHM, false, ["sign"])));
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { sign: pair.privateKey, jwk: { kty, crv, x, y } };
}

async function deviceKey() {
  loaded ??= load();
  try {
    return await loaded;
  } catch (error) {
    loaded = null;
    throw error;
  }
}

const steps = () => ({ wall: Date.now(), steady: performance.now() });

function expected() {
  return clock === null ? Number.NaN : clock.server + performance.now() - clock.steady;
}

/** Follow the server's clock, as its `Date` header tells it: many customers' clocks are wrong by minutes. */
export function followClock(date) {
  const server = Date.parse(date ?? "");
  if (Number.isFinite(server) && !(Math.abs(server - expected()) <= SKEW_MS)) clock = { server, ...steps() };
}

function isLost() {
  if (clock === null) return true;
  // After a sleep, or when somebody sets the clock, the two have not gone on by the same.
  const { wall, steady } = steps();
  return Math.abs(wall - clock.wall - (steady - clock.steady)) > SKEW_MS;
}

async function now() {
  if (isLost()) {
    const answer = await fetch(document.baseURI, { method: "HEAD", cache: "no-store" });
    clock = null;
    followClock(answer.headers.get("date"));
  }
  return clock === null ? Date.now() : expected();
}

/** A proof that whoever sends this request holds the key. `session` and `action` are left out only to sign in. */
export async function proof(method, url, session, action) {
  const { sign, jwk } = await deviceKey();
  const target = new URL(url, document.baseURI);
  const claims = {
    jti: base64url(crypto.getRandomValues(new Uint8Array(16))),
    htm: method,
    htu: target.origin + target.pathname,
    iat: Math.floor((await now()) / 1000),
  };
  if (session) {
    claims.ath = session.ath;
    claims.act = base64url(await actionDigest(session.account, action));
  }
  const said = `${encoded({ typ: "dpop+jwt", alg: "ES256", jwk })}.${encoded(claims)}`;
  const signature = await crypto.subtle.sign(SIGNATURE, sign, new TextEncoder().encode(said));
  return `${said}.${base64url(signature)}`;
}
