"""A small exchange that shows how a platform stands on Holdback. It imports nothing of it but `holdback.client`.

`backend` asks before it acts, `signer` pays only against a receipt, `books` keeps balances, and `app` is the HTTP that
customers speak. Read `signer` first: it is what a thief must get past, and he does not by taking over the backend.
"""
