"""What communities and organisations may be."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from service.kit.refusals import Conflict, NotFound


class OrganisationKind(StrEnum):
    """What an organisation is to the community."""

    MERCHANT = "merchant"
    REPAIR_TEAM = "repair_team"
    PARTNER = "partner"
    SOCIAL = "social"
    OFFICE = "office"


@dataclass(eq=False)
class CommunityExists(Conflict):
    """A community with this number was founded before."""

    code: ClassVar[str] = "communities.exists"
    number: int


class CommunityNotFound(NotFound):
    """No such community."""

    code: ClassVar[str] = "communities.not_found"


class OrganisationNotFound(NotFound):
    """No such organisation in this community."""

    code: ClassVar[str] = "communities.organisation_not_found"


@dataclass(eq=False)
class SettingOutOfRange(Conflict):
    """A setting was given a value it cannot have."""

    code: ClassVar[str] = "communities.setting_out_of_range"
    name: str
    smallest: int
    largest: int


class SettingUnknown(NotFound):
    """There is no setting of this name."""

    code: ClassVar[str] = "communities.setting_unknown"
