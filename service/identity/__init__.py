"""People: who they are, how they get in, what they may do here and until when.

A person is a member of one community. Name, phone and birthday are sealed; what must be found again has a blind index.
A phone number that signs in is a global `login` that only points to members. Somebody without a phone has a card and a PIN.
"""

from service.identity.actions import (
    end_role,
    enrol_people,
    grant_role,
    update_people,
)
from service.identity.actions_sign_in import end_session, end_sessions_of, issue_activation, set_secret
from service.identity.contacts import (
    Contact,
    Particulars,
    all_particulars,
    contact_of,
    particulars_by_card,
    particulars_by_ids,
)
from service.identity.queries import (
    Person,
    find_people,
    holders_of,
    lock_people,
    members_by_card,
    people_by_ids,
    person,
    roles_by_member,
)
from service.identity.rules import NAME_LENGTH_MAX, NewPerson, PersonNotFound, check_name, normal_card, normal_phone

__all__ = [
    "NAME_LENGTH_MAX",
    "Contact",
    "NewPerson",
    "Particulars",
    "Person",
    "PersonNotFound",
    "all_particulars",
    "check_name",
    "contact_of",
    "end_role",
    "end_session",
    "end_sessions_of",
    "enrol_people",
    "find_people",
    "grant_role",
    "holders_of",
    "issue_activation",
    "lock_people",
    "members_by_card",
    "normal_card",
    "normal_phone",
    "particulars_by_card",
    "particulars_by_ids",
    "people_by_ids",
    "person",
    "roles_by_member",
    "set_secret",
    "update_people",
]
