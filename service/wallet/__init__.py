"""Faces of the ledger: my balances and my passbook, the resident's home, the auditor's books.

The slice owns no table. It reads balances, statements and journals by the ledger's front door and adds words: why
value moved, from which service or voucher, by whom. 服务时长 (the record), 时间币 (minutes that can be spent) and
积分 (points) are three figures that never share a column.
"""

from service.wallet.queries.exports import book_pieces, file_name
from service.wallet.verify import verify_books

__all__ = ["book_pieces", "file_name", "verify_books"]
