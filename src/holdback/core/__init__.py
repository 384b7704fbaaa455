"""The pure part of Holdback: what happened, what is true, what may happen next.

Nothing in here reads a clock, a file, a socket or a random number: time and chance are arguments. Start with
`decide.advance`, the one function the rest of the program calls.
"""
