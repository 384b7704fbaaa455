"""The sentences: one for each reason and each event. Mails, pages and the command line all speak them.

`words` makes the pieces, `reasons` words decisions, `asked` what a proof would confirm, `happened` the log, and
`notices` what is sent.
"""
