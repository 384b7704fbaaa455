"""A small exchange that shows how a platform stands on Holdback. It imports nothing of it but `holdback.client`.

`backend` asks before it acts, `signer` pays and `market` trades only against a receipt, `books` keeps balances, `app`
is the HTTP that programs speak, and `shop` the pages that customers see. Read `signer` first: it is what a thief must
get past, and he does not by taking over the backend.
"""
