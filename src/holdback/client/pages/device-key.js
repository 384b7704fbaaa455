// The key of this browser: a copied cookie is worthless without it (DPoP, RFC 9449).
//
// WebCrypto makes it non-extractable and IndexedDB keeps it, so that not even a script on this page can carry it away; it
// can only sign with it while the page is open. Each proof is good for one request, and names the very action it asks.

import { actionDigest, base64url, encoded } from "./digest.js";
import { keepFirst, recall } from "./keeping.js";

const KEY = "device key";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const AHEAD = "holdback-ahead-ms";
const SKEW_MS = 2000;

let loaded = null;

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

/** Follow the server's clock, as its `Date` header tells it: many customers' clocks are wrong by minutes. */
export function followClock(date) {
  const off = Date.parse(date ?? "") - Date.now();
  const before = Number(sessionStorage.getItem(AHEAD) ?? Number.NaN);
  if (Number.isFinite(off) && !(Math.abs(off - before) <= SKEW_MS)) sessionStorage.setItem(AHEAD, String(Math.round(off)));
}

async function now() {
  if (sessionStorage.getItem(AHEAD) === null) {
    const answer = await fetch(document.baseURI, { method: "HEAD", cache: "no-store" });
    followClock(answer.headers.get("date"));
  }
  return Date.now() + Number(sessionStorage.getItem(AHEAD) ?? 0);
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
