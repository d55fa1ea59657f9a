"""Backfills: putting documents on record that were there before anybody looked.

`ranges` divides a collection, `reading` reads a chunk of a range, `selecting` asks which documents match, `currency`
leaves out those whose answer is up to date, `recording` puts the rest on record together with how far it went.
`chunk` is one such round, `schedule` says whose round is next, `keeper` leads.
"""
