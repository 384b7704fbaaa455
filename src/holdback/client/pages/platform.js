// Where the platform's backend takes what these pages ask, and which action it makes of it. The only module that a platform
// must change: what the browser signs is the action as the backend sends it to Holdback, field for field.

export const routes = {
  signIn: "/sign-in",
  signOut: "/sign-out",
  account: "/account",
  security: "/security",
  withdraw: "/withdraw",
};

export const pages = { signIn: "sign-in.html", home: "pay.html" };

export const withdrawal = ({ asset, amount, network, address }) => ({
  action: "exit.request",
  kind: "withdrawal",
  asset,
  amount,
  network,
  address,
});
