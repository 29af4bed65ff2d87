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
from service.identity.actions_sign_in import end_sessions_of, set_secret
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
from service.identity.rules import NewPerson, PersonNotFound

__all__ = [
    "NewPerson",
    "Person",
    "PersonNotFound",
    "end_role",
    "end_sessions_of",
    "enrol_people",
    "find_people",
    "grant_role",
    "holders_of",
    "lock_people",
    "members_by_card",
    "people_by_ids",
    "person",
    "roles_by_member",
    "set_secret",
    "update_people",
]
