"""The second peer: nnU-Net v2's own predictor with a PlainConvUNet of UniSeg's size.

    nnunet.py IMAGE.nii.gz OUTPUT.nii.gz

Same patch, spacing, step and normalisation's cost; random weights; no mirroring; CPU, f32.
"""

import sys

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from uniseg import FEATURES, KERNELS, PATCH, STRIDES

SPACING = [3.0, 1.5, 1.5]
RESAMPLING = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
INTENSITIES = {
    "mean": 0.0, "std": 200.0, "percentile_00_5": -325.0, "percentile_99_5": 325.0,
    "median": 0.0, "min": -1000.0, "max": 1000.0,
}
ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": len(FEATURES),
        "features_per_stage": FEATURES,
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [list(kernel) for kernel in KERNELS],
        "strides": [[1, 1, 1]] + [list(stride) for stride in STRIDES],
        "n_conv_per_stage": [2] * len(FEATURES),
        "n_conv_per_stage_decoder": [2] * len(STRIDES),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}
CONFIGURATION = {
    "data_identifier": "bench",
    "preprocessor_name": "DefaultPreprocessor",
    "batch_size": 2,
    "patch_size": list(PATCH),
    "median_image_size_in_voxels": list(PATCH),
    "spacing": SPACING,
    "normalization_schemes": ["CTNormalization"],
    "use_mask_for_norm": [False],
    "resampling_fn_data": "resample_data_or_seg_to_shape",
    "resampling_fn_seg": "resample_data_or_seg_to_shape",
    "resampling_fn_data_kwargs": RESAMPLING,
    "resampling_fn_seg_kwargs": {**RESAMPLING, "is_seg": True, "order": 1},
    "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
    "resampling_fn_probabilities_kwargs": {**RESAMPLING, "order": 1},
    "architecture": ARCHITECTURE,
    "batch_dice": False,
}
PLANS = {
    "dataset_name": "bench",
    "plans_name": "bench",
    "original_median_spacing_after_transp": SPACING,
    "original_median_shape_after_transp": list(PATCH),
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "configurations": {"3d_fullres": CONFIGURATION},
    "experiment_planner_used": "ExperimentPlanner",
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {"0": INTENSITIES},
}
DATASET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1, "tumour": 2},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def main(image, output):
    plans = PlansManager(PLANS)
    configuration = plans.get_configuration("3d_fullres")
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        3,
        deep_supervision=False,
    )
    predictor.manual_initialization(
        network, plans, configuration, [network.state_dict()], DATASET, "nnUNetTrainer", None
    )
    reader = plans.image_reader_writer_class()
    voxels, properties = reader.read_images([image])
    predictor.predict_single_npy_array(voxels, properties, None, output.removesuffix(".nii.gz"))


if __name__ == "__main__":
    main(*sys.argv[1:])
