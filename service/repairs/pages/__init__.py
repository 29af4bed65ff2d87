"""HTML of repairs: for residents, repairers and whoever dispatches."""

from service.repairs.pages import desk, month, quoting, resident, work

HANDLERS = [*resident.HANDLERS, *work.HANDLERS, *quoting.HANDLERS, *desk.HANDLERS, *month.HANDLERS]
