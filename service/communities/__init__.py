"""Where people live and work: street, community, grid, building, household; organisations; and the dated settings.

A community (居委会) is the tenant of everything. Its settings are rows with a day from which they hold, so that
"what did an hour earn on 1 March?" has an answer for ever; no rate, cap or term is a constant in code.
"""

from service.communities.actions import change_setting, check_value, found_community, lock_settings, open_organisation
from service.communities.catalogue import SETTINGS, Setting, SettingGroup
from service.communities.offline import loss_month, offline_terms
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
    SettingLine,
    communities,
    community,
    organisation,
    organisations,
    organisations_by_ids,
    setting,
    setting_lines,
    settings_in_force,
    settings_on,
    settings_on_days,
)
from service.communities.rules import OrganisationKind, OrganisationNotFound, SettingUnknown
from service.communities.watch import watch_on

__all__ = [
    "SETTINGS",
    "BuildingView",
    "CommunityView",
    "OrganisationKind",
    "OrganisationNotFound",
    "OrganisationView",
    "PriceLine",
    "Setting",
    "SettingGroup",
    "SettingLine",
    "SettingUnknown",
    "buildings",
    "change_setting",
    "check_value",
    "communities",
    "community",
    "found_community",
    "lock_settings",
    "loss_month",
    "offline_terms",
    "open_buildings",
    "open_organisation",
    "organisation",
    "organisations",
    "organisations_by_ids",
    "prices_on",
    "set_prices",
    "setting",
    "setting_lines",
    "settings_in_force",
    "settings_on",
    "settings_on_days",
    "watch_on",
]
