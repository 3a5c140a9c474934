"""Dice of two label maps, label by label: same_labels.py NAME A.nii.gz B.nii.gz"""

import sys

import nibabel
import numpy

name, *paths = sys.argv[1:]
a, b = (numpy.asarray(nibabel.load(path).dataobj) for path in paths)
dice = {
    int(label): 2 * ((a == label) & (b == label)).sum() / ((a == label).sum() + (b == label).sum())
    for label in numpy.union1d(numpy.unique(a), numpy.unique(b))
    if label
}
parts = ", ".join(f"label {label} Dice {value:.4f}" for label, value in dice.items())
print(f"{name}: {100 * (a == b).mean():.3f} % of the voxels the same; {parts}", file=sys.stderr)
