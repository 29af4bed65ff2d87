"""The ledger is a library."""

import subprocess
import sys


def test_it_knows_nothing_of_the_service():
    program = (
        "import sys, ledger; print([name for name in sys.modules if name.split('.')[0] in {'service', 'redemption'}])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
