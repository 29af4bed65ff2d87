"""People: who they are, how they get in, what they may do here and until when.

A person is a member of one community. Name, phone and birthday are sealed; what must be found again has a blind index.
A phone number that signs in is a global `login` that only points to members. Somebody without a phone has a card and a PIN.
"""

from service.identity.accounts import account_names
from service.identity.actions import (
    end_role,
    enrol_people,
    grant_role,
    update_people,
)
from service.identity.actions_bulk import (
    close_people,
    grant_roles,
    grouped_code,
    issue_activations,
    login_holders,
    reopen_people,
    take_back_roles,
)
from service.identity.actions_cards import (
    check_pin,
    print_cards,
    unlock_card,
    withdraw_card,
)
from service.identity.actions_sessions import end_session, end_sessions_of, enter
from service.identity.actions_sign_in import (
    count_try,
    knows_secret,
    set_secret,
    sign_in,
)
from service.identity.actor import actor_of_cookie
from service.identity.contacts import (
    Contact,
    Particulars,
    all_particulars,
    contact_of,
    particulars_by_card,
    particulars_by_ids,
)
from service.identity.histories import (
    RoleHeld,
    SessionOpen,
    members_of_import,
    organisation_people,
    role_history,
    sessions_of,
    without_a_way_in,
)
from service.identity.queries import (
    Person,
    can_read_names,
    find_people,
    holders_of,
    lock_people,
    members_by_card,
    opened_since,
    people_by_ids,
    people_of_household,
    person,
    roles_by_member,
)
from service.identity.queries_cards import (
    Card,
    card_by_code,
    card_shown,
    cards_of,
    cards_printed,
)
from service.identity.rules import (
    NAME_LENGTH_MAX,
    PIN_TRIES,
    CardLocked,
    CardUnknown,
    NewPerson,
    NoCard,
    PersonNotFound,
    TooManyTries,
    check_name,
    normal_card,
    normal_phone,
)

__all__ = [
    "NAME_LENGTH_MAX",
    "PIN_TRIES",
    "Card",
    "CardLocked",
    "CardUnknown",
    "Contact",
    "NewPerson",
    "NoCard",
    "Particulars",
    "Person",
    "PersonNotFound",
    "RoleHeld",
    "SessionOpen",
    "TooManyTries",
    "account_names",
    "actor_of_cookie",
    "all_particulars",
    "can_read_names",
    "card_by_code",
    "card_shown",
    "cards_of",
    "cards_printed",
    "check_name",
    "check_pin",
    "close_people",
    "contact_of",
    "count_try",
    "end_role",
    "end_session",
    "end_sessions_of",
    "enrol_people",
    "enter",
    "find_people",
    "grant_role",
    "grant_roles",
    "grouped_code",
    "holders_of",
    "issue_activations",
    "knows_secret",
    "lock_people",
    "login_holders",
    "members_by_card",
    "members_of_import",
    "normal_card",
    "normal_phone",
    "opened_since",
    "organisation_people",
    "particulars_by_card",
    "particulars_by_ids",
    "people_by_ids",
    "people_of_household",
    "person",
    "print_cards",
    "reopen_people",
    "role_history",
    "roles_by_member",
    "sessions_of",
    "set_secret",
    "sign_in",
    "take_back_roles",
    "unlock_card",
    "update_people",
    "withdraw_card",
    "without_a_way_in",
]
