"""Repairs as JSON: for residents, repairers and whoever dispatches."""

from service.repairs.api import resident, work

HANDLERS = [*resident.HANDLERS, *work.HANDLERS]
