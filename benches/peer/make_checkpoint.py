"""Writes the paper's network with random weights as an official checkpoint: make_checkpoint.py OUTPUT"""

import sys

from uniseg import save, seeded

save(seeded(), sys.argv[1])
