"""What the wallet offers the app."""

from service.kit.manifest import Manifest, Nav, Timed
from service.wallet import api
from service.wallet.actions import expire_holds, map_zones, mark_lines
from service.wallet.actions_expiry import follow_rule, sweep_points, warn_holders
from service.wallet.pages import books, home, journals, passbook
from service.wallet.rules import READERS
from service.wallet.verify import verify_books

MINUTE = 60

MANIFEST = Manifest(
    name="wallet",
    handlers=[
        home.home,
        passbook.passbook_page,
        passbook.line_page,
        passbook.service_page,
        passbook.print_page,
        passbook.print_for,
        books.trial_balance_page,
        books.accounts_page,
        books.account_page,
        journals.journals_page,
        journals.journals_export,
        books.journal_page,
        books.reverse,
        books.verify_page,
        books.export_page,
        books.export,
        api.wallet,
        api.statement,
        api.records,
        api.trial_balance,
        api.circulation,
        api.accounts,
        api.account,
        api.journals,
        api.journals_export,
        api.journal,
        api.reverse,
        api.verification,
        api.export,
    ],
    timed=[
        Timed("wallet.mark_lines", MINUTE, mark_lines),
        Timed("wallet.map_zones", MINUTE, map_zones),
        Timed("wallet.expire_holds", MINUTE, expire_holds),
        Timed("wallet.follow_expiry_rule", 10 * MINUTE, follow_rule),
        Timed("wallet.sweep_points", 10 * MINUTE, sweep_points),
        Timed("wallet.warn_of_expiry", 60 * MINUTE, warn_holders),
    ],
    proofs=[verify_books],
    nav=[
        Nav(
            "账簿",
            "/desk/books",
            "book",
            frozenset(READERS),
            order=80,
        )
    ],
)
"""The sidebar's label is copy: _("账簿")."""
