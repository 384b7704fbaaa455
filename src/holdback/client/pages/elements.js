// Making elements without HTML in strings: what comes from outside can only ever become text.

/** `element("p", {class: "note"}, "text", another)`; null children are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** An instant as people here write it, and as machines read it. */
export function instant(text) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  return element("time", { datetime: text }, new Intl.DateTimeFormat(undefined, style).format(new Date(text)));
}

/** A button that does nothing a second time while it works. */
export function button(text, work, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", () => busy(made, work));
  return made;
}

/** Do something while a control is out of use. */
export async function busy(control, work) {
  if (control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    control.removeAttribute("aria-busy");
  }
}
