// What a form asks, as the server reads it from the same fields. A field whose name begins with an underscore is the
// page's own.

const NUMBERS = new Set(["hours", "share", "expires_d", "days", "secret_d"]);
const FLAGS = new Set(["on", "mistaken", "confirmed", "forged", "waiting", "reveal"]);
const NONE = { usd_per_day: "none" };
const LISTS = new Set(["scopes", "ip_allowlist", "pairs", "lost", "kinds", "fields", "roles"]);

function typed(name, value) {
  if (NONE[name] === value) return null;
  if (FLAGS.has(name)) return value === "true";
  if (LISTS.has(name)) return value.split(/\s+/).filter((one) => one !== "");
  return NUMBERS.has(name) && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
}

/** The action that a form asks for. */
export function named(form) {
  const fields = new FormData(form);
  const names = new Set([...fields.keys()].filter((name) => !name.startsWith("_")));
  const given = [...names].map((name) => [name, fields.getAll(name).join("\n")]).filter(([, value]) => value !== "");
  return Object.fromEntries(given.map(([name, value]) => [name, typed(name, value)]));
}

/** Set a field of a form, which is made if there is none. */
export function put(form, name, value) {
  let field = form.elements.namedItem(name);
  if (!field) {
    field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    form.append(field);
  }
  field.value = value;
}
