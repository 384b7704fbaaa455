"""One file a kind of proof. A verifier says whether a response is right; whether it counts is the core's to say."""
