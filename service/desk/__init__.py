"""The staff's first page: one list of everything that waits (四小服务 keeps a small ledger of small matters), and the audit log.

It asks every slice's manifest for its waiting work and knows none of them.
"""
