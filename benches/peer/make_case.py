"""Writes a made-up CT: make_case.py OUTPUT.nii.gz [PLANES]

PLANES (115) x 320 x 480 voxels of 2.5 x 0.9 x 0.9 mm: 4 windows at 3 x 1.5 x 1.5 mm, of 700 planes
36. A body with noise and soft structures in air; what is in it does not matter for time.
"""

import sys

import nibabel
import numpy
from scipy.ndimage import gaussian_filter

planes = int(sys.argv[2]) if len(sys.argv) > 2 else 115
SHAPE, SPACING = (planes, 320, 480), (2.5, 0.9, 0.9)
random = numpy.random.default_rng(0)
noise = random.standard_normal(SHAPE).astype(numpy.float32)
structures = gaussian_filter(noise, (4, 10, 10))
volume = 40 + 150 * structures / structures.std() + 20 * noise
y, x = (numpy.linspace(-1, 1, size) for size in SHAPE[1:])
volume[:, y[:, None] ** 2 + x**2 > 0.9] = -1000
affine = numpy.diag([*SPACING[::-1], 1])
image = nibabel.Nifti1Image(volume.astype(numpy.int16).T, affine)
nibabel.save(image, sys.argv[1])
