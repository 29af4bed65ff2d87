"""What clearing offers the app."""

from service import facts
from service.clearing.actions import agreements, netting, steps, sweep
from service.clearing.api import desk as desk_api
from service.clearing.api import members
from service.clearing.pages import desk, helping, nettings, resident
from service.clearing.rules import HELPERS, READERS
from service.kit.manifest import Manifest, Nav, Timed

MANIFEST = Manifest(
    name="clearing",
    handlers=[
        *resident.HANDLERS,
        *helping.HANDLERS,
        *desk.HANDLERS,
        *nettings.HANDLERS,
        *members.HANDLERS,
        *desk_api.HANDLERS,
    ],
    subscribers={
        facts.ClearingProposed: [agreements.note_proposal],
        facts.ClearingAccepted: [agreements.note_acceptance],
        facts.ClearingEnded: [agreements.note_end],
        facts.ClearingSent: [steps.receive],
        facts.ClearingRecalled: [steps.receive],
        facts.ClearingArrived: [steps.acknowledge],
        facts.ClearingRefused: [steps.give_back],
        facts.NettingProposed: [netting.note_netting],
        facts.NettingConfirmed: [netting.complete_netting],
        facts.NettingRefused: [netting.drop_netting],
    },
    timed=[Timed("clearing.tell_again", 60, sweep.tell_again)],
    nav=[
        Nav("代办转出", "/desk/clearing/send", "hand", frozenset(HELPERS), order=52),
        Nav("跨社区往来", "/desk/clearing", "coin", frozenset(READERS), order=73),
    ],
    staff_inbox=[desk.inbox],
)
