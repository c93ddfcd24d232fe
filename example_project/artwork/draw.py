"""Draw the shop's pictures anew: ``python example_project/artwork/draw.py``.

There are no photographs of a hotel that does not exist. What this draws is
committed in ``mill/home/pictures``, so nobody has to wait for it.
"""

import sys
from pathlib import Path

import interiors
import landscapes
import picnic
import stationery
import tea_table


PICTURES = Path(__file__).resolve().parent.parent / "mill" / "home" / "pictures"
SCENES = {
    "mill": landscapes.mill,
    "river": landscapes.river,
    "room": interiors.room,
    "tea": tea_table.tea,
    "hamper": picnic.hamper,
    "voucher": stationery.voucher,
    "dinner": interiors.dinner,
}

if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SCENES:
        sys.stdout.write(f"{name}\n")
        SCENES[name](PICTURES / f"{name}.jpg")
