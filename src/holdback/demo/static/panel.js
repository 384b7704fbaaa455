// What scripts add to the demo's pages: "Play all" shows each step as it comes, codes that change, and times in the reader's own zone.

const PAUSE_MS = 1600;

for (const all of document.querySelectorAll("button[name=all]")) all.value = "live";

document.addEventListener("submit", (event) => {
  for (const one of event.target.querySelectorAll("button")) one.setAttribute("aria-busy", "true");
});

// A code that is over is replaced; without scripts "Look again" does it.
const code = document.querySelector("[data-left]");
if (code) setTimeout(() => location.reload(), code.dataset.left * 1000);

const next = document.querySelector("form[data-goes-on]");
if (next) setTimeout(() => next.requestSubmit(next.querySelector("button[name=all]")), PAUSE_MS);

const local = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
for (const one of document.querySelectorAll("time[datetime]")) {
  one.title = one.textContent;
  one.textContent = local.format(new Date(one.dateTime));
}
