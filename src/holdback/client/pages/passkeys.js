// Passkeys: the browser's own WebAuthn, with the JSON forms of WebAuthn Level 3 on both sides. No library.

/** Whether this browser can make and use passkeys as these pages do. */
export const supported = () =>
  typeof globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON === "function" &&
  typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === "function";

/** Make a passkey after Holdback's options; what Holdback wants to see of it, as a string. */
export async function create(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await navigator.credentials.create({ publicKey });
  return JSON.stringify(credential.toJSON());
}

/** Answer a challenge with a passkey. The challenge of a sensitive action is that action's digest. */
export async function assert(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({ publicKey });
  return JSON.stringify(credential.toJSON());
}

/** What went wrong with a passkey, for a person. Browsers tell little, so that pages cannot pry. */
export function trouble(error) {
  switch (error.name) {
    case "InvalidStateError":
      return "This device already holds a passkey for your account.";
    case "NotAllowedError":
      return "The passkey was not used: it was cancelled, took too long, or there is none on this device.";
    case "SecurityError":
      return "Passkeys work only at this platform's own address. Check the address bar.";
    default:
      return "The passkey could not be used on this device.";
  }
}
