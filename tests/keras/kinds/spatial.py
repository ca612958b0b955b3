"""The lines of the table for convolutions, pooling and what else changes the sizes of images."""

from kinds.layer import layer

# Data of one, two and three sizes.
LINE, IMAGE, SPACE = (2, 11, 3), (2, 7, 8, 3), (2, 4, 5, 4, 2)


def conv(name, arguments, x, absolute=1e-5):
    """Gradients of kernels are sums over all pixels, so they carry the rounding of many terms."""
    return layer(name, arguments, x=x, absolute=absolute)


def convolutions():
    lines = [
        conv("Conv1D", dict(filters=4, kernel_size=3), x=LINE),
        conv("Conv1D", dict(filters=4, kernel_size=3, strides=2, padding="same", activation="relu"), x=LINE),
        conv("Conv1D", dict(filters=2, kernel_size=2, padding="causal", dilation_rate=3), x=LINE),
        conv("Conv1D", dict(filters=2, kernel_size=4, padding="causal", strides=2, use_bias=False), x=LINE),
        conv("Conv1D", dict(filters=33, kernel_size=5, padding="same", activation="tanh"), x=(3, 40, 20),
             absolute=4e-5),
        conv("Conv2D", dict(filters=4, kernel_size=(3, 2)), x=IMAGE),
        conv("Conv2D", dict(filters=5, kernel_size=3, padding="same", activation="relu"), x=IMAGE),
        conv("Conv2D", dict(filters=5, kernel_size=3, padding="same", strides=2), x=IMAGE),
        conv("Conv2D", dict(filters=5, kernel_size=(2, 4), padding="same", strides=(3, 2)), x=IMAGE),
        conv("Conv2D", dict(filters=5, kernel_size=2, dilation_rate=(2, 3), use_bias=False), x=IMAGE),
        conv("Conv2D", dict(filters=6, kernel_size=3, groups=3, padding="same", activation="relu"), x=IMAGE),
        conv("Conv2D", dict(filters=4, kernel_size=2, groups=2), x=(2, 5, 5, 6)),
        conv("Conv2D", dict(filters=7, kernel_size=1, activation="sigmoid"), x=IMAGE),
        conv("Conv2D", dict(filters=7, kernel_size=1, strides=2, use_bias=False, activation="relu"), x=IMAGE),
        conv("Conv2D", dict(filters=70, kernel_size=3, padding="same"), x=(9, 6, 6, 17), absolute=4e-5),
        conv("Conv3D", dict(filters=3, kernel_size=2), x=SPACE),
        conv("Conv3D", dict(filters=3, kernel_size=(3, 2, 3), padding="same", strides=(1, 2, 2)), x=SPACE),
        conv("DepthwiseConv1D", dict(kernel_size=3, strides=2, padding="same", activation="relu"), x=LINE),
        conv("DepthwiseConv1D", dict(kernel_size=2, depth_multiplier=2, dilation_rate=3), x=LINE),
        conv("DepthwiseConv2D", dict(kernel_size=3), x=IMAGE),
        conv("DepthwiseConv2D", dict(kernel_size=3, padding="same", depth_multiplier=3, use_bias=False),
             x=IMAGE),
        conv("DepthwiseConv2D", dict(kernel_size=3, strides=2, padding="same", activation="relu"),
             x=(2, 9, 8, 21)),
        conv("DepthwiseConv2D", dict(kernel_size=(1, 3), dilation_rate=2), x=IMAGE),
        conv("SeparableConv1D", dict(filters=4, kernel_size=3, depth_multiplier=2, activation="relu"), x=LINE),
        conv("SeparableConv1D", dict(filters=4, kernel_size=3, strides=2, padding="same"), x=LINE),
        conv("SeparableConv2D", dict(filters=4, kernel_size=3, padding="same", activation="relu"), x=IMAGE),
        conv("SeparableConv2D", dict(filters=4, kernel_size=(2, 3), depth_multiplier=2, use_bias=False),
             x=IMAGE),
    ]
    for axes, x in (1, LINE), (2, IMAGE), (3, (2, 2, 3, 2, 2)):
        name = f"Conv{axes}DTranspose"
        lines += [conv(name, dict(filters=2, kernel_size=3, strides=strides, padding=padding), x=x)
                  for strides in (1, 2) for padding in ("valid", "same")]
    lines += [
        conv("Conv1DTranspose", dict(filters=2, kernel_size=2, strides=3), x=LINE),
        conv("Conv1DTranspose", dict(filters=2, kernel_size=2, strides=3, padding="same"), x=LINE),
        conv("Conv1DTranspose", dict(filters=2, kernel_size=3, dilation_rate=2, activation="relu"), x=LINE),
        conv("Conv2DTranspose", dict(filters=4, kernel_size=4, strides=2, padding="same"), x=IMAGE),
        conv("Conv2DTranspose", dict(filters=4, kernel_size=3, strides=2, padding="same", output_padding=1,
                                               use_bias=False), x=IMAGE),
        conv("Conv2DTranspose", dict(filters=4, kernel_size=(3, 5), strides=(2, 3), output_padding=(0, 2)),
             x=IMAGE),
        conv("Conv2DTranspose", dict(filters=4, kernel_size=5, strides=2, padding="same", output_padding=0),
             x=IMAGE),
        conv("Conv2DTranspose", dict(filters=4, kernel_size=3, dilation_rate=2, padding="same"), x=IMAGE),
    ]
    return lines


def pooling():
    lines = []
    for name in "MaxPooling", "AveragePooling":
        lines += [
            layer(f"{name}1D", dict(pool_size=2), x=LINE),
            layer(f"{name}1D", dict(pool_size=3, strides=1, padding="same"), x=LINE),
            layer(f"{name}2D", dict(pool_size=(2, 2)), x=IMAGE),
            layer(f"{name}2D", dict(pool_size=2, padding="same"), x=IMAGE),
            layer(f"{name}2D", dict(pool_size=(3, 2), strides=(2, 1), padding="same"), x=IMAGE),
            layer(f"{name}2D", dict(pool_size=2, strides=3), x=IMAGE),
            layer(f"{name}3D", dict(pool_size=2), x=SPACE),
            layer(f"{name}3D", dict(pool_size=3, strides=2, padding="same"), x=SPACE),
        ]
    for name in "GlobalMaxPooling", "GlobalAveragePooling":
        for axes, x in (1, LINE), (2, IMAGE), (3, SPACE):
            lines += [layer(f"{name}{axes}D", x=x), layer(f"{name}{axes}D", dict(keepdims=True), x=x)]
    for name in "AdaptiveMaxPooling", "AdaptiveAveragePooling":
        lines += [
            layer(f"{name}1D", dict(output_size=4), x=LINE),
            layer(f"{name}1D", dict(output_size=3), x=(2, 9, 3)),
            layer(f"{name}2D", dict(output_size=(3, 5)), x=IMAGE),
            layer(f"{name}2D", dict(output_size=3), x=IMAGE),
            layer(f"{name}3D", dict(output_size=(2, 3, 1)), x=SPACE),
            layer(f"{name}3D", dict(output_size=3), x=SPACE),
            layer(f"{name}1D", dict(output_size=15), x=LINE,
                  differs="Keras reads beyond the end where there are more bins than places"),
        ]
    return lines


def borders():
    return [
        layer("ZeroPadding1D", x=LINE),
        layer("ZeroPadding1D", dict(padding=(1, 3)), x=LINE),
        layer("ZeroPadding2D", x=IMAGE),
        layer("ZeroPadding2D", dict(padding=2), x=IMAGE),
        layer("ZeroPadding2D", dict(padding=(2, 0)), x=IMAGE),
        layer("ZeroPadding2D", dict(padding=((1, 0), (2, 3))), x=IMAGE),
        layer("ZeroPadding3D", x=SPACE),
        layer("ZeroPadding3D", dict(padding=((1, 0), (2, 3), (0, 0))), x=SPACE),
        layer("Cropping1D", x=LINE),
        layer("Cropping1D", dict(cropping=(0, 2)), x=LINE),
        layer("Cropping2D", x=IMAGE),
        layer("Cropping2D", dict(cropping=(1, 2)), x=IMAGE),
        layer("Cropping2D", dict(cropping=((1, 0), (2, 3))), x=IMAGE),
        layer("Cropping3D", x=SPACE),
        layer("Cropping3D", dict(cropping=((1, 0), (2, 1), (0, 0))), x=SPACE),
        layer("UpSampling1D", x=LINE),
        layer("UpSampling1D", dict(size=3), x=LINE),
        layer("UpSampling2D", x=IMAGE),
        layer("UpSampling2D", dict(size=(2, 3)), x=IMAGE),
        layer("UpSampling2D", dict(size=(3, 2), interpolation="bilinear"), x=IMAGE),
        layer("UpSampling2D", dict(size=2, interpolation="bicubic"), x=IMAGE),
        layer("UpSampling3D", x=SPACE),
        layer("UpSampling3D", dict(size=(1, 3, 2)), x=SPACE),
    ]


SPATIAL = convolutions() + pooling() + borders()
