"""Repairs as JSON: for residents, repairers and whoever dispatches."""

from service.repairs.api import desk, resident, work

HANDLERS = [*resident.HANDLERS, *work.HANDLERS, *desk.HANDLERS]
