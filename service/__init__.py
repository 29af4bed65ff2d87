"""Linli (邻里): the web service of a community's time bank and points exchange.

One folder per domain, called a slice, cut alike everywhere; `service.slices` lists them. The two libraries
underneath, `redemption` and `ledger`, know nothing of people, language, HTTP or the clock.
"""
