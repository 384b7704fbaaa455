import { ask, read } from "./holdback.js";
import { busy, button, element } from "./elements.js";
import { attempt, change, header, tell } from "./page.js";
import { routes, withdrawal } from "./platform.js";
import { prover } from "./step-up.js";

const form = document.getElementById("pay");

function cards(id, items) {
  const section = document.getElementById(id);
  section.hidden = items.length === 0;
  section.querySelector("ul").replaceChildren(...items);
}

const card = (amount, asset, where, ...more) =>
  element("li", {}, element("strong", {}, `${amount} ${asset}`), " to ", element("code", {}, where), ...more);

async function show() {
  const { balances, held, payments } = await read(routes.account);
  const rows = Object.entries(balances);
  document.getElementById("balances").replaceChildren(
    ...rows.flatMap(([asset, amount]) => [element("dt", {}, asset), element("dd", {}, amount)]),
  );
  const chosen = form.elements.namedItem("asset");
  if (chosen.options.length === 0) chosen.append(...rows.map(([asset]) => element("option", {}, asset)));
  const waiting = Object.entries(held).map(([id, order]) => {
    const stop = button("Stop it", () => attempt(() => cancel(id)), { class: "quiet" });
    return card(order.amount, order.asset, order.address ?? order.counterparty, " ", stop);
  });
  cards("waiting", waiting);
  cards("paid", payments.map((one) => card(one.amount, one.asset, one.payee)));
}

async function cancel(which) {
  tell(await change({ action: "exit.cancel", which }, "Stop this payment"), "It is stopped");
  await show();
}

async function pay() {
  const order = Object.fromEntries(new FormData(form));
  const summary = [["Amount", `${order.amount} ${order.asset}`], ["To", order.address], ["Network", order.network]];
  const prove = prover("Confirm this payment", summary);
  const answer = await ask(routes.withdraw, withdrawal(order), { prove, body: order });
  tell(answer, "Paid");
  if (answer.payment) form.reset();
  await show();
}

header();
form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(form, () => attempt(pay));
});
attempt(show);
