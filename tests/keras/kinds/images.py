"""The rows of the table in cases.py that are layers for images. Factors with equal ends leave nothing to chance."""

from kinds.layer import layer, random_image_layer

IMAGE = (3, 7, 9, 3)


def image(name, arguments, x=IMAGE, **more):
    return layer(name, arguments, x=x, **more)


WIDE = [-9.0, 9.0]

IMAGES = [
    image("Resizing", dict(height=5, width=12)),
    image("Resizing", dict(height=14, width=4, interpolation="bicubic", antialias=True)),
    image("Resizing", dict(height=4, width=4, interpolation="nearest", crop_to_aspect_ratio=True)),
    image("Resizing", dict(height=20, width=8, pad_to_aspect_ratio=True, fill_value=0.5, interpolation="lanczos3")),
    image("Resizing", dict(height=4, width=8), low=250),
    image("CenterCrop", dict(height=4, width=6)),
    image("CenterCrop", dict(height=9, width=6)),
    image("RandomRotation", dict(factor=[0.1, 0.1])),
    image("RandomRotation", dict(factor=[-0.3, -0.3], fill_mode="constant", fill_value=0.7)),
    image("RandomRotation", dict(factor=[0.22, 0.22], fill_mode="wrap")),
    image("RandomRotation", dict(factor=[0.07, 0.07], fill_mode="nearest", interpolation="nearest")),
    image("RandomZoom", dict(height_factor=[0.3, 0.3])),
    image("RandomZoom", dict(height_factor=[-0.4, -0.4], width_factor=[0.2, 0.2], fill_mode="nearest")),
    image("RandomZoom", dict(height_factor=[0.5, 0.5], fill_mode="constant", interpolation="nearest")),
    image("RandomTranslation", dict(height_factor=[0.23, 0.23], width_factor=[-0.31, -0.31])),
    image("RandomTranslation", dict(height_factor=[-0.9, -0.9], width_factor=[0.8, 0.8], fill_mode="wrap")),
    image("RandomTranslation", dict(height_factor=[0.2, 0.2], width_factor=[0, 0], fill_mode="constant")),
    image("RandomShear", dict()),
    image("RandomBrightness", dict(factor=[0.1, 0.1], value_range=WIDE)),
    image("RandomBrightness", dict(factor=[-0.01, -0.01])),
    image("RandomContrast", dict(factor=[0.0, 0.0], value_range=WIDE)),
    image("RandomContrast", dict(factor=[0.0, 0.0])),
    image("AutoContrast", dict(value_range=WIDE)),
    image("AutoContrast", dict(), low=100),
    image("Solarization", dict(value_range=WIDE)),
    image("Solarization", dict(), low=256),
    image("RandomHue", dict(factor=[0.0, 0.0], value_range=WIDE), absolute=1e-5),
    image("RandomHue", dict(factor=[1.0, 1.0]), low=256, absolute=1e-5),
    image("RandomSaturation", dict(factor=[0.3, 0.3]), absolute=1e-5),
    image("RandomSaturation", dict(factor=[0.7, 0.7], value_range=[0, 1]), absolute=1e-5),
    image("RandomColorDegeneration", dict(factor=[0.3, 0.3], value_range=WIDE)),
    image("RandomColorDegeneration", dict(factor=[-0.3, -0.3]), low=256),
    image("RandomPosterization", dict(factor=[3, 3]), low=256),
    image("RandomPosterization", dict(factor=[5, 5], value_range=WIDE)),
    image("RandomSharpness", dict(factor=[0.2, 0.2], value_range=WIDE)),
    image("RandomSharpness", dict(factor=[1.0, 1.0]), low=256, x=(2, 5, 6, 2)),
    image("Equalization", dict(), low=256, x=(2, 5, 7, 3)),
    image("Equalization", dict(bins=16, value_range=WIDE), x=(1, 7, 9, 2)),
    image("ContrastLimitedAdaptiveHistogramEqualization", dict(), low=256, x=(2, 30, 27, 3), exports=False,
          absolute=0.004),  # whole numbers, cut off: one more or less
    image("ContrastLimitedAdaptiveHistogramEqualization", dict(tile_grid_size=(3, 2), clip_limit=0.0, value_range=WIDE),
          x=(2, 12, 13, 2), absolute=1e-5, exports=False),
    image("ContrastLimitedAdaptiveHistogramEqualization", dict(tile_grid_size=(4, 4), clip_limit=1.5, value_range=WIDE),
          x=(2, 16, 16, 1), absolute=1e-5, exports=False),
    image("RandomColorJitter", dict(brightness_factor=[0.1, 0.1], contrast_factor=[0.0, 0.0],
                                    saturation_factor=[0.4, 0.4], hue_factor=[0.0, 0.0]), absolute=1e-5),
    image("RandomColorJitter", dict(), low=200),
    image("RandomGaussianBlur", dict(factor=[1.0, 1.0], sigma=[0.7, 0.7], value_range=WIDE)),
    image("RandomGaussianBlur", dict(factor=[1.0, 1.0], kernel_size=[5, 3], sigma=[1.0, 1.0]), low=256, absolute=1e-5),
    image("RandomPerspective", dict(scale=0.0), absolute=1e-5),
    image("RandomPerspective", dict(factor=0.0)),
    image("RandomInvert", dict(factor=[1.0, 1.0], value_range=[0, 1])),
    image("RandomInvert", dict(factor=[0.0, 0.0])),
    image("RandomGrayscale", dict(factor=1.0)),
    image("RandomGrayscale", dict(factor=0.0)),
    image("RandomErasing", dict(factor=[0.0, 0.0])),
    image("RandomErasing", dict(scale=[1.0, 1.0], factor=[1.0, 1.0], fill_value=0.5)),
]

UNIT = dict(value_range=[0, 1], seed=1)

IMAGES += [
    random_image_layer("MixUp", dict(alpha=0.6, seed=1)),
    random_image_layer("CutMix", dict(factor=[0.8, 1.0], seed=1)),
    random_image_layer("Solarization", dict(addition_factor=0.3, threshold_factor=0.8) | UNIT),
    random_image_layer("RandomHue", dict(factor=0.7) | UNIT),
    random_image_layer("RandomSaturation", dict(factor=[0.2, 0.8]) | UNIT),
    random_image_layer("RandomColorDegeneration", dict(factor=0.8) | UNIT),
    random_image_layer("RandomPosterization", dict(factor=[1, 5]) | UNIT),
    random_image_layer("RandomSharpness", dict(factor=1.0) | UNIT),
    random_image_layer("RandomColorJitter", dict(brightness_factor=0.3, contrast_factor=0.4,
                                                 saturation_factor=[0.3, 0.7], hue_factor=0.5) | UNIT),
    random_image_layer("RandomGaussianBlur", dict(factor=[0.2, 0.6], kernel_size=5, sigma=[0.8, 1.0]) | UNIT),
    random_image_layer("RandomPerspective", dict(factor=[0.4, 0.8], seed=1)),
    random_image_layer("RandomElasticTransform", dict(factor=[0.5, 0.7], scale=[0.9, 0.9]) | UNIT,
                       x=(400, 9, 8, 3), absolute=0.16),  # Keras takes images one by one
]

# Layers that draw once for a batch, so that no statistics settle: saved and loaded all the same.
CHOOSING = [
    random_image_layer("RandAugment", dict(num_ops=3, factor=0.3) | UNIT),
    random_image_layer("AugMix", dict(num_chains=2, factor=[0.1, 0.4], alpha=0.5, all_ops=False) | UNIT),
]
