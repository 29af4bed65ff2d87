"""Where people live and work: street, community, grid, building, household; organisations; and the dated settings.

A community (居委会) is the tenant of everything. Its settings are rows with a day from which they hold, so that
"what did an hour earn on 1 March?" has an answer for ever; no rate, cap or term is a constant in code.
"""

from service.communities.actions import change_setting, found_community, open_organisation
from service.communities.catalogue import SETTINGS, Setting
from service.communities.places import (
    BuildingView,
    PriceLine,
    buildings,
    open_buildings,
    prices_on,
    set_prices,
)
from service.communities.queries import (
    CommunityView,
    OrganisationView,
    communities,
    community,
    organisation,
    organisations,
    organisations_by_ids,
    setting,
    settings_on,
)
from service.communities.rules import OrganisationKind, OrganisationNotFound

__all__ = [
    "SETTINGS",
    "BuildingView",
    "CommunityView",
    "OrganisationKind",
    "OrganisationNotFound",
    "OrganisationView",
    "PriceLine",
    "Setting",
    "buildings",
    "change_setting",
    "communities",
    "community",
    "found_community",
    "open_buildings",
    "open_organisation",
    "organisation",
    "organisations",
    "organisations_by_ids",
    "prices_on",
    "set_prices",
    "setting",
    "settings_on",
]
